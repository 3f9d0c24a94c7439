//! A candidate and leader as Paxos' proposer: promises, what it adopts, and one proposal at a time.

use super::Council;
use crate::changes::BATCH;
use crate::durable::{Accepted, Ballot};
use crate::event::LossReason;
use crate::lease::Renewals;
use crate::message::{Body, News};
use crate::operation::{Operation, Proposal};
use crate::settings::Mutant;
use crate::share::ShareChange;
use crate::time::BootTime;
use crate::view::{Claim, Term, ViewHash, ViewNumber, Voter};
use memberd_membership::{Identity, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// After this time without an answer, a question or proposal is sent again.
const RESEND: Duration = Duration::from_millis(300);
/// The shortest time between two proposals for changes of the list.
const PROPOSAL_INTERVAL: Duration = Duration::from_millis(250);

/// One candidacy, and the leadership that it became.
#[derive(Debug, Clone)]
pub(super) struct Lead {
    pub(super) term: Term,
    promises: BTreeSet<Voter>,
    refused: BTreeSet<Voter>,
    /// What must be proposed next, since a voter had accepted it.
    adopted: Option<Accepted>,
    /// Until when former leaders may be exclusive.
    pub(super) told_until: BootTime,
    /// When the candidacy ends that was not elected.
    deadline: BootTime,
    resend_at: BootTime,
    pub(super) flight: Option<Flight>,
    /// Whether a view names it the leader.
    pub(super) elected: bool,
    pub(super) renewals: Renewals,
    pub(super) handing_over: Option<HandingOver>,
    /// Who leaves by plan.
    pub(super) leaving: BTreeSet<Identity>,
    /// Claims that wait for a view, with whether they replace one.
    pub(super) claims: Vec<(Claim, bool)>,
    /// Changes of the shares that wait for a view.
    pub(super) shares: Vec<ShareChange>,
    /// When it proposed last.
    pub(super) proposed_at: Option<BootTime>,
    /// Since when a changed council waits.
    pub(super) seats_since: Option<BootTime>,
    /// When those are asked again that may have a seat.
    pub(super) probe_at: Option<BootTime>,
    /// Whom it has invited, and when.
    pub(super) invited: BTreeMap<Name, BootTime>,
}

/// A proposal under way.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) proposal: Arc<Proposal>,
    accepted: BTreeSet<Voter>,
    began: BootTime,
}

/// A planned end of the lead.
#[derive(Debug, Clone)]
pub(super) struct HandingOver {
    pub(super) to: Name,
    /// Nothing is exclusive here any more, even if its owner never lets go.
    pub(super) until: BootTime,
}

/// How a view was decided.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) confirmed_by: Vec<Name>,
    pub(super) took: Duration,
}

impl Lead {
    pub(super) fn new(term: Term, now: BootTime, deadline: BootTime) -> Self {
        Lead {
            term,
            promises: BTreeSet::new(),
            refused: BTreeSet::new(),
            adopted: None,
            told_until: BootTime::EPOCH,
            deadline,
            resend_at: now + RESEND,
            flight: None,
            elected: false,
            renewals: Renewals::new(now),
            handing_over: None,
            leaving: BTreeSet::new(),
            claims: Vec::new(),
            shares: Vec::new(),
            proposed_at: None,
            seats_since: None,
            probe_at: None,
            invited: BTreeMap::new(),
        }
    }

    /// A view was installed: what was about it or an earlier one is over.
    pub(super) fn on_view(&mut self, number: ViewNumber) {
        let over = |proposal: &Proposal| proposal.number <= number;
        if self.flight.as_ref().is_some_and(|flight| over(&flight.proposal)) {
            self.flight = None;
        }
        if self.adopted.as_ref().is_some_and(|adopted| over(&adopted.proposal)) {
            self.adopted = None;
        }
    }

    pub(super) fn promises(&self) -> &BTreeSet<Voter> {
        &self.promises
    }

    #[cfg(test)]
    pub(super) fn refused(&self) -> usize {
        self.refused.len()
    }
}

