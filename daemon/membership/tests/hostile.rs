//! Forged and impossible updates: a member may have to come back, but nothing is damaged for good.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of tests relies on what the test set up"
)]

mod world;

use memberd_membership::{
    Body, CallReply, Claim, FailureEvidence, JoinError, Message, Node, Now, Output, SentAt, Update,
    pack, wire,
};
use std::net::SocketAddr;
use world::prelude::*;

/// Tells `to`, in the name of the live member `from`.
fn forge(world: &mut World, from: usize, to: usize, updates: Vec<Update>) {
    forge_body(world, from, to, Body::Updates(updates));
}

fn forge_body(world: &mut World, from: usize, to: usize, body: Body) {
    let incarnation = world.machines[from].last.unwrap();
    forge_as(world, (address(from), incarnation), to, body);
}

/// Tells `to`, in the name of whoever this is, that it is alive.
fn introduce(world: &mut World, to: usize, who: Update) {
    let sender = (who.identity.address, who.identity.incarnation);
    forge_as(world, sender, to, Body::Updates(vec![who]));
}

fn forge_as(world: &mut World, sender: (SocketAddr, Incarnation), to: usize, body: Body) {
    world.corrupted = true;
    let (from, incarnation) = sender;
    let now = world.clocks(to);
    let sent = SentAt { mono: 0, wall: now.wall };
    let mut bytes = Vec::new();
    wire::encode(&Message { incarnation, sent, body }, &mut bytes);
    world.machines[to].node.as_mut().unwrap().handle_datagram(now, from, &bytes).unwrap();
}

fn claim(member: usize, at: SocketAddr, incarnation: u64, claim: Claim) -> Update {
    Update::new(
        Identity { name: name(member), address: at, incarnation: Incarnation(incarnation) },
        claim,
    )
}

fn failed() -> Claim {
    Claim::Failed(FailureEvidence { detected_by: name(0), silent_ms: 1_750 })
}

fn all(size: usize) -> Vec<usize> {
    (0..size).collect()
}

#[test]
fn an_incarnation_that_leaves_no_larger_one_is_not_believed() {
    for incarnation in [u64::MAX, u64::MAX - 1, u64::MAX / 2] {
        let mut world = World::formed(5, 1, Settings::default());
        let before = world.machines[3].last;
        for to in 0..5 {
            forge(&mut world, (to + 1) % 5, to, vec![claim(3, address(3), incarnation, failed())]);
        }
        world.run_for(10 * SECOND);
        world.run_until_agreed(&all(5), SECOND);
        assert_eq!(
            world.machines[3].last, before,
            "nobody believed it, so nobody had to come back"
        );
        assert!(world.node(1).counters().implausible > 0);
    }
}

#[test]
fn a_forged_failure_costs_one_new_incarnation() {
    let mut world = World::formed(8, 2, Settings::default());
    let before = world.machines[3].last.unwrap();
    forge(&mut world, 1, 0, vec![claim(3, address(3), before.0, failed())]);
    world.run_until(5 * SECOND, "back", |world| world.machines[3].last > Some(before));
    world.run_until_agreed(&all(8), 5 * SECOND);
    let rejoined = world.machines[3].last;
    world.run_for(20 * SECOND);
    assert_eq!(world.machines[3].last, rejoined, "once is enough");
}

/// One with a smaller incarnation costs none.
#[test]
fn a_forged_address_costs_one_new_incarnation() {
    let smaller = "9.9.9.9:8946".parse().unwrap();
    for (elsewhere, costs) in [(address(50), true), (smaller, false)] {
        let mut world = World::formed(8, 5, Settings::default());
        let before = world.machines[3].last.unwrap();
        for to in [0, 1, 3] {
            forge(&mut world, 2, to, vec![claim(3, elsewhere, before.0, Claim::Alive)]);
        }
        world.run_until_whole(&all(8), 2 * SECOND);
        let after = world.machines[3].last;
        assert_eq!(after > Some(before), costs);
        world.run_for(20 * SECOND);
        assert!(world.whole(&all(8)));
        assert_eq!(world.machines[3].last, after, "once is enough");
    }
}

#[test]
fn an_address_of_a_larger_former_incarnation_can_be_reused() {
    let mut world = World::formed(5, 3, Settings::default());
    let hour_ahead = world.clocks(0).wall.0 + 3_600_000;
    // Machine 4 gone; at its address, another name in the future left.
    world.crash(4);
    world.run_until_agreed(&all(4), 6 * SECOND);
    introduce(&mut world, 0, claim(77, address(4), hour_ahead, Claim::Alive));
    forge(&mut world, 1, 0, vec![claim(77, address(4), hour_ahead, Claim::Left)]);
    world.run_for(5 * SECOND);
    world.start(4, &[0]);
    world.run_until_agreed(&all(5), 5 * SECOND);
    assert!(
        world.machines[4].last > Some(Incarnation(hour_ahead)),
        "larger than whoever had the address"
    );
    let joined = world.machines[4].last;
    world.run_for(20 * SECOND);
    assert_eq!(world.machines[4].last, joined);
}

