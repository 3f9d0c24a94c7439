//! The times and bounds of a keeper: [`Settings`], a plain value.

use std::time::Duration;

/// The times and bounds of a keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a mutation waits for company at most, before it is written and sent.
    pub company: Duration,
    /// How long a primary may answer reads after all other keepers heard it.
    pub lease: Duration,
    /// After which time without an answer something is sent again.
    pub resend: Duration,
    /// How long a read waits for the lease.
    pub patience: Duration,
    /// The log grows to this many bytes, or to those of the last image, before the next image.
    pub log_bytes: usize,
    /// A rule that is switched off, for tests of the tests.
    pub mutant: Option<Mutant>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            company: Duration::from_millis(2),
            lease: Duration::from_millis(1500),
            resend: Duration::from_millis(400),
            patience: Duration::from_secs(2),
            log_bytes: 1 << 20,
            mutant: None,
        }
    }
}

/// Rules on which safety rests, each switched off in a test that must find that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The primary answers when one other keeper has an entry.
    AnswerBeforeAll,
    /// Keepers answer before what they promise is durable.
    AnswerBeforeWrite,
    /// A keeper takes entries of ballots older than the one that it promised.
    NoFence,
    /// Entries count without the newcomers.
    NewcomersDoNotCount,
    /// A new primary does not wait for the leases of the one before.
    NoGrace,
    /// A new primary opens before the others have its log.
    NoLevel,
    /// A primary publishes an extent with too few copies, as a coordinator counts them.
    CountNoCopies,
}
