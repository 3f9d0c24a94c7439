//! The introducer dies, the group goes on, and it comes back.

use crate::Fleet;
use crate::follow::Noticed;
use std::time::{Duration, Instant};

/// The results.
#[derive(Debug)]
pub struct Absence {
    /// How soon its crash was noticed.
    pub noticed: Noticed,
    /// From its start until every list was whole again.
    pub back: Duration,
}

/// Kills the introducer of a whole fleet, does what is to be done without it, and starts it again.
///
/// # Panics
/// When its crash is not in every list within 6 s, or it does not come back by itself.
pub fn absence(fleet: &mut Fleet, meanwhile: impl FnOnce(&mut Fleet)) -> Absence {
    fleet.wait_until_remembered();
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[1]).remove(0);
    let noticed = followers.time_crash(&crash.id, crash.at, &[&crash.name]);
    meanwhile(fleet);
    let start = Instant::now();
    fleet[1].launch();
    fleet[1].wait_until_it_answers();
    fleet.wait_until_whole();
    Absence { noticed, back: start.elapsed() }
}
