//! The settings of extents: plain values.

use std::time::Duration;

/// The settings of holders, coordinators and repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtentSettings {
    /// The copies of a new file.
    pub copies: usize,
    /// The bytes a second that a member sends for repair, and that it receives.
    pub repair_rate: u64,
    /// How long extents with two copies left wait after a member failed.
    pub repair_after: Duration,
    /// How long they wait after one has left by plan, and while many are gone at once.
    pub repair_after_leave: Duration,
    /// After how long the catalog is asked about an extent of which nobody said that it counts.
    pub ask_unsettled: Duration,
    /// How often it is asked about all others.
    pub ask_every: Duration,
    /// From which age on an extent that is not in use is removed. A publish is refused before.
    pub garbage_age: Duration,
    /// A rule that is switched off, so that a simulation can show that it would be missed.
    #[doc(hidden)]
    pub mutant: Option<ExtentMutant>,
}

/// A safety rule that a test switches off.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtentMutant {
    /// A publish waits for two equal answers.
    TwoCopies,
    /// A coordinator places by its own list, and counts by it, instead of the agreed view.
    PlaceByOwnList,
    /// A coordinator removes an upload whose publish got no answer in time.
    DeleteAmbiguous,
    /// A repairer has a new holder recorded before it has the extent.
    RecordEarly,
}

impl ExtentSettings {
    /// The most copies of a file.
    pub const MAX_COPIES: usize = 5;
    /// From which age on a coordinator publishes an upload no more.
    pub const PUBLISH_AGE: Duration = Duration::from_secs(30 * 60);
}

impl Default for ExtentSettings {
    fn default() -> Self {
        ExtentSettings {
            copies: 3,
            repair_rate: 32 << 20,
            repair_after: Duration::from_secs(30),
            repair_after_leave: Duration::from_secs(600),
            ask_unsettled: Duration::from_secs(60),
            ask_every: Duration::from_secs(24 * 3600),
            garbage_age: Duration::from_secs(3600),
            mutant: None,
        }
    }
}
