//! What a voter does in a recovery: it says that it is there, freezes, and waits for the new
//! lineage or for the end of the attempt.

use super::Council;
use crate::durable::Recovery;
use crate::event::LossReason;
use crate::message::Body;
use crate::view::{Lineage, Voter};
use memberd_membership::Name;
use std::time::Duration;

/// How often one that is frozen asks whether its recovery still runs.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Council {
    /// The last attempt of which this file knows. No attempt is made twice, so one up to this that
    /// does not run will never.
    pub(super) fn last_attempt(&self) -> u64 {
        self.store.get().recovery.as_ref().map_or(0, |recovery| recovery.attempt)
    }

    /// The recovery that this voter takes part in.
    pub(super) fn frozen_for(&self) -> Option<&Recovery> {
        self.store.get().recovery.as_ref().filter(|recovery| !recovery.ended)
    }

    /// Whether a lineage is that of the recovery that this voter takes part in.
    pub(super) fn is_frozen_for(&self, lineage: Lineage) -> bool {
        let own = self.id.lineage;
        self.frozen_for().is_some_and(|recovery| recovery.lineage_after(own) == lineage)
    }

    pub(super) fn on_survey(&mut self, sender: &Voter, attempt: u64) {
        self.send_whole(&sender.name);
        let (number, promised) = (self.id.number, self.promised_term());
        let frozen = self.is_recovering();
        self.send(&sender.name, Body::Surveyed { attempt, number, promised, frozen });
    }

    /// Takes part in a recovery: nothing else of this lineage is promised any more.
    pub(super) fn on_freeze(&mut self, sender: &Voter, recovery: Recovery) {
        if recovery.coordinator != *sender {
            return;
        }
        if recovery.attempt > self.last_attempt() {
            self.step_down(LossReason::Recovery);
            self.pre_vote = None;
            self.ask_coordinator_at = self.now.boot + ASK_AGAIN;
            self.store.change().recovery = Some(Recovery { ended: false, ..recovery });
            if *sender != self.own {
                self.end_other_recovery();
            }
        }
        let Some(recovery) = self.store.get().recovery.clone() else { return };
        // A late one, of an attempt that came to nothing.
        if recovery.ended && recovery.coordinator == *sender {
            return;
        }
        // Of two with one attempt, the first has it; the other one tries a later one.
        self.send_whole(&sender.name);
        self.answer_frozen(&sender.name, recovery);
    }

    fn answer_frozen(&mut self, to: &Name, recovery: Recovery) {
        let accepted = self.store.get().accepted.clone().map(Box::new);
        let (number, promised) = (self.id.number, self.promised_term());
        self.answer(to, Body::Frozen { recovery, number, accepted, promised });
    }

    /// The coordinator says that its recovery came to nothing. THE RULE that nobody else ends it:
    /// it may be about to begin a lineage with this voter's word.
    pub(super) fn on_thaw(&mut self, sender: &Voter, attempt: u64) {
        let frozen = self.frozen_for();
        if frozen.is_some_and(|one| one.attempt == attempt && one.coordinator == *sender) {
            self.end_freeze();
        }
    }

    fn end_freeze(&mut self) {
        if let Some(recovery) = &mut self.store.change().recovery {
            recovery.ended = true;
        }
    }

    /// Ends a freeze for a recovery that was asked for here and does not run, if only since this
    /// machine was started again. Asks another coordinator whether its recovery still runs.
    pub(super) fn tick_freeze(&mut self) {
        let Some(recovery) = self.frozen_for().cloned() else { return };
        let attempt = recovery.attempt;
        if recovery.coordinator == self.own {
            if self.recovering.as_ref().is_none_or(|one| one.attempt != attempt) {
                self.end_freeze();
            }
        } else if self.now.boot >= self.ask_coordinator_at {
            self.ask_coordinator_at = self.now.boot + ASK_AGAIN;
            let coordinator = recovery.coordinator.name.clone();
            self.answer_frozen(&coordinator, recovery);
        }
    }
}

impl Recovery {
    /// The lineage that it makes of another. Each voter that takes part in it can tell that.
    pub(super) fn lineage_after(&self, base: Lineage) -> Lineage {
        let mut hasher = blake3::Hasher::new_derive_key("memberd agreement recovery 1");
        hasher.update(&base.recovery);
        hasher.update(&self.attempt.to_be_bytes());
        hasher.update(&self.coordinator.id.0.to_be_bytes());
        let mut recovery = [0; 16];
        hasher.finalize_xof().fill(&mut recovery);
        let Lineage { founding, recoveries, .. } = base;
        Lineage { founding, recoveries: recoveries.saturating_add(1), recovery }
    }
}
