//! In what the list differs from the view: [`Changes`]. The view follows the list.

use crate::flapping::Flaps;
use crate::operation::Operation;
use crate::standing::{Standing, StandingState};
use crate::time::BootTime;
use crate::view::View;
use memberd_membership::{Identity, Name};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// All changes of this time go into one view.
pub(crate) const BATCH: Duration = Duration::from_millis(100);
/// How long members stay that are gone with more than half of all, or that the list does not know:
/// they may be on their way back.
const HOLD: Duration = Duration::from_secs(5);

/// Owns the members that the list has in another way than the view, and since when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    gone: BTreeMap<Identity, Gone>,
    new: BTreeMap<Identity, BootTime>,
    flaps: Flaps,
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    since: BootTime,
    /// Whether the list says that it is gone, and does not merely not know it.
    known: bool,
    /// Whether its machine is up in another incarnation.
    replaced: bool,
}

impl Changes {
    /// Notes who has failed by the new list, to tell flapping members.
    pub(crate) fn note_failures(
        &mut self,
        before: &BTreeMap<Name, Standing>,
        after: &BTreeMap<Name, Standing>,
        now: BootTime,
    ) {
        for (name, old) in before.iter().filter(|(_, old)| old.state == StandingState::Alive) {
            let Some(new) = after.get(name) else { continue };
            let same = new.identity == old.identity;
            let failed = match new.state {
                StandingState::Failed => true,
                StandingState::Left => false,
                StandingState::Alive => !same,
            };
            if failed {
                self.flaps.on_failure(name, now);
            }
        }
    }

    /// Compares again.
    pub(crate) fn compare(
        &mut self,
        view: &View,
        standings: &BTreeMap<Name, Standing>,
        now: BootTime,
    ) {
        let mut gone = BTreeMap::new();
        for member in &view.members {
            let standing = standings.get(&member.name);
            let alive = standing.is_some_and(|one| one.state == StandingState::Alive);
            let newer = standing.map(|one| one.identity.incarnation.cmp(&member.incarnation));
            if alive && newer != Some(Ordering::Greater) {
                continue;
            }
            let (known, replaced) = (newer.is_some_and(Ordering::is_ge), alive);
            let since = self.gone.get(member).map_or(now, |gone| gone.since);
            gone.insert(member.clone(), Gone { since, known, replaced });
        }
        let mut new = BTreeMap::new();
        for standing in standings.values().filter(|one| one.state == StandingState::Alive) {
            let identity = &standing.identity;
            let newer = view
                .member(&identity.name)
                .is_none_or(|member| member.incarnation < identity.incarnation);
            if newer {
                new.insert(identity.clone(), self.new.get(identity).copied().unwrap_or(now));
            }
        }
        self.gone = gone;
        self.new = new;
    }

    /// Whether the view is not what the list says.
    pub(crate) fn any(&self) -> bool {
        !self.gone.is_empty() || !self.new.is_empty()
    }

    /// How many changes there are.
    pub(crate) fn len(&self) -> usize {
        self.gone.len() + self.new.len()
    }

    /// Each change and when it is due; of one that leaves by plan there is no second.
    fn due<'a>(
        &'a self,
        view: &'a View,
        leaving: &'a BTreeSet<Identity>,
        now: BootTime,
    ) -> impl Iterator<Item = (BootTime, Operation)> + 'a {
        let failed = self.gone.values().filter(|gone| !gone.replaced).count();
        let many = failed * 2 > view.members.len();
        // One that is back takes the place of its former incarnation, unless it must wait.
        let gone = self.gone.iter().filter(move |(member, gone)| {
            !gone.replaced || !self.flaps.delay(&member.name, now).is_zero()
        });
        let gone = gone.map(move |(member, gone)| {
            let hold = if many || !gone.known { HOLD } else { Duration::ZERO };
            (gone.since + hold, Operation::Delete(member.clone()))
        });
        let new = self.new.iter().filter(|(identity, _)| !leaving.contains(identity));
        let new = new.map(move |(identity, since)| {
            let delay = self.flaps.delay(&identity.name, now);
            (*since + delay, Operation::Add(identity.clone()))
        });
        gone.chain(new)
    }

    /// When the next batch is complete.
    pub(crate) fn next_at(
        &self,
        view: &View,
        leaving: &BTreeSet<Identity>,
        now: BootTime,
    ) -> Option<BootTime> {
        self.due(view, leaving, now).map(|(at, _)| at + BATCH).min()
    }

    /// All changes that are due.
    pub(crate) fn take(
        &self,
        view: &View,
        leaving: &BTreeSet<Identity>,
        now: BootTime,
    ) -> Vec<Operation> {
        self.due(view, leaving, now)
            .filter(|(at, _)| *at <= now)
            .map(|(_, operation)| operation)
            .collect()
    }
}
