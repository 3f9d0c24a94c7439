//! No live member is reported failed: under loss, over bad links, past deaf and stalled members,
//! and with wrong clocks.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use world::prelude::*;

with_each_detector!(
    slow_and_doubled_datagrams_make_nobody_fail,
    links_that_are_dead_in_one_direction_accuse_nobody,
    a_deaf_member_has_nobody_failed_in_any_list_but_its_own,
    an_isolated_member_that_comes_home_costs_one_new_incarnation,
    a_stall_shorter_than_the_timeout_less_an_interval_is_safe,
    a_longer_stall_fails_the_stalled_member_alone,
    clocks_that_are_off_and_drift_fail_and_hide_nobody,
    clock_steps_of_an_hour_fail_and_hide_nobody,
    small_clock_differences_fail_nobody_at_10_percent_loss,
    a_newcomer_that_stalls_for_1_s_is_not_failed_at_30_percent,
    monitors_that_stop_together_accuse_nobody,
    a_mute_member_alone_fails,
);

const SECOND: Duration = Duration::from_secs(1);
const SIZE: usize = 100;

fn formed(detector: &Detector, seed: u64) -> World {
    World::formed(SIZE, seed, detector.settings.clone())
}

/// Runs a fleet of 100 at this loss, for an hour if long runs are wanted, and expects no failure.
fn nobody_fails_at(loss: f64, time: Duration, seed: u64) {
    let mut world = formed(&Detector::ring(), seed);
    world.network = Network { loss, jitter: ms(1), ..Network::default() };
    let (start, sent) = (world.now, world.sent);
    let time = if long() { 3_600 * SECOND } else { time };
    world.run_for(time);
    let each_second = (world.sent - sent) as f64 / SIZE as f64 / time.as_secs_f64();
    println!(
        "{} % loss, {time:?}, seed {seed}: {each_second:.2} datagrams a second each",
        loss * 100.0
    );
    assert_eq!(world.failures_since(start), [], "{} % loss", loss * 100.0);
}

#[test]
fn without_loss_nobody_of_100_fails_in_ten_minutes() {
    seeds(1..2).for_each(|seed| nobody_fails_at(0.0, 600 * SECOND, seed));
}

#[test]
fn at_3_percent_loss_nobody_of_100_fails_in_ten_minutes() {
    seeds(1..2).for_each(|seed| nobody_fails_at(0.03, 600 * SECOND, seed));
}

#[test]
fn at_10_percent_loss_nobody_of_100_fails_in_ten_minutes() {
    seeds(1..2).for_each(|seed| nobody_fails_at(0.1, 600 * SECOND, seed));
}

#[test]
fn at_30_percent_loss_nobody_of_100_fails_in_five_minutes() {
    seeds(1..2).for_each(|seed| nobody_fails_at(0.3, 300 * SECOND, seed));
}

fn slow_and_doubled_datagrams_make_nobody_fail(detector: &Detector) {
    for seed in seeds(1..4) {
        let mut world = formed(detector, seed);
        world.network = Network {
            loss: 0.05,
            duplication: 0.05,
            slow: 0.1,
            jitter: ms(5),
            ..Network::default()
        };
        let start = world.now;
        world.run_for(120 * SECOND);
        assert_eq!(world.failures_since(start), []);
    }
}

fn links_that_are_dead_in_one_direction_accuse_nobody(detector: &Detector) {
    for seed in seeds(1..6) {
        let mut world = formed(detector, seed);
        let ring = world.ring(0);
        let place = 10 * seed as usize % SIZE;
        // The next neighbours, the ones beyond, and both directions of one link.
        for (from, to) in [(0, 1), (10, 9), (20, 22), (30, 28), (40, 41), (41, 40)] {
            world.set_link_loss(ring[(place + from) % SIZE], ring[(place + to) % SIZE], 1.0);
        }
        let start = world.now;
        world.run_for(120 * SECOND);
        assert_eq!(world.failures_since(start), []);
    }
}

