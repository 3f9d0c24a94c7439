//! The text of a query, parsed.

use super::error::QueryError;
use super::syntax::{self, Stage};

/// A query: grep's pattern, then stages. [`Plan::new`](crate::Plan::new) checks its names.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    pattern: Option<String>,
    stages: Vec<Stage>,
}

impl Query {
    /// Reads a query: grep's pattern, bare or in quotes, then `| stage` once or more often. At most
    /// 16 KiB.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let (pattern, stages) = syntax::parse(text)?;
        Ok(Self { text: text.to_owned(), pattern, stages })
    }

    /// The pattern by which grep finds the lines. None if all lines are meant.
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// The text that was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }
}
