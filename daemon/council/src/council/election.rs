//! When this machine stands for election, and whether it may: the question before an election.

use super::Council;
use super::leader::Lead;
use crate::durable::Ballot;
use crate::lease::LeasePromise;
use crate::message::Body;
use crate::time::BootTime;
use crate::view::{Term, ViewNumber, Voter};
use std::collections::BTreeSet;
use std::time::Duration;

/// Candidates stand in the order of the council, one more after each such span.
const STEP: Duration = Duration::from_millis(150);
/// How long the others wait after a planned end for the one that was asked to take over.
const TAKE_OVER_HEAD_START: Duration = Duration::from_millis(300);
/// After this time those are asked again that did not allow it: the ring may tell them a little
/// later than this machine that the leader is gone.
const REPEAT: Duration = Duration::from_millis(50);
/// How long the answers to a question take at most.
const QUESTION_TIME: Duration = Duration::from_millis(400);
/// How long an election takes at most, at first. It doubles with each that failed.
const ELECTION_TIME: Duration = Duration::from_secs(1);
/// How long one that has failed waits at most.
const MAX_RETRY: Duration = Duration::from_secs(1);

/// Owns what decides when to stand.
#[derive(Debug, Clone)]
pub(super) struct Election {
    /// When this machine heard the leader last.
    pub(super) heard_leader: BootTime,
    /// When it promised a candidate last.
    pub(super) promised_at: Option<BootTime>,
    /// Whether the leader has ended its lead by plan.
    pub(super) released: bool,
    /// Since when there is nobody to lead.
    pub(super) leaderless: Option<BootTime>,
    pub(super) retry_at: BootTime,
    pub(super) failures: u32,
    attempts: u64,
    pub(super) count: u64,
}

/// The question before an election.
#[derive(Debug, Clone)]
pub(super) struct PreVote {
    attempt: u64,
    yes: BTreeSet<Voter>,
    asked: bool,
    repeat_at: BootTime,
    deadline: BootTime,
}

impl Election {
    pub(super) fn new(now: BootTime) -> Self {
        Election {
            heard_leader: now,
            promised_at: None,
            released: false,
            leaderless: None,
            retry_at: now,
            failures: 0,
            attempts: 0,
            count: 0,
        }
    }

    pub(super) fn hear_leader(&mut self, now: BootTime) {
        self.heard_leader = now;
        self.released = false;
        self.leaderless = None;
        self.failures = 0;
    }

    pub(super) fn on_install(&mut self, now: BootTime) {
        self.hear_leader(now);
        self.retry_at = self.retry_at.min(now);
    }

    pub(super) fn on_release(&mut self, now: BootTime) {
        self.released = true;
        self.leaderless = Some(now + TAKE_OVER_HEAD_START);
    }
}

impl Council {
    /// Whether nobody leads by what is known here.
    pub(super) fn is_leaderless(&self) -> bool {
        let view = self.view();
        if view.number == ViewNumber(0) {
            // The founding needs all.
            return view.council.iter().all(|voter| self.is_alive(&voter.name));
        }
        match &view.leader {
            None => true,
            Some(leader) => {
                view.quorum().seat(leader).is_none()
                    || self.is_gone(leader)
                    || self.stands_for_refusal(leader)
                    || self.election.released
            }
        }
    }

    pub(super) fn may_stand(&self) -> bool {
        let slow_disk =
            self.store.lasts(self.now.boot).is_some_and(|span| span >= self.settings.lease);
        self.has_seat()
            && !self.is_recovering()
            && self.lead.is_none()
            && self.pre_vote.is_none()
            && !self.wishes.is_releasing()
            && !self.standings.is_empty()
            && !slow_disk
            && self.store.was_written(self.first_write)
    }

    /// How many stand before this machine: those that follow the leader in the order of the
    /// council, as far as the ring lists them as up.
    fn rank(&self) -> u32 {
        let view = self.view();
        if view.leader.as_ref() == Some(&self.own) {
            return 0;
        }
        let leader = view.leader.as_ref();
        let after = leader.and_then(|leader| view.council.iter().position(|one| one == leader));
        let from = after.map_or(0, |at| at + 1);
        let order = view.council.iter().cycle().skip(from).take(view.council.len());
        let ahead = order
            .take_while(|voter| voter.name != self.own.name)
            .filter(|voter| leader != Some(*voter) && self.is_alive(&voter.name))
            .count();
        u32::try_from(ahead).unwrap_or(u32::MAX)
    }

    /// Whether the list has the leader in another incarnation than the view. Then it may have begun
    /// again, and not know that it led. It renews its lease if it has only been away.
    pub(super) fn has_leader_returned(&self) -> bool {
        let view = self.view();
        let Some(name) = view.leader.as_ref().map(|leader| &leader.name) else { return false };
        let standing = self.standings.get(name).map(|one| one.identity.incarnation);
        let member = view.member(name).map(|member| member.incarnation);
        member.is_some_and(|member| standing.is_some_and(|standing| standing > member))
    }

