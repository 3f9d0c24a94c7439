//! The connections at one listening socket. It owns the places of those that have said nothing yet,
//! and decides which of them is ended when a further one comes.
//!
//! A connection costs its sender nothing, so connections are let in always, and what they cost here
//! is bounded. While more come than there is room for, the source with most silent ones loses its
//! oldest, as sshd(8) drops strangers (`MaxStartups`). So whoever says soon what it wants is
//! served, from the flooding address too. A connection that has said so is served in a place of its
//! own, and is not ended any more.
//!
//! Where each source has one connection, they may all be honest: a whole group that calls at once.
//! Then none is ended before it had time to speak, and further ones wait in the kernel's queue. If
//! most of them say nothing even so, that patience is used up, and nobody waits for them any more.

use crate::admission::{Admission, Full, Permit};
use crate::rate_limit::LogRateLimit;
use crate::source::Source;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout_at;
use tracing::warn;

/// How many silent connections of a known source count as one of a stranger: as many as one
/// machine's greps may begin at once.
const KNOWN_AS_ONE: usize = 16;

/// How long the only connection of a source has to say something before it is ended for others. It
/// is a round trip around the world, and some time of a slow processor.
const TIME_TO_SPEAK: Duration = Duration::from_millis(500);

/// How many known sources are remembered. The one that proved itself longest ago is forgotten.
const KNOWN: usize = 1_024;

/// The connections at one socket. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// Whose connections they are, for the log.
    peers: &'static str,
    served: Admission,
    silent: Arc<Mutex<Silent>>,
    /// Wakes the one task that accepts, when a connection is not silent any more.
    room: Arc<Notify>,
}

/// A connection that has not said yet what it wants. It has a place until this is dropped.
#[derive(Debug)]
pub struct Arrival {
    crowd: Crowd,
    source: Source,
    number: u64,
    ended: Arc<Notify>,
}

/// Counts of a crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrowdCounts {
    /// Open connections that have not said yet what they want.
    pub silent: usize,
    /// Connections that are served now.
    pub served: usize,
    /// Silent connections that were ended for others, since the start.
    pub ended: u64,
    /// Connections that got no place to be served in, since the start.
    pub refused: u64,
}

#[derive(Debug)]
struct Silent {
    /// The most of them.
    limit: usize,
    /// Those that may be ended, by source and in the order in which they came.
    there: BTreeMap<Source, BTreeMap<u64, Waiting>>,
    /// How many these are.
    there_count: usize,
    /// The same, and those that are ended but not yet closed.
    open: usize,
    /// The number of the next, and of the next proof.
    next: u64,
    /// Sources that have proven to belong to the group, and when they did so last.
    known: BTreeMap<Source, u64>,
    /// How many sources had their only connection ended, beyond those that spoke. As many as there
    /// are places use patience up. It is back when fewer than half of the places are taken.
    in_vain: usize,
    ended: LogRateLimit,
    refused: u64,
}

/// A connection that may be ended.
#[derive(Debug)]
struct Waiting {
    came: Instant,
    ended: Arc<Notify>,
}

impl Crowd {
    /// At most `silent` connections that have said nothing, and the places for those that are
    /// served. `peers` says who connects, for the log.
    pub fn new(peers: &'static str, silent: usize, served: Admission) -> Self {
        let silent = Arc::new(Mutex::new(Silent::new(silent)));
        Crowd { peers, served, silent, room: Arc::new(Notify::new()) }
    }

