//! What the asker has of all members.

mod follow;

use super::aggregate::State;
use super::error::{Full, PartialError};
use super::fold::Limits;
use super::key::{Parts, push_window};
use super::partial::{Partials, Read, Sink, read};
use super::plan::Plan;
use super::report::{Groups, Report};
use super::rows::{Counts, RankedRow, Rows, Value};
use super::table::Table;
use follow::Follow;
use std::sync::Arc;

/// The merged sums of all members. It owns its table, and of an answer that grows what was shown.
#[derive(Debug)]
pub struct Gather {
    plan: Arc<Plan>,
    counts: Counts,
    table: Table,
    /// None if there is one answer, at the end.
    follow: Option<Follow>,
    /// All sums become those of the window that begins here.
    window: Option<i64>,
}

impl Gather {
    /// An empty table.
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        let table = Table::new(plan.seed(), plan.state_kinds(), limits);
        Self { plan, counts: Counts::default(), table, follow: None, window: None }
    }

    /// An empty table for sums that come without end. Its rows may be asked for at any time, and
    /// its old windows can be forgotten.
    pub fn following(plan: Arc<Plan>, limits: Limits) -> Self {
        Self { follow: Some(Follow::default()), ..Self::new(plan, limits) }
    }

    /// An empty table for the sums of the window alone that begins at `window`, in milliseconds
    /// since the Unix epoch. Where windows overlap, what a [`Fold`](crate::Fold) sums is a part of
    /// several: so give it all partial sums of the times that this one has, and no others.
    pub fn of_window(plan: Arc<Plan>, limits: Limits, window: i64) -> Self {
        Self { window: Some(window), ..Self::new(plan, limits) }
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
        self.checked_partial(bytes)
    }

    /// Adds sums of any members, each of which was checked when it came: what
    /// [`Gather::into_partials`] made, for example.
    pub fn checked_partial(&mut self, bytes: &[u8]) -> Result<(), PartialError> {
        if let Some(follow) = &mut self.follow {
            follow.make_room(&self.plan, &mut self.table)?;
        }
        let mut merge = Merge {
            plan: &self.plan,
            table: &mut self.table,
            follow: self.follow.as_mut(),
            window: self.window,
            group: None,
            late: 0,
        };
        let counts = read(&self.plan, bytes, &mut merge)?;
        let late = merge.late;
        self.counts.add(Counts { late, ..counts });
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

    /// When the newest window begins that has begun by `now`. Both are in milliseconds since the
    /// Unix epoch. Lines of the future say nothing of what is old.
    pub fn newest(&self, now: i64) -> Option<i64> {
        self.follow.as_ref()?.newest(now)
    }

    /// Forgets the windows that had ended at this time, in milliseconds since the Unix epoch. Lines
    /// of them that come from now on are only counted, as late. What is forgotten stays so. Without
    /// windows, and if there is one answer at the end, nothing is old.
    pub fn forget_before(&mut self, time: i64) {
        if let (Some(follow), Some((every, over))) = (&mut self.follow, self.plan.over()) {
            follow.forget_before(time, every, over);
        }
    }

    /// The rows as they are now: those of all windows that are not forgotten. Windows that overlap
    /// may need more groups than there may be.
    pub fn rows(&self) -> Result<Rows, Full> {
        let report = Report::new(&self.plan, &self.table, self.groups(None))?;
        Ok(report.answer(self.counts))
    }

    /// The rows that are new, or have another value in some column, since this was asked last. A
    /// row that is in the answer no longer is not told.
    pub fn changed(&mut self) -> Result<Rows, Full> {
        let chosen = self.follow.as_ref().and_then(|follow| follow.touched(&self.plan));
        let report = Report::new(&self.plan, &self.table, self.groups(chosen))?;
        let Some(follow) = &mut self.follow else { return Ok(report.answer(self.counts)) };
        follow.untouch();
        Ok(report.answer_of(self.counts, |row| follow.show(row)))
    }

    /// The answer. Windows that overlap may need more groups than there may be.
    pub fn finish(self) -> Result<Rows, Full> {
        let report = Report::new(&self.plan, &self.table, self.groups(None))?;
        drop(self.table);
        Ok(report.answer(self.counts))
    }

    /// The rows for an answer of several tables with different keys: of each, those that the first
    /// `top` leaves, or all without one. Who puts them together, and does for each window what
    /// [`Plan::order_stages`] says, has what [`Gather::finish`] says of all keys.
    pub fn finish_ranked(self) -> Result<Vec<RankedRow>, Full> {
        let report = Report::new(&self.plan, &self.table, self.groups(None))?;
        drop(self.table);
        Ok(report.ranked())
    }

    /// Which groups become rows.
    fn groups(&self, chosen: Option<Vec<usize>>) -> Groups {
        Groups { floor: self.floor(), chosen, are_whole: self.window.is_some() }
    }

    /// When the first window begins that is not forgotten.
    fn floor(&self) -> Option<i64> {
        self.follow.as_ref().and_then(Follow::floor)
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
    plan: &'a Plan,
    table: &'a mut Table,
    follow: Option<&'a mut Follow>,
    /// All groups become those of this window.
    window: Option<i64>,
    /// The group whose states come. None if its window is forgotten.
    group: Option<usize>,
    /// Lines of windows that are forgotten.
    late: u64,
}

impl Sink for Merge<'_> {
    fn group(&mut self, key: &[u8]) -> Read<()> {
        let mut parts = Parts(key);
        let mut window = self.plan.every().and_then(|_| parts.window());
        let moved = self.window.filter(|to| window.is_some_and(|of| of != *to)).map(|to| {
            window = Some(to);
            let mut key = Vec::with_capacity(key.len());
            push_window(&mut key, to);
            key.extend_from_slice(parts.0);
            key
        });
        let key = moved.as_deref().unwrap_or(key);
        if self.follow.as_ref().is_some_and(|follow| follow.is_forgotten(window)) {
            self.group = None;
            return Ok(());
        }
        let group = self.table.group(key)?;
        self.group = Some(group);
        if let Some(follow) = &mut self.follow {
            follow.touch(group, window);
        }
        Ok(())
    }

    fn state(&mut self, at: usize, state: &State) -> Read<()> {
        match (self.group, state) {
            (Some(group), _) => self.table.merge_state(group, at, state)?,
            (None, State::Count(lines)) => self.late = self.late.saturating_add(*lines),
            (None, _) => {}
        }
        Ok(())
    }
}