    /// When this machine is to stand.
    fn stand_at(&self) -> Option<BootTime> {
        if !self.may_stand() {
            return None;
        }
        // One that has a seat and does not want it any more stands after all others.
        let reluctant = if self.settings.vote { 0 } else { self.view().council.len() };
        let turn = STEP * self.rank().saturating_add(u32::try_from(reluctant).unwrap_or(0));
        let leases = if self.has_leader_returned() { 1 } else { 2 };
        let quiet = self.election.heard_leader + self.settings.lease * leases;
        // Without all founders there is no first view, however quiet it is.
        let founding = self.id.number == ViewNumber(0);
        let base = match self.election.leaderless {
            Some(_) if founding && !self.may_found() => return None,
            Some(since) => since.min(if founding { since } else { quiet }),
            None if founding => return None,
            None => quiet,
        };
        let patience = self.candidate_until(&self.own).unwrap_or(BootTime::EPOCH);
        Some((base + turn).max(self.election.retry_at).max(patience))
    }

    pub(super) fn election_due(&self) -> Option<BootTime> {
        let question = self.pre_vote.as_ref().map(|one| one.deadline.min(one.repeat_at));
        question.into_iter().chain(self.stand_at()).min()
    }

    pub(super) fn tick_election(&mut self) {
        let over = |pre_vote: &PreVote| self.now.boot >= pre_vote.deadline;
        if self.pre_vote.as_ref().is_some_and(over) {
            self.pre_vote = None;
            if !self.refused_in_vain() {
                self.retry_later();
            }
        }
        if !self.is_leaderless() {
            self.election.leaderless = None;
        } else if self.election.leaderless.is_none() {
            self.election.leaderless = Some(self.now.boot);
        }
        let repeats = |pre_vote: &PreVote| self.now.boot >= pre_vote.repeat_at;
        if self.pre_vote.as_ref().is_some_and(repeats) {
            self.ask_whether_it_may();
        }
        if self.stand_at().is_some_and(|at| at <= self.now.boot) {
            self.ask_to_stand(false);
        }
    }

    pub(super) fn retry_later(&mut self) {
        let election = &mut self.election;
        election.failures = election.failures.saturating_add(1);
        let doubled = 1 << election.failures.min(4);
        let wait = (STEP * (1 + self.rank()) * doubled / 2).min(MAX_RETRY);
        self.election.retry_at = self.now.boot + wait;
    }

    /// Asks the council whether this machine may stand. In a minority it stays at that, so terms do
    /// not grow there.
    fn ask_to_stand(&mut self, asked: bool) {
        self.election.attempts += 1;
        let attempt = self.election.attempts;
        let yes = BTreeSet::from([self.own.clone()]);
        let (now, deadline) = (self.now.boot, self.now.boot + QUESTION_TIME);
        self.pre_vote = Some(PreVote { attempt, yes, asked, repeat_at: now, deadline });
        self.ask_whether_it_may();
        self.count_question();
    }

    fn ask_whether_it_may(&mut self) {
        let (number, leader) = (self.id.number, self.view().leader.clone());
        let quorum = self.store.get().view.quorum();
        let Some(pre_vote) = &mut self.pre_vote else { return };
        pre_vote.repeat_at = self.now.boot + REPEAT;
        let (attempt, asked) = (pre_vote.attempt, pre_vote.asked);
        for name in quorum.missing(&pre_vote.yes) {
            let leader = leader.clone();
            self.send(&name, Body::May { attempt, number, leader, asked });
        }
    }

    pub(super) fn on_might(&mut self, sender: &Voter, attempt: u64, yes: bool, number: ViewNumber) {
        let Some(pre_vote) = &mut self.pre_vote else { return };
        let counts = pre_vote.attempt == attempt && pre_vote.yes.len() < 64;
        if counts && yes && number <= self.id.number {
            pre_vote.yes.insert(sender.clone());
            self.count_question();
        }
    }

    fn count_question(&mut self) {
        let Some(pre_vote) = &self.pre_vote else { return };
        if self.view().quorum().is_reached(&pre_vote.yes) {
            self.pre_vote = None;
            self.stand();
        }
    }

    /// Stands for election. Its own promise is durable before it proposes anything, so that it
    /// never uses a term twice.
    fn stand(&mut self) {
        let term = self.largest_term.max(self.promised_term());
        let term = Term(term.0 + 1);
        if term > Term::MAX {
            return self.retry_later();
        }
        self.note_term(term);
        self.election.count += 1;
        let doubled = 1 << self.election.failures.min(4);
        let deadline = self.now.boot + ELECTION_TIME * doubled;
        let number = self.id.number;
        self.store.change().promised = Some(Ballot { term, candidate: self.own.clone() });
        self.election.promised_at = Some(self.now.boot);
        self.lead = Some(Lead::new(term, self.now.boot, deadline));
        let accepted = self.store.get().accepted.clone().map(Box::new);
        let lease_left = LeasePromise::left(&self.lease_promise, term, self.now.boot);
        let own = self.own.name.clone();
        self.answer(&own, Body::Promise { term, number, accepted, lease_left });
        self.send_to_council(&Body::NewLeader { term, number, view: None });
        self.invite_applicants();
    }

    /// The leader has asked this machine to take over.
    pub(super) fn on_take_over(&mut self, sender: &Voter, term: Term, number: ViewNumber) {
        let view = self.view();
        let of_view = view.term == term && view.leader.as_ref() == Some(sender);
        if of_view && number == view.number && self.may_stand() {
            self.election.released = true;
            self.ask_to_stand(true);
        }
    }
}
