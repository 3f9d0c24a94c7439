//! SWIM: crashes are noticed in time whatever the latency, and no live member is reported failed.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use world::prelude::*;

/// The requirement: any three simultaneous crashes are in some list and in every list by then.
const SOME_LIST: Duration = Duration::from_secs(10);
const EVERY_LIST: Duration = Duration::from_secs(15);

/// Runs crashes, and returns the longest times to the first and to the last list.
fn worst(crashes: &Crashes, delay: Duration) -> (Duration, Duration) {
    let times = crashes.run_in(|world| world.network.delay = delay);
    let first = times.iter().map(|(first, _)| *first).max();
    let last = times.iter().map(|(_, last)| *last).max();
    (first.unwrap_or_default(), last.unwrap_or_default())
}

fn any_crashes_are_noticed(settings: &Settings, bound: Duration) {
    let (mut runs, mut first, mut every) = (0_u64, Duration::ZERO, Duration::ZERO);
    for size in 2..=12 {
        for victims in subsets(size, 4) {
            for phase in [0, 600, 1_300, 2_000] {
                runs += 1;
                if !is_chosen(runs) {
                    continue;
                }
                let crashes = Crashes {
                    settings: settings.clone(),
                    size,
                    victims: victims.clone(),
                    phase: ms(phase),
                    spacing: Duration::ZERO,
                    seed: runs,
                    every_list: EVERY_LIST,
                };
                let (some, all) = worst(&crashes, ms(1));
                assert!(some <= bound && all <= bound + SECOND, "{crashes:?}: {some:?}, {all:?}");
                (first, every) = (first.max(some), every.max(all));
            }
        }
    }
    println!("{runs} runs; worst: some list after {first:?}, every list after {every:?}");
}

#[test]
fn any_four_crashes_are_noticed_without_suspicion() {
    any_crashes_are_noticed(&without_suspicion(), ms(4_300));
}

#[test]
fn any_four_crashes_are_noticed_with_suspicion() {
    any_crashes_are_noticed(&with_suspicion(), ms(6_800));
}

#[test]
fn latency_buys_a_crashed_member_nothing() {
    for settings in [without_suspicion(), with_suspicion()] {
        for latency in [0, 50, 500, 3_000] {
            for seed in seeds(0..6) {
                let mut world = World::formed(10, seed, settings.clone());
                world.run_for(SECOND * 20 + ms(seed * 370));
                let crashed = world.now;
                for victim in [1, 3, 5] {
                    world.crash(victim);
                }
                world.network.delay = ms(latency);
                world.run_for(EVERY_LIST);
                for victim in [1, 3, 5] {
                    let failures = world.failures_since(crashed);
                    let of_victim = failures.into_iter().filter(|(.., who)| *who == name(victim));
                    let first = of_victim.map(|(at, ..)| at - crashed).min();
                    assert!(first.is_some_and(|first| first <= SOME_LIST), "{latency}: {first:?}");
                }
            }
        }
    }
}

/// Runs a fleet of 100 and expects no failure.
fn nobody_fails_at(settings: &Settings, network: Network, time: Duration, seed: u64) {
    let mut world = World::formed(100, seed, settings.clone());
    world.network = network;
    let (start, sent, bytes) = (world.now, world.sent, world.sent_bytes);
    world.run_for(if long() { SECOND * 3_600 } else { time });
    let seconds = (world.now - start).as_secs_f64() * 100.0;
    let raised: u64 = (0..100).map(|i| world.node(i).counters().suspicions).sum();
    println!(
        "{:.0} % loss: {:.2} datagrams and {:.0} bytes a second each, {raised} suspicions",
        world.network.loss * 100.0,
        (world.sent - sent) as f64 / seconds,
        (world.sent_bytes - bytes + 28 * (world.sent - sent)) as f64 / seconds,
    );
    let failures = world.failures_since(start);
    let first = failures.first();
    assert!(failures.is_empty(), "{} failures, {first:?}", failures.len());
}

#[test]
fn loss_makes_nobody_fail() {
    for (loss, seed) in [(0.0, 1), (0.03, 2), (0.1, 3), (0.25, 4)] {
        let network = Network { loss, jitter: ms(1), ..Network::default() };
        nobody_fails_at(&with_suspicion(), network, SECOND * 300, seed);
    }
    for (loss, seed) in [(0.0, 1), (0.03, 2), (0.1, 3)] {
        let network = Network { loss, jitter: ms(1), ..Network::default() };
        nobody_fails_at(&without_suspicion(), network, SECOND * 300, seed);
    }
}

/// The longest stop at which nobody fails is about the patience less half an interval and a round.
#[test]
fn a_member_may_stand_still_for_seconds() {
    for (settings, longest) in [(without_suspicion(), 2_400), (with_suspicion(), 4_900)] {
        for seed in seeds(1..7) {
            let mut world = World::formed(30, seed, settings.clone());
            let start = world.now;
            for stop in 0..20 {
                world.run_for(SECOND * 3 + ms(97 * seed + 131 * stop));
                let time = ms([longest, longest - 700, longest / 2][stop as usize % 3]);
                world.stop_for((stop as usize * 7) % 30, time);
                world.run_for(time);
            }
            world.run_for(SECOND * 10);
            let failures = world.failures_since(start);
            assert!(failures.is_empty(), "seed {seed}: {:?}", failures.first());
        }
    }
}

