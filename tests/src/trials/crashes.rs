//! Four crashes at once, again and again.

use super::rest;
use crate::Fleet;
use crate::follow::Noticed;
use memberd_membership::GroupSettings;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How many crash at the same moment: as many as `max_simultaneous_failures` has by default.
pub const AT_ONCE: usize = 4;

/// The least pause before a round. By then the restarted members have sent heartbeats for a while.
const SETTLED: Duration = Duration::from_secs(1);

/// The results of some rounds.
#[derive(Debug, Default)]
pub struct Crashes {
    /// How soon each was noticed.
    pub noticed: Vec<Noticed>,
    /// How many live members somebody reported failed meanwhile.
    pub false_failures: usize,
}

impl Crashes {
    /// Asserts what is promised of every one of the crashes.
    ///
    /// # Panics
    /// When it was not kept.
    pub fn assert_in_time(&self) {
        self.noticed.iter().for_each(Noticed::assert_in_time);
    }

    /// Takes in what came of more rounds.
    pub fn add(&mut self, other: Crashes) {
        self.noticed.extend(other.noticed);
        self.false_failures += other.false_failures;
    }
}

/// The victims of the n-th round. Ring neighbours, the hardest case, and random members take turns.
pub fn victims(fleet: &Fleet, round: usize) -> Vec<usize> {
    let mut ring = fleet.ring();
    if round.is_multiple_of(2) {
        let start = round * AT_ONCE / 2 % ring.len();
        ring.rotate_left(start);
    } else {
        let random = RandomState::new();
        ring.sort_by_cached_key(|number| random.hash_one(number));
    }
    ring.truncate(AT_ONCE);
    ring
}

/// How much longer the n-th round waits. Rounds are then spread evenly over the time between two
/// heartbeats. Otherwise they would all come soon after one, because a member sends one when it
/// starts.
pub(super) fn phase(round: usize) -> Duration {
    const GOLDEN_RATIO: f64 = 0.618_033_988_75;
    GroupSettings::default().interval().mul_f64((round as f64 * GOLDEN_RATIO).fract())
}

/// Kills these at the same moment, and watches the lists of the others.
///
/// # Panics
/// When a crash is not in every list within 6 s.
pub fn crash(fleet: &mut Fleet, numbers: &[usize]) -> Crashes {
    let mut followers = fleet.follow();
    let crashes = fleet.crash(numbers);
    let dead: Vec<&str> = crashes.iter().map(|crash| crash.name.as_str()).collect();
    let noticed: Vec<Noticed> =
        crashes.iter().map(|crash| followers.time_crash(&crash.id, crash.at, &dead)).collect();
    let wrong =
        followers.failed().iter().filter(|id| crashes.iter().all(|crash| crash.id != **id)).count();
    Crashes { noticed, false_failures: wrong }
}

/// Runs this many rounds. Each kills four members and starts them again.
///
/// # Panics
/// When a crash is not in every list within 6 s, or the fleet does not become whole between rounds.
pub fn rounds(fleet: &mut Fleet, rounds: usize) -> Crashes {
    let mut all = Crashes::default();
    for round in 0..rounds {
        let victims = victims(fleet, round);
        rest::pass(SETTLED + phase(round));
        all.add(crash(fleet, &victims));
        fleet.restart(&victims);
    }
    all
}