#[test]
fn a_datagram_is_not_read_on_after_what_makes_a_member_give_way() {
    let mut world = World::formed(5, 9, Settings::default());
    let incarnation = world.machines[3].last.unwrap().0;
    let updates = vec![
        claim(3, address(50), incarnation + 1, Claim::Alive),
        claim(77, address(77), incarnation, Claim::Alive),
    ];
    forge(&mut world, 1, 3, updates);
    let node = world.machines[3].node.as_mut().unwrap();
    let mut payload = Vec::new();
    let outputs = std::iter::from_fn(|| node.poll_output(&mut payload));
    let event = |output| match output {
        Output::Event(event) => Some(event),
        Output::Transmit(_) | Output::Call(_) => None,
    };
    let events: Vec<Event> = outputs.filter_map(event).collect();
    assert!(
        matches!(events.last(), Some(Event::Superseded { .. })),
        "and nothing after it: {events:?}"
    );
    assert_eq!(node.list().iter().count(), 0, "who is out has no list");
}

/// Incarnations that grow step by step take nobody beyond what the others believe.
#[test]
fn incarnations_that_grow_stay_plausible() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let mut world = World::formed(5, 13, Settings::default());
    let wall = world.clocks(0).wall.0;
    for step in 1..2_000 {
        let ghost = claim(77, address(77), wall + step * 366 * DAY, failed());
        let victim = claim(3, address(3), wall + step * 365 * DAY, failed());
        for to in 0..5 {
            forge(&mut world, (to + 1) % 5, to, vec![ghost.clone(), victim.clone()]);
        }
        if step % 100 == 0 {
            world.run_for(SECOND);
        }
    }
    world.run_until_whole(&all(5), 10 * SECOND);
    assert!(
        world.machines[3].last < Some(Incarnation(wall + 366 * DAY)),
        "{:?}",
        world.machines[3].last
    );
}

/// A claim that the others believe, and the member itself does not, ends when its clock is nearer.
#[test]
fn a_claim_between_the_two_bounds_ends_within_a_day() {
    const HOUR: u64 = 60 * 60 * 1_000;
    for said in [failed(), Claim::Left, Claim::Alive] {
        let mut world = World::formed(5, 15, Settings::default());
        let half_a_day_above = world.clocks(0).wall.0 + 365 * 24 * HOUR + 12 * HOUR;
        for to in 0..5 {
            let update = claim(3, address(3), half_a_day_above, said.clone());
            forge(&mut world, (to + 1) % 5, to, vec![update]);
        }
        world.run_for(5 * SECOND);
        assert!(world.node(3).counters().implausible > 0);
        for machine in 0..5 {
            world.set_wall_clock(machine, 13 * 60 * 60 * 1_000);
        }
        world.run_until_whole(&all(5), 20 * SECOND);
        assert!(world.machines[3].last > Some(Incarnation(half_a_day_above)));
    }
}

/// The refusal names the reason.
#[test]
fn a_machine_whose_clock_is_years_behind_joins_once_it_is_set() {
    let mut world = World::formed(5, 14, Settings::default());
    let newcomer = world.add_machine();
    world.set_wall_clock(newcomer, -3 * 365 * 24 * 60 * 60 * 1_000);
    world.start(newcomer, &[0]);
    let refused = |world: &World| {
        let refused =
            |event: &Event| matches!(event, Event::JoinFailed(JoinError::ClockBehind { .. }));
        world.seen.iter().any(|seen| seen.by == newcomer && refused(&seen.event))
    };
    world.run_until(5 * SECOND, "it is refused", refused);
    assert!(world.whole(&all(5)), "nobody has heard of it");
    world.set_wall_clock(newcomer, 0);
    world.crash(newcomer);
    world.start(newcomer, &[0]);
    world.run_until_whole(&all(6), 5 * SECOND);
}