#[test]
fn latency_alone_makes_nobody_fail() {
    for (settings, delay) in [(without_suspicion(), 1_300), (with_suspicion(), 3_800)] {
        for seed in seeds(1..4) {
            let mut world = World::formed(30, seed, settings.clone());
            let start = world.now;
            for step in 1..=10 {
                world.network.delay = ms(delay * step / 10);
                world.run_for(SECOND * 20);
            }
            world.run_for(SECOND * 60);
            let failures = world.failures_since(start);
            assert!(failures.is_empty(), "{delay} ms, seed {seed}: {:?}", failures.first());
        }
    }
}

#[test]
fn links_that_are_dead_in_one_direction_accuse_nobody() {
    for settings in [without_suspicion(), with_suspicion()] {
        for seed in seeds(1..6) {
            let mut world = World::formed(100, seed, settings.clone());
            let ring = world.ring(0);
            let place = 10 * seed as usize % 100;
            // The next neighbours, the ones beyond, and both directions of one link.
            for (from, to) in [(0, 1), (10, 9), (20, 22), (30, 28), (40, 41), (41, 40)] {
                world.set_link_loss(ring[(place + from) % 100], ring[(place + to) % 100], 1.0);
            }
            let start = world.now;
            world.run_for(SECOND * 120);
            let failures = world.failures_since(start);
            assert!(failures.is_empty(), "seed {seed}: {:?}", failures.first());
        }
    }
}

/// Nobody is failed in any list but its own, and it asks nobody for help: that would be 64
/// datagrams a second for the neighbours of the others.
#[test]
fn a_deaf_member_disturbs_nobody() {
    for seed in seeds(1..6) {
        let mut world = World::formed(50, seed, with_suspicion());
        let deaf = 17 * seed as usize % 50;
        let start = world.now;
        world.deafen(deaf, true);
        world.run_for(SECOND * 5);
        let asked = world.node(deaf).counters().indirect_pings;
        world.run_for(SECOND * 25);
        assert_eq!(world.node(deaf).counters().indirect_pings, asked);
        world.deafen(deaf, false);
        world.run_until_whole(&world.all_but(&[]), SECOND * 10);
        let healed = world.now;
        world.run_for(SECOND * 20);
        for (at, by, failed) in world.failures_since(start) {
            assert!(by == deaf && at <= healed, "{at:?}: vm{by} reported {failed}");
        }
    }
}

/// A stopped member is suspected, and refutes that: it never fails, and in the end nobody suspects
/// it.
#[test]
fn a_suspicion_is_told_and_refuted() {
    for seed in seeds(1..9) {
        let mut world = World::formed(20, seed, with_suspicion());
        let start = world.now;
        world.run_for(ms(seed * 311));
        world.stop_for(3, ms(4_600));
        world.run_for(ms(4_600));
        let raised: u64 = (0..20).map(|i| world.node(i).counters().suspicions).sum();
        assert_eq!(raised > 0, suspecting(&world, 3) > 1, "what one suspects all know");
        world.run_for(SECOND);
        assert_eq!(suspecting(&world, 3), 0, "seed {seed}");
        assert_eq!(world.failures_since(start), []);
    }
}

/// A member that came back has neighbours of the present ring alone, as soon as the old ones ended.
/// The world checks that.
#[test]
fn one_that_was_failed_comes_back_to_its_place() {
    for seed in seeds(1..5) {
        let mut world = World::formed(10, seed, with_suspicion());
        world.stop_for(7, SECOND * 8);
        world.run_for(SECOND * 8);
        assert_ne!(world.failures_since(SECOND), []);
        world.run_until_whole(&world.all_but(&[]), SECOND * 5);
        world.run_for(SECOND * 20);
    }
}

/// More crash at once than there are monitors: it takes longer, but nobody is missed.
#[test]
fn any_number_of_crashes_is_noticed() {
    for (size, count) in [(12, 5), (12, 11), (50, 25), (50, 49)] {
        for seed in seeds(0..4) {
            let victims: Vec<usize> = (0..count).map(|i| (i + seed as usize) % size).collect();
            let mut world = World::formed(size, seed, with_suspicion());
            world.run_for(ms(seed * 477));
            victims.iter().for_each(|victim| world.crash(*victim));
            let survivors = world.all_but(&victims);
            let took = world.run_until_whole(&survivors, SECOND * 25);
            println!("{count} of {size}: every list right after {took:?}");
        }
    }
}

