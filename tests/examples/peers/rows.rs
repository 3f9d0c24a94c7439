//! Measures the rows, one file each. It owns no state.

pub(crate) mod crashes;
pub(crate) mod growth;
pub(crate) mod introducer;
pub(crate) mod leave;
pub(crate) mod loss;
pub(crate) mod rest;
pub(crate) mod search;
pub(crate) mod simulated;
pub(crate) mod split;
pub(crate) mod start;
pub(crate) mod stop;

use std::time::Duration;

/// How long the n-th group or round waits, up to a second. The waits are spread evenly, so that
/// rounds begin at all phases of both programs' timers.
fn phase(n: usize) -> Duration {
    const GOLDEN_RATIO: f64 = 0.618_033_988_75;
    Duration::from_secs(1).mul_f64((n as f64 * GOLDEN_RATIO).fract())
}
