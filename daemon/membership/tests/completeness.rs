//! Tests any four simultaneous crashes: every group size, every subset, at several phases of the
//! heartbeat.

#![cfg(test)]

mod world;

use world::prelude::*;

const SOME_LIST: Duration = Duration::from_secs(2);
const EVERY_LIST: Duration = Duration::from_secs(6);

/// Crashes these members of a group with heartbeats, each at its offset from the first.
fn crash(
    size: usize,
    victims: &[usize],
    phase: Duration,
    spacing: Duration,
    seed: u64,
) -> Vec<(Duration, Duration)> {
    let (settings, victims) = (Settings::default(), victims.to_vec());
    Crashes { settings, size, victims, phase, spacing, seed, every_list: EVERY_LIST }.run()
}

/// Any four members crash at once, in any group of up to twelve. Each crash is in some list within
/// 2 s and in all within 6 s.
#[test]
fn any_four_simultaneous_crashes_are_noticed_in_time() {
    let (mut runs, mut worst) = (0_u32, (Duration::ZERO, Duration::ZERO));
    for size in 2..=12 {
        for victims in subsets(size, 4) {
            for phase in [0, 200, 400] {
                runs += 1;
                if !is_chosen(u64::from(runs)) {
                    continue;
                }
                for (first, last) in
                    crash(size, &victims, ms(phase), Duration::ZERO, u64::from(runs))
                {
                    assert!(
                        first <= SOME_LIST && last <= EVERY_LIST,
                        "{size} members, {victims:?}: {first:?}, {last:?}"
                    );
                    worst = (worst.0.max(first), worst.1.max(last));
                }
            }
        }
    }
    println!("{runs} runs; worst: some list after {:?}, every list after {:?}", worst.0, worst.1);
    assert!(
        worst.0 >= ms(1_000),
        "a crash cannot be noticed sooner than a heartbeat is missed: the runs crashed nobody"
    );
}

#[test]
fn four_crashes_at_any_spacing_are_each_noticed_in_time() {
    for spacing in (0..=2_000).step_by(125) {
        for start in (0..10).filter(|start| is_chosen(spacing + *start as u64)) {
            let victims: Vec<usize> = (0..4).map(|i| (start + i * (1 + start % 3)) % 10).collect();
            for (first, last) in crash(10, &victims, ms(50), ms(spacing), spacing + start as u64) {
                assert!(
                    first <= SOME_LIST && last <= EVERY_LIST,
                    "{spacing} ms apart, {victims:?}: {first:?}, {last:?}"
                );
            }
        }
    }
}

#[test]
fn latency_buys_a_crashed_member_nothing() {
    for latency in [0, 50, 500] {
        for seed in seeds(0..6) {
            let mut world = World::formed(10, seed, Settings::default());
            world.network.delay = ms(latency);
            world.run_for(Duration::from_secs(60) + ms(seed * 90));
            let quiet = world.now;
            assert_eq!(world.failures_since(quiet - Duration::from_secs(30)), [], "{latency} ms");
            assert!(
                (0..10).all(|i| world.node(i).counters().stalls == 0),
                "{latency} ms: latency is no stall"
            );
            for victim in [1, 3, 5, 7] {
                world.crash(victim);
            }
            world.run_for(EVERY_LIST);
            for victim in [1, 3, 5, 7] {
                let of_victim = world
                    .failures_since(quiet)
                    .into_iter()
                    .filter(|(.., failed)| *failed == name(victim));
                let first = of_victim.map(|(at, ..)| at - quiet).min();
                assert!(
                    first.is_some_and(|first| first <= SOME_LIST),
                    "{latency} ms: vm{victim} after {first:?}"
                );
            }
        }
    }
}

/// The group recovers when the latency ends.
#[test]
fn a_latency_that_jumps_to_3_s_at_a_crash_hides_nothing() {
    for seed in seeds(0..10) {
        let mut world = World::formed(10, seed, Settings::default());
        world.run_for(Duration::from_secs(30) + ms(seed * 61));
        let crashed = world.now;
        for victim in [0, 2, 4, 6] {
            world.crash(victim);
        }
        world.network.delay = ms(3_000);
        world.run_for(Duration::from_secs(20));
        for victim in [0, 2, 4, 6] {
            let of_victim = world
                .failures_since(crashed)
                .into_iter()
                .filter(|(.., failed)| *failed == name(victim));
            let first = of_victim.map(|(at, ..)| at - crashed).min();
            assert!(
                first.is_some_and(|first| first <= SOME_LIST),
                "seed {seed}: vm{victim} after {first:?}"
            );
        }
        world.network.delay = ms(1);
        world.run_until_agreed(&[1, 3, 5, 7, 8, 9], Duration::from_secs(15));
    }
}
