//! Owns the counts of what was turned away, by cause, and logs each cause at most once a minute.

use crate::rate_limit::LogRateLimit;
use memberd_control::keyring::KeyId;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tracing::{debug, warn};

/// Why a datagram or a connection was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealRefusal {
    /// It is not sealed, and this daemon has keys.
    #[error("not sealed: does the sender have a key?")]
    Plain,
    /// It is sealed, and this daemon has no key.
    #[error("sealed, and this daemon has no key: set security.key_file")]
    Sealed,
    /// It is sealed with a key that is not in this daemon's keyring.
    #[error("sealed with key {0}, which is not in this keyring: compare memberctl key list")]
    UnknownKey(KeyId),
    /// It is not sealed with the key it names, was damaged on the way, or is for another member.
    #[error("forged, damaged, or not meant for this member")]
    Forged,
    /// It is sealed for an incarnation of this member from before this process. Somebody recorded
    /// it and played it back, or its sender does not know the present incarnation yet.
    #[error(
        "for an incarnation of this member before its start: played back, or its sender had not \
        heard of the start"
    )]
    FormerIncarnation,
    /// It came before: somebody recorded it and played it back, or the network doubled it.
    #[error("received before: played back, or doubled by the network")]
    Replayed,
    /// The connection ended before its handshake did.
    #[error("the connection ended before its handshake did")]
    Broken,
    /// The connection's handshake took too long.
    #[error("the handshake took too long")]
    Late,
}

/// How many causes there are.
const CAUSES: usize = 8;

impl SealRefusal {
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
            SealRefusal::Forged => 0,
            SealRefusal::FormerIncarnation => 1,
            SealRefusal::Broken => 2,
            SealRefusal::Late => 3,
            SealRefusal::Plain => 4,
            SealRefusal::Replayed => 5,
            SealRefusal::Sealed => 6,
            SealRefusal::UnknownKey(_) => 7,
        }
    }

    /// Whether it occurs where nothing is wrong: after a restart, or when somebody checks whether
    /// the port is open.
    fn is_ordinary(self) -> bool {
        matches!(self, SealRefusal::FormerIncarnation | SealRefusal::Broken)
    }
}

/// The counts of all causes.
#[derive(Debug, Default)]
pub struct Refusals {
    causes: Mutex<[Cause; CAUSES]>,
}

/// One cause: how often it occurred, and its last case.
#[derive(Debug, Default)]
struct Cause {
    count: LogRateLimit,
    last: Option<(SealRefusal, &'static str, SocketAddr)>,
}

impl Refusals {
    /// Counts a refusal, and logs it unless its cause was logged within the last minute. `what` was
    /// turned away is a datagram or a connection.
    pub fn note(&self, refusal: SealRefusal, what: &'static str, from: SocketAddr) {
        let unlogged = self.lock().get_mut(refusal.index()).and_then(|cause| {
            cause.last = Some((refusal, what, from));
            cause.count.count(Instant::now())
        });
        if let Some(times) = unlogged {
            log(refusal, what, from, times);
        }
    }

    /// Logs the refusals that were counted but not logged, of causes whose minute is over. To be
    /// called every few seconds.
    pub fn log_due(&self, now: Instant) {
        let mut due = Vec::new();
        for Cause { count, last } in self.lock().iter_mut() {
            due.extend(last.zip(count.take_due(now)));
        }
        for ((refusal, what, from), times) in due {
            log(refusal, what, from, times);
        }
    }

    fn lock(&self) -> MutexGuard<'_, [Cause; CAUSES]> {
        // The counts are whole also after a panic elsewhere.
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each cause with its count, ordered by name.
    pub fn named(&self) -> [(&'static str, u64); CAUSES] {
        let causes = self.lock();
        let mut named = SealRefusal::COUNTERS.map(|name| (name, 0));
        for ((_, count), cause) in named.iter_mut().zip(causes.iter()) {
            *count = cause.count.total();
        }
        named
    }
}

fn log(refusal: SealRefusal, what: &'static str, from: SocketAddr, times: u64) {
    if refusal.is_ordinary() {
        debug!(%from, times, reason = %refusal, "refused a {what}");
    } else {
        warn!(%from, times, reason = %refusal, "refused a {what} (repeated at most once a \
        minute)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_counted_separately() {
        let (refusals, from) = (Refusals::default(), "127.0.0.1:1".parse().unwrap());
        for refusal in [
            SealRefusal::Plain,
            SealRefusal::UnknownKey(KeyId([0; 4])),
            SealRefusal::UnknownKey(KeyId([1; 4])),
        ] {
            refusals.note(refusal, "datagram", from);
        }
        let counted = refusals.named();
        assert!(counted.is_sorted());
        let counted: Vec<_> = counted.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("refused_plain", 1), ("refused_unknown_key", 2)]);
    }
}
