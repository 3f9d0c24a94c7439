//! The settings of the agreement. They are plain values.

use memberd_membership::Name;
use std::time::Duration;

/// The settings of one [`crate::Council`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The seats of a full council, [`Settings::MIN_COUNCIL`] to [`Settings::MAX_COUNCIL`]. The
    /// same on all members.
    pub council: usize,
    /// How long a leader may call itself exclusive after a majority has heard it. The same on all
    /// members.
    pub lease: Duration,
    /// Whether this machine may have a seat in the council.
    pub vote: bool,
    /// The founders: the council of view 0. Their hash is the lineage, so it is the same on all
    /// members, at any order.
    pub initial_council: Vec<Name>,
    /// A rule that is switched off, so that a simulation can show that it would be missed.
    #[doc(hidden)]
    pub mutant: Option<Mutant>,
}

/// A safety rule that a test switches off.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The installation of a view does not raise the promise.
    InstallKeepsPromise,
    /// A new leader ignores the operations that its voters had accepted.
    NoAdoption,
    /// A voter whose view is newer promises as if it were not, and a candidate counts it.
    PromiseWhileBehind,
    /// For the simulated disk: it falls back to the generation before. Nothing here reads it.
    FileRolledBack,
    /// A restarted voter tells that no lease is left.
    RestartForgetsLease,
    /// The installation of a view starts no lease promise.
    InstallStartsNoLease,
    /// Answers are sent before what they promise is durable.
    AnswerBeforeWrite,
}

impl Settings {
    /// The smallest setting for `council`.
    pub const MIN_COUNCIL: usize = 3;
    /// The largest setting for `council`, and the largest council there is.
    pub const MAX_COUNCIL: usize = 15;
    /// The shortest lease.
    pub const MIN_LEASE: Duration = Duration::from_millis(500);
    /// The longest lease.
    pub const MAX_LEASE: Duration = Duration::from_secs(60);
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            council: 9,
            lease: Duration::from_secs(3),
            vote: true,
            initial_council: Vec::new(),
            mutant: None,
        }
    }
}
