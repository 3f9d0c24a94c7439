//! Names that somebody invents, thousands of them: they are in no list, and real joins and crashes
//! meanwhile are noticed as ever.

#![allow(
    clippy::cast_possible_truncation,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of tests relies on what the test set up"
)]

mod world;

use memberd_membership::{
    Body, CallReply, CallRequest, Claim, FailureEvidence, MAX_ENTRIES, MemberEventKind, Message,
    SentAt, Update, pack, wire,
};
use std::net::SocketAddr;
use world::prelude::*;

/// How many names are invented.
const INVENTED: usize = 20_000;

fn invented(world: &World, i: usize, claim: Claim) -> Update {
    let incarnation = Incarnation(world.clocks(0).wall.0);
    let address = SocketAddr::from(([10, 200, (i / 250) as u8, (i % 250) as u8], 8_946));
    let name = Name::new(&format!("g{i}")).unwrap();
    Update::new(Identity { name, address, incarnation }, claim)
}

fn all_invented(world: &World, claim: &Claim) -> Vec<Update> {
    (0..INVENTED).map(|i| invented(world, i, claim.clone())).collect()
}

fn failed() -> Claim {
    Claim::Failed(FailureEvidence { detected_by: name(0), silent_ms: 1_750 })
}

/// A member calls another, and exchanges this list with it.
fn exchange(world: &mut World, from: usize, to: usize, list: Vec<Update>) {
    world.corrupted = true;
    let identity = world.node(from).member().unwrap();
    let sender = Update::new(identity, Claim::Alive);
    let request = wire::encode_versioned(&CallRequest::Exchange { sender, list });
    let now = world.clocks(to);
    let reply = world.machines[to].node.as_mut().unwrap().handle_request(now, &request);
    let reply: CallReply = wire::decode_versioned(&reply).unwrap();
    assert!(matches!(reply, CallReply::List(_)), "{reply:?}");
}

/// A member sends another datagrams with these updates.
fn send(world: &mut World, from: usize, to: usize, updates: &[Update]) {
    world.corrupted = true;
    let incarnation = world.machines[from].last.unwrap();
    for updates in pack(updates, None) {
        let now = world.clocks(to);
        let sent = SentAt { mono: 0, wall: now.wall };
        let mut bytes = Vec::new();
        wire::encode(&Message { incarnation, sent, body: Body::Updates(updates) }, &mut bytes);
        let node = world.machines[to].node.as_mut().unwrap();
        node.handle_datagram(now, address(from), &bytes).unwrap();
    }
}

/// The most entries in any list of names that were invented, and whether anybody reported one.
fn believed(world: &World) -> (usize, bool) {
    let is_invented = |name: &Name| name.as_str().starts_with('g');
    let lists = world.machines.iter().filter_map(|machine| machine.node.as_ref());
    let most = lists
        .map(|node| node.list().iter().filter(|entry| is_invented(&entry.identity.name)).count());
    let reported = world.seen.iter().any(|seen| match &seen.event {
        Event::Member(event) => is_invented(&event.member.name),
        _ => false,
    });
    (most.max().unwrap_or(0), reported)
}

/// A join and a crash while member 0 invents names. Returns the seconds until the newcomer was in,
/// and until the crash was in the first and in every list.
fn join_and_crash(world: &mut World, others: &[usize]) -> (Duration, Duration, Duration) {
    let began = world.now;
    let (victim, newcomer) = (3, world.add_machine());
    world.crash(victim);
    world.start(newcomer, &[1]);
    let joined = world.run_until(6 * SECOND, "the newcomer is in", |world| {
        world.seen.iter().any(|seen| seen.by == newcomer && seen.event == Event::JoinDone)
    });
    let mut right: Vec<usize> = others.to_vec();
    right.push(newcomer);
    world.run_until_agreed(&right, 6 * SECOND);
    let others: Vec<usize> = others.iter().copied().filter(|i| *i != newcomer).collect();
    let (first, every) = world.noticed(victim, began, &others).unwrap();
    assert!(first <= 2 * SECOND && every <= 6 * SECOND, "first {first:?}, every {every:?}");
    (joined, first, every)
}

/// Checks that only the crash was reported, and that the lists stay right.
fn stays_right(world: &mut World, members: &[usize], since: Duration) {
    world.run_for(20 * SECOND);
    world.run_until_agreed(members, SECOND);
    let falsely = world.failures_since(since).into_iter().find(|(.., of)| *of != name(3));
    assert_eq!(falsely, None);
    assert_eq!(believed(world), (0, false));
}

