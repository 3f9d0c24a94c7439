//! Judges which incarnations are plausible. It owns the latest time that the wall clock ever
//! showed.
//!
//! A malicious member must not use up incarnations. Another member must always have a larger one
//! for its return, and the rest of the group must find it plausible.

use crate::identity::Incarnation;
use crate::list::{Claim, Update};
use crate::time::{WallTime, millis};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most that an incarnation may be ahead of the wall clock and of this member's own. Claims of
/// others do not move this limit, since they could move it step by step.
const MAX_AHEAD: Duration = DAY.saturating_mul(366);

/// The most that a member must be ahead when it returns. Such an incarnation is also plausible
/// where the clock is behind.
const MAX_AHEAD_OF_OWN: Duration = DAY.saturating_mul(365);

/// A member may be beyond that already, for example after its clock was set back. It must then
/// return with one that is larger by at most this.
const MAX_STEP: u64 = 256;

/// The judge of incarnations.
#[derive(Debug)]
pub(crate) struct Plausibility {
    /// The latest time of the wall clock. The clock itself may be set back by any amount.
    latest_wall: WallTime,
}

impl Plausibility {
    pub(crate) fn new() -> Self {
        Plausibility { latest_wall: WallTime(0) }
    }

    /// Notes the time of the wall clock.
    pub(crate) fn observe(&mut self, wall: WallTime) {
        self.latest_wall = self.latest_wall.max(wall);
    }

    /// Whether an incarnation is plausible for a member whose own is `own`.
    pub(crate) fn is_plausible(&self, incarnation: Incarnation, own: Incarnation) -> bool {
        incarnation.0 <= own.0.max(self.latest_wall.0).saturating_add(millis(MAX_AHEAD))
    }

    /// Whether the member with the incarnation `own` may have had another one, so that it must take
    /// a larger one.
    pub(crate) fn is_plausibly_own(&self, incarnation: Incarnation, own: Incarnation) -> bool {
        let limit = self.latest_wall.0.saturating_add(millis(MAX_AHEAD_OF_OWN));
        incarnation.0 <= limit.max(own.0.saturating_add(MAX_STEP))
    }

    /// The largest incarnation that a group reports for this member's name, or zero if it is not
    /// plausible.
    pub(crate) fn known(&self, last: u64, own: Incarnation) -> Incarnation {
        let last = Incarnation(last);
        if self.is_plausibly_own(last, own) { last } else { Incarnation(0) }
    }

    /// Whether most live members of a list have implausible incarnations. Then this machine's clock
    /// is wrong.
    pub(crate) fn is_behind(&self, list: &[Update], own: Incarnation) -> bool {
        let alive = || list.iter().filter(|update| update.claim == Claim::Alive);
        let ahead = alive().filter(|update| !self.is_plausible(update.identity.incarnation, own));
        ahead.count() * 2 > alive().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::update;

    const NOW: u64 = 1_763_688_000_000;
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

    fn plausibility(wall: u64) -> Plausibility {
        let mut plausibility = Plausibility::new();
        plausibility.observe(WallTime(wall));
        plausibility
    }

    #[test]
    fn an_incarnation_a_year_ahead_of_clock_and_own_is_the_limit() {
        let judge = plausibility(NOW);
        let own = Incarnation(0);
        assert!(judge.is_plausible(Incarnation(NOW + 366 * DAY_MS), own));
        assert!(!judge.is_plausible(Incarnation(NOW + 366 * DAY_MS + 1), own));
        let own = Incarnation(NOW + 10 * DAY_MS);
        assert!(judge.is_plausible(Incarnation(NOW + 376 * DAY_MS), own));
    }

    #[test]
    fn a_clock_set_back_does_not_lower_the_limit() {
        let mut judge = plausibility(NOW);
        judge.observe(WallTime(0));
        assert!(judge.is_plausible(Incarnation(NOW), Incarnation(0)));
    }

    #[test]
    fn whoever_is_beyond_the_limit_goes_on_in_small_steps() {
        let judge = plausibility(NOW);
        let own = Incarnation(NOW + 500 * DAY_MS);
        assert!(judge.is_plausibly_own(Incarnation(own.0 + 256), own));
        assert!(!judge.is_plausibly_own(Incarnation(own.0 + 257), own));
        assert_eq!(judge.known(own.0 + 257, own), Incarnation(0));
        assert_eq!(judge.known(NOW, own), Incarnation(NOW));
    }

    #[test]
    fn what_must_be_own_is_plausible_to_clocks_a_day_behind() {
        let (ours, theirs) = (plausibility(NOW), plausibility(NOW - DAY_MS));
        let largest = Incarnation(NOW + 365 * DAY_MS);
        assert!(ours.is_plausibly_own(largest, Incarnation(0)));
        assert!(theirs.is_plausible(largest, Incarnation(0)));
    }

    #[test]
    fn a_clock_is_behind_when_most_of_a_list_is_ahead() {
        let list = [update(1), update(2), update(3)];
        assert!(plausibility(0).is_behind(&list, Incarnation(0)));
        assert!(!plausibility(NOW).is_behind(&list, Incarnation(0)));
        assert!(!plausibility(0).is_behind(&[], Incarnation(0)));
    }
}
