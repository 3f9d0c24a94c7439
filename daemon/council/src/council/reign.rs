//! A leader that was elected: its lease, and the ends of its lead.

use super::Council;
use super::leader::{HandingOver, Lead};
use crate::changes::BATCH;
use crate::event::{Event, LossReason};
use crate::message::Body;
use crate::time::BootTime;
use crate::view::{Term, ViewNumber, Voter};
use memberd_membership::Name;
use std::time::Duration;

/// How long one that has handed over does not stand again.
const AFTER_HAND_OVER: Duration = Duration::from_secs(1);

impl Council {
    /// Whether this machine leads, and has a reason to believe that it goes on.
    pub(super) fn is_leading_well(&self) -> bool {
        self.lead.as_ref().is_some_and(|lead| lead.elected && lead.handing_over.is_none())
    }

    /// When a leader that no majority answers, or whose disk hangs, is none any more.
    fn end_of_patience(&self, lead: &Lead) -> (BootTime, LossReason) {
        let confirmed = lead.renewals.confirmed(self.view().quorum());
        let since = confirmed.unwrap_or(BootTime::EPOCH).max(lead.renewals.began);
        let silent = (since.max(self.installed_at) + self.settings.lease, LossReason::NoMajority);
        match self.store.began() {
            Some(began) => {
                let slow = (began + self.settings.lease, LossReason::SlowDisk);
                if slow.0 < silent.0 { slow } else { silent }
            }
            None => silent,
        }
    }

    pub(super) fn reign_due(&self, lead: &Lead) -> Option<BootTime> {
        match &lead.handing_over {
            Some(handing_over) => Some(handing_over.until),
            None => {
                let now = self.now.boot;
                let changes = self.changes.next_at(self.view(), &lead.leaving, now);
                // A batch begins: those that may have a seat are asked.
                let batch = changes.map(|at| at - BATCH).filter(|at| *at > now);
                let patience = self.end_of_patience(lead).0;
                // From then on it is exclusive, and its owner must look.
                let told = Some(lead.told_until).filter(|at| *at > now);
                let due = [Some(lead.renewals.next_at), Some(patience), batch, lead.probe_at, told];
                due.into_iter().flatten().min()
            }
        }
    }

    pub(super) fn tick_reign(&mut self) {
        let now = self.now.boot;
        let Some(lead) = self.lead.as_ref().filter(|lead| lead.elected) else { return };
        if let Some(handing_over) = &lead.handing_over {
            if now >= handing_over.until {
                self.finish_hand_over();
            }
            return;
        }
        let (end, reason) = self.end_of_patience(lead);
        if now >= end {
            return self.step_down(reason);
        }
        if now >= lead.renewals.next_at {
            self.renew();
        }
        self.note_seats();
    }

    /// Asks the council for the lease.
    pub(super) fn renew(&mut self) {
        let (now, lease, interval) = (self.now.boot, self.settings.lease, self.lease_quarter());
        let own = self.own.clone();
        let promised = self.store.get().promised.as_ref();
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.elected) else { return };
        let term = lead.term;
        let sequence = lead.renewals.send(now, interval);
        if promised.is_some_and(|promised| promised.term == term && promised.candidate == own) {
            lead.renewals.on_answer(&own, sequence);
            self.lease_promise.promise(term, now + lease);
        }
        self.send_to_council(&Body::Renew { term, sequence, lease });
    }

    /// Renews the lease for somebody who asks about it.
    pub(super) fn renew_to_confirm(&mut self) {
        let (now, lease) = (self.now.boot, self.settings.lease);
        let may_send = |lead: &Lead| lead.renewals.may_send(now, lease);
        if self.is_leading_well() && self.lead.as_ref().is_some_and(may_send) {
            self.renew();
        }
    }

    pub(super) fn on_renewed(
        &mut self,
        sender: &Voter,
        term: Term,
        sequence: u64,
        number: ViewNumber,
    ) {
        let seated = self.view().quorum().seat(sender).is_some();
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.term == term) else { return };
        if seated {
            lead.renewals.on_answer(sender, sequence);
        }
        if number < self.id.number {
            self.send_whole(&sender.name);
        }
    }

    /// This machine leads no more. It is not exclusive from now on, and never again in this term.
    pub(super) fn step_down(&mut self, reason: LossReason) {
        let Some(lead) = self.lead.take() else { return };
        if !lead.elected {
            return self.retry_later();
        }
        if lead.handing_over.is_none() {
            self.report(Event::LeadershipLost { term: lead.term, reason });
        }
        self.lost = Some((lead.term, lead.told_until));
        self.election.retry_at = self.now.boot + self.lease_quarter() / 8;
    }

    /// The owner says that nothing runs under this term any more.
    pub(super) fn on_let_go(&mut self, term: Term) {
        let now = self.now.boot;
        if let Some(lead) = self.lead.as_mut().filter(|lead| lead.term == term)
            && let Some(handing_over) = &mut lead.handing_over
        {
            handing_over.until = lead.told_until.max(now);
            if handing_over.until <= now {
                self.finish_hand_over();
            }
            return;
        }
        if let Some((_, told_until)) = self.lost.take_if(|(lost, _)| *lost == term) {
            self.release_lease(term, told_until);
        }
    }

    /// Ends the lead by plan. What runs under its lease must end first.
    pub(super) fn begin_hand_over(&mut self, to: Name) {
        // Its owner may have told a later moment than that of now: see `on_let_go`.
        let until = self.now.boot + self.settings.lease;
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.elected) else { return };
        if lead.handing_over.is_some() {
            return;
        }
        let until = until.max(lead.told_until);
        lead.handing_over = Some(HandingOver { to, until });
        let term = lead.term;
        self.report(Event::LeadershipLost { term, reason: LossReason::HandedOver });
    }

    fn finish_hand_over(&mut self) {
        let Some(lead) = self.lead.take() else { return };
        let Some(HandingOver { to, .. }) = lead.handing_over else { return };
        let (term, number) = (lead.term, self.id.number);
        self.release_lease(term, lead.told_until);
        self.send(&to, Body::TakeOver { term, number });
        self.election.on_release(self.now.boot);
        self.election.retry_at = self.now.boot + AFTER_HAND_OVER;
    }

    /// THE RULE that a lease is not released while that of a leader before may last: the promises
    /// to this one are all that its successor learns of that.
    fn release_lease(&mut self, term: Term, told_until: BootTime) {
        if self.now.boot >= told_until {
            self.lease_promise.release(term);
            self.send_to_council(&Body::Release { term });
        }
    }

    /// Who is to lead next: the next in the order of the council that is up.
    pub(super) fn next_leader(&self) -> Option<Name> {
        let view = self.view();
        let at = view.council.iter().position(|voter| *voter == self.own)?;
        let mut order = view.council.iter().cycle().skip(at + 1).take(view.council.len());
        let suspected = |name: &Name| self.standings.get(name).is_some_and(|one| one.suspected);
        let fit = |voter: &&Voter| {
            voter.name != self.own.name && self.is_alive(&voter.name) && !suspected(&voter.name)
        };
        order.find(fit).map(|voter| voter.name.clone())
    }
}
