//! Waits for conditions, never for fixed times.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The promised bound: a crash is in some member's list this long after it. Never stretched.
pub const IN_SOME_LIST: Duration = Duration::from_secs(2);

/// The promised bound: a crash, join or leave is in every list this long after it. Never stretched.
pub const IN_EVERY_LIST: Duration = Duration::from_secs(6);

/// How long to wait for what takes a second or so on an idle machine. On a busy one, all processors
/// may be taken for many seconds. So nothing but a hang may take this long.
pub const SOON: Duration = Duration::from_secs(60);

/// How long a killed process may take until it is gone. Its searching threads are the last to get a
/// processor, even for their end.
pub const KILLED: Duration = Duration::from_secs(60);

/// The pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// `TIME_SCALE` stretches all limits but the promised ones, for machines that are slow or busy.
static TIME_SCALE: LazyLock<u32> = LazyLock::new(|| {
    let factor = std::env::var("TIME_SCALE").ok();
    factor.map_or(1, |factor| factor.parse().expect("TIME_SCALE is a whole number"))
});

/// A limit as stretched by `TIME_SCALE`.
pub fn stretched(limit: Duration) -> Duration {
    limit * *TIME_SCALE
}

/// Waits until the condition holds, and returns what it gave.
///
/// # Panics
/// When it still does not hold after the (stretched) limit, with what the condition said was
/// missing.
pub fn wait_until<T>(
    what: &str,
    limit: Duration,
    condition: impl FnMut() -> Result<T, String>,
) -> T {
    wait_exactly(what, stretched(limit), condition)
}

/// As [`wait_until`], with a limit that is part of the claim and therefore not stretched.
///
/// # Panics
/// As [`wait_until`].
pub fn wait_exactly<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<T, String>,
) -> T {
    let start = Instant::now();
    loop {
        // The time is read first, so that the last look is after the limit.
        let over = start.elapsed() > limit;
        match condition() {
            Ok(value) => return value,
            Err(missing) if over => panic!("waited {limit:?} in vain until {what}: {missing}"),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Holds when the claim is true; else says what is missing.
///
/// # Errors
/// The words, when the claim is false.
pub fn holds(claim: bool, missing: impl FnOnce() -> String) -> Result<(), String> {
    if claim { Ok(()) } else { Err(missing()) }
}
