//! What the asker has of all members.

use super::error::PartialError;
use super::fold::Limits;
use super::plan::Plan;
use super::rows::{Counts, Row, Rows, Value};
use std::sync::Arc;

/// The merged sums of all members. It owns its table.
#[derive(Debug)]
pub struct Gather {
    plan: Arc<Plan>,
    counts: Counts,
}

impl Gather {
    /// An empty table.
    pub fn new(plan: Arc<Plan>, _limits: Limits) -> Self {
        Self { plan, counts: Counts::default() }
    }

    /// Adds a partial sum that came from a member, once. After an error nothing of it is added,
    /// unless the table is full.
    pub fn partial(&mut self, bytes: &[u8]) -> Result<(), PartialError> {
        let lines = bytes.try_into().map_err(|_| PartialError::Malformed("length"))?;
        self.counts.lines += u64::from_le_bytes(lines);
        Ok(())
    }

    /// The answer.
    pub fn finish(self) -> Rows {
        let row = Row { values: vec![Value::Number(self.counts.lines.into())] };
        Rows { columns: self.plan.columns().to_vec(), rows: vec![row], counts: self.counts }
    }
}
