//! Owns the membership changes of the recent past, for followers that begin later.

use super::{ChangeKind, Member, MemberChange, Scope};
use memberd_membership::WallTime;
use std::collections::VecDeque;
use std::sync::Arc;

/// The most changes that are remembered.
pub(super) const REMEMBERED: usize = 1_024;

/// The newest changes, in this daemon's view.
#[derive(Debug)]
pub(super) struct History {
    changes: VecDeque<Arc<MemberChange>>,
    /// No change after this moment is missing. It is the daemon's start, or the time of the newest
    /// dropped change.
    whole_since: WallTime,
}

/// The beginning of a follower's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// The first change at this moment or later.
    Since(WallTime),
    /// The newest changes: this many of them, or as many as are remembered.
    Last(u64),
}

/// The remembered changes that a follower wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// The changes, the oldest first.
    pub changes: Vec<Arc<MemberChange>>,
    /// Set if older wanted changes were dropped. All changes from this moment on are here.
    pub missed_until: Option<WallTime>,
}

impl History {
    /// An empty history that begins at this moment.
    pub(super) fn new(now: WallTime) -> Self {
        History { changes: VecDeque::new(), whole_since: now }
    }

    pub(super) fn add(&mut self, change: Arc<MemberChange>) {
        if self.changes.len() == REMEMBERED
            && let Some(oldest) = self.changes.pop_front()
        {
            self.whole_since = WallTime(oldest.at.0.saturating_add(1));
        }
        self.changes.push_back(change);
    }

    /// The end of a member is known better than when it was reported. The change says so too from
    /// now on.
    pub(super) fn correct(&mut self, member: &Member) {
        let about = |change: &&mut Arc<MemberChange>| {
            change.kind == ChangeKind::Liveness && change.member.identity == member.identity
        };
        if let Some(change) = self.changes.iter_mut().rev().find(about) {
            Arc::make_mut(change).member = member.clone();
        }
    }

    /// The changes of a scope, and whether some of them are missing.
    pub(super) fn from(&self, begin: Begin, scope: Scope) -> Past {
        let wanted = self.changes.iter().filter(|change| scope.includes(change));
        match begin {
            Begin::Last(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let older = wanted.clone().count().saturating_sub(count);
                Past { changes: wanted.skip(older).cloned().collect(), missed_until: None }
            }
            Begin::Since(moment) => {
                let known =
                    scope.until.map_or(self.whole_since, |until| until.min(self.whole_since));
                let changes = wanted.filter(|change| change.at >= moment).cloned().collect();
                Past { changes, missed_until: (moment < known).then_some(known) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::{Kinds, Liveness};
    use memberd_membership::{Identity, Incarnation, Name, VersionedTags};

    fn change(at: u64, kind: ChangeKind) -> Arc<MemberChange> {
        let identity = Identity {
            name: Name::new("vm1").unwrap(),
            address: ([127, 0, 0, 1], 1).into(),
            incarnation: Incarnation(1),
        };
        let member = Member {
            identity,
            liveness: Liveness::Alive,
            since: WallTime(at),
            suspected_by: None,
            tags: VersionedTags::default(),
            this_machine: false,
        };
        Arc::new(MemberChange { at: WallTime(at), kind, member })
    }

    fn history(start: u64, times: impl IntoIterator<Item = u64>) -> History {
        let mut history = History::new(WallTime(start));
        times.into_iter().for_each(|at| history.add(change(at, ChangeKind::Liveness)));
        history
    }

    const ALL: Scope = Scope { kinds: Kinds::All, until: None };
    const LIVENESS: Scope = Scope { kinds: Kinds::Liveness, until: None };

    fn until(until: u64) -> Scope {
        Scope { until: Some(WallTime(until)), ..ALL }
    }

    fn since(moment: u64) -> Begin {
        Begin::Since(WallTime(moment))
    }

    fn times(past: &Past) -> Vec<u64> {
        past.changes.iter().map(|change| change.at.0).collect()
    }

    fn missed_until(past: &Past) -> Option<u64> {
        past.missed_until.map(|until| until.0)
    }

    /// Changes before the daemon's start are missing.
    #[test]
    fn the_past_begins_at_a_moment_or_with_the_newest() {
        let history = history(100, [110, 120, 130]);
        let past = history.from(since(120), ALL);
        assert_eq!(times(&past), [120, 130]);
        assert_eq!(missed_until(&past), None);
        let past = history.from(since(99), ALL);
        assert_eq!(times(&past), [110, 120, 130]);
        assert_eq!(missed_until(&past), Some(100));
        assert_eq!(times(&history.from(Begin::Last(2), ALL)), [120, 130]);
        assert_eq!(times(&history.from(Begin::Last(u64::MAX), ALL)), [110, 120, 130]);
    }

    /// A client that does not know of changed tags still gets as many changes as it wants.
    #[test]
    fn changes_of_tags_are_left_out_before_counting() {
        let mut history = history(0, [1, 2]);
        [3, 4].into_iter().for_each(|at| history.add(change(at, ChangeKind::Tags)));
        assert_eq!(times(&history.from(Begin::Last(1), LIVENESS)), [2]);
        assert_eq!(times(&history.from(since(2), LIVENESS)), [2]);
        assert_eq!(times(&history.from(since(2), ALL)), [2, 3, 4]);
    }

    #[test]
    fn a_change_says_what_is_known_better_later() {
        let mut history = history(0, [1, 2]);
        let mut member = history.changes[1].member.clone();
        member.since = WallTime(9);
        history.correct(&member);
        let told: Vec<u64> = history.changes.iter().map(|change| change.member.since.0).collect();
        assert_eq!(told, [1, 9]);
        assert_eq!(history.changes[1].at, WallTime(2), "this daemon learned of it then");
        member.identity.name = Name::new("vm2").unwrap();
        history.correct(&member);
    }

    #[test]
    fn the_past_ends_at_a_moment() {
        let history = history(100, [110, 120, 130]);
        assert_eq!(times(&history.from(since(110), until(130))), [110, 120]);
        let newest_before = history.from(Begin::Last(1), until(130));
        assert_eq!(times(&newest_before), [120]);
        assert_eq!(missed_until(&history.from(since(100), until(130))), None);
        let nothing_known = history.from(since(90), until(95));
        let nothing = Past { changes: Vec::new(), missed_until: Some(WallTime(95)) };
        assert_eq!(nothing_known, nothing);
        assert_eq!(missed_until(&history.from(since(90), until(130))), Some(100));
    }

    #[test]
    fn it_is_bounded_and_says_what_made_room() {
        let count = REMEMBERED as u64 + 5;
        let history = history(0, 1..=count);
        let past = history.from(since(1), ALL);
        assert_eq!(past.changes.len(), REMEMBERED);
        assert_eq!(past.changes[0].at, WallTime(6));
        assert_eq!(missed_until(&past), Some(6));
        assert_eq!(missed_until(&history.from(since(6), ALL)), None);
    }
}
