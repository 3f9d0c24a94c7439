//! Figures of a member for status and metrics. Plain values.

use crate::keeper::KeeperStatus;
use crate::path::ShareName;
use crate::store::StoreStatus;

/// Figures for status and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilesStatus {
    /// The store's: its owner fills it in.
    pub store: Option<StoreStatus>,
    /// The catalogs that are kept here, or were.
    pub shares: Vec<ShareStatus>,
    /// The extents that are sealed here.
    pub extents: usize,
    /// Their bytes.
    pub extent_bytes: u64,
    /// The extents for which this member is responsible that wait for a new copy.
    pub repairs_waiting: usize,
    /// Those that are copied now.
    pub repairs_running: usize,
    /// The files that clients write here.
    pub writes: usize,
    /// The files that clients read here.
    pub reads: usize,
    /// Questions and changes that wait for a primary.
    pub asks: usize,
}

/// A catalog that is kept here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareStatus {
    /// Of which share.
    pub share: ShareName,
    /// How its keeper here stands.
    pub keeper: KeeperStatus,
}
