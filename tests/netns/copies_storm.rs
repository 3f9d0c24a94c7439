//! Copies of logs in a storm: whatever happens to the members, a search finds of a machine that is
//! gone what it wrote, up to its last moments.

use memberd_tests::trials::copies_storm::{MEMBERS, Weathered, weather};
use memberd_tests::{Network, disk, size};

/// Each storm has a seed of its own, which is printed.
#[test]
fn copies_are_what_dead_machines_wrote_through_a_storm() {
    let first = size::seed();
    for seed in (first..).take(size::storms(2)) {
        let Some(network) = Network::if_possible(MEMBERS) else { return };
        println!("SEED={seed} STORMS=1 for the same again");
        disk::with_own_mounts(|| {
            let Weathered { acts, searches, lines, lacked, kept_bytes } =
                weather(network, seed, size::storm(25));
            println!(
                "{acts} acts, {searches} searches of {lines} lines; the killed lacked the last \
                 {lacked:.1?}; {kept_bytes} bytes are kept; seed {seed}"
            );
        });
    }
}
