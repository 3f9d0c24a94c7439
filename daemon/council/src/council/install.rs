//! The installation of a decided view, and what it means for promises.

use super::Council;
use super::leader::Decision;
use crate::durable::Ballot;
use crate::event::{Event, LossReason, Output};
use crate::settings::Mutant;
use crate::view::{View, ViewNumber};
use memberd_membership::Identity;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Council {
    /// Installs a decided view that is newer than the one here. `decision` is how this machine
    /// decided it, if it did.
    pub(super) fn install(&mut self, view: &Arc<View>, decision: Option<Decision>) {
        let before = self.view().clone();
        self.raise_promise(view);
        self.start_lease_promise(view);
        let durable = self.store.change();
        if durable.accepted.as_ref().is_some_and(|one| one.proposal.number <= view.number) {
            durable.accepted = None;
        }
        durable.view = view.clone();
        durable.lineage = view.lineage;
        self.id = view.id();
        self.made_by = None;
        self.installed_at = self.now.boot;
        if !self.is_mutant(Mutant::InstallKeepsPromise) {
            self.note_term(view.term);
        }
        self.election.on_install(self.now.boot);
        self.compare();
        self.tell_installed(&before, view, decision);
        self.outputs.push_back(Output::Gossip(self.id));
        self.finish_pending();
        if let Some(leader) = view.leader.clone().filter(|_| view.term > before.term) {
            let here = leader == self.own;
            self.report(Event::LeaderElected { leader, term: view.term, here });
        }
        self.continue_leading(&before);
        self.pre_vote = None;
        self.settle_wishes();
        self.catch_up.on_install();
    }

    /// THE RULE that a view raises the promise to its own term and leader: so terms never fall from
    /// view to view, and a term has one leader even in councils that share nobody.
    fn raise_promise(&mut self, view: &View) {
        if self.is_mutant(Mutant::InstallKeepsPromise) {
            return;
        }
        let Some(leader) = &view.leader else { return };
        let ballot = Ballot { term: view.term, candidate: leader.clone() };
        let promised = self.store.get().promised.as_ref();
        // A decided view shows whose the term is, if two stood in it.
        if promised.is_none_or(|promised| promised.term <= view.term && *promised != ballot) {
            self.store.change().promised = Some(ballot);
        }
    }

    /// THE RULE that a view starts a lease promise: its leader may have a lease from the council
    /// before, of which this voter knows nothing.
    fn start_lease_promise(&mut self, view: &View) {
        if self.is_mutant(Mutant::InstallStartsNoLease) || view.leader.is_none() {
            return;
        }
        self.lease_promise.promise(view.term, self.now.boot + self.settings.lease);
    }

    fn tell_installed(&mut self, before: &View, view: &Arc<View>, decision: Option<Decision>) {
        let was: BTreeSet<&Identity> = before.members.iter().collect();
        let is: BTreeSet<&Identity> = view.members.iter().collect();
        let added = is.difference(&was).map(|member| (*member).clone()).collect();
        let removed = was.difference(&is).map(|member| (*member).clone()).collect();
        let (confirmed_by, took) = match decision {
            Some(decision) => (decision.confirmed_by, Some(decision.took)),
            None => (Vec::new(), None),
        };
        let view = view.clone();
        self.report(Event::ViewInstalled { view, added, removed, confirmed_by, took });
    }

    /// What was pending is finished, or will never be.
    fn finish_pending(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        if pending.number > self.id.number {
            self.pending = Some(pending);
        } else if pending.number == self.id.number && pending.hash == self.id.hash {
            let Ok(pending) = Arc::try_unwrap(pending).or_else(|one| Ok::<_, ()>((*one).clone()))
            else {
                return;
            };
            let (number, operations, by) = (pending.number, pending.operations, pending.leader);
            self.report(Event::OperationFinished { number, operations, by });
        }
    }

    /// What a new view means for this machine's own leadership or candidacy.
    fn continue_leading(&mut self, before: &View) {
        let view = self.view().clone();
        let own = self.own.clone();
        let now = self.now.boot;
        let term = self.lead.as_ref().map_or(view.term, |lead| lead.term);
        let lease_left = self.lease_promise.left(term, now);
        let Some(lead) = &mut self.lead else { return };
        let named = view.leader.as_ref() == Some(&own) && view.term == lead.term;
        let keeps = self.settings.mutant == Some(Mutant::InstallKeepsPromise);
        if !named && view.term >= lead.term && !keeps {
            return self.step_down(LossReason::Replaced);
        }
        // THE RULE that promises of before the view tell of the leases of its leader only if they
        // are of a majority of the council before: else its full lease is waited for.
        if !lead.elected && !before.quorum().is_reached(lead.promises()) {
            lead.told_until = lead.told_until.max(now + lease_left);
        }
        if named && !lead.elected {
            lead.elected = true;
            lead.renewals.drop_lease(now);
            self.election.failures = 0;
        }
        lead.on_view(view.number);
        if named {
            // The council may be another one.
            lead.renewals.next_at = now;
        }
        if view.quorum().seat(&own).is_none() {
            return self.step_down(LossReason::Unseated);
        }
        self.ask_missing_promises();
    }

    /// Takes over a lineage that a recovery began. THE RULE that a voter takes over only that of
    /// the recovery for which it is frozen: of two that were asked for, one alone has its vote.
    pub(super) fn adopt_lineage(&mut self, view: &Arc<View>) {
        let (own, other) = (self.id.lineage, view.lineage);
        if other.founding != own.founding || other.recoveries <= own.recoveries {
            return;
        }
        let seated = view.council.contains(&self.own);
        if seated && other.recoveries == own.recoveries + 1 && !self.is_frozen_for(other) {
            let member = view.leader.as_ref().or(view.council.first());
            let member = member.map_or_else(|| self.own.name.clone(), |one| one.name.clone());
            return self.tell_other_lineage(&member);
        }
        let durable = self.store.get();
        let newcomer = durable.view.number == ViewNumber(0)
            && durable.promised.is_none()
            && durable.accepted.is_none();
        if !seated && !newcomer {
            self.step_down(LossReason::Recovery);
            self.end_other_recovery();
            self.report(Event::SetAside { by: view.clone() });
            self.set_aside = true;
            return;
        }
        self.begin_lineage(view);
    }

    /// Begins a lineage: nothing of the old one counts in it.
    pub(super) fn begin_lineage(&mut self, view: &Arc<View>) {
        self.step_down(LossReason::Recovery);
        self.end_other_recovery();
        self.pending = None;
        self.pre_vote = None;
        let durable = self.store.change();
        durable.accepted = None;
        durable.recovery = None;
        // Nobody stands in the term of a recovered view, so this promises nothing but not to fall.
        durable.promised = Some(Ballot { term: view.term, candidate: self.own.clone() });
        self.largest_term = view.term;
        // Nothing is said in a lineage that this machine might forget.
        self.first_write = self.store.covering();
        self.install(view, None);
    }
}
