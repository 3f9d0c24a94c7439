//! Versions of the protocol beside each other: the next one is understood as far as it says what
//! this one has, and so is this one by the one before. Those further away are refused.

#![cfg(test)]

mod world;

use ciborium::Value;
use memberd_membership::{
    Body, CallReply, CallRequest, JoinRefusal, Message, PROTOCOL_VERSION, wire, wire::DecodeError,
};
use world::Dialect;
use world::dialect::as_the_version_before_has_it;
use world::prelude::*;

/// The bytes of hexadecimal digits, with remarks behind `#`.
fn recorded(text: &str) -> Vec<u8> {
    let words = text
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(str::split_whitespace)
        .collect::<String>();
    let digits: Vec<u32> = words.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// A heartbeat as a member of the next version may send it.
const NEXT_HEARTBEAT: &str = "
    89 03 00                # array of 9: version 3, Heartbeat
    19 03e8                 # sent: 1,000 ms after the incarnation began
    22                      # wall clock: -3 ms
    1a fffffffa             # hash
    f6                      # delay: none heard
    81                      # updates: one update
       84 63 766d33         #   array of 4: vm3
          46 c00002032 2f2  #   at 192.0.2.3:8946
          1b 0000019aa3ffab63
          00               #   alive
    a0                      # ends: none
    a1 64 6c6f6164 18 2a    # what only version 3 has: { \"load\": 42 }
    019aa3ffab63            # incarnation 1763688033123";

/// A kind of message that only the next version has.
const NEXT_KIND: &str = "
    85 03 18 63             # array of 5: version 3, kind 99
    19 03e8 22              # sent, wall clock
    65 68656c6c6f           # \"hello\"
    019aa3ffab63            # incarnation";

/// A request to join, with a field that only the next version has.
const NEXT_JOIN: &str = "
    82 03                   # array of 2: version 3
    a1 64 4a6f696e          # { Join:
       a3 68 6e6577636f6d6572   # { newcomer:
             84 63 766d39       #   vm9
                46 0a000009 22f2    # at 10.0.0.9:8946
                1b 0000019aa3ffab63
                00              #   alive
          68 73657474696e6773   #   settings:
             a4 78 19 6d61785f73696d756c74616e656f75735f6661696c75726573 04     # \
             max_simultaneous_failures: 4
                72 6865617274626561745f696e74657276616c                         # \
                heartbeat_interval:
                   a2 64 73656373 00 65 6e616e6f73 1a 23c34600                  #   600 ms
                6f 6661696c7572655f74696d656f7574                               # failure_timeout:
                   a2 64 73656373 01 65 6e616e6f73 1a 2cb41780                  #   1.75 s
                64 68617374 f5      #   haste: true, which only version 3 has
          65 636f6c6f72 63 726564   #   color: \"red\", which only version 3 has";

/// A request that only the next version has.
const NEXT_REQUEST: &str = "
    82 03                   # array of 2: version 3
    a1 64 44616e63 a0       # { Danc: {} }";

/// What the next version appends is skipped.
#[test]
fn a_heartbeat_of_the_next_version_is_understood() {
    let Message { incarnation, sent, body } = wire::decode(&recorded(NEXT_HEARTBEAT)).unwrap();
    assert_eq!((incarnation.0, sent.mono), (1_763_688_033_123, 1_000));
    let Body::Heartbeat { hash, delay: None, updates } = body else { panic!("{body:?}") };
    assert_eq!(hash, u32::MAX - 5);
    assert_eq!(updates.first().unwrap().identity.to_string(), "vm3@192.0.2.3:8946/1763688033123");
}

#[test]
fn what_only_the_next_version_has_differs_from_rubbish() {
    assert_eq!(wire::decode(&recorded(NEXT_KIND)), Err(DecodeError::Version(3)));
    // In this version's own words the same are faults.
    let own =
        |text: &str| [&recorded(text)[..1], &[PROTOCOL_VERSION], &recorded(text)[2..]].concat();
    assert_eq!(wire::decode(&own(NEXT_KIND)), Err(DecodeError::Malformed));
    assert_eq!(wire::decode(&own(NEXT_HEARTBEAT)), Err(DecodeError::Malformed));
    // And cut short or followed by anything it is rubbish in any version.
    let whole = recorded(NEXT_HEARTBEAT);
    assert_eq!(wire::decode(&whole[..whole.len() - 1]), Err(DecodeError::Malformed));
    assert_eq!(wire::decode(&[&whole[..], &[0]].concat()), Err(DecodeError::Malformed));
}

#[test]
fn versions_further_away_are_refused() {
    for version in [0, PROTOCOL_VERSION + 2, 23] {
        let mut heartbeat = recorded(NEXT_HEARTBEAT);
        heartbeat[1] = version;
        assert_eq!(wire::decode(&heartbeat), Err(DecodeError::Version(version)));
    }
}

/// What a member answers to a request.
fn answer(request: &[u8]) -> CallReply {
    let mut world = World::formed(2, 1, Settings::default());
    let now = world.clocks(0);
    let reply = world.machines[0].node.as_mut().unwrap().handle_request(now, request);
    assert_eq!(reply[1], PROTOCOL_VERSION, "a reply is in the words of who replies");
    wire::decode_versioned(&reply).unwrap()
}

#[test]
fn a_newcomer_of_the_next_version_is_welcomed() {
    let CallReply::Welcome { list, last: 0, .. } = answer(&recorded(NEXT_JOIN)) else {
        panic!("it was not welcomed")
    };
    assert_eq!(list.len(), 2);
}

#[test]
fn a_newcomer_of_a_version_further_away_learns_both_versions() {
    let mut request = recorded(NEXT_JOIN);
    request[1] = PROTOCOL_VERSION + 2;
    assert_eq!(
        answer(&request),
        CallReply::Refused(JoinRefusal::Version { group: PROTOCOL_VERSION })
    );
    let words = JoinRefusal::Version { group: PROTOCOL_VERSION + 2 }.to_string();
    assert_eq!(
        words,
        "it speaks protocol version 4, this daemon 2: upgrade the older, one version at a time"
    );
}

/// Only the next version has the request.
#[test]
fn an_unknown_request_is_answered_with_this_version() {
    assert_eq!(
        answer(&recorded(NEXT_REQUEST)),
        CallReply::Refused(JoinRefusal::Version { group: PROTOCOL_VERSION })
    );
}

#[test]
fn a_request_to_join_is_as_recorded() {
    let CallRequest::Join { newcomer, settings } =
        wire::decode_versioned(&recorded(NEXT_JOIN)).unwrap()
    else {
        panic!("no join")
    };
    assert_eq!(newcomer.identity.to_string(), "vm9@10.0.0.9:8946/1763688033123");
    assert_eq!(settings, GroupSettings::default());
}

/// The elements of this version that are left out when they are empty: an element can only be
/// appended to all that are there.
fn append_all_there_is(message: &mut Vec<Value>) {
    let nothing = || Value::Map(Vec::new());
    let whole = match &message[1] {
        Value::Map(_) => 3,
        kind if *kind == Value::from(0) => 8,
        kind if *kind == Value::from(1) => 6,
        _ => return,
    };
    if whole == 8 && message.len() == 6 {
        message.push(Value::Array(Vec::new()));
    }
    if message.len() < whole {
        message.push(nothing());
    }
}

/// What this version says, as the next one could: with its number, and something appended.
fn as_the_next_version_says_it(bytes: &[u8]) -> Vec<u8> {
    // Behind an array is the sender's incarnation, if it is a datagram's.
    let mut incarnation = bytes;
    let mut message: Vec<Value> = ciborium::from_reader(&mut incarnation).unwrap();
    append_all_there_is(&mut message);
    message[0] = Value::from(PROTOCOL_VERSION + 1);
    message.push(Value::from("new"));
    if let Value::Map(call) = &mut message[1]
        && let (_, Value::Map(fields)) = &mut call[0]
    {
        fields.push((Value::from("new"), Value::from(1)));
    }
    let mut bytes = Vec::new();
    ciborium::into_writer(&message, &mut bytes).unwrap();
    [&bytes, incarnation].concat()
}

/// A heartbeat, and a list, as version 1 has them: recorded from it.
#[test]
fn what_the_version_before_says_is_understood() {
    let heartbeat = "
        87 01 00 1a 05265c00 22 07 21
        81 86 63 766d33 46 c000020d22f2 1b 0000019aa3ffab63 01 63 766d32 19 06e0
        019aa3ffab63";
    let Message { body, .. } = wire::decode(&recorded(heartbeat)).unwrap();
    let [failed] = body.updates() else { panic!("{body:?}") };
    assert_eq!((failed.ended, failed.identity.name.as_str()), (None, "vm3"));
    let list = "82 01 a1 64 4c697374 81 84 63 766d33 46 c000020d22f2 1b 0000019aa3ffab63 02";
    let CallReply::List(list) = wire::decode_versioned(&recorded(list)).unwrap() else {
        panic!("no list")
    };
    assert_eq!((list.len(), list[0].ended), (1, None));
}

/// Every bound of a group of one version holds: joins, rest, crashes, leaves and upgrades.
fn live_with(one: Dialect, hears: Option<Dialect>) {
    for seed in 0..4 {
        let mut world = World::new(9, seed);
        for i in (0..9).filter(|i| i % 2 == 1) {
            world.machines[i].dialect = Some(one);
            world.machines[i].hears = hears;
        }
        let all: Vec<usize> = (0..9).collect();
        for i in 0..9 {
            // Through the first, which is old, and through the second, which is new.
            world.start(i, &[i % 2, 0]);
            world.run_for(ms(50));
        }
        world.run_until_agreed(&all, 6 * SECOND);
        let since = world.now;
        world.run_for(30 * SECOND);
        assert!(
            world.failures_since(since).is_empty(),
            "nobody is reported failed for its version"
        );
        // One of each dies, one of each leaves.
        world.crash(2);
        world.crash(3);
        world.leave(4);
        world.leave(5);
        let rest = [0, 1, 6, 7, 8];
        world.run_until_whole(&rest, 6 * SECOND);
        // Started again after an upgrade, the one that was old speaks the new version.
        world.machines[2].dialect = Some(one);
        world.machines[2].hears = hears;
        world.start(2, &[0]);
        world.run_until_agreed(&[0, 1, 2, 6, 7, 8], 6 * SECOND);
        assert!(all.iter().all(|i| {
            world.machines[*i].node.as_ref().is_none_or(|node| node.counters().refused == 0)
        }));
    }
}

#[test]
fn a_fleet_of_two_neighbouring_versions_is_one_group() {
    live_with(as_the_next_version_says_it, None);
}

#[test]
fn a_fleet_with_members_of_the_version_before_is_one_group() {
    live_with(as_the_version_before_has_it, Some(as_the_version_before_has_it));
}

/// When a member failed or left, as another one's list says it.
fn ended(world: &World, i: usize, member: usize) -> Option<u64> {
    let entry = world.node(i).list().get(&name(member)).cloned();
    entry.and_then(|entry| entry.ended).map(|ended| ended.0)
}

/// The clocks may disagree: the time is that of the one who noticed, or left.
#[test]
fn all_lists_say_the_same_of_when_a_member_ended() {
    for seed in 0..6 {
        let mut world = World::new(9, seed);
        world.machines[1].wall_offset = 5_000;
        world.machines[6].wall_offset = -3_600_000;
        world.network.loss = 0.1;
        world.start(0, &[0]);
        (1..9).for_each(|i| world.start(i, &[0]));
        let all: Vec<usize> = (0..9).collect();
        world.run_until_agreed(&all, 10 * SECOND);
        world.run_for(10 * SECOND);
        let crashed = world.clocks(3).wall.0;
        world.crash(3);
        world.leave(6);
        let rest = [0, 1, 2, 4, 5, 7, 8];
        world.run_until_whole(&rest, 6 * SECOND);
        world.run_for(5 * SECOND);
        let said = |world: &World, i| [ended(world, i, 3), ended(world, i, 6)];
        let first = said(&world, 0);
        let [Some(failed), Some(left)] = first else { panic!("{first:?}") };
        assert!((1_000..8_000).contains(&(failed - crashed)), "{failed} {crashed}");
        assert!(left.abs_diff(crashed - 3_600_000) < 3_000, "{left} {crashed}");
        for i in rest {
            assert_eq!(said(&world, i), first, "vm{i}, seed {seed}");
        }
        // Upgraded one after the other, each has it from the others.
        for i in rest {
            world.leave(i);
            world.run_for(3 * SECOND);
            world.crash(i);
            world.start(i, &[if i == 0 { 1 } else { 0 }]);
            world.run_until_whole(&rest, 10 * SECOND);
            world.run_for(SECOND);
            assert_eq!(said(&world, i), first, "vm{i} after a restart, seed {seed}");
        }
    }
}
