//! Versions of the protocol beside each other: the next one is understood as far as it says what
//! this one has, those further away are refused.

#![cfg(test)]

mod world;

use ciborium::Value;
use memberd_membership::{
    Body, CallReply, CallRequest, JoinRefusal, Message, PROTOCOL_VERSION, wire, wire::DecodeError,
};
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
    88 02 00                # array of 8: version 2, Heartbeat
    19 03e8                 # sent: 1,000 ms after the incarnation began
    22                      # wall clock: -3 ms
    1a fffffffa             # hash
    f6                      # delay: none heard
    81                      # updates: one update
       84 63 766d33         #   array of 4: vm3
          46 c00002032 2f2  #   at 192.0.2.3:8946
          1b 0000019aa3ffab63
          00               #   alive
    a1 64 6c6f6164 18 2a    # what only version 2 has: { \"load\": 42 }
    019aa3ffab63            # incarnation 1763688033123";

/// A kind of message that only the next version has.
const NEXT_KIND: &str = "
    85 02 18 63             # array of 5: version 2, kind 99
    19 03e8 22              # sent, wall clock
    65 68656c6c6f           # \"hello\"
    019aa3ffab63            # incarnation";

/// A request to join, with a field that only the next version has.
const NEXT_JOIN: &str = "
    82 02                   # array of 2: version 2
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
                64 68617374 f5      #   haste: true, which only version 2 has
          65 636f6c6f72 63 726564   #   color: \"red\", which only version 2 has";

/// A request that only the next version has.
const NEXT_REQUEST: &str = "
    82 02                   # array of 2: version 2
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
    assert_eq!(wire::decode(&recorded(NEXT_KIND)), Err(DecodeError::Version(2)));
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
    let CallReply::Welcome { list, last: 0 } = answer(&recorded(NEXT_JOIN)) else {
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
        "it speaks protocol version 3, this daemon 1: upgrade the older, one version at a time"
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

/// What this version says, as the next one could: with its number, and something appended.
fn as_the_next_version_says_it(bytes: &[u8]) -> Vec<u8> {
    // Behind an array is the sender's incarnation, if it is a datagram's.
    let mut incarnation = bytes;
    let mut message: Vec<Value> = ciborium::from_reader(&mut incarnation).unwrap();
    // A heartbeat without updates: an element can only be appended to all that are there.
    if message.len() == 6 && message[1] == Value::from(0) {
        message.push(Value::Array(Vec::new()));
    }
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

#[test]
fn a_fleet_of_two_neighbouring_versions_is_one_group() {
    for seed in 0..4 {
        let mut world = World::new(9, seed);
        for i in (0..9).filter(|i| i % 2 == 1) {
            world.machines[i].dialect = Some(as_the_next_version_says_it);
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
        world.machines[2].dialect = Some(as_the_next_version_says_it);
        world.start(2, &[0]);
        world.run_until_agreed(&[0, 1, 2, 6, 7, 8], 6 * SECOND);
        assert!(all.iter().all(|i| {
            world.machines[*i].node.as_ref().is_none_or(|node| node.counters().refused == 0)
        }));
    }
}
