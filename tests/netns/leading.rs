//! Agreed views on real machines with a network of their own: leaders that are killed, whose
//! machines stand still or are cut off, and voters that are killed at random moments. The sizes are
//! those of a test; the environment gives others.

use memberd_tests::chance::Chance;
use memberd_tests::trials::{leaders, leading, promises};
use memberd_tests::{Network, size};

/// `KILLS=100 cargo test -p memberd-tests --test netns killed_leaders -- --nocapture`. The times of
/// a machine that is not busy are in the printed line.
#[test]
fn killed_leaders_have_successors_in_time() {
    let mut kills = usize::try_from(size::kills(3)).unwrap();
    let mut followed = Vec::new();
    while kills > 0 {
        let Some(network) = Network::if_possible(leaders::MEMBERS) else { return };
        let now = kills.min(leaders::OF_ONE_FLEET);
        followed.extend(leaders::kill(network, now));
        kills -= now;
        let named = leaders::median_and_worst(followed.iter().map(|one| one.named).collect());
        let exclusive =
            leaders::median_and_worst(followed.iter().map(|one| one.exclusive).collect());
        println!(
            "{} leaders killed: named after {named:?} (median, worst), exclusive after \
             {exclusive:?}",
            followed.len()
        );
    }
    // A busy machine may be late, but not each time.
    let best = followed.iter().map(|one| one.exclusive).min().unwrap();
    assert!(best <= leaders::EXCLUSIVE, "exclusive only after {best:?}");
}

/// `FAULTS=1000 cargo test -p memberd-tests --test netns commands_of_leaders -- --nocapture`.
#[test]
fn commands_of_leaders_never_run_at_once() {
    let seed = size::seed();
    println!("SEED={seed}");
    let mut chance = Chance::new(seed);
    let mut outcome = leading::Outcome::default();
    let faults: Vec<leading::Fault> =
        leading::Fault::ALL.into_iter().cycle().take(size::faults(5)).collect();
    for some in faults.chunks(leading::Fault::ALL.len()) {
        let Some(network) = Network::if_possible(leading::MEMBERS) else { return };
        outcome.add(leading::rounds(network, some, &mut chance));
        println!("{}", leading::summary(&outcome));
        assert!(outcome.overlaps.is_empty(), "{:?}", outcome.overlaps);
    }
    assert!(outcome.changes > 0, "the leader never changed");
}

/// `KILLS=1000 cargo test -p memberd-tests --test netns killed_voters -- --nocapture`.
#[test]
fn killed_voters_forget_no_promise() {
    let seed = size::seed();
    println!("SEED={seed}");
    let Some(network) = Network::if_possible(3) else { return };
    let outcome = promises::kill(network, size::kills(20), &mut Chance::new(seed));
    println!("{outcome:?}");
    assert!(outcome.confirmed > 0, "nobody confirmed anything");
}
