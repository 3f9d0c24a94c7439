//! Stories of ten members in a simulated network: they join, crash by four, stall, leave, split and
//! heal.

#![cfg(test)]

mod world;

use world::prelude::*;

/// The members that are left when some are gone.
fn without(size: usize, gone: &[usize]) -> Vec<usize> {
    (0..size).filter(|i| !gone.contains(i)).collect()
}

fn lossy() -> Network {
    Network { loss: 0.1, duplication: 0.05, jitter: ms(5), ..Network::default() }
}

#[test]
fn ten_members_join_and_every_list_is_whole() {
    for seed in seeds(0..20) {
        let mut world = World::new(10, seed);
        world.network = lossy();
        for i in 0..10 {
            world.start(i, &[0]);
        }
        world.run_until_agreed(&without(10, &[]), 5 * SECOND);
    }
}

#[test]
fn a_join_is_done_only_when_a_crash_one_moment_later_is_noticed() {
    for seed in seeds(0..50) {
        let mut world = World::joined(9, seed);
        world.add_machine();
        world.start(9, &[0]);
        let done = |world: &World| {
            world.seen.iter().any(|seen| seen.by == 9 && seen.event == Event::JoinDone)
        };
        world.run_until(3 * SECOND, "joined", done);
        world.crash(9);
        let crashed = world.now;
        world.run_until(6 * SECOND, "noticed", |world| (0..9).all(|i| !world.holds_up(i, 9)));
        let first = world.failures_since(crashed).iter().map(|(at, ..)| *at - crashed).min();
        assert!(first.is_some_and(|first| first <= 2 * SECOND), "seed {seed}: {first:?}");
    }
}

/// They are in some list within 2 s and in all within 6 s.
#[test]
fn four_crashes_at_once_are_noticed_in_time() {
    for seed in seeds(0..60) {
        let story = usize::try_from(seed).unwrap();
        let mut world = World::joined(10, seed);
        if seed % 2 == 1 {
            world.network = lossy();
        }
        world.run_for(ms(seed * 37));
        // Half of the time four neighbours on the ring, so that a victim has one monitor left.
        let ring: Vec<usize> = world
            .node(0)
            .list()
            .by_position()
            .iter()
            .map(|entry| entry.identity.name.as_str().trim_start_matches("vm").parse().unwrap())
            .collect();
        let step = 1 + (story % 4 / 2) * 2;
        let victims: Vec<usize> = (0..4).map(|i| ring[(story + i * step) % 10]).collect();
        let crashed = world.now;
        for victim in &victims {
            world.crash(*victim);
        }
        world.run_until_agreed(&without(10, &victims), 6 * SECOND);
        let failures = world.failures_since(crashed);
        for victim in &victims {
            let first = failures
                .iter()
                .filter(|(.., failed)| *failed == name(*victim))
                .map(|(at, ..)| *at - crashed)
                .min();
            assert!(
                first.is_some_and(|first| first <= 2 * SECOND),
                "seed {seed}: vm{victim} first after {first:?}"
            );
        }
        for (at, by, failed) in failures {
            assert!(
                victims.iter().any(|victim| failed == name(*victim)),
                "seed {seed}: {at:?} vm{by} failed live {failed}"
            );
        }
    }
}

#[test]
fn nobody_is_reported_failed_at_ten_percent_loss() {
    for seed in seeds(0..5) {
        let mut world = World::joined(10, seed);
        world.network = lossy();
        let start = world.now;
        world.run_for(600 * SECOND);
        assert_eq!(world.failures_since(start), [], "seed {seed}");
    }
}

#[test]
fn a_member_that_leaves_is_left_everywhere_and_failed_nowhere() {
    for seed in seeds(0..20) {
        let mut world = World::joined(10, seed);
        world.network = lossy();
        let start = world.now;
        world.leave(3);
        world.run_until_agreed(&without(10, &[3]), 3 * SECOND);
        let acknowledged = Event::LeaveDone { acknowledged: true };
        world.run_until(3 * SECOND, "acknowledged", |world| {
            world.seen.iter().any(|seen| seen.by == 3 && seen.event == acknowledged)
        });
        world.run_for(10 * SECOND);
        assert_eq!(world.failures_since(start), [], "seed {seed}");
    }
}

#[test]
fn a_killed_member_that_restarts_has_a_new_incarnation() {
    for (seed, down) in [(1, ms(50)), (2, ms(1_700)), (3, 10 * SECOND)] {
        let mut world = World::joined(10, seed);
        let before = world.machines[4].last;
        world.crash(4);
        world.run_for(down);
        // Its wall clock is far behind: the incarnation grows nevertheless.
        world.machines[4].wall_offset = -86_400_000;
        world.start_remembering(4, &[], &[7, 8]);
        world.run_until(3 * SECOND, "back", |world| {
            (0..10).all(|i| {
                world
                    .node(i)
                    .list()
                    .get(&name(4))
                    .is_some_and(|entry| entry.is_up() && Some(entry.identity.incarnation) > before)
            })
        });
        let back = world.now;
        world.run_for(10 * SECOND);
        assert_eq!(world.failures_since(back), [], "nobody fails afterwards");
    }
}

