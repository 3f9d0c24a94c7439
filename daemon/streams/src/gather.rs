//! What the asker has of all members.

use super::aggregate::State;
use super::error::{Full, PartialError};
use super::fold::Limits;
use super::partial::{Read, Sink, read};
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
        let counts = read(&self.plan, bytes, &mut Check)?;
        read(&self.plan, bytes, &mut Merge { table: &mut self.table, group: 0 })?;
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

/// Takes nothing: whether all of a partial can be read is known before any of it is added.
struct Check;

impl Sink for Check {
    fn group(&mut self, _: &[u8]) -> Read<()> {
        Ok(())
    }

    fn state(&mut self, _: usize, _: &State) -> Read<()> {
        Ok(())
    }
}

/// Adds groups to a table.
struct Merge<'a> {
    table: &'a mut Table,
    /// The group whose states come.
    group: usize,
}

impl Sink for Merge<'_> {
    fn group(&mut self, key: &[u8]) -> Read<()> {
        self.group = self.table.group(key)?;
        Ok(())
    }

    fn state(&mut self, at: usize, state: &State) -> Read<()> {
        Ok(self.table.merge_state(self.group, at, state)?)
    }
}
