//! A query, checked and compiled.

use super::error::QueryError;
use super::query::Query;
use super::rows::{Column, ColumnKind};

/// A query, checked and compiled. It is the same on all members, and shared by all folds of one.
#[derive(Debug)]
pub struct Plan {
    columns: Vec<Column>,
}

impl Plan {
    /// Checks names and types.
    pub fn new(_query: &Query) -> Result<Self, QueryError> {
        Ok(Self { columns: vec![Column { name: "count".to_owned(), kind: ColumnKind::Figure }] })
    }

    /// Whether the times of lines are asked for.
    pub fn needs_time(&self) -> bool {
        false
    }

    /// The columns of the answer.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}
