//! The connections at one listening socket. It owns the places of those that have said nothing yet,
//! and decides which of them is ended when a further one comes.
//!
//! A connection costs its sender nothing, so connections are let in always, and what they cost here
//! is bounded. While more come than there is room for, the source with most silent ones loses its
//! oldest, as sshd(8) drops strangers (`MaxStartups`). So whoever says soon what it wants is
//! served, from the flooding address too. A connection that has said so is served in a place of its
//! own, and is not ended any more.

use crate::admission::{Admission, Full, Permit};
use crate::rate_limit::LogRateLimit;
use crate::source::Source;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tracing::warn;

/// How many silent connections of a known source count as one of a stranger: as many as one
/// machine's greps may begin at once.
const KNOWN_AS_ONE: usize = 16;

/// How many known sources are remembered. The one that proved itself longest ago is forgotten.
const KNOWN: usize = 1_024;

/// The connections at one socket. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// Whose connections they are, for the log.
    peers: &'static str,
    /// The most silent ones.
    limit: usize,
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

#[derive(Debug, Default)]
struct Silent {
    /// Those that may be ended, by source and in the order in which they came.
    there: BTreeMap<Source, BTreeMap<u64, Arc<Notify>>>,
    /// How many these are.
    there_count: usize,
    /// The same, and those that are ended but not yet closed.
    open: usize,
    /// The number of the next, and of the next proof.
    next: u64,
    /// Sources that have proven to belong to the group, and when they did so last.
    known: BTreeMap<Source, u64>,
    ended: LogRateLimit,
    refused: u64,
}

impl Crowd {
    /// At most `silent` connections that have said nothing, and the places for those that are
    /// served. `peers` says who connects, for the log.
    pub fn new(peers: &'static str, silent: usize, served: Admission) -> Self {
        let (room, there) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Silent::default())));
        Crowd { peers, limit: silent, served, silent: there, room }
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
            match self.lock().enter(self.limit, source) {
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
    /// Another one is about to close.
    NotYet,
}

impl Silent {
    fn enter(&mut self, limit: usize, source: Source) -> Entered {
        if self.open < limit {
            let (number, ended) = (self.number(), Arc::new(Notify::new()));
            self.open += 1;
            self.there_count += 1;
            self.there.entry(source).or_default().insert(number, Arc::clone(&ended));
            return Entered::Number(number, ended);
        }
        if self.open > self.there_count {
            return Entered::NotYet;
        }
        let ranks =
            self.there.keys().filter_map(|other| Some((self.rank(*other, source)?, *other)));
        let Some(((_, _, oldest), source)) = ranks.min() else { return Entered::NotYet };
        if let Some(ended) = self.remove(source, oldest) {
            ended.notify_one();
        }
        Entered::Instead(source, self.ended.count(Instant::now()))
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

    fn remove(&mut self, source: Source, number: u64) -> Option<Arc<Notify>> {
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
        if served.is_err() {
            self.crowd.lock().refused += 1;
        }
        served
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut silent = self.crowd.lock();
        silent.remove(self.source, self.number);
        silent.open -= 1;
        drop(silent);
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

    /// A member begins many calls at once, and many strangers one each: no stranger displaces it.
    #[tokio::test]
    async fn many_connections_of_a_known_source_count_as_one() {
        let crowd = crowd(20);
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
