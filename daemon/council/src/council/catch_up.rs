//! How a machine learns of views that nobody sends it: by gossip, and by asking.

use super::Council;
use crate::message::Body;
use crate::time::BootTime;
use crate::view::{ViewId, ViewNumber};
use memberd_membership::Name;
use std::time::Duration;

/// Before the first view, one member is asked in each such span. After news, the second question
/// comes after it, and without a leader the first; then the span doubles.
const SHORT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the list may differ from the view before somebody is asked. It doubles.
const LONG_INTERVAL: Duration = Duration::from_secs(2);
/// The longest span between two questions.
const MAX_INTERVAL: Duration = Duration::from_secs(30);
/// News are forgotten after as many questions without an answer: there may be no such view.
const MOST_QUESTIONS: u32 = 16;
/// All members without a seat have the same reason to ask at one moment. So each waits for a moment
/// of its own, on average one in each such span.
const SPAN_OF_ONE: Duration = Duration::from_millis(1);
/// How long it waits at most.
const MAX_SPREAD: Duration = Duration::from_secs(5);

/// Why somebody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// There is no view yet.
    NoView,
    /// There is a newer view, by what was heard.
    News,
    /// A majority of the voters is there and nobody leads: this view, or theirs, is an old one.
    NoLeader,
    /// The leader is there, and has not renewed its lease for a while.
    Unheard,
    /// The list differs from the view, or the view is stale.
    Differs,
}

/// Owns when somebody is asked next, and whom.
#[derive(Debug, Clone)]
pub(super) struct CatchUp {
    reason: Option<Reason>,
    next_at: BootTime,
    interval: Duration,
    /// A number that differs between machines.
    own: u64,
    turn: usize,
    /// The newest view that was heard of, who told of it, and how often it was asked for.
    heard_of: Option<ViewId>,
    teller: Option<Name>,
    questions: u32,
}

impl CatchUp {
    pub(super) fn new(own: &Name, now: BootTime) -> Self {
        let hash = blake3::hash(own.as_str().as_bytes());
        let own = hash.as_bytes().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        CatchUp {
            reason: None,
            next_at: now,
            interval: LONG_INTERVAL,
            own,
            // Machines that start together do not ask the same one.
            turn: usize::try_from(own >> 32).unwrap_or(0),
            heard_of: None,
            teller: None,
            questions: 0,
        }
    }

    /// A reason that goes on counts from the new view.
    pub(super) fn on_install(&mut self) {
        self.reason = None;
        self.teller = None;
    }

    fn begin(&mut self, reason: Reason, now: BootTime, spread: Duration) {
        let (interval, wait) = match reason {
            Reason::NoView => (SHORT_INTERVAL, Duration::ZERO),
            Reason::News => (SHORT_INTERVAL, spread),
            Reason::NoLeader => (SHORT_INTERVAL, SHORT_INTERVAL + spread),
            Reason::Unheard => (SHORT_INTERVAL, Duration::ZERO),
            Reason::Differs => (LONG_INTERVAL, LONG_INTERVAL + spread),
        };
        self.reason = Some(reason);
        self.interval = interval;
        self.next_at = now + wait;
    }
}

