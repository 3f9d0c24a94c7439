//! Whether this machine is exclusive, checked at every use.

use super::Council;
use crate::lease::used;
use crate::time::{BootTime, Now};
use crate::view::Term;
use std::time::Duration;

/// The clocks of a machine that ran all the time do not part by more between two looks. Those of
/// one that was paused from outside do: only its wall clock is set right afterwards.
const MAX_PARTING_MS: u128 = 250;

/// When the clocks were looked at last.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    last: Now,
}

impl Clock {
    pub(super) fn new(now: Now) -> Self {
        Clock { last: now }
    }

    /// Whether the clocks have parted since the last look.
    pub(super) fn parted(&self, now: Now) -> bool {
        let boot = now.boot.since(self.last.boot).as_millis();
        let wall = u128::from(now.wall.0.saturating_sub(self.last.wall.0));
        let back = u128::from(self.last.wall.0.saturating_sub(now.wall.0));
        now.boot < self.last.boot || (boot + back).abs_diff(wall) > MAX_PARTING_MS
    }

    /// The same, and this is the last look from now on.
    pub(super) fn look(&mut self, now: Now) -> bool {
        let parted = self.parted(now);
        self.last = now;
        parted
    }
}

impl Council {
    /// Until when this machine is exclusive; nothing if it is not. Ask at every use: the answer
    /// holds for this `now` alone, and is checked against both clocks.
    pub fn exclusive(&self, now: Now) -> Option<BootTime> {
        let lead = self.lead.as_ref().filter(|lead| lead.elected && lead.handing_over.is_none())?;
        let slow_disk = self.store.lasts(now.boot).is_some_and(|span| span > self.settings.lease);
        let waits = now.boot < lead.told_until;
        if waits || slow_disk || self.clock.parted(now) || self.is_recovering() {
            return None;
        }
        let confirmed = lead.renewals.confirmed(self.view().quorum())?;
        let end = confirmed + used(self.settings.lease);
        (now.boot < end).then_some(end)
    }

    /// The term in which this machine leads: the newest view names it the leader, and it has not
    /// lost that since.
    pub fn leads(&self) -> Option<Term> {
        let lead = self.lead.as_ref().filter(|lead| lead.elected && lead.handing_over.is_none())?;
        Some(lead.term)
    }

    /// The clocks have parted: this machine may have been stopped, and its lease is over.
    pub(super) fn on_clocks_parted(&mut self) {
        let now = self.now.boot;
        if let Some(lead) = &mut self.lead {
            lead.renewals.drop_lease(now);
        }
    }

    /// A file that has a longer lease than the settings is set right once that lease is over.
    pub(super) fn tick_lease_length(&mut self) {
        let (length, setting) = (self.store.get().lease, self.settings.lease);
        if length > setting && self.now.boot >= self.started + length {
            self.store.change().lease = setting;
        }
    }

    pub(super) fn lease_quarter(&self) -> Duration {
        self.settings.lease / 4
    }
}
