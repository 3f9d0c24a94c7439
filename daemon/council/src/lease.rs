//! Leases: what a voter has promised to leaders ([`LeasePromise`]), and what a leader has got
//! ([`Renewals`]).

use crate::quorum::Quorum;
use crate::time::BootTime;
use crate::view::{Term, Voter};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How much of a lease a leader uses: voters' clocks may run slower than its own, by 1 %.
const USED_PERCENT: u32 = 99;

/// The most requests whose answers can still count. At the shortest pause they last for two leases,
/// so whatever is answered in time counts.
const MAX_SENT: usize = 256;

/// The shortest pause between two requests is this part of a lease.
const SHORTEST_PAUSE: u32 = 128;

/// Until when the leases last that a voter has promised. Not durable: one that restarts begins with
/// a full length.
#[derive(Debug, Clone)]
pub(crate) struct LeasePromise {
    /// The newest leader's term, and the end of its lease.
    current: Option<(Term, BootTime)>,
    /// The end of the leases of all leaders before.
    former: BootTime,
}

impl LeasePromise {
    /// That of a voter which has just started, and may have promised a lease until then.
    pub(crate) fn new(former: BootTime) -> Self {
        LeasePromise { current: None, former }
    }

    /// The leader of this term has a lease until then.
    pub(crate) fn promise(&mut self, term: Term, until: BootTime) {
        match &mut self.current {
            Some((current, end)) if *current == term => *end = (*end).max(until),
            // A late one of a former leader.
            Some((current, _)) if *current > term => self.former = self.former.max(until),
            _ => {
                if let Some((_, end)) = self.current.replace((term, until)) {
                    self.former = self.former.max(end);
                }
            }
        }
    }

    /// The leader of this term is not exclusive any more.
    pub(crate) fn release(&mut self, term: Term) {
        if self.current.is_some_and(|(current, _)| current == term) {
            self.current = None;
        }
    }

    /// How long the leases of others than the leader of this term last.
    pub(crate) fn left(&self, term: Term, now: BootTime) -> Duration {
        let current = match self.current {
            Some((current, end)) if current != term => end,
            _ => BootTime::EPOCH,
        };
        self.former.max(current).since(now)
    }
}

/// The requests of a leader for its lease, and the answers.
#[derive(Debug, Clone)]
pub(crate) struct Renewals {
    sequence: u64,
    sent: VecDeque<(u64, BootTime)>,
    /// Who has answered, and when the newest request that it answered was sent.
    answered: BTreeMap<Voter, BootTime>,
    /// When the next request is due.
    pub(crate) next_at: BootTime,
    /// Since when it asks.
    pub(crate) began: BootTime,
}

impl Renewals {
    pub(crate) fn new(now: BootTime) -> Self {
        Renewals {
            sequence: 0,
            sent: VecDeque::new(),
            answered: BTreeMap::new(),
            next_at: now,
            began: now,
        }
    }

    /// Whether one may go out although none is due. Whoever asks again and again gets the answers
    /// to the last one.
    pub(crate) fn may_send(&self, now: BootTime, lease: Duration) -> bool {
        let last = self.sent.back();
        last.is_none_or(|(_, sent)| now.since(*sent) >= lease / SHORTEST_PAUSE)
    }

    /// A request goes out. Its number.
    pub(crate) fn send(&mut self, now: BootTime, interval: Duration) -> u64 {
        self.sequence += 1;
        if self.sent.len() == MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back((self.sequence, now));
        self.next_at = now + interval;
        self.sequence
    }

    /// A voter has answered a request. The lease counts from when that was sent.
    pub(crate) fn on_answer(&mut self, voter: &Voter, sequence: u64) {
        let Some((_, sent)) = self.sent.iter().find(|(number, _)| *number == sequence) else {
            return;
        };
        let newest = self.answered.entry(voter.clone()).or_insert(*sent);
        *newest = (*newest).max(*sent);
    }

    /// Forgets all answers, and so the lease, and asks again at once. Answers to requests of before
    /// do not count either.
    pub(crate) fn drop_lease(&mut self, now: BootTime) {
        self.answered.clear();
        self.sent.clear();
        self.next_at = now;
        self.began = now;
    }