impl Council {
    pub(super) fn on_gossip(&mut self, from: &Name, view: ViewId) {
        if !self.is_behind(&view) {
            return;
        }
        let (now, spread) = (self.now.boot, self.spread());
        let catch_up = &mut self.catch_up;
        let rank = |view: &ViewId| (view.lineage.recoveries, view.number);
        let newest = catch_up.heard_of.is_none_or(|heard| rank(&heard) < rank(&view));
        if newest {
            catch_up.heard_of = Some(view);
            catch_up.questions = 0;
        }
        catch_up.teller = Some(from.clone());
        if newest || catch_up.reason != Some(Reason::News) {
            catch_up.begin(Reason::News, now, spread);
        } else {
            // What was heard before may not be true, and this is.
            catch_up.next_at = catch_up.next_at.min(now + SHORT_INTERVAL + spread);
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

    /// How long after a common reason this machine asks. The council is small, and waits for
    /// nothing.
    fn spread(&self) -> Duration {
        if self.has_seat() {
            return Duration::ZERO;
        }
        let members = u32::try_from(self.standings.len()).unwrap_or(u32::MAX);
        let widest = SPAN_OF_ONE.saturating_mul(members).min(MAX_SPREAD).as_micros();
        let widest = u64::try_from(widest).unwrap_or(u64::MAX);
        Duration::from_micros(self.catch_up.own % widest.max(1))
    }

    /// Why somebody is to be asked; nothing while there is no reason to.
    fn reason_to_ask(&self) -> Option<Reason> {
        if self.standings.is_empty() {
            None
        } else if self.knows_of_newer() {
            Some(Reason::News)
        } else if self.id.number == ViewNumber(0) {
            Some(Reason::NoView)
        } else if self.is_leading_well() {
            None
        } else if self.misses_leader() {
            Some(Reason::NoLeader)
        } else if self.unheard_at().is_some_and(|at| at <= self.now.boot) {
            Some(Reason::Unheard)
        } else if self.stale_since.is_some() || !self.has_seat() && self.changes.any() {
            Some(Reason::Differs)
        } else {
            None
        }
    }

    /// Whether the list has a majority of the voters as up, and the leader as gone or begun again.
    /// They elect one in less than a second, unless they lack this view. Then the question tells
    /// them that there is one: see `on_fetch`.
    fn misses_leader(&self) -> bool {
        self.few_since.is_none() && (self.is_leaderless() || self.has_leader_returned())
    }

    /// When a voter that hears no renewal asks the leader. It may not know that it is one: if it
    /// lost its election, and another one finished what it had proposed. Until the view is stale.
    fn unheard_at(&self) -> Option<BootTime> {
        let fresh = self.stale_since.is_none() && self.few_since.is_none();
        let hears = self.has_seat() && self.lead.is_none() && self.id.number > ViewNumber(0);
        let at = self.election.heard_leader + self.settings.lease / 2;
        (hears && fresh && !self.standings.is_empty()).then_some(at)
    }

    pub(super) fn catch_up_due(&self) -> Option<BootTime> {
        match self.reason_to_ask() {
            Some(_) => Some(self.catch_up.next_at),
            None => self.unheard_at(),
        }
    }

    pub(super) fn tick_catch_up(&mut self) {
        let now = self.now.boot;
        let Some(reason) = self.reason_to_ask() else {
            self.catch_up.reason = None;
            return;
        };
        if self.catch_up.reason != Some(reason) {
            let spread = self.spread();
            self.catch_up.begin(reason, now, spread);
        }
        if now < self.catch_up.next_at {
            return;
        }
        // Without a view it is not forgotten that there is one: see `may_found`.
        let founding = self.id.number == ViewNumber(0);
        if reason == Reason::News && !founding && self.catch_up.questions >= MOST_QUESTIONS {
            self.catch_up.heard_of = None;
            return self.tick_catch_up();
        }
        self.catch_up.questions = self.catch_up.questions.saturating_add(1);
        self.catch_up.next_at = now + self.catch_up.interval;
        if !founding {
            self.catch_up.interval = (self.catch_up.interval * 2).min(MAX_INTERVAL);
        }
        let leader = self.view().leader.as_ref().filter(|_| reason == Reason::Unheard);
        if let Some(name) = leader.map(|one| one.name.clone()).or_else(|| self.next_to_ask()) {
            self.send(&name, Body::Fetch { number: self.id.number });
        }
    }

    /// Whoever told of a newer view. Then one after the other of the council, or of all members if
    /// there is none. One that lacks a view may know a council that is gone.
    fn next_to_ask(&mut self) -> Option<Name> {
        if let Some(teller) = self.catch_up.teller.take() {
            return Some(teller);
        }
        let seats = self.other_seats();
        let listed = self.standings.keys().filter(|name| **name != self.own.name);
        let names: Vec<Name> = if self.id.number == ViewNumber(0) || self.few_since.is_some() {
            listed.filter(|name| self.is_alive(name)).cloned().collect()
        } else {
            seats.into_iter().filter(|name| self.is_alive(name)).collect()
        };
        self.catch_up.turn = self.catch_up.turn.wrapping_add(1);
        let at = self.catch_up.turn.checked_rem(names.len())?;
        names.get(at).cloned()
    }
}
