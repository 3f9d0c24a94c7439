//! Replicated files in a storm: whatever happens to two members at a time, each file can be read,
//! and no acknowledged record is lost or there twice.

use memberd_tests::trials::files_storm::{MEMBERS, Stored, store};
use memberd_tests::{Network, disk, size};

/// Each storm has a seed of its own, which is printed.
#[test]
fn files_lose_and_double_nothing_through_a_storm() {
    let first = size::seed();
    for seed in (first..).take(size::storms(1)) {
        let Some(network) = Network::if_possible(MEMBERS) else { return };
        println!("SEED={seed} STORMS=1 for the same again");
        disk::with_own_mounts(|| {
            let Stored { acts, acknowledged, unsure: [unsure, there], reads, whole_after } =
                store(network, seed, size::storm(40));
            println!(
                "{acts} acts; {acknowledged} records acknowledged, {unsure} not, of which {there} \
                 are there; {reads} files read; whole after {whole_after:.1?}; seed {seed}"
            );
            assert!(acknowledged > 0 && reads > 0, "nothing was written or read");
        });
    }
}
