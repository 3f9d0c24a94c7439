//! A network that loses datagrams: what it makes of the living, and of the dead.

use super::crashes::{self, Crashes};
use crate::wait::{SOON, holds};
use crate::{Fleet, wait_until};
use std::time::{Duration, Instant};

/// Longer than any timeout of the protocol: by then the loss has taken effect in all that members know of each other.
const SETTLED: Duration = Duration::from_secs(3);

/// Watches a whole fleet for so long while its network loses so many percent of all frames, and tells how many live members somebody
/// reported failed.
///
/// # Panics
/// When the fleet is not whole when it begins.
pub fn watch(fleet: &Fleet, percent: u8, span: Duration) -> usize {
    let mut followers = fleet.follow();
    fleet.network().lose(percent);
    let start = Instant::now();
    wait_until("the time to be watched is over", span + SOON, || {
        holds(start.elapsed() >= span, || format!("{:?} so far", start.elapsed()))
    });
    fleet.network().heal();
    followers.failed().len()
}

/// So many rounds of four crashes at once under such a loss. It is lifted while the dead are started again.
///
/// # Panics
/// When a crash is not in every list within 6 s.
pub fn crash_rounds(fleet: &mut Fleet, percent: u8, rounds: usize) -> Crashes {
    let mut all = Crashes::default();
    for round in 0..rounds {
        let victims = crashes::victims(fleet, round);
        all.false_failures += settle(fleet, percent);
        all.add(crashes::crash(fleet, &victims));
        fleet.network().heal();
        fleet.restart(&victims);
    }
    all
}

/// Lets the loss begin and take effect.
fn settle(fleet: &Fleet, percent: u8) -> usize {
    let wrong = watch(fleet, percent, SETTLED);
    fleet.network().lose(percent);
    wrong
}
