//! Reads from the environment which seeds run:
//!
//! - `MEMBERD_SIM_SEED=7` runs only what has this seed; a failed run prints its own;
//! - `MEMBERD_SIM_SEEDS=100000` goes through all seeds below that, where CI takes a few hundred;
//! - `MEMBERD_SIM_SEEDS=20000..100000` goes through these, each where the environment asks for it.

/// The variable that picks one seed.
pub const SEED: &str = "MEMBERD_SIM_SEED";

/// The variable that asks for many seeds.
pub const SEEDS: &str = "MEMBERD_SIM_SEEDS";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The range of seeds that is wanted, if many are: one number is its end.
fn wanted() -> Option<(Option<u64>, u64)> {
    let text = std::env::var(SEEDS).ok()?;
    match text.split_once("..") {
        Some((from, to)) => Some((Some(from.parse().ok()?), to.parse().ok()?)),
        None => Some((None, text.parse().ok()?)),
    }
}

/// The seeds to run: the chosen one, or these, or as many as the environment requests.
pub fn seeds(range: std::ops::Range<u64>) -> std::ops::Range<u64> {
    match (number(SEED), wanted()) {
        (Some(only), _) => only..only + 1,
        (None, Some((Some(from), to))) => from..to,
        (None, Some((None, to))) => range.start..range.end.max(to),
        (None, None) => range,
    }
}

/// Whether every case is wanted, and not only a part of them.
pub fn all() -> bool {
    wanted().is_some()
}

/// Whether one seed alone is wanted.
pub fn is_one() -> bool {
    number(SEED).is_some()
}

/// The threads that go through the seeds: all processors only if many seeds are wanted.
pub fn threads() -> usize {
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if wanted().is_some() { all } else { 1 }
}
