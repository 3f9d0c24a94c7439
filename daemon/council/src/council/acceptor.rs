//! What a voter answers: to a question before an election, to a candidate, to a proposal and to a
//! leader that renews its lease.

use super::Council;
use crate::durable::{Accepted, Ballot};
use crate::event::Event;
use crate::message::Body;
use crate::operation::Proposal;
use crate::settings::Mutant;
use crate::view::{Term, View, ViewNumber, Voter};
use std::sync::Arc;
use std::time::Duration;

/// How long a voter that has promised leaves that candidate alone.
pub(super) const CANDIDATE_PATIENCE: Duration = Duration::from_millis(600);

impl Council {
    /// Answers whether a member may stand for election. That changes nothing here.
    pub(super) fn on_may(
        &mut self,
        sender: &Voter,
        attempt: u64,
        number: ViewNumber,
        leader: Option<&Voter>,
        asked: bool,
    ) {
        if self.id.number > number {
            self.send_whole(&sender.name);
        }
        let current = self.id.number <= number;
        let yes = current && self.might(sender, number, leader, asked);
        let promised = self.promised_term();
        let number = self.id.number;
        self.send(&sender.name, Body::Might { attempt, yes, number, promised });
    }

    fn might(
        &self,
        sender: &Voter,
        number: ViewNumber,
        leader: Option<&Voter>,
        asked: bool,
    ) -> bool {
        if self.is_recovering() || self.is_leading_well() || self.follows_another(sender) {
            return false;
        }
        // If the candidate's view is the newer one, it knows better who leads, and who has a seat.
        let known = number == self.id.number;
        if known && self.view().quorum().seat(sender).is_none() {
            return false;
        }
        let gone = leader.is_none_or(|leader| {
            leader == sender || self.is_gone(leader) || self.is_refused(leader)
        });
        let unseated = leader.is_some_and(|leader| {
            known && number > ViewNumber(0) && self.view().quorum().seat(leader).is_none()
        });
        let quiet = self.now.boot >= self.election.heard_leader + self.settings.lease;
        asked || gone || unseated || quiet || self.election.released
    }

    /// Whether the ring lists a leader as gone, or its agreement file is another one.
    pub(super) fn is_gone(&self, leader: &Voter) -> bool {
        if *leader == self.own {
            return self.lead.is_none();
        }
        let other = self.heard.get(&leader.name).is_some_and(|heard| heard.voter != *leader);
        other || !self.standings.is_empty() && !self.is_alive(&leader.name)
    }

    /// Whether it has promised another candidate a moment ago that the ring does not list as gone.
    fn follows_another(&self, sender: &Voter) -> bool {
        self.candidate_until(sender).is_some_and(|until| self.now.boot < until)
    }

    /// Until when this voter leaves another candidate alone.
    pub(super) fn candidate_until(&self, sender: &Voter) -> Option<crate::BootTime> {
        let promised = self.store.get().promised.as_ref()?;
        let until = self.election.promised_at? + CANDIDATE_PATIENCE;
        let other = promised.candidate != *sender && promised.term > self.view().term;
        (other && !self.is_gone(&promised.candidate)).then_some(until)
    }

    pub(super) fn promised_term(&self) -> Term {
        let promised = self.store.get().promised.as_ref().map(|promised| promised.term);
        let promised = promised.unwrap_or_default();
        // That a view raises the promise is one rule, and so one mutant.
        if self.is_mutant(Mutant::InstallKeepsPromise) {
            return promised;
        }
        promised.max(self.view().term)
    }

    /// Whether a ballot is at least what was promised. Of one term there is one candidate.
    fn refusal(&self, ballot: &Ballot) -> Option<Ballot> {
        let promised = self.store.get().promised.as_ref()?;
        let larger = promised.term > ballot.term;
        let other = promised.term == ballot.term && promised.candidate != ballot.candidate;
        (larger || other).then(|| promised.clone())
    }

    fn promise(&mut self, ballot: &Ballot) {
        if self.store.get().promised.as_ref() != Some(ballot) {
            self.store.change().promised = Some(ballot.clone());
            self.election.promised_at = Some(self.now.boot);
        }
        if self.lead.as_ref().is_some_and(|lead| lead.term < ballot.term) {
            self.step_down(crate::LossReason::Replaced);
        }
    }

