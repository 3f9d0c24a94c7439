//! Tests why there are four monitors. With three, four simultaneous crashes can hide one, and a
//! search finds such cases. With four, no case exists.

#![cfg(test)]

mod world;

use world::prelude::*;

/// A case of four members that crash at the same moment.
#[derive(Debug, Clone)]
struct Case {
    size: usize,
    victims: [usize; 4],
    phase: u64,
}

impl Case {
    fn seed(&self) -> u64 {
        self.phase + 1
    }
}

/// The times at which the last of the four was in some list, and in all lists.
fn noticed(case: &Case, k: u8) -> (Duration, Duration) {
    let group = GroupSettings { max_simultaneous_failures: k, ..GroupSettings::default() };
    let mut world =
        World::formed(case.size, case.seed(), Settings { group, ..Settings::default() });
    world.run_for(ms(case.phase));
    let crashed = world.now;
    for victim in case.victims {
        world.crash(victim);
    }
    let survivors = world.all_but(&case.victims);
    world.run_until(Duration::from_secs(20), "every list right", |world| {
        survivors.iter().all(|i| case.victims.iter().all(|victim| !world.holds_up(*i, *victim)))
    });
    let times: Vec<_> = case
        .victims
        .iter()
        .filter_map(|victim| world.noticed(*victim, crashed, &survivors))
        .collect();
    assert_eq!(times.len(), 4, "each is in every list");
    let last = |times: &mut dyn Iterator<Item = Duration>| times.max().unwrap_or(Duration::MAX);
    (
        last(&mut times.iter().map(|(first, _)| *first)),
        last(&mut times.iter().map(|(_, every)| *every)),
    )
}

/// Every four of six to nine members, at two phases of the heartbeat.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for size in 6..=9 {
        for mask in (0..1_u32 << size).filter(|mask| mask.count_ones() == 4) {
            let victims: Vec<usize> = (0..size).filter(|i| mask & (1 << i) != 0).collect();
            let victims = victims.try_into().expect("four of them");
            cases.extend([0, 300].map(|phase| Case { size, victims, phase }));
        }
    }
    cases.retain(|case| is_chosen(case.seed()));
    cases
}

/// The crashes happen at the same time.
#[test]
fn three_monitors_miss_one_of_four_crashes_and_four_none() {
    let (some_list, every_list) = (Duration::from_secs(2), Duration::from_secs(6));
    let missed_by = |k: u8| -> Vec<(Case, Duration, Duration)> {
        let times = cases().into_iter().map(|case| (noticed(&case, k), case));
        let missed = times.filter(|((first, every), _)| *first > some_list || *every > every_list);
        missed.map(|((first, every), case)| (case, first, every)).collect()
    };
    let (by_three, by_four) = (missed_by(3), missed_by(4));
    assert!(
        by_four.is_empty(),
        "with four monitors {} of {} cases are missed, as {:?}",
        by_four.len(),
        cases().len(),
        by_four[0]
    );
    let slowest = by_three.iter().max_by_key(|(_, first, _)| *first);
    let (case, first, every) =
        slowest.expect("with three monitors every case was noticed in time: four are waste");
    println!(
        "with 3 monitors {} of {} cases are missed: worst, {:?} of {} members crash {} ms in: some \
        list after {first:?}, every list after {every:?}",
        by_three.len(),
        cases().len(),
        case.victims,
        case.size,
        case.phase
    );
    // A member and its three monitors crash. Nobody misses its heartbeat until the ring has moved
    // and a whole timeout has passed.
    assert!(
        *first <= Duration::from_secs(4),
        "but repaired late: {case:?} after {first:?}, {every:?}"
    );
}
