//! Reads from the environment which tests and stories run:
//!
//! - `MEMBERD_SIM_SEED=7` runs only what has this seed, of every test that goes through seeds; a
//!   failed run prints its own;
//! - `MEMBERD_SIM_SEEDS=200` goes through all seeds below 200, where a test otherwise takes a few;
//! - `MEMBERD_SIM_LONG=1` runs an hour instead of minutes, and splits of ten minutes with every
//!   seed.

/// The variable that picks one seed.
pub(super) const SEED: &str = "MEMBERD_SIM_SEED";

/// The variable that asks for many seeds.
const SEEDS: &str = "MEMBERD_SIM_SEEDS";

/// The variable that asks for long runs.
const LONG: &str = "MEMBERD_SIM_LONG";

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