    /// A candidate: promises to follow it, if its view is the newest.
    pub(super) fn on_new_leader(
        &mut self,
        sender: &Voter,
        term: Term,
        number: ViewNumber,
        view: Option<Arc<View>>,
    ) {
        if let Some(view) = view {
            self.on_whole_view(&view);
        }
        if self.is_recovering() {
            return;
        }
        let mut promised_at = self.id.number;
        // THE RULE that a voter with a newer view promises nothing: else a quorum would speak of
        // different views, and not know that the next one is decided.
        if self.id.number > number {
            if !self.is_mutant(Mutant::PromiseWhileBehind) {
                return self.send_whole(&sender.name);
            }
            promised_at = number;
        }
        if self.id.number < number {
            return self.send(&sender.name, Body::Lack { number: self.id.number });
        }
        if !self.is_mutant(Mutant::PromiseWhileBehind)
            && self.view().quorum().seat(&self.own).is_none()
        {
            return;
        }
        let ballot = Ballot { term, candidate: sender.clone() };
        if let Some(promised) = self.refusal(&ballot) {
            return self.send(&sender.name, Body::No { term, promised });
        }
        self.promise(&ballot);
        let accepted = self.store.get().accepted.clone().map(Box::new);
        let lease_left = self.lease_promise.left(term, self.now.boot);
        let number = promised_at;
        self.answer(&sender.name, Body::Promise { term, number, accepted, lease_left });
    }

    /// A proposal: accepts it, if it is the next view and nobody else was promised.
    pub(super) fn on_req(&mut self, sender: &Voter, term: Term, proposal: &Arc<Proposal>) {
        if self.is_recovering() {
            return;
        }
        let stale = proposal.number <= self.id.number;
        if stale && !self.is_mutant(Mutant::PromiseWhileBehind) {
            return self.send_whole(&sender.name);
        }
        if proposal.number > self.id.number.next() {
            return self.send(&sender.name, Body::Lack { number: self.id.number });
        }
        let ballot = Ballot { term, candidate: sender.clone() };
        if let Some(promised) = self.refusal(&ballot) {
            return self.send(&sender.name, Body::No { term, promised });
        }
        if !stale {
            if self.view().quorum().seat(&self.own).is_none() {
                return;
            }
            if self.view().apply(proposal).is_err() {
                return;
            }
            self.accept(ballot, proposal);
        }
        let (number, hash) = (proposal.number, proposal.hash);
        self.answer(&sender.name, Body::Ok { term, number, hash });
    }

    fn accept(&mut self, ballot: Ballot, proposal: &Arc<Proposal>) {
        self.promise(&ballot);
        let accepted = Accepted { ballot, proposal: proposal.clone() };
        if self.store.get().accepted.as_ref() != Some(&accepted) {
            self.store.change().accepted = Some(accepted);
        }
        self.note_pending(proposal);
    }

    pub(super) fn note_pending(&mut self, proposal: &Arc<Proposal>) {
        if self.pending.as_ref().is_some_and(|pending| pending.hash == proposal.hash) {
            return;
        }
        self.pending = Some(proposal.clone());
        let (number, operations) = (proposal.number, proposal.operations.clone());
        let by = proposal.leader.clone();
        self.report(Event::OperationPending { number, operations, by });
    }

    /// The leader asks for its lease, which is promised from now on.
    pub(super) fn on_renew(&mut self, sender: &Voter, term: Term, sequence: u64, lease: Duration) {
        let ballot = Ballot { term, candidate: sender.clone() };
        if let Some(promised) = self.refusal(&ballot) {
            return self.send(&sender.name, Body::No { term, promised });
        }
        if self.store.get().promised.as_ref() != Some(&ballot) {
            return self.send(&sender.name, Body::Lack { number: self.id.number });
        }
        // A restart must know the longest lease that was promised.
        let known = self.store.was_written(self.first_write);
        if self.is_recovering() || !known || lease > self.settings.lease {
            return;
        }
        self.election.hear_leader(self.now.boot);
        self.lease_promise.promise(term, self.now.boot + self.settings.lease);
        let (number, votes) = (self.id.number, self.settings.vote);
        self.send(&sender.name, Body::Renewed { term, sequence, number, votes });
    }

    /// A leader is not exclusive any more, and does not lead.
    pub(super) fn on_release(&mut self, sender: &Voter, term: Term) {
        let view = self.view();
        let of_view = view.term == term && view.leader.as_ref() == Some(sender);
        self.lease_promise.release(term);
        if of_view {
            self.election.on_release(self.now.boot);
        }
    }
}
