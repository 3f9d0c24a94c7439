//! How many random cases a test draws, and which. Several test programs share it.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// The same cases each time. PROPTEST_CASES asks for another number, and PROPTEST_RNG_SEED for
/// others.
pub(crate) fn the_same(cases: u32) -> ProptestConfig {
    let configuration = ProptestConfig::default();
    let rng_seed = match configuration.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |_| configuration.cases);
    ProptestConfig { rng_seed, cases, failure_persistence: None, ..configuration }
}
