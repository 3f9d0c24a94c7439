//! What the environment chooses of the tests and stories:
//!
//! - `MEMBERD_RING_SEED=7` runs only what has this seed, of every test that goes through seeds; a failed run prints its own;
//! - `MEMBERD_RING_LONG=1` runs an hour instead of minutes, and splits of ten minutes with every seed.

/// The variable that picks one seed.
pub(super) const SEED: &str = "MEMBERD_RING_SEED";

/// The variable that asks for long runs.
const LONG: &str = "MEMBERD_RING_LONG";

/// Whether a run with this seed is wanted.
pub fn is_chosen(seed: u64) -> bool {
    let only: Option<u64> = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    only.is_none_or(|only| only == seed)
}

/// Of these seeds those to run.
pub fn seeds(range: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
    range.filter(|seed| is_chosen(*seed))
}

/// Whether long runs are wanted.
pub fn long() -> bool {
    std::env::var_os(LONG).is_some()
}
