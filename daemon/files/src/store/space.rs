//! How much room there is.

/// From how many percent on no new copies should come, and from how many on none does.
const CROWDED_PERCENT: u64 = 85;
const FULL_PERCENT: u64 = 95;

/// What stays free on the file system, as keepers of copied logs leave it.
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

/// The room of a store that uses `used` bytes, and may use `limit`, with `free` ones on the disk.
pub(super) fn room(used: u64, limit: u64, free: u64) -> Room {
    let capacity = capacity(used, limit, free);
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
pub(super) fn capacity(used: u64, limit: u64, free: u64) -> u64 {
    limit.min(used.saturating_add(free.saturating_sub(KEEP_BYTES)))
}
