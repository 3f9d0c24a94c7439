//! What the asker has of all members.

use super::aggregate::State;
use super::error::{Full, PartialError};
use super::fold::Limits;
use super::key::Parts;
use super::partial::{Partials, Read, Sink, read};
use super::plan::Plan;
use super::report::report;
use super::rows::{Counts, Rows, Value};
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

    /// Whether a partial sum that came from `member` can be read. Nothing of it is added, so all of
    /// a member's can be checked before the first is.
    pub fn check(&self, member: &str, bytes: &[u8]) -> Result<(), PartialError> {
        read(&self.plan, bytes, &mut Check { plan: &self.plan, member: member.as_bytes() })?;
        Ok(())
    }

    /// Adds a partial sum that came from `member`. Each is to be given once. After an error nothing
    /// of it is added, unless the table is full.
    pub fn partial(&mut self, member: &str, bytes: &[u8]) -> Result<(), PartialError> {
        self.check(member, bytes)?;
        let counts = read(&self.plan, bytes, &mut Merge { table: &mut self.table, group: 0 })?;
        self.counts.add(counts);
        Ok(())
    }

    /// Adds sums of any members, each of which was checked when it came: what
    /// [`Gather::into_partials`] made, for example.
    pub fn checked_partial(&mut self, bytes: &[u8]) -> Result<(), PartialError> {
        let counts = read(&self.plan, bytes, &mut Merge { table: &mut self.table, group: 0 })?;
        self.counts.add(counts);
        Ok(())
    }

    /// All sums as bytes, at most [`MAX_PARTIAL`](crate::MAX_PARTIAL) each, to go on with later.
    pub fn into_partials(self) -> impl Iterator<Item = Vec<u8>> {
        Partials::new(self.plan, self.table, self.counts)
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
struct Check<'a> {
    plan: &'a Plan,
    /// The member that sent it. It may say nothing of the lines of others.
    member: &'a [u8],
}

impl Sink for Check<'_> {
    fn group(&mut self, key: &[u8]) -> Read<()> {
        let mut parts = Parts(key);
        let _ = self.plan.every().and_then(|_| parts.window());
        for is_member in self.plan.member_keys() {
            let value = parts.value();
            if is_member && !matches!(value, Value::Text(name) if name == self.member) {
                return Err(PartialError::OtherMember);
            }
        }
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
