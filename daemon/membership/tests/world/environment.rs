//! Reads from the environment which tests and stories run:
//!
//! - `MEMBERD_RING_SEED=7` makes every test with seeds run only this seed; a failed run prints its
//!   own;
//! - `MEMBERD_RING_SEEDS=200` runs all seeds below 200, where a test otherwise runs a few;
//! - `MEMBERD_RING_LONG=1` runs an hour instead of minutes, and splits of ten minutes with every
//!   seed.

/// The variable that picks one seed.
pub(super) const SEED: &str = "MEMBERD_RING_SEED";

/// The variable that asks for many seeds.
const SEEDS: &str = "MEMBERD_RING_SEEDS";

/// The variable that asks for long runs.
const LONG: &str = "MEMBERD_RING_LONG";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Whether a run with this seed is wanted.
pub fn is_chosen(seed: u64) -> bool {
    number(SEED).is_none_or(|only| only == seed)
}

/// The seeds to run: the chosen one, or these, or as many as the environment requests.
pub fn seeds(range: std::ops::Range<u64>) -> std::ops::Range<u64> {
    match number(SEED) {
        Some(only) => only..only + 1,
        None => range.start..range.end.max(number(SEEDS).unwrap_or(0)),
    }
}

/// Whether long runs are wanted.
pub fn long() -> bool {
    std::env::var_os(LONG).is_some()
}
