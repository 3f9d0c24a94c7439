//! What the asker has of all members.

use super::error::{Full, PartialError};
use super::fold::Limits;
use super::partial::read;
use super::plan::Plan;
use super::report::report;
use super::rows::{Counts, Rows};
use super::table::Table;
use std::sync::Arc;

/// The merged sums of all members. It owns its table.
#[derive(Debug)]
pub struct Gather {
    plan: Arc<Plan>,
    counts: Counts,
    table: Table,
}

impl Gather {
    /// An empty table.
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        let table = Table::new(plan.seed(), plan.state_kinds(), limits);
        Self { plan, counts: Counts::default(), table }
    }

    /// Adds a partial sum that came from a member. Each is to be given once. After an error nothing
    /// of it is added, unless the table is full.
    pub fn partial(&mut self, bytes: &[u8]) -> Result<(), PartialError> {
        let counts = read(&self.plan, bytes, |_, _| Ok(()))?;
        let table = &mut self.table;
        read(&self.plan, bytes, |key, states| {
            let group = table.group(key)?;
            for (at, state) in states.iter().enumerate() {
                table.merge_state(group, at, state)?;
            }
            Ok(())
        })?;
        self.counts.add(counts);
        Ok(())
    }

    /// What was counted until now.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The answer. Windows that overlap may need more groups than there may be.
    pub fn finish(self) -> Result<Rows, Full> {
        report(&self.plan, self.table, self.counts)
    }
}
