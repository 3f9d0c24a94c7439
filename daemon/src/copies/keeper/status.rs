//! What a keeper tells of itself, for the status and the metrics. The thread of the store owns it,
//! and others read it.

use crate::metrics::histogram::Histogram;
use memberd_copies::store::Counts;
use std::time::Duration;

/// The bounds of the histogram of syncs.
const SYNC_BOUNDS: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// What a keeper tells of itself.
#[derive(Debug, Clone)]
pub(crate) struct KeepingStatus {
    /// Figures of the store.
    pub(crate) counts: Counts,
    /// How many bytes it may have.
    pub(crate) limit_bytes: u64,
    /// Why it takes nothing, if it does not.
    pub(crate) failure: Option<String>,
    /// What was found to be damaged last.
    pub(crate) trouble: Option<String>,
    /// How many heads and blocks were refused.
    pub(crate) refused: u64,
    /// How long syncs took.
    pub(crate) sync_times: Histogram,
}

impl KeepingStatus {
    /// Nothing is kept yet.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        KeepingStatus {
            counts: Counts::default(),
            limit_bytes,
            failure: None,
            trouble: None,
            refused: 0,
            sync_times: Histogram::new(SYNC_BOUNDS),
        }
    }

    /// A sentence for each problem.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let failed = self
            .failure
            .as_ref()
            .map(|reason| format!("copies of other members' logs are not kept here: {reason}"));
        let damaged = self.counts.damaged_streams;
        let is_damaged = (damaged > 0).then(|| {
            let last = self.trouble.as_ref().map_or(String::new(), |last| format!(": {last}"));
            format!("{damaged} of the copies that are kept here are damaged{last}")
        });
        failed.into_iter().chain(is_damaged).collect()
    }
}