#[test]
fn without_the_introducer_nobody_joins_and_all_else_goes_on() {
    let mut world = World::joined(10, 7);
    world.crash(9);
    world.crash(0);
    world.run_until_agreed(&without(10, &[0, 9]), 6 * SECOND);
    world.start(9, &[0]);
    world.run_until(5 * SECOND, "refused", |world| {
        world.seen.iter().any(|seen| seen.by == 9 && matches!(seen.event, Event::JoinFailed(_)))
    });
    world.leave(5);
    world.run_until_agreed(&without(10, &[0, 5, 9]), 3 * SECOND);
    world.start_remembering(0, &[0], &[1, 2, 3]);
    world.run_until_agreed(&without(10, &[5, 9]), 3 * SECOND);
}

#[test]
fn two_groups_that_know_each_other_as_introducers_become_one() {
    let mut world = World::new(6, 3);
    for i in 0..6 {
        world.start(i, if i % 2 == 0 { &[0] } else { &[1] });
    }
    world.run_for(3 * SECOND);
    assert_eq!(world.up_in_list(0).len(), 3);
    let now = world.clocks(0);
    world.machines[0].node.as_mut().unwrap().set_introducers(now, vec![address(1)]);
    world.run_until_agreed(&without(6, &[]), 6 * SECOND);
}

#[test]
fn a_stop_of_one_second_fails_nobody() {
    for seed in seeds(0..20) {
        let mut world = World::joined(10, seed);
        let start = world.now;
        world.run_for(ms(seed * 29));
        world.stop_for(2, SECOND);
        world.run_for(10 * SECOND);
        assert_eq!(world.failures_since(start), [], "seed {seed}");
    }
}

/// It then comes back by itself.
#[test]
fn a_stall_of_10_s_fails_that_member_alone() {
    for seed in seeds(0..20) {
        let mut world = World::joined(10, seed);
        let start = world.now;
        world.stop_for(2, 10 * SECOND);
        world.run_for(10 * SECOND);
        world.run_until_agreed(&without(10, &[]), 2 * SECOND);
        world.run_for(5 * SECOND);
        for (at, by, failed) in world.failures_since(start) {
            assert!(failed == name(2) && by != 2, "seed {seed}: {at:?} vm{by} failed {failed}");
        }
    }
}

/// The smaller side takes new incarnations.
#[test]
fn after_a_split_the_lists_are_whole_again() {
    for (seed, small) in
        [(1, vec![0, 1, 2]), (2, vec![4]), (3, vec![1, 3, 5, 7, 9]), (4, vec![8, 9])]
    {
        let mut world = World::joined(10, seed);
        let before: Vec<_> = world.machines.iter().map(|machine| machine.last).collect();
        let sides: Vec<u8> = (0..10).map(|i| u8::from(small.contains(&i))).collect();
        world.split(&sides);
        world.run_for(20 * SECOND);
        assert_eq!(world.up_in_list(small[0]).len(), small.len(), "seed {seed}");
        world.heal();
        let took = world.run_until_agreed(&without(10, &[]), 5 * SECOND);
        world.run_for(5 * SECOND);
        for (i, before) in before.iter().enumerate().filter(|_| small.len() < 5) {
            let rejoined = world.machines[i].last != *before;
            assert_eq!(
                rejoined,
                small.contains(&i),
                "seed {seed}: vm{i} after {took:?}\n{}",
                world.describe()
            );
        }
    }
}

#[test]
fn a_member_that_hears_nobody_has_nobody_failed_for_the_others() {
    let mut world = World::joined(10, 5);
    let start = world.now;
    // Deafness is a split for what comes in: the member's own datagrams still go out.
    world.deafen(6, true);
    world.run_for(30 * SECOND);
    for (at, by, failed) in world.failures_since(start) {
        assert_eq!(by, 6, "{at:?} vm{by} failed {failed}");
    }
    world.deafen(6, false);
    world.run_until_agreed(&without(10, &[]), 5 * SECOND);
    let healed = world.now;
    world.run_for(20 * SECOND);
    assert_eq!(world.failures_since(healed), []);
}

#[test]
fn an_idle_member_sends_four_small_datagrams_an_interval() {
    for size in [2, 5, 10, 50] {
        let mut world = World::joined(size, 11);
        world.run_for(30 * SECOND);
        let (sent, bytes) = (world.sent, world.sent_bytes);
        world.run_for(100 * SECOND);
        let per_interval = (world.sent - sent) as f64 / size as f64 / (100.0 / 0.6);
        let expected = 4.0_f64.min(size as f64 - 1.0);
        assert!((per_interval - expected).abs() < 0.05, "{size} members: {per_interval}");
        let mean = (world.sent_bytes - bytes) as f64 / (world.sent - sent) as f64;
        assert!(mean + 28.0 < 100.0, "{mean} bytes and the IPv4 and UDP headers");
    }
}

#[test]
fn stepped_and_wrong_wall_clocks_make_nobody_fail() {
    for seed in seeds(0..6) {
        let mut world = World::joined(10, seed);
        let start = world.now;
        world.machines[1].wall_offset = 10_000;
        world.machines[2].wall_offset = -10_000;
        world.run_for(20 * SECOND);
        world.machines[3].wall_offset = 3_600_000;
        world.run_for(20 * SECOND);
        world.machines[3].wall_offset = -3_600_000;
        for machine in &mut world.machines[4..] {
            machine.wall_offset = 200;
        }
        world.run_for(60 * SECOND);
        assert_eq!(world.failures_since(start), [], "seed {seed}");
        assert!(world.seen.iter().any(|seen| matches!(seen.event, Event::ClockDisagrees { .. })));
    }
}