/// Makes `to` rejoin through `from`, and answers with this welcome before `from` can.
fn welcome_back(
    world: &mut World,
    from: usize,
    to: usize,
    between: impl FnOnce(&mut Node, Now),
    welcome: &CallReply,
) {
    let incarnation = world.machines[to].last.unwrap();
    let side = world.node(from).list().digest();
    forge_body(world, from, to, Body::DeclaredFailed { incarnation, side });
    let now = world.clocks(to);
    let node = world.machines[to].node.as_mut().unwrap();
    let call = match node.poll_output(&mut Vec::new()) {
        Some(Output::Call(call)) => call,
        other => panic!("it does not ask to rejoin: {other:?}"),
    };
    between(node, now);
    node.handle_reply(now, call.id, Ok(&wire::encode_versioned(welcome)));
}

#[test]
fn a_welcome_with_impossible_incarnations_is_not_adopted() {
    let mut world = World::formed(5, 11, Settings::default());
    let before = world.machines[3].last.unwrap();
    let impossible = Incarnation::MAX.0 - 1;
    let list = vec![claim(77, address(77), impossible, Claim::Left)];
    welcome_back(
        &mut world,
        1,
        3,
        |_, _| (),
        &CallReply::Welcome { list, last: impossible, forgotten: Vec::new() },
    );
    let node = world.node(3);
    assert!(node.list().get(&name(77)).is_none() && node.counters().implausible > 0);
    let incarnation = node.member().unwrap().incarnation.0;
    assert!(
        incarnation > before.0 && incarnation < before.0 + 60_000,
        "a new incarnation, which is plausible to the others: {incarnation}"
    );
}

#[test]
fn a_late_welcome_brings_no_member_back_that_left() {
    let mut world = World::formed(5, 12, Settings::default());
    let incarnation = world.machines[3].last;
    let list = world.node(1).list().iter().map(|entry| entry.to_update()).collect();
    welcome_back(
        &mut world,
        1,
        3,
        Node::leave,
        &CallReply::Welcome { list, last: 0, forgotten: Vec::new() },
    );
    world.run_until(5 * SECOND, "it has left", |world| {
        world.machines[3].node.is_none() || world.node(3).member().is_none()
    });
    assert_eq!(world.machines[3].last, incarnation, "in the incarnation in which it leaves");
    assert_eq!(world.failures_since(Duration::ZERO), Vec::new(), "nobody holds it for failed");
}

/// What one member may wrongly hold of another: a later or the very same incarnation, there or
/// elsewhere, failed or left.
fn wrong_entries(of: usize, incarnation: Incarnation) -> Vec<Update> {
    let elsewhere = "192.0.2.77:9".parse().unwrap();
    let mut entries = Vec::new();
    for later in [0, 1, 100_000] {
        for at in [address(of), elsewhere] {
            entries.extend(
                [failed(), Claim::Left].map(|what| claim(of, at, incarnation.0 + later, what)),
            );
        }
    }
    entries
}

/// This holds for any reason.
#[test]
fn two_members_that_list_each_other_as_gone_meet_again() {
    let mut worst = Duration::ZERO;
    // Each is the side with the smaller digest once.
    for (finder, lost) in [(0, 1), (1, 0)] {
        let incarnation = first_incarnation();
        // Somebody has to announce itself at the right place.
        let findable = |entry: &Update| {
            matches!(entry.claim, Claim::Failed(_)) && entry.identity.address == address(lost)
        };
        for of_lost in wrong_entries(lost, incarnation).into_iter().filter(findable) {
            for of_finder in wrong_entries(finder, incarnation) {
                let mut world = World::formed(2, 4, Settings::default());
                let case = format!("{of_lost:?}, {of_finder:?}");
                forge(&mut world, lost, finder, vec![of_lost.clone()]);
                forge(&mut world, finder, lost, vec![of_finder]);
                world.note(case);
                worst = worst.max(world.run_until_whole(&all(2), 15 * SECOND));
            }
        }
    }
    println!("every list whole after {worst:?} at worst");
}

/// This is a group of five.
#[test]
fn two_hundred_invented_names_hide_no_crash_for_long() {
    for seed in seeds(0..6) {
        let mut world = World::formed(5, seed, Settings::default());
        let now = world.clocks(0).wall.0;
        let ghosts: Vec<Update> =
            (100..300).map(|i| claim(i, address(i), now, Claim::Alive)).collect();
        let forged = world.now;
        for to in 0..5 {
            for updates in pack(&ghosts, None) {
                forge(&mut world, (to + 1) % 5, to, updates);
            }
        }
        world.run_for(ms(300 * seed));
        world.crash(2);
        world.run_until_agreed(&[0, 1, 3, 4], 6 * SECOND);
        println!("seed {seed}: every list right {:?} after the forgery", world.now - forged);
        assert!(
            world
                .failures_since(forged)
                .iter()
                .all(|(.., failed)| ![0, 1, 3, 4].iter().any(|i| *failed == name(*i)))
        );
    }
}
