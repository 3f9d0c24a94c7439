//! A network that loses datagrams, and its effect on live and crashed members.

use super::crashes::{self, Crashes};
use super::rest::{self, Rest};
use crate::Fleet;
use std::time::Duration;

/// The least time under loss: longer than any timeout of the protocol. By then the loss has reached
/// all that members know of each other.
const SETTLED: Duration = Duration::from_secs(3);

/// The results of watching a fleet in which nobody dies.
#[derive(Debug)]
pub struct Watched {
    /// How many live members somebody reported failed.
    pub false_failures: usize,
    /// What it cost.
    pub cost: Rest,
}

/// Watches a whole fleet for this long while its network loses this many percent of all frames. The
/// loss stays.
///
/// # Panics
/// When a daemon does not answer.
pub fn watch(fleet: &Fleet, percent: u8, span: Duration) -> Watched {
    let mut followers = fleet.follow();
    fleet.network().lose(percent);
    let cost = rest::cost(fleet, span);
    Watched { false_failures: followers.failed().len(), cost }
}

/// Rounds of four crashes at once under such a loss. The loss is lifted while the dead are started
/// again, and at the end.
///
/// # Panics
/// When a crash is not in every list within 6 s, or the fleet does not become whole between rounds.
pub fn crash_rounds(fleet: &mut Fleet, percent: u8, rounds: usize) -> Crashes {
    let mut all = Crashes::default();
    for round in 0..rounds {
        let victims = crashes::victims(fleet, round);
        all.false_failures += watch(fleet, percent, SETTLED + crashes::phase(round)).false_failures;
        all.add(crashes::crash(fleet, &victims));
        fleet.network().heal();
        fleet.restart(&victims);
    }
    all
}
