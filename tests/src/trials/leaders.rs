//! Leaders that are killed, and how soon there is another.

use crate::wait::{SOON, holds};
use crate::{Fleet, Network, wait_until};
use std::time::Duration;

/// The promise on a machine that is not busy: the next leader is exclusive this soon.
pub const EXCLUSIVE: Duration = Duration::from_millis(3_200);

/// The machines of a fleet.
pub const MEMBERS: u8 = 5;

/// As many leaders of one fleet are killed. No member fails twice then, after which it would have
/// to be up for a while before a view has it again.
pub const OF_ONE_FLEET: usize = 3;

/// What followed a kill.
#[derive(Debug, Clone, Copy)]
pub struct Followed {
    /// When all survivors had a view with another leader.
    pub named: Duration,
    /// When a survivor was exclusive.
    pub exclusive: Duration,
}

/// Kills so many leaders of a new fleet, one after another.
///
/// # Panics
/// When one has no successor in [`NAMED`](crate::agreement::NAMED), or none that is exclusive.
pub fn kill(network: Network, kills: usize) -> Vec<Followed> {
    let mut fleet = Fleet::within(network, MEMBERS);
    for daemon in fleet.daemons_mut() {
        daemon.settings.set_agreement(&["vm1", "vm2", "vm3"], &[]);
    }
    fleet.form();
    fleet.wait_until_agreed();
    (0..kills).map(|_| kill_one(&mut fleet)).collect()
}

fn kill_one(fleet: &mut Fleet) -> Followed {
    let (leader, term) = fleet.led_by();
    let killed = fleet[leader].kill();
    fleet.wait_until_named(term);
    let named = killed.elapsed();
    wait_until("another one is exclusive", SOON, || {
        holds(!fleet.exclusive().is_empty(), || "nobody is".to_owned())
    });
    let exclusive = killed.elapsed();
    fleet.restart(&[leader]);
    fleet.wait_until_agreed();
    Followed { named, exclusive }
}

/// The median and the worst.
pub fn median_and_worst(mut times: Vec<Duration>) -> Option<(Duration, Duration)> {
    times.sort();
    Some((*times.get(times.len() / 2)?, *times.last()?))
}
