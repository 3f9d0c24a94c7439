//! How much room there is.

use super::disk::DiskSpace;

/// From how many percent on no new copies should come, and from how many on none does.
const CROWDED_PERCENT: u64 = 85;
const FULL_PERCENT: u64 = 95;

/// What stays free on the file system: the larger of 5 % and 1 GiB.
const KEEP_PERCENT: u64 = 5;
const KEEP_BYTES: u64 = 1 << 30;

/// How much room a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Less than 85 % are used.
    Plenty,
    /// Other members should be chosen for new copies.
    Crowded,
    /// From 95 % on no pieces are taken. Reading and deleting go on.
    Full,
}

/// The room of a store that uses `used` bytes, and may use `limit`.
pub(super) fn room(used: u64, limit: u64, disk: DiskSpace) -> Room {
    let capacity = capacity(used, limit, disk);
    let is = |percent: u64| {
        u128::from(used) * 100 >= u128::from(capacity) * u128::from(percent) || capacity == 0
    };
    match (is(FULL_PERCENT), is(CROWDED_PERCENT)) {
        (true, _) => Room::Full,
        (_, true) => Room::Crowded,
        _ => Room::Plenty,
    }
}

/// What it could use in all.
pub(super) fn capacity(used: u64, limit: u64, disk: DiskSpace) -> u64 {
    let keep = (disk.total / 100 * KEEP_PERCENT).max(KEEP_BYTES);
    limit.min(used.saturating_add(disk.free.saturating_sub(keep)))
}