impl Council {
    pub(super) fn on_promise(
        &mut self,
        sender: &Voter,
        (term, number): (Term, ViewNumber),
        accepted: Option<Accepted>,
        lease_left: Duration,
    ) {
        let quorum = self.store.get().view.quorum();
        let (seated, current) = (quorum.seat(sender).is_some(), self.id.number);
        let adopts = !self.is_mutant(Mutant::NoAdoption);
        let now = self.now.boot;
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.term == term) else { return };
        if !seated || number > current {
            return;
        }
        lead.promises.insert(sender.clone());
        if !lead.elected {
            lead.told_until = lead.told_until.max(now + lease_left);
        }
        // THE RULE that what was accepted under the largest ballot must be proposed again.
        if let Some(accepted) = accepted.filter(|_| adopts) {
            let next = accepted.proposal.number == current.next();
            let newer = lead
                .adopted
                .as_ref()
                .is_none_or(|adopted| adopted.ballot.term < accepted.ballot.term);
            if next && newer && lead.flight.is_none() {
                lead.adopted = Some(accepted);
            }
        }
    }

    pub(super) fn on_no(&mut self, sender: &Voter, term: Term, promised: &Ballot) {
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.term == term) else { return };
        if promised.term < term || promised.candidate == self.own {
            return;
        }
        if !lead.elected {
            return self.yield_to(promised);
        }
        let quorum = self.store.get().view.quorum();
        lead.refused.retain(|voter| quorum.seat(voter).is_some());
        if quorum.seat(sender).is_some() {
            lead.refused.insert(sender.clone());
        }
        let refused = lead.refused.len();
        if self.view().council.len() - refused < quorum.needed() {
            self.step_down(LossReason::Replaced);
        }
    }

    /// A voter follows another candidate. If that has the same term, the votes are split, and the
    /// first in the order of the council tries again at once.
    fn yield_to(&mut self, promised: &Ballot) {
        let Some(lead) = self.lead.take() else { return };
        self.retry_later();
        let council = &self.store.get().view.council;
        let place = |voter: &Voter| council.iter().position(|seat| seat.name == voter.name);
        if promised.term == lead.term && place(&self.own) < place(&promised.candidate) {
            self.election.retry_at = self.now.boot;
        }
    }

    /// A voter lacks the parent of what it was asked.
    pub(super) fn on_lack(&mut self, sender: &Voter, number: ViewNumber) {
        if number < self.id.number {
            self.send_whole(&sender.name);
        }
        let Some(lead) = &self.lead else { return };
        if !lead.promises.contains(sender) {
            let (term, number) = (lead.term, self.id.number);
            self.send(&sender.name, Body::NewLeader { term, number, view: None });
        } else if let Some(flight) = &lead.flight {
            let (term, proposal) = (lead.term, flight.proposal.clone());
            self.send(&sender.name, Body::Req { term, proposal });
        }
    }

    pub(super) fn on_ok(&mut self, sender: &Voter, term: Term, number: ViewNumber, hash: ViewHash) {
        let quorum = self.store.get().view.quorum();
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.term == term) else { return };
        let Some(flight) = &mut lead.flight else { return };
        let fits = flight.proposal.number == number && flight.proposal.hash == hash;
        if !fits || quorum.seat(sender).is_none() {
            return;
        }
        flight.accepted.insert(sender.clone());
        if quorum.is_reached(&flight.accepted) {
            self.decide();
        }
    }

    /// A majority has accepted: the view is decided, and all are told.
    fn decide(&mut self) {
        let Some(flight) = self.lead.as_mut().and_then(|lead| lead.flight.take()) else { return };
        let Ok(view) = self.view().apply(&flight.proposal) else { return };
        let mut told: BTreeSet<Name> = self.other_seats().into_iter().collect();
        told.extend(view.council.iter().map(|voter| voter.name.clone()));
        told.extend(view.keepers_unlike(self.view()).cloned());
        for operation in &flight.proposal.operations {
            match operation {
                Operation::Delete(member) => drop(told.insert(member.name.clone())),
                Operation::Claim { claim, .. } => drop(told.insert(claim.holder.name.clone())),
                Operation::Add(_)
                | Operation::Seat(_)
                | Operation::Share(_)
                | Operation::Leader { .. } => {}
            }
        }
        let confirmed_by = flight.accepted.iter().map(|voter| voter.name.clone()).collect();
        let took = self.now.boot.since(flight.began);
        for name in told {
            if self.is_alive(&name) || view.council.iter().any(|voter| voter.name == name) {
                let news = News::Operations(flight.proposal.clone());
                self.send(&name, Body::NewView(news));
            }
        }
        self.install(&Arc::new(view), Some(Decision { confirmed_by, took }));
        self.made_by = Some(flight.proposal);
    }

    /// Whether it has the promises of a majority of the council of its view, its own among them,
    /// and no proposal under way.
    fn may_propose(&self, lead: &Lead) -> bool {
        lead.promises.contains(&self.own)
            && self.view().quorum().is_reached(&lead.promises)
            && lead.flight.is_none()
            && lead.handing_over.is_none()
    }

    /// Proposes what is to be proposed, if this machine may.
    fn propose_next(&mut self) {
        let Some(lead) = self.lead.as_ref().filter(|lead| self.may_propose(lead)) else { return };
        if let Some(adopted) = &lead.adopted {
            let proposal = adopted.proposal.clone();
            return self.begin_flight(&proposal);
        }
        let operations = if lead.elected { self.due_operations() } else { self.first_operations() };
        if operations.is_empty() {
            return;
        }
        match self.view().propose(operations) {
            Ok(proposal) => self.begin_flight(&Arc::new(proposal)),
            // A bound is exceeded: the leader at least.
            Err(_) if !lead.elected => {
                let leader = Operation::Leader { term: lead.term, voter: self.own.clone() };
                if let Ok(proposal) = self.view().propose(vec![leader]) {
                    self.begin_flight(&Arc::new(proposal));
                }
            }
            Err(_) => {}
        }
    }

    fn begin_flight(&mut self, proposal: &Arc<Proposal>) {
        let now = self.now.boot;
        let Some(lead) = &mut self.lead else { return };
        let accepted = BTreeSet::new();
        lead.flight = Some(Flight { proposal: proposal.clone(), accepted, began: now });
        lead.resend_at = now + RESEND;
        lead.proposed_at = Some(now);
        let term = lead.term;
        self.note_pending(proposal);
        self.send_to_council(&Body::Req { term, proposal: proposal.clone() });
        let own = self.own.clone();
        self.on_req(&own, term, proposal);
    }

    /// The first own view: it names this machine the leader, and has all changes of now.
    fn first_operations(&self) -> Vec<Operation> {
        let Some(lead) = &self.lead else { return Vec::new() };
        let mut operations = self.changes.take(self.view(), &lead.leaving, self.now.boot);
        self.add_seats(&mut operations);
        operations.push(Operation::Leader { term: lead.term, voter: self.own.clone() });
        operations
    }

    /// When the next changes are due, if a leader has any.
    fn changes_due(&self) -> Option<BootTime> {
        let lead = self.lead.as_ref().filter(|lead| lead.elected && self.may_propose(lead))?;
        let asked = !lead.claims.is_empty() || !lead.shares.is_empty();
        let urgent = asked || self.any_leaving();
        let listed = self.changes.next_at(self.view(), &lead.leaving, self.now.boot);
        let seats = lead.seats_since.map(|since| since + BATCH);
        let due = [listed, seats, urgent.then_some(self.now.boot)].into_iter().flatten().min()?;
        let pause = lead.proposed_at.map_or(BootTime::EPOCH, |at| at + PROPOSAL_INTERVAL);
        Some(due.max(pause))
    }

    fn due_operations(&self) -> Vec<Operation> {
        if self.changes_due().is_none_or(|at| at > self.now.boot) {
            return Vec::new();
        }
        let Some(lead) = &self.lead else { return Vec::new() };
        let view = self.view();
        let mut operations = self.changes.take(view, &lead.leaving, self.now.boot);
        for member in lead.leaving.iter().filter(|member| view.members.contains(member)) {
            let delete = Operation::Delete(member.clone());
            if !operations.contains(&delete) {
                operations.push(delete);
            }
        }
        self.add_seats(&mut operations);
        let claims = lead.claims.iter().cloned();
        operations.extend(claims.map(|(claim, retry)| Operation::Claim { claim, retry }));
        operations.extend(lead.shares.iter().cloned().map(Operation::Share));
        operations
    }

    /// Asks those that have a seat in a new council and have not promised yet.
    pub(super) fn ask_missing_promises(&mut self) {
        let Some(lead) = &self.lead else { return };
        let (term, number) = (lead.term, self.id.number);
        for name in self.view().quorum().missing(&lead.promises) {
            if name == self.own.name {
                continue;
            }
            self.send(&name, Body::NewLeader { term, number, view: None });
        }
    }

    /// Repeats what was not answered.
    fn repeat(&mut self) {
        let now = self.now.boot;
        let Some(lead) = &mut self.lead else { return };
        lead.resend_at = now + RESEND;
        let term = lead.term;
        self.ask_missing_promises();
        let Some(flight) = self.lead.as_ref().and_then(|lead| lead.flight.clone()) else { return };
        for name in self.view().quorum().missing(&flight.accepted) {
            self.send(&name, Body::Req { term, proposal: flight.proposal.clone() });
        }
    }

    fn waits_for_answers(&self, lead: &Lead) -> bool {
        lead.flight.is_some() || !self.view().quorum().is_reached(&lead.promises)
    }

    pub(super) fn lead_due(&self) -> Option<BootTime> {
        let lead = self.lead.as_ref()?;
        let mut due = Vec::new();
        if self.waits_for_answers(lead) {
            due.push(lead.resend_at);
        }
        if lead.elected {
            due.extend(self.reign_due(lead));
            due.extend(self.changes_due());
        } else {
            due.push(lead.deadline);
        }
        due.into_iter().min()
    }

    pub(super) fn tick_lead(&mut self) {
        let now = self.now.boot;
        let Some(lead) = &self.lead else { return };
        if !lead.elected && now >= lead.deadline {
            self.lead = None;
            return self.retry_later();
        }
        if self.waits_for_answers(lead) && now >= lead.resend_at {
            self.repeat();
        }
        self.tick_reign();
        self.propose_next();
    }
}
