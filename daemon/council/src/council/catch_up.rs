//! How a machine learns of views that nobody sends it: by gossip, and by asking.

use super::Council;
use crate::message::Body;
use crate::time::BootTime;
use crate::view::{ViewId, ViewNumber};
use memberd_membership::Name;
use std::time::Duration;

/// Before the first view, one member is asked in each such span.
const GENESIS_INTERVAL: Duration = Duration::from_secs(1);
/// How long the list may differ from the view before somebody is asked. It doubles.
const FIRST_INTERVAL: Duration = Duration::from_secs(2);
/// The longest span between two questions.
const MAX_INTERVAL: Duration = Duration::from_secs(30);

/// Owns when somebody is asked next, and whom.
#[derive(Debug, Clone)]
pub(super) struct CatchUp {
    next_at: BootTime,
    interval: Duration,
    turn: usize,
    /// The newest view that was heard of.
    heard_of: Option<ViewId>,
}

impl CatchUp {
    pub(super) fn new(now: BootTime) -> Self {
        CatchUp { next_at: now, interval: FIRST_INTERVAL, turn: 0, heard_of: None }
    }

    pub(super) fn on_install(&mut self, now: BootTime) {
        self.interval = FIRST_INTERVAL;
        self.next_at = now + self.interval;
    }
}

impl Council {
    pub(super) fn on_gossip(&mut self, from: &Name, view: ViewId) {
        if !self.is_behind(&view) {
            return;
        }
        let known = self.catch_up.heard_of.is_some_and(|heard| {
            (heard.lineage.recoveries, heard.number) >= (view.lineage.recoveries, view.number)
        });
        if !known || self.now.boot >= self.catch_up.next_at {
            self.catch_up.heard_of = Some(view);
            self.catch_up.next_at = self.now.boot + GENESIS_INTERVAL;
            self.send(from, Body::Fetch { number: self.id.number });
        }
    }

    fn is_behind(&self, view: &ViewId) -> bool {
        let (own, other) = (self.id.lineage, view.lineage);
        other.founding == own.founding
            && (other.recoveries > own.recoveries || other == own && view.number > self.id.number)
    }

    /// Whether gossip told of a newer view.
    pub(super) fn knows_of_newer(&self) -> bool {
        self.catch_up.heard_of.is_some_and(|view| self.is_behind(&view))
    }

    /// How often somebody is asked; nothing while there is no reason to.
    fn asking_interval(&self) -> Option<Duration> {
        let behind = self.knows_of_newer();
        if self.standings.is_empty() {
            None
        } else if self.id.number == ViewNumber(0) || behind {
            Some(GENESIS_INTERVAL)
        } else if self.is_leading_well() {
            None
        } else if self.stale_since.is_some() || !self.has_seat() && self.changes.any() {
            Some(self.catch_up.interval)
        } else {
            None
        }
    }

    pub(super) fn catch_up_due(&self) -> Option<BootTime> {
        self.asking_interval().map(|_| self.catch_up.next_at)
    }

    pub(super) fn tick_catch_up(&mut self) {
        let now = self.now.boot;
        let Some(interval) = self.asking_interval() else {
            // The first question comes an interval after the reason for it.
            self.catch_up.interval = FIRST_INTERVAL;
            self.catch_up.next_at = now + FIRST_INTERVAL;
            return;
        };
        if interval == GENESIS_INTERVAL {
            self.catch_up.next_at = self.catch_up.next_at.min(now + GENESIS_INTERVAL);
        }
        if now < self.catch_up.next_at {
            return;
        }
        if interval != GENESIS_INTERVAL {
            self.catch_up.interval = (self.catch_up.interval * 2).min(MAX_INTERVAL);
        }
        self.catch_up.next_at = now + interval;
        if let Some(name) = self.next_to_ask() {
            self.send(&name, Body::Fetch { number: self.id.number });
        }
    }

    /// One after the other of the council, or of all members before there is one.
    fn next_to_ask(&mut self) -> Option<Name> {
        let seats = self.other_seats();
        let listed = self.standings.keys().filter(|name| **name != self.own.name);
        let names: Vec<Name> = if self.id.number == ViewNumber(0) {
            listed.filter(|name| self.is_alive(name)).cloned().collect()
        } else {
            seats.into_iter().filter(|name| self.is_alive(name)).collect()
        };
        self.catch_up.turn = self.catch_up.turn.wrapping_add(1);
        let at = self.catch_up.turn.checked_rem(names.len())?;
        names.get(at).cloned()
    }
}