    /// Only seats of the view's council count. When the oldest request was sent that counts for a
    /// majority of them.
    pub(crate) fn confirmed(&self, quorum: Quorum<'_>) -> Option<BootTime> {
        let mut seats: Vec<BootTime> = self
            .answered
            .iter()
            .filter(|(voter, _)| quorum.seat(voter).is_some())
            .map(|(_, sent)| *sent)
            .collect();
        seats.sort_unstable_by(|one, other| other.cmp(one));
        seats.get(quorum.needed().checked_sub(1)?).copied()
    }

    /// Who has answered a request that was sent since then.
    pub(crate) fn answered_since(&self, since: BootTime) -> impl Iterator<Item = &Voter> {
        self.answered.iter().filter(move |(_, sent)| **sent >= since).map(|(voter, _)| voter)
    }
}

/// The part of a lease that a leader uses.
pub(crate) fn used(lease: Duration) -> Duration {
    lease * USED_PERCENT / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{View, VoterId};
    use memberd_membership::Name;

    fn at(milliseconds: u64) -> BootTime {
        BootTime::from_epoch(Duration::from_millis(milliseconds))
    }

    fn voter(index: u8) -> Voter {
        let name = Name::new(&format!("vm{index}")).unwrap();
        Voter { name, id: VoterId(u128::from(index)) }
    }

    /// Its own lease is not told to the leader itself, but those of all before are.
    #[test]
    fn leases_of_all_former_leaders_are_told() {
        let mut promise = LeasePromise::new(at(500));
        promise.promise(Term(1), at(3_000));
        assert_eq!(promise.left(Term(1), at(0)), Duration::from_millis(500));
        promise.promise(Term(2), at(2_000));
        assert_eq!(promise.left(Term(2), at(1_000)), Duration::from_millis(2_000));
        promise.promise(Term(1), at(4_000));
        assert_eq!(promise.left(Term(3), at(1_000)), Duration::from_millis(3_000));
    }

    /// However often somebody asks, an answer that comes within a lease counts.
    #[test]
    fn no_request_under_way_is_forgotten_within_a_lease() {
        let lease = Duration::from_secs(3);
        let mut renewals = Renewals::new(at(0));
        let first = renewals.send(at(0), lease / 4);
        for now in 0..3_000 {
            if renewals.may_send(at(now), lease) {
                renewals.send(at(now), lease / 4);
            }
        }
        renewals.on_answer(&voter(1), first);
        assert_eq!(renewals.answered_since(at(0)).count(), 1);
        assert!(renewals.sequence <= 129, "{} requests", renewals.sequence);
    }

    #[test]
    fn a_released_lease_is_over_and_others_are_not() {
        let mut promise = LeasePromise::new(at(0));
        promise.promise(Term(1), at(3_000));
        promise.release(Term(1));
        assert_eq!(promise.left(Term(2), at(0)), Duration::ZERO);
        promise.promise(Term(2), at(3_000));
        promise.release(Term(1));
        assert_eq!(promise.left(Term(3), at(0)), Duration::from_millis(3_000));
    }

    /// The lease counts from when the request was sent, and only for a majority of voter ids that
    /// have a seat.
    #[test]
    fn a_lease_begins_when_the_request_of_a_majority_was_sent() {
        let mut view = View::genesis(&[]);
        view.number = crate::ViewNumber(1);
        view.council = vec![voter(1), voter(2), voter(3)];
        let mut renewals = Renewals::new(at(0));
        let first = renewals.send(at(100), Duration::from_millis(750));
        let second = renewals.send(at(850), Duration::from_millis(750));
        renewals.on_answer(&voter(1), second);
        assert_eq!(renewals.confirmed(view.quorum()), None);
        renewals.on_answer(&Voter { id: VoterId(9), ..voter(2) }, second);
        assert_eq!(renewals.confirmed(view.quorum()), None, "a burnt voter id");
        renewals.on_answer(&voter(2), first);
        assert_eq!(renewals.confirmed(view.quorum()), Some(at(100)));
        renewals.on_answer(&voter(3), second);
        assert_eq!(renewals.confirmed(view.quorum()), Some(at(850)));
        renewals.drop_lease(at(900));
        renewals.on_answer(&voter(2), second);
        renewals.on_answer(&voter(3), second);
        assert_eq!(renewals.confirmed(view.quorum()), None, "a late answer revives nothing");
    }
}