    /// Whose connections they are, for the log.
    pub(crate) fn peers(&self) -> &'static str {
        self.peers
    }

    /// The counts so far.
    pub fn counts(&self) -> CrowdCounts {
        let silent = self.lock();
        CrowdCounts {
            silent: silent.open,
            served: self.served.taken(),
            ended: silent.ended.total(),
            refused: silent.refused,
        }
    }

    /// Gives a connection that was accepted a place. If there is none, it ends another connection,
    /// and waits until that one is closed. One task calls it.
    pub(crate) async fn arrive(&self, source: Source) -> Arrival {
        loop {
            let entered = self.lock().enter(source, Instant::now());
            match entered {
                Entered::Number(number, ended) => {
                    return Arrival { crowd: self.clone(), source, number, ended };
                }
                Entered::Instead(ended, times) => {
                    if let Some(times) = times {
                        let peers = self.peers;
                        warn!(source = %ended, times, "silent connections of {peers} were ended, \
                        the oldest first, to let others in (repeated at most once a minute)");
                    }
                }
                Entered::Young(until) => {
                    // When the time is over, the next attempt ends it.
                    let _ = timeout_at(until.into(), self.room.notified()).await;
                    continue;
                }
                Entered::NotYet => {}
            }
            self.room.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Silent> {
        // Every change is complete before anything could panic.
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a connection that comes.
enum Entered {
    /// It has a place: its number, and what says that it must end.
    Number(u64, Arc<Notify>),
    /// One of this source is ended for it. The number of ended ones is to be logged, if any.
    Instead(Source, Option<u64>),
    /// The one that would be ended has until then to speak.
    Young(Instant),
    /// Another one is about to close.
    NotYet,
}

impl Silent {
    fn new(limit: usize) -> Self {
        Silent {
            limit,
            there: BTreeMap::new(),
            there_count: 0,
            open: 0,
            next: 0,
            known: BTreeMap::new(),
            in_vain: 0,
            ended: LogRateLimit::default(),
            refused: 0,
        }
    }

    fn enter(&mut self, source: Source, now: Instant) -> Entered {
        if self.open < self.limit {
            let (number, ended) = (self.number(), Arc::new(Notify::new()));
            self.open += 1;
            self.there_count += 1;
            let waiting = Waiting { came: now, ended: Arc::clone(&ended) };
            self.there.entry(source).or_default().insert(number, waiting);
            return Entered::Number(number, ended);
        }
        if self.open > self.there_count {
            return Entered::NotYet;
        }
        let ranks =
            self.there.keys().filter_map(|other| Some((self.rank(*other, source)?, *other)));
        let Some(((Reverse(weight), _, oldest), source)) = ranks.min() else {
            return Entered::NotYet;
        };
        if weight == 1 && self.in_vain < self.limit {
            let oldest = self.there.get(&source).and_then(|there| there.get(&oldest));
            let until = oldest.map_or(now, |waiting| waiting.came + TIME_TO_SPEAK);
            if now < until {
                return Entered::Young(until);
            }
        }
        if weight == 1 {
            // A few that speak are no reason to wait for many that do not.
            self.in_vain = (self.limit * 2).min(self.in_vain + 1);
        }
        if let Some(waiting) = self.remove(source, oldest) {
            waiting.ended.notify_one();
        }
        Entered::Instead(source, self.ended.count(now))
    }

    /// Notes that one has said what it wants.
    fn note_spoken(&mut self) {
        self.in_vain = self.in_vain.saturating_sub(1);
    }

    /// Takes a connection out that is closed, or not silent any more.
    fn leave(&mut self, source: Source, number: u64) {
        self.remove(source, number);
        self.open -= 1;
        if self.open * 2 < self.limit {
            self.in_vain = 0;
        }
    }

    /// Which source is the first to lose its oldest connection: that with most of them, where the
    /// one that comes counts too. Those of known sources count less.
    fn rank(&self, source: Source, coming: Source) -> Option<(Reverse<usize>, bool, u64)> {
        let there = self.there.get(&source)?;
        let (oldest, _) = there.first_key_value()?;
        let count = there.len() + usize::from(source == coming);
        let is_known = self.known.contains_key(&source);
        let weight = if is_known { count.div_ceil(KNOWN_AS_ONE) } else { count };
        Some((Reverse(weight), is_known, *oldest))
    }

    fn remove(&mut self, source: Source, number: u64) -> Option<Waiting> {
        let there = self.there.get_mut(&source)?;
        let removed = there.remove(&number)?;
        if there.is_empty() {
            self.there.remove(&source);
        }
        self.there_count -= 1;
        Some(removed)
    }

    fn know(&mut self, source: Source) {
        let now = self.number();
        self.known.insert(source, now);
        if self.known.len() > KNOWN {
            let oldest = self.known.iter().min_by_key(|(_, at)| **at).map(|(source, _)| *source);
            oldest.map(|oldest| self.known.remove(&oldest));
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Arrival {
    /// Whom the connection is counted for.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Notes that whoever connects from there has proven to belong to the group.
    pub fn note_known(&self) {
        self.crowd.lock().know(self.source);
    }

    /// Says when the connection must end.
    pub(crate) fn ended(&self) -> Arc<Notify> {
        Arc::clone(&self.ended)
    }

    /// Takes a place to be served in, and gives up that among the silent ones. Until then the
    /// connection may be ended still.
    ///
    /// # Errors
    /// When its turn does not come within `limit`.
    pub async fn serve_within(self, limit: Duration) -> Result<Permit, Full> {
        let served = self.crowd.served.enter_within_as(self.source, limit).await;
        let mut silent = self.crowd.lock();
        match &served {
            Ok(_) => silent.note_spoken(),
            Err(_) => silent.refused += 1,
        }
        drop(silent);
        served
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.crowd.lock().leave(self.source, self.number);
        self.crowd.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn machine(last: u8) -> Source {
        Source::Machine(Ipv4Addr::new(192, 0, 2, last).into())
    }

    fn crowd(silent: usize) -> Crowd {
        Crowd::new("tests", silent, Admission::unanswered("tests", 4))
    }

    /// A connection that ends when it is told to.
    async fn connect(crowd: &Crowd, source: Source) -> tokio::task::JoinHandle<()> {
        let arrival = crowd.arrive(source).await;
        let ended = arrival.ended();
        tokio::spawn(async move {
            ended.notified().await;
            drop(arrival);
        })
    }

    /// Which of these connections go on.
    fn open(connections: &[tokio::task::JoinHandle<()>]) -> Vec<usize> {
        let open = connections.iter().enumerate().filter(|(_, task)| !task.is_finished());
        open.map(|(number, _)| number).collect()
    }

    /// The source with most connections loses its oldest ones, and never another's.
    #[tokio::test]
    async fn the_oldest_of_the_most_numerous_is_ended() {
        let crowd = crowd(4);
        let mut connections = Vec::new();
        for source in [1, 2, 2, 2, 3, 2, 2, 4] {
            connections.push(connect(&crowd, machine(source)).await);
        }
        assert_eq!(open(&connections), [0, 4, 6, 7]);
        let counts = crowd.counts();
        assert_eq!((counts.silent, counts.ended, counts.refused), (4, 4, 0));
    }

    /// Among sources with one connection each, the oldest goes.
    #[tokio::test]
    async fn of_equal_sources_the_oldest_is_ended() {
        let crowd = crowd(3);
        let mut connections = Vec::new();
        for source in 1..=5 {
            connections.push(connect(&crowd, machine(source)).await);
        }
        assert_eq!(open(&connections), [2, 3, 4]);
    }

    /// What became of the connections that came at once: one each of so many machines.
    #[derive(Debug, Default)]
    struct Burst {
        spoken: usize,
        ended: usize,
        /// When the last of them had its place.
        took: Duration,
    }

    impl Burst {
        /// Each machine says what it wants after a time, if ever. Time is counted, not passed.
        fn run(
            silent: &mut Silent,
            machines: u32,
            speaks_after: impl Fn(u32) -> Option<Duration>,
        ) -> Self {
            let mut burst = Burst::default();
            let begun = Instant::now();
            let mut now = begun;
            let mut speaking: BTreeMap<(Instant, u64), Source> = BTreeMap::new();
            let mut waiting = (0..machines).peekable();
            loop {
                let coming = waiting.peek().copied();
                let source = |machine| Source::Machine(Ipv4Addr::from_bits(machine).into());
                let entered = coming.map(|machine| silent.enter(source(machine), now));
                let mut next = speaking.first_key_value().map(|((at, _), _)| *at);
                match entered {
                    Some(Entered::Number(number, _)) => {
                        let machine = waiting.next().unwrap();
                        burst.took = now - begun;
                        if let Some(after) = speaks_after(machine) {
                            speaking.insert((now + after, number), source(machine));
                        }
                        continue;
                    }
                    Some(Entered::Instead(ended, _)) => {
                        burst.ended += 1;
                        // It is closed at once.
                        silent.leave(ended, 0);
                        speaking.retain(|_, source| *source != ended);
                        continue;
                    }
                    Some(Entered::Young(until)) => {
                        next = Some(next.map_or(until, |next| next.min(until)));
                    }
                    Some(Entered::NotYet) => unreachable!("each is closed at once"),
                    None => {}
                }
                let Some(next) = next else { return burst };
                now = now.max(next);
                while let Some(entry) = speaking.first_entry().filter(|at| at.key().0 <= now) {
                    let ((_, number), source) = entry.remove_entry();
                    burst.spoken += 1;
                    silent.note_spoken();
                    silent.leave(source, number);
                }
            }
        }
    }

    /// All machines of a group call at once, and none of them is known. They take turns.
    #[test]
    fn a_burst_of_newcomers_does_not_end_itself() {
        let speaks_after = |_| Some(Duration::from_millis(100));
        let burst = Burst::run(&mut Silent::new(256), 1_000, speaks_after);
        assert_eq!((burst.spoken, burst.ended), (1_000, 0));
        // One in ten is too slow, and the others have their time nevertheless.
        let slow_ones = |machine| {
            let after = if machine % 10 == 0 { 3_000 } else { 100 };
            Some(Duration::from_millis(after))
        };
        let burst = Burst::run(&mut Silent::new(256), 1_000, slow_ones);
        assert!(burst.spoken >= 900, "{burst:?}");
    }

    /// Many machines that say nothing hold the others up once, and only for the time to speak.
    #[test]
    fn silent_connections_of_many_machines_use_patience_up() {
        let mut silent = Silent::new(256);
        let burst = Burst::run(&mut silent, 10_000, |_| None);
        assert_eq!((burst.spoken, burst.ended), (0, 10_000 - 256));
        assert_eq!(burst.took, TIME_TO_SPEAK);
        // Some that speak make nobody wait again.
        (0..200).for_each(|_| silent.note_spoken());
        assert_eq!(Burst::run(&mut silent, 10_000, |_| None).took, Duration::ZERO);
        // Most have gone by themselves: the next burst is taken for honest.
        let there: Vec<_> = silent
            .there
            .iter()
            .flat_map(|(source, there)| there.keys().map(|number| (*source, *number)))
            .collect();
        there.into_iter().for_each(|(source, number)| silent.leave(source, number));
        assert_eq!(Burst::run(&mut silent, 10_000, |_| None).took, TIME_TO_SPEAK);
    }

    /// A member begins many calls at once, and many strangers one each: no stranger displaces it.
    #[tokio::test]
    async fn many_connections_of_a_known_source_count_as_one() {
        let crowd = crowd(20);
        // No stranger has time to speak.
        crowd.lock().in_vain = 40;
        crowd.lock().know(machine(200));
        let mut connections = Vec::new();
        for _ in 0..KNOWN_AS_ONE {
            connections.push(connect(&crowd, machine(200)).await);
        }
        for source in 1..=30 {
            drop(connect(&crowd, machine(source)).await);
        }
        assert_eq!(open(&connections).len(), KNOWN_AS_ONE);
        // More than that, and it is the most numerous.
        for _ in 0..3 {
            connections.push(connect(&crowd, machine(200)).await);
        }
        assert_eq!(open(&connections)[0], 3);
    }

    /// A connection that is served is not ended, and its place among the silent ones is free.
    #[tokio::test]
    async fn who_is_served_is_not_ended() {
        let crowd = crowd(1);
        let arrival = crowd.arrive(machine(1)).await;
        let permit = arrival.serve_within(Duration::from_secs(1)).await.unwrap();
        let second = connect(&crowd, machine(1)).await;
        let third = connect(&crowd, machine(1)).await;
        assert!(second.is_finished() && !third.is_finished());
        let counts = crowd.counts();
        assert_eq!((counts.silent, counts.served), (1, 1));
        drop(permit);
        assert_eq!(crowd.counts().served, 0);
    }

    #[tokio::test]
    async fn who_gets_no_place_in_time_is_refused() {
        let crowd = crowd(5);
        let mut permits = Vec::new();
        for source in 0..4 {
            let arrival = crowd.arrive(machine(source)).await;
            permits.push(arrival.serve_within(Duration::from_secs(1)).await.unwrap());
        }
        let arrival = crowd.arrive(machine(9)).await;
        arrival.serve_within(Duration::from_millis(1)).await.unwrap_err();
        let counts = crowd.counts();
        assert_eq!((counts.silent, counts.served, counts.refused), (0, 4, 1));
    }
}