/// The clocks of a third of the members are an hour off, and some links are dead in one direction:
/// helpers whose clocks cannot be compared still show that a member is up.
#[test]
fn clocks_that_are_off_make_nobody_fail() {
    for seed in seeds(1..4) {
        let mut world = World::formed(30, seed, with_suspicion());
        for i in (0..30).step_by(3) {
            world.set_wall_clock(i, [3_600_000, -3_600_000][i % 2]);
        }
        let ring = world.ring(0);
        for (from, to) in [(0, 1), (6, 4), (10, 9), (20, 22)] {
            world.set_link_loss(ring[from], ring[to], 1.0);
        }
        let start = world.now;
        world.run_for(SECOND * 60);
        // The ring moves, and new neighbours have no clock of each other.
        world.crash(ring[15]);
        world.crash(ring[5]);
        world.run_for(SECOND * 60);
        let gone = [name(ring[15]), name(ring[5])];
        let mut failures = world.failures_since(start).into_iter();
        let falsely = failures.find(|(.., failed)| !gone.contains(failed));
        assert_eq!(falsely, None, "seed {seed}");
    }
}

/// A member that was deaf hears the others again before it says of any that it failed.
#[test]
fn one_that_hears_again_gives_the_others_time() {
    for seed in seeds(1..11) {
        let mut world = World::formed(30, seed, with_suspicion());
        world.network = Network { loss: 0.1, ..Network::default() };
        let deaf = 17 * seed as usize % 30;
        world.deafen(deaf, true);
        world.run_for(SECOND * 20);
        world.deafen(deaf, false);
        let start = world.now;
        world.run_for(SECOND * 30);
        assert_eq!(world.node(deaf).counters().accusations, 0, "seed {seed}");
        assert_eq!(world.failures_since(start), [], "seed {seed}");
    }
}

/// How many hold a member for suspected.
fn suspecting(world: &World, of: usize) -> usize {
    let running = world.machines.iter().filter_map(|machine| machine.node.as_ref());
    running.filter(|node| node.suspected_by(&name(of)).is_some()).count()
}

/// It leaves as soon as it wakes. Nothing of that is held against it when it is back.
#[test]
fn a_member_that_leaves_under_suspicion_has_left() {
    for seed in seeds(1..9) {
        let mut world = World::formed(20, seed, with_suspicion());
        let start = world.now;
        world.run_for(ms(seed * 311));
        world.stop_for(3, ms(4_900));
        world.run_for(ms(4_800));
        assert!(suspecting(&world, 3) > 1, "seed {seed}");
        world.run_for(ms(101));
        world.leave(3);
        world.run_until_whole(&world.all_but(&[3]), SECOND);
        assert_eq!(suspecting(&world, 3), 0, "seed {seed}");
        world.crash(3);
        world.start_remembering(3, &[0], &[1]);
        world.run_until_whole(&world.all_but(&[]), SECOND * 5);
        world.run_for(SECOND * 20);
        assert_eq!(suspecting(&world, 3), 0, "seed {seed}");
        assert_eq!(world.failures_since(start), [], "seed {seed}");
    }
}

/// The network splits while members of both sides are suspected, between the two timeouts.
#[test]
fn a_split_between_the_two_timeouts_heals() {
    for seed in seeds(1..5) {
        let mut world = World::formed(20, seed, with_suspicion());
        for stopped in [3, 4] {
            world.stop_for(stopped, ms(4_900));
        }
        world.run_for(ms(4_800));
        let sides: Vec<u8> = (0..20).map(|i| u8::from(i % 3 == 0)).collect();
        world.split(&sides);
        world.run_for(ms(3_000 + 1_500 * seed));
        world.heal();
        world.run_until_whole(&world.all_but(&[]), SECOND * 15);
        world.run_for(SECOND * 20);
        assert!(world.whole(&world.all_but(&[])));
        assert!((0..20).all(|of| suspecting(&world, of) == 0), "seed {seed}");
    }
}

/// The cost of a member does not grow with the group, and neither does the time.
#[test]
fn three_crashes_among_10000_are_noticed() {
    const SIZE: usize = 10_000;
    let victims = [1_000, 1_001, 7_000];
    let whole = whole_list(SIZE);
    let mut world = World::assumed(SIZE, 1, with_suspicion(), |_| whole.clone());
    world.checked = false;
    world.run_for(SECOND * 12);
    let (sent, start) = (world.sent, world.now);
    world.run_for(SECOND * 5);
    let each_second = (world.sent - sent) as f64 / (SIZE as f64 * 5.0);
    assert!((1.55..=1.65).contains(&each_second), "{each_second} datagrams a second each");
    victims.iter().for_each(|victim| world.crash(*victim));
    let crashed = world.now;
    let survivors = world.all_but(&victims);
    world.run_for(ms(7_500));
    for victim in victims {
        let (some, every) = world.noticed(victim, crashed, &survivors).expect("in every list");
        println!("10,000 members: some list after {some:?}, every list after {every:?}");
        assert!(some <= ms(6_800) && every <= some + SECOND, "{some:?}, {every:?}");
    }
    assert_eq!(world.failures_since(start).len(), victims.len() * survivors.len());
}
