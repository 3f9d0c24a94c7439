//! Whether the founders may found: not while anybody here has views already. Founders whose files
//! are all lost would otherwise found again beside them.

use super::Council;
use crate::message::Body;
use crate::time::BootTime;
use crate::view::{ViewNumber, Voter};
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::time::Duration;

/// Those who do not found are asked again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long their answers count.
const ANSWER_COUNTS: Duration = Duration::from_secs(10);
/// How many of them are asked at most. All members have views soon after there are any.
const MOST_ASKED: usize = 64;
/// The number of no other question.
const SEQUENCE: u64 = 0;

/// Owns who has said to have no view.
#[derive(Debug, Clone)]
pub(super) struct Founding {
    without_view: BTreeMap<Name, BootTime>,
    ask_at: BootTime,
}

impl Founding {
    pub(super) fn new(now: BootTime) -> Self {
        Founding { without_view: BTreeMap::new(), ask_at: now }
    }
}

impl Council {
    /// Whether most of those who do not found, and are up, have no view either. The founders say so
    /// themselves: view 1 needs all of them.
    pub(super) fn may_found(&self) -> bool {
        let asked = self.asked_before_founding();
        let counts = |at: &BootTime| self.now.boot.since(*at) < ANSWER_COUNTS;
        let without = asked
            .iter()
            .filter(|name| self.founding.without_view.get(*name).is_some_and(counts))
            .count();
        !self.knows_of_newer() && (asked.is_empty() || without > asked.len() / 2)
    }

    fn asked_before_founding(&self) -> Vec<Name> {
        let founders = &self.view().council;
        let founds = |name: &Name| founders.iter().any(|founder| founder.name == *name);
        let others = self.standings.keys().filter(|name| !founds(name) && self.is_alive(name));
        others.take(MOST_ASKED).cloned().collect()
    }

    fn waits_to_found(&self) -> bool {
        self.id.number == ViewNumber(0) && self.election.leaderless.is_some() && !self.may_found()
    }

    pub(super) fn founding_due(&self) -> Option<BootTime> {
        (self.waits_to_found() && self.may_stand()).then_some(self.founding.ask_at)
    }

    pub(super) fn tick_founding(&mut self) {
        if self.founding_due().is_none_or(|due| due > self.now.boot) {
            return;
        }
        self.founding.ask_at = self.now.boot + ASK_AGAIN;
        for name in self.asked_before_founding() {
            self.send(&name, Body::Look { sequence: SEQUENCE });
        }
    }

    /// A member has told its view.
    pub(super) fn note_without_view(&mut self, sender: &Voter, number: ViewNumber) {
        let founding = &mut self.founding;
        if number > ViewNumber(0) {
            founding.without_view.remove(&sender.name);
        } else if self.id.number == ViewNumber(0) && self.standings.contains_key(&sender.name) {
            founding.without_view.insert(sender.name.clone(), self.now.boot);
        }
    }
}
