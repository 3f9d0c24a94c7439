//! What was turned away, and why: counted, and told in the log once a minute for each cause,
//! however much of it comes.

use memberd_control::keyring::KeyId;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// How often a cause is told in the log at most.
pub const TELL_EVERY: Duration = Duration::from_secs(60);

/// Why a datagram or a connection was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not sealed, where this daemon has keys.
    #[error("not sealed: has it a key?")]
    Plain,
    /// Sealed, where this daemon has no key.
    #[error("sealed, and this daemon has no key: set security.key_file")]
    Sealed,
    /// Sealed with a key that is not in this daemon's keyring.
    #[error("sealed with key {0}, which is not in this keyring: compare memberctl key list")]
    UnknownKey(KeyId),
    /// Not sealed with the key it names, damaged on the way, or meant for another member.
    #[error("forged, damaged, or not meant for this member")]
    Forged,
    /// Sealed for a life of this member before this process: recorded and played back, or sent by
    /// one that does not know yet.
    #[error(
        "for a life of this member before its start: played back, or from one that had not heard \
        of the start"
    )]
    FormerLife,
    /// Heard already: recorded and played back, or doubled by the network.
    #[error("heard already: played back, or doubled by the network")]
    Replayed,
    /// A connection that ended before it was known whose it was.
    #[error("it ended before it had begun in earnest")]
    Broken,
    /// A connection that did not begin in time.
    #[error("it did not begin in time")]
    Late,
}

/// How many causes there are.
const CAUSES: usize = 8;

impl Refusal {
    /// The names of the causes' counters, in order.
    const COUNTERS: [&'static str; CAUSES] = [
        "refused_forged",
        "refused_former_life",
        "refused_handshake_broken",
        "refused_handshake_late",
        "refused_plain",
        "refused_replayed",
        "refused_sealed",
        "refused_unknown_key",
    ];

    fn index(self) -> usize {
        match self {
            Refusal::Forged => 0,
            Refusal::FormerLife => 1,
            Refusal::Broken => 2,
            Refusal::Late => 3,
            Refusal::Plain => 4,
            Refusal::Replayed => 5,
            Refusal::Sealed => 6,
            Refusal::UnknownKey(_) => 7,
        }
    }

    /// Whether it comes up where nothing is wrong: restarts bring the one, and whoever looks
    /// whether the port is open the other.
    fn is_ordinary(self) -> bool {
        matches!(self, Refusal::FormerLife | Refusal::Broken)
    }
}

/// The counts of all causes.
#[derive(Debug, Default)]
pub struct Refusals {
    causes: Mutex<[Cause; CAUSES]>,
}

/// One cause: how often it came up, and how it did so last.
#[derive(Debug, Default)]
struct Cause {
    count: Count,
    last: Option<(Refusal, &'static str, SocketAddr)>,
}

impl Refusals {
    /// Counts one, and tells of it unless its cause was told of lately. `what` was turned away is a
    /// datagram or a connection.
    pub fn note(&self, refusal: Refusal, what: &'static str, from: SocketAddr) {
        let untold = self.lock().get_mut(refusal.index()).and_then(|cause| {
            cause.last = Some((refusal, what, from));
            cause.count.note(Instant::now())
        });
        if let Some(times) = untold {
            tell(refusal, what, from, times);
        }
    }

    /// Tells of all that came since it was last told of and is to be told by now; to be called now
    /// and then.
    pub fn tell_rest(&self, now: Instant) {
        let mut untold = Vec::new();
        for Cause { count, last } in self.lock().iter_mut() {
            untold.extend(last.zip(count.rest(now)));
        }
        for ((refusal, what, from), times) in untold {
            tell(refusal, what, from, times);
        }
    }

    fn lock(&self) -> MutexGuard<'_, [Cause; CAUSES]> {
        // A poisoned lock holds whole counts nevertheless.
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each cause with its count, ordered by name.
    pub fn named(&self) -> [(&'static str, u64); CAUSES] {
        let causes = self.lock();
        let mut named = Refusal::COUNTERS.map(|name| (name, 0));
        for ((_, count), cause) in named.iter_mut().zip(causes.iter()) {
            *count = cause.count.all;
        }
        named
    }
}

fn tell(refusal: Refusal, what: &'static str, from: SocketAddr, times: u64) {
    if refusal.is_ordinary() {
        debug!(%from, times, reason = %refusal, "refused a {what}");
    } else {
        warn!(%from, times, reason = %refusal, "refused a {what}; further ones are told once a \
        minute");
    }
}

/// The count of one cause, and when it was told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    all: u64,
    told: u64,
    told_at: Option<Instant>,
}

impl Count {
    /// One more. When it is to be told: how many are, this one included.
    pub fn note(&mut self, now: Instant) -> Option<u64> {
        self.all += 1;
        self.rest(now)
    }

    /// How many are to be told by now, if any are.
    pub fn rest(&mut self, now: Instant) -> Option<u64> {
        let untold = self.all - self.told;
        if untold == 0 || self.told_at.is_some_and(|at| now.duration_since(at) < TELL_EVERY) {
            return None;
        }
        self.told = self.all;
        self.told_at = Some(now);
        Some(untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_at_once_and_then_once_a_minute_with_all_that_came_meanwhile() {
        let (mut count, start) = (Count::default(), Instant::now());
        let told: Vec<Option<u64>> =
            (0..181).map(|second| count.note(start + Duration::from_secs(second))).collect();
        let expected = |second| match second {
            0 => Some(1),
            60 | 120 | 180 => Some(60),
            _ => None,
        };
        assert_eq!(told, (0..181).map(expected).collect::<Vec<_>>());
        assert_eq!(count.all, 181);
    }

    #[test]
    fn what_came_last_is_told_when_its_time_has_come_though_nothing_more_comes() {
        let (mut count, start) = (Count::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(count.rest(start), None);
        let told: Vec<_> = (0..1_000).filter_map(|_| count.note(start)).collect();
        assert_eq!(told, [1]);
        assert_eq!(
            [59, 60, 61, 200].map(|seconds| count.rest(after(seconds))),
            [None, Some(999), None, None]
        );
        assert_eq!(count.note(after(201)), Some(1));
    }

    #[test]
    fn causes_are_counted_apart() {
        let (refusals, from) = (Refusals::default(), "127.0.0.1:1".parse().unwrap());
        for refusal in
            [Refusal::Plain, Refusal::UnknownKey(KeyId([0; 4])), Refusal::UnknownKey(KeyId([1; 4]))]
        {
            refusals.note(refusal, "datagram", from);
        }
        let counted = refusals.named();
        assert!(counted.is_sorted());
        let counted: Vec<_> = counted.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("refused_plain", 1), ("refused_unknown_key", 2)]);
    }
}