#[test]
fn twenty_thousand_invented_names_are_in_no_list() {
    for (size, seed) in [(3, 1), (5, 2), (8, 3), (40, 4), (100, 5)] {
        let mut world = World::formed(size.max(5), seed, Settings::default());
        let since = world.now;
        let list = all_invented(&world, &Claim::Alive);
        for to in 1..world.machines.len().min(9) {
            exchange(&mut world, 0, to, list.clone());
        }
        assert_eq!(believed(&world), (0, false));
        let others: Vec<usize> = world.all_but(&[3]);
        let (joined, first, every) = join_and_crash(&mut world, &others);
        println!("{size} members: joined after {joined:?}, first {first:?}, every {every:?}");
        assert!(joined <= SECOND, "{joined:?}");
        let members = world.all_but(&[3]);
        stays_right(&mut world, &members, since);
        assert!(world.node(1).counters().unconfirmed >= INVENTED as u64 - 4_096);
    }
}

/// It goes on for half a minute: in calls and in datagrams, others every second.
#[test]
fn names_invented_without_end_delay_no_join_and_no_crash() {
    let mut world = World::formed(8, 6, Settings::default());
    let since = world.now;
    for round in 0..30 {
        for to in 1..world.machines.len() {
            if world.machines[to].node.is_none() || world.node(to).member().is_none() {
                continue;
            }
            let list: Vec<Update> = (0..2_000)
                .map(|i| invented(&world, (round * 2_000 + i) % INVENTED, Claim::Alive))
                .collect();
            match round % 2 {
                0 => exchange(&mut world, 0, to, list),
                _ => send(&mut world, 0, to, &list),
            }
        }
        if round == 10 {
            let others = world.all_but(&[3]);
            let (joined, ..) = join_and_crash(&mut world, &others);
            println!("joined after {joined:?}");
        }
        world.run_for(SECOND);
    }
    let members = world.all_but(&[3]);
    stays_right(&mut world, &members, since);
}

/// They fill no list either, and push nobody out of it who really failed.
#[test]
fn invented_names_that_are_gone_are_in_no_list() {
    let mut world = World::formed(8, 7, Settings::default());
    let since = world.now;
    world.crash(3);
    let members = world.all_but(&[3]);
    world.run_until_agreed(&members, 6 * SECOND);
    for claim in [failed(), Claim::Left] {
        let list = all_invented(&world, &claim);
        for to in [1, 2, 4] {
            exchange(&mut world, 0, to, list.clone());
            send(&mut world, 0, to, &list[..500]);
        }
    }
    world.run_for(5 * SECOND);
    for i in &members {
        let list = world.node(*i).list();
        assert_eq!(list.len(), 8);
        assert!(list.get(&name(3)).is_some_and(|entry| !entry.is_up()), "it really failed");
    }
    stays_right(&mut world, &members, since);
}

/// A member that really failed is not said to be back by anybody but itself.
#[test]
fn a_failed_member_does_not_come_back_by_a_candidate() {
    let mut world = World::formed(8, 8, Settings::default());
    world.crash(3);
    let members = world.all_but(&[3]);
    world.run_until_agreed(&members, 6 * SECOND);
    let mut back = Update::new(
        Identity { name: name(3), address: address(3), incarnation: first_incarnation() },
        Claim::Alive,
    );
    for step in 1..50 {
        back.identity.incarnation.0 += step;
        for to in [1, 2, 4, 5] {
            send(&mut world, 0, to, &[back.clone()]);
        }
        world.run_for(ms(100));
    }
    let joined = |seen: &&world::Seen| {
        let is_join = |event: &memberd_membership::MemberEvent| {
            event.member.name == name(3) && event.kind == MemberEventKind::Joined
        };
        matches!(&seen.event, Event::Member(event) if is_join(event))
    };
    assert_eq!(world.seen.iter().filter(joined).count(), 0);
    world.start(3, &[1]);
    world.run_until_whole(&world.all_but(&[]), 2 * SECOND);
}

/// Somebody makes a member rejoin, and welcomes it with thousands of names.
#[test]
fn a_rejoin_brings_no_invented_names() {
    let mut world = World::formed(8, 9, Settings::default());
    world.corrupted = true;
    let (since, incarnation) = (world.now, world.machines[2].last.unwrap());
    let list = all_invented(&world, &Claim::Alive);
    assert!(list.len() <= MAX_ENTRIES);
    let side = memberd_membership::Digest { count: u32::MAX, hash: 0 };
    let sent = SentAt { mono: 0, wall: world.clocks(2).wall };
    let body = Body::DeclaredFailed { incarnation, side };
    let mut bytes = Vec::new();
    let sender = world.machines[0].last.unwrap();
    wire::encode(&Message { incarnation: sender, sent, body }, &mut bytes);
    let now = world.clocks(2);
    let node = world.machines[2].node.as_mut().unwrap();
    node.handle_datagram(now, address(0), &bytes).unwrap();
    let call = match node.poll_output(&mut Vec::new()) {
        Some(memberd_membership::Output::Call(call)) => call,
        other => panic!("it does not ask to rejoin: {other:?}"),
    };
    let welcome =
        wire::encode_versioned(&CallReply::Welcome { list, last: 0, forgotten: Vec::new() });
    node.handle_reply(now, call.id, Ok(&welcome));
    world.run_until_whole(&world.all_but(&[]), 2 * SECOND);
    let members = world.all_but(&[]);
    stays_right(&mut world, &members, since);
}