fn a_deaf_member_has_nobody_failed_in_any_list_but_its_own(detector: &Detector) {
    for seed in seeds(1..6) {
        let mut world = formed(detector, seed);
        let deaf = 17 * seed as usize % SIZE;
        let start = world.now;
        world.deafen(deaf, true);
        world.run_for(30 * SECOND);
        world.deafen(deaf, false);
        world.run_until_whole(&world.all_but(&[]), detector.heals);
        let healed = world.now;
        world.run_for(20 * SECOND);
        for (at, by, failed) in world.failures_since(start) {
            assert!(by == deaf && at <= healed, "{at:?}: vm{by} reported {failed}");
        }
    }
}

fn an_isolated_member_that_comes_home_costs_one_new_incarnation(detector: &Detector) {
    for seed in seeds(1..6) {
        let mut world = formed(detector, seed);
        let lone = 13 * seed as usize % SIZE;
        let before: Vec<_> = world.machines.iter().map(|machine| machine.last).collect();
        let sides: Vec<u8> = (0..SIZE).map(|i| u8::from(i == lone)).collect();
        world.split(&sides);
        world.run_for(60 * SECOND);
        assert_eq!(world.up_in_list(lone).len(), 1);
        world.heal();
        world.run_until_whole(&world.all_but(&[]), detector.heals);
        world.run_for(20 * SECOND);
        let rejoins =
            world.seen.iter().filter(|seen| matches!(seen.event, Event::Incarnation(_))).count();
        assert_eq!(rejoins, 1, "one new incarnation in all");
        assert!((0..SIZE).all(|i| (world.machines[i].last != before[i]) == (i == lone)));
        assert!(world.whole(&world.all_but(&[])));
    }
}

/// It fails nobody.
fn a_stall_shorter_than_the_timeout_less_an_interval_is_safe(detector: &Detector) {
    let longest = detector.stands_still;
    for seed in seeds(1..7) {
        let mut world = formed(detector, seed);
        let start = world.now;
        for stop in 0..24 {
            world.run_for(2 * longest + ms(97 * seed + 31 * stop));
            let time = [longest, longest - ms(200), longest / 2][stop as usize % 3];
            world.stop_for((stop as usize * 7) % SIZE, time);
        }
        world.run_for(10 * SECOND);
        assert_eq!(world.failures_since(start), []);
    }
}

/// The member accuses nobody, and is back soon after it wakes.
fn a_longer_stall_fails_the_stalled_member_alone(detector: &Detector) {
    for seed in seeds(1..13) {
        let mut world = formed(detector, seed);
        let start = world.now;
        let (stalled, time) = (
            5 * seed as usize % SIZE,
            detector.settings.group.patience() + [1, 4, 10, 60][seed as usize % 4] * SECOND,
        );
        world.run_for(ms(seed * 71));
        world.stop_for(stalled, time);
        world.run_for(time);
        let back = world.run_until_whole(&world.all_but(&[]), 2 * SECOND);
        world.run_for(20 * SECOND);
        for (at, by, failed) in world.failures_since(start) {
            assert!(
                failed == name(stalled) && by != stalled,
                "{at:?}: vm{by} reported {failed}, back after {back:?}"
            );
        }
        assert_eq!(world.node(stalled).counters().accusations, 0);
    }
}

/// Crashes four members and expects each in some list in time and the least delay, and nobody
/// else failed since the start.
fn crashes_are_noticed_and_nobody_else_fails(
    detector: &Detector,
    world: &mut World,
    start: Duration,
) {
    let victims = [3, 30, 60, 90];
    let crashed = world.now;
    assert_eq!(world.failures_since(start), [], "before the crash");
    for victim in victims {
        world.crash(victim);
    }
    world.run_for(detector.every_list);
    let survivors = world.all_but(&victims);
    for victim in victims {
        let noticed = world.noticed(victim, crashed, &survivors);
        let (first, _) = noticed.unwrap_or_else(|| panic!("vm{victim} is not in every list"));
        assert!(first <= detector.some_list + world.network.delay, "vm{victim} after {first:?}");
    }
    let falsely = world
        .failures_since(start)
        .into_iter()
        .find(|(.., failed)| !victims.iter().any(|victim| name(*victim) == *failed));
    assert_eq!(falsely, None);
}

