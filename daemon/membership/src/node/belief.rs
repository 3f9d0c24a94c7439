//! Which incarnations are believed. Whatever a member with bad intent says, it must not leave
//! another without a larger one to come back with, nor with one that the rest of the group does not
//! believe.

use super::Node;
use crate::identity::Incarnation;
use crate::list::{Claim, Update};
use crate::time::{Now, millis};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// No incarnation is further ahead than this of the wall clock and of this member's own life. What
/// others claim does not move that: step by step, it would.
const MOST_AHEAD: Duration = DAY.saturating_mul(366);

/// Nobody is made to come back with one that is further ahead, so that those believe it whose
/// clocks are behind.
const MOST_AHEAD_OF_OWN: Duration = DAY.saturating_mul(365);

/// Whoever is beyond that already, as by a clock that was set back, is made to come back with one
/// that is larger by so much at most.
const STEP: u64 = 256;

impl Node {
    /// Whether an incarnation can be one.
    pub(super) fn is_plausible(&self, incarnation: Incarnation, now: Now) -> bool {
        incarnation.0 <= self.incarnation.0.max(self.latest(now)).saturating_add(millis(MOST_AHEAD))
    }

    /// Whether this member can be held for having had an incarnation, so that it has to have a
    /// larger one.
    pub(super) fn is_plausibly_mine(&self, incarnation: Incarnation, now: Now) -> bool {
        let limit = self.latest(now).saturating_add(millis(MOST_AHEAD_OF_OWN));
        incarnation.0 <= limit.max(self.incarnation.0.saturating_add(STEP))
    }

    /// The largest incarnation that a group says it knows of this member's name, or none if that
    /// cannot be.
    pub(super) fn believed(&self, last: u64, now: Now) -> Incarnation {
        let last = Incarnation(last);
        if self.is_plausibly_mine(last, now) { last } else { Incarnation(0) }
    }

    /// Whether most of those who are up according to a list could not be: then it is this machine's
    /// clock that is wrong.
    pub(super) fn is_behind(&self, list: &[Update], now: Now) -> bool {
        let up = || list.iter().filter(|update| update.claim == Claim::Alive);
        let ahead =
            up().filter(|update| !self.is_plausible(update.identity.incarnation, now)).count();
        ahead * 2 > up().count()
    }

    /// The latest that this machine's wall clock ever showed: it may be set back by any time.
    fn latest(&self, now: Now) -> u64 {
        self.latest_wall.max(now.wall).0
    }
}
