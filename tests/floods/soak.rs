//! Twenty members put through everything, by a seed that is printed and can be given.

use crate::alone;
use memberd_tests::trials::soak::{Soaked, soak};
use memberd_tests::{Fleet, Network, size};

const MEMBERS: u8 = 20;

#[test]
fn twenty_members_put_through_everything_agree_after_every_quiet_second() {
    let _alone = alone();
    let Some(network) = Network::if_possible(MEMBERS + 1) else { return };
    let seed = size::seed();
    println!("SEED={seed} for the same again");
    let mut fleet = Fleet::within(network, MEMBERS);
    // Whoever is down, somebody can introduce.
    let all: Vec<String> =
        fleet.daemons().iter().map(|daemon| daemon.settings.address.to_string()).collect();
    for daemon in fleet.daemons_mut() {
        daemon.settings.introducers.clone_from(&all);
        daemon.set_keys("a");
    }
    fleet.form();
    let Soaked { steps, noticed, resident_kib, descriptors } =
        soak(&mut fleet, seed, size::soak(40));
    let worst = noticed.iter().map(|noticed| (noticed.first, noticed.every)).max();
    println!(
        "{steps} steps, {} crashes, the last noticed after {worst:.2?}; of the steady members \
        before and after: {resident_kib:?} KiB, \
         {descriptors:?} descriptors; seed {seed}",
        noticed.len(),
    );
}