/// The clocks are 10 s off and drift by 200 ppm.
fn clocks_that_are_off_and_drift_fail_and_hide_nobody(detector: &Detector) {
    for seed in seeds(1..5) {
        let mut world = formed(detector, seed);
        world.network = Network {
            delay: ms([1, 50, 300][seed as usize % 3]),
            jitter: ms(2),
            ..Network::default()
        };
        world.run_for(60 * SECOND);
        let start = world.now;
        for i in 0..SIZE {
            world.set_wall_clock(i, [0, 10_000, -10_000, 120][i % 4]);
            world.drift(i, [200, -200, 0][i % 3]);
        }
        world.run_for(300 * SECOND);
        crashes_are_noticed_and_nobody_else_fails(detector, &mut world, start);
    }
}

/// One clock is stepped, or all.
fn clock_steps_of_an_hour_fail_and_hide_nobody(detector: &Detector) {
    for seed in seeds(1..7) {
        let mut world = formed(detector, seed);
        world.network = Network { loss: 0.03, jitter: ms(2), ..Network::default() };
        let start = world.now;
        let all = seed % 2 == 0;
        for step in [3_600_000, -3_600_000, 400, -400, 0] {
            for i in 0..if all { SIZE } else { 1 } {
                world.set_wall_clock(7 * i % SIZE, step);
            }
            world.run_for(20 * SECOND + ms(seed * 130));
        }
        for i in 0..if all { SIZE } else { 1 } {
            world.set_wall_clock(i, 3_600_000);
        }
        // At the very moment of the step.
        crashes_are_noticed_and_nobody_else_fails(detector, &mut world, start);
    }
}

/// The clocks disagree by less than is noticed.
fn small_clock_differences_fail_nobody_at_10_percent_loss(detector: &Detector) {
    for seed in seeds(1..3) {
        let mut world = formed(detector, seed);
        let start = world.now;
        world.network = Network { loss: 0.1, ..Network::default() };
        for i in 0..SIZE {
            world.set_wall_clock(i, [0, 120, -120, 60][(i * 7 + seed as usize) % 4]);
        }
        world.run_for(120 * SECOND);
        assert_eq!(world.failures_since(start), []);
    }
}

/// The network loses 30 percent of all datagrams.
fn a_newcomer_that_stalls_for_1_s_is_not_failed_at_30_percent(detector: &Detector) {
    for seed in seeds(1..13) {
        let mut world = formed(detector, seed);
        world.network = Network { loss: 0.3, ..Network::default() };
        let began = world.now;
        let newcomer = world.add_machine();
        world.start(newcomer, &[0]);
        world.run_until(SECOND * 3, "others know it", |world| world.holds_up(1, newcomer));
        world.stop_for(newcomer, SECOND);
        world.run_for(10 * SECOND);
        assert_eq!(world.failures_since(began), []);
    }
}

/// All monitors of a member are stopped at once, and wake with several members missing. The stop is
/// shorter than one member alone may have, since others have older evidence of them.
fn monitors_that_stop_together_accuse_nobody(detector: &Detector) {
    let time = detector.stands_still * 2 / 3;
    for seed in seeds(1..5) {
        let mut world = formed(detector, seed);
        let (ring, start) = (world.ring(0), world.now);
        let place = 9 * seed as usize;
        world.run_for(ms(seed * 377));
        for step in [1, 2, SIZE - 1, SIZE - 2] {
            world.stop_for(ring[(place + step) % SIZE], time);
        }
        world.run_for(time + 20 * SECOND);
        assert_eq!(world.failures_since(start), []);
    }
}

/// None of its datagrams arrives. Soon nobody sends it any, and its own list has it alone.
fn a_mute_member_alone_fails(detector: &Detector) {
    for seed in seeds(1..4) {
        let mut world = formed(detector, seed);
        let (mute, start) = (23 * seed as usize % SIZE, world.now);
        let set_loss = |world: &mut World, loss| {
            (0..SIZE).for_each(|to| world.set_link_loss(mute, to, loss));
        };
        set_loss(&mut world, 1.0);
        world.run_for(detector.many);
        set_loss(&mut world, 0.0);
        world.run_until_whole(&world.all_but(&[]), detector.heals);
        let healed = world.now;
        world.run_for(20 * SECOND);
        for (at, by, failed) in world.failures_since(start) {
            let alone = by == mute && at <= healed;
            assert!(alone || failed == name(mute), "{at:?}: vm{by} reported {failed}");
        }
    }
}
