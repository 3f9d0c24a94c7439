//! A member that is a keeper no more keeps what it has until the others are whole, and offers it.

use crate::catalog::Ballot;
use crate::ids::Epoch;
use crate::keeper::message::{Body, Report};
use crate::keeper::{Filling, Keeper, Role};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::time::Duration;

/// How often it offers.
const OFFER: Duration = Duration::from_secs(2);

impl Keeper {
    pub(super) fn offer_due(&self) -> Option<BootTime> {
        self.offered_at.filter(|_| self.offers())
    }

    fn offers(&self) -> bool {
        let share = self.view.shares.get(&self.share);
        let same = share.is_some_and(|share| share.added == self.mark.added);
        matches!(self.role, Role::Former) && same && self.mark.level != Ballot::NONE
    }

    pub(super) fn tick_offer(&mut self) {
        if !self.offers() || self.offered_at.is_none_or(|at| at > self.now.boot) {
            return;
        }
        self.offered_at = Some(self.now.boot + OFFER);
        let keepers = self.view.shares.get(&self.share).map(|share| share.keepers.clone());
        for name in keepers.unwrap_or_default() {
            let report = self.report(&name);
            self.send(&name, Body::Offer { report });
        }
    }

    pub(super) fn on_offer(&mut self, from: &Name, report: Report) {
        let epoch = self.view.epoch;
        let has_log = self.mark.level != Ballot::NONE && self.catalog.is_none();
        // While it follows a primary, that one completes it.
        let follows = matches!(self.role, Role::Backup) && self.mark.level == self.mark.promised;
        match &self.role {
            Role::Primary(reign) => {
                let all_whole = reign.filling().is_empty();
                if all_whole && reign.ballot.epoch == epoch && !self.others().contains(from) {
                    self.send(from, Body::Release { epoch });
                }
            }
            // THE RULE that a log is completed only by a catalog of its own past: the former keeper
            // has the very entry before its begin, and all keepers had that.
            Role::Waiting { .. } | Role::Claiming(_) | Role::Backup
                if has_log && report.is_whole && !follows =>
            {
                let before = self.log.before();
                if self.filling.is_none() && report.end.index >= before.index {
                    self.filling = Some(Filling::new(from.clone(), before, self.now.boot));
                }
            }
            _ => {}
        }
    }

    pub(super) fn on_release(&mut self, epoch: Epoch) {
        if matches!(self.role, Role::Former) && epoch >= self.view.epoch {
            self.forget(self.mark.added);
        }
    }
}