/// A link that carries nothing: others have heard the newcomer, so it is in the list all the same,
/// and nobody takes it for failed.
#[test]
fn one_bad_link_keeps_no_newcomer_out() {
    for size in [2, 3, 5, 30, 100] {
        let mut world = World::formed(size, 10, Settings::default());
        let since = world.now;
        let newcomer = world.add_machine();
        world.set_link_loss(newcomer, 1, 1.0);
        world.set_link_loss(1, newcomer, 1.0);
        world.start(newcomer, &[0]);
        let took = world.run_until_whole(&world.all_but(&[]), 3 * SECOND);
        println!("{size} members: every list whole after {took:?}");
        world.run_for(20 * SECOND);
        assert_eq!(world.failures_since(since), []);
    }
}

/// The same where all others share one machine, whose port for the newcomer is closed.
#[test]
fn a_closed_port_keeps_no_newcomer_out() {
    let mut world = World::new(9, 11);
    for i in 1..9 {
        world.put_on_one_host(i);
    }
    for i in 0..8 {
        world.start(i, &[0]);
        world.run_for(ms(100));
    }
    world.run_until_whole(&(0..8).collect::<Vec<_>>(), 3 * SECOND);
    world.run_for(5 * SECOND);
    let since = world.now;
    world.set_link_loss(8, 0, 1.0);
    world.set_link_loss(0, 8, 1.0);
    world.start(8, &[1]);
    world.run_until_whole(&world.all_but(&[]), 3 * SECOND);
    world.run_for(20 * SECOND);
    assert_eq!(world.failures_since(since), []);
}

/// The members that came back under another incarnation since a moment.
fn rejoined(world: &World, since: Duration) -> Vec<(Duration, usize)> {
    let of_rejoin = |seen: &&world::Seen| matches!(seen.event, Event::Rejoined { .. });
    let since_then = world.seen.iter().filter(|seen| seen.at >= since);
    since_then.filter(of_rejoin).map(|seen| (seen.at - since, seen.by)).collect()
}

/// More members of one machine come back than are let in unasked: each comes back once.
#[test]
fn a_machine_full_of_members_comes_back_once() {
    let mut world = World::new(5 + 80, 12);
    let (others, many): (Vec<usize>, Vec<usize>) = ((0..5).collect(), (5..85).collect());
    for i in &many {
        world.put_on_one_host(*i);
    }
    let all = world.all_but(&[]);
    for i in &all {
        world.start(*i, &[0]);
        world.run_for(ms(5));
    }
    world.run_until_whole(&all, 10 * SECOND);
    world.run_for(5 * SECOND);
    for i in &many {
        world.crash(*i);
    }
    world.run_until_agreed(&others, 30 * SECOND);
    world.run_for(10 * SECOND);
    let since = world.now;
    for i in &many {
        world.start(*i, &[0]);
    }
    let took = world.run_until_whole(&all, 5 * SECOND);
    println!("every list whole after {took:?}");
    world.run_for(20 * SECOND);
    assert_eq!(rejoined(&world, since), []);
    assert_eq!(world.failures_since(since), []);
}

/// One machine does not reach it, and hears of it from one member alone that is not its monitor.
/// Its monitors hear it, so that member is not made to take it for failed.
#[test]
fn one_that_its_monitors_hear_is_not_denied() {
    for seed in 1..6 {
        let mut world = World::formed(100, seed, Settings::default());
        let (since, newcomer, other) = (world.now, world.add_machine(), 1);
        world.set_link_loss(newcomer, other, 1.0);
        world.set_link_loss(other, newcomer, 1.0);
        world.keep_uninformed(other, true);
        world.start(newcomer, &[0]);
        world.run_for(2 * SECOND);
        let ring = world.ring(0);
        let place = ring.iter().position(|i| *i == newcomer).unwrap();
        let far = |by: usize| ring[(place + by) % ring.len()];
        let reporter = if far(50) == other { far(51) } else { far(50) };
        let identity = world.node(newcomer).member().unwrap();
        assert!(!world.holds_up(other, newcomer));
        send(&mut world, reporter, other, &[Update::new(identity, Claim::Alive)]);
        world.run_for(5 * SECOND);
        assert_eq!(world.failures_since(since), [], "seed {seed}");
        assert!(world.holds_up(other, newcomer), "seed {seed}");
    }
}
