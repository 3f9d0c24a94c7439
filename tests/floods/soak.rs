//! Twenty members go through everything, by a seed that is printed and can be given.

use crate::alone;
use memberd_tests::trials::soak::{Soaked, soak};
use memberd_tests::{Fleet, Network, size};

const MEMBERS: u8 = 20;

/// Twenty members go through everything, and all lists agree after every quiet second.
#[test]
fn twenty_members_agree_after_each_step_of_the_soak() {
    let _alone = alone();
    let Some(network) = Network::if_possible(MEMBERS + 1) else { return };
    let seed = size::seed();
    println!("SEED={seed} for the same again");
    let mut fleet = Fleet::within(network, MEMBERS);
    fleet.let_all_introduce();
    for daemon in fleet.daemons_mut() {
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
