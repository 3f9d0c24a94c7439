//! Tests the laws of the protocol's data with generated cases: the merge law of lists, and messages
//! that survive the wire.

#![cfg(test)]

use memberd_membership::{
    Body, CallReply, CallRequest, Claim, Digest, FailureEvidence, Forgotten, Identity, Incarnation,
    Instant, List, MAX_DATAGRAM, MAX_ENTRIES, Message, Name, Node, Now, Output, SentAt, Settings,
    Summary, Suspicion, TagKey, TagValue, Tags, UPDATES_ROOM, Update, VersionedTags, WallTime,
    pack, wire::DecodeError, wire::decode, wire::decode_versioned, wire::encode,
    wire::encode_versioned,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::net::SocketAddr;
use std::time::Duration;

fn any_name() -> impl Strategy<Value = Name> {
    "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,63}".prop_map(|name| Name::new(&name).unwrap())
}

/// An address that a member can have. The decoder refuses the others.
fn any_address() -> impl Strategy<Value = SocketAddr> {
    let port = 1..=u16::MAX;
    prop_oneof![
        (1..=223_u8, any::<[u8; 3]>(), port.clone())
            .prop_map(|(first, [b, c, d], port)| SocketAddr::from(([first, b, c, d], port))),
        (0x20..=0x3f_u8, any::<[u8; 15]>(), port).prop_map(|(first, rest, port)| {
            let mut ip = [first; 16];
            ip[1..].copy_from_slice(&rest);
            SocketAddr::from((ip, port))
        }),
    ]
}

fn any_claim() -> impl Strategy<Value = Claim> {
    prop_oneof![
        Just(Claim::Alive),
        Just(Claim::Left),
        (any_name(), any::<u64>()).prop_map(|(detected_by, silent_ms)| Claim::Failed(
            FailureEvidence { detected_by, silent_ms }
        )),
    ]
}

fn any_update() -> impl Strategy<Value = Update> {
    let identity = (any_name(), any_address(), any::<u64>());
    let gone = any::<Option<u64>>();
    (identity, any_claim(), any_tags(), gone).prop_map(
        |((name, address, incarnation), claim, tags, ended)| Update {
            identity: Identity { name, address, incarnation: Incarnation(incarnation) },
            ended: ended.filter(|_| claim != Claim::Alive).map(WallTime),
            claim,
            tags,
        },
    )
}

fn tags<const N: usize>(pairs: [(&str, String); N]) -> Tags {
    Tags::new(pairs.map(|(key, value)| (TagKey::new(key).unwrap(), TagValue::new(&value).unwrap())))
        .unwrap()
}

/// From no tags to the most and the longest allowed.
fn any_tags() -> impl Strategy<Value = VersionedTags> {
    let tags = btree_map("[a-z0-9_.-]{1,32}", "[ -~äλ]{0,32}", 0..=16).prop_map(|pairs| {
        let mut fitting = Tags::default();
        for count in 0..=pairs.len() {
            let some = pairs
                .iter()
                .take(count)
                .map(|(key, value)| (TagKey::new(key).unwrap(), TagValue::new(value).unwrap()));
            fitting = Tags::new(some).unwrap_or(fitting);
        }
        fitting
    });
    let versioned = (any::<u32>(), tags);
    prop_oneof![
        4 => Just(VersionedTags::default()),
        1 => versioned.prop_map(|(version, tags)| VersionedTags::new(version, tags)),
    ]
}

/// About when the colliding members joined, in milliseconds since the Unix epoch.
const JOINED: u64 = 1_763_688_000_000;

/// Updates about few machines in few incarnations, so that they collide.
fn colliding_update() -> impl Strategy<Value = Update> {
    let tags = (0..3u32, 0..2u8).prop_map(|(version, role)| {
        VersionedTags::new(version, tags([("role", role.to_string())]))
    });
    // Times of two clocks, unknown ones, and some that nobody believes.
    let ended =
        prop_oneof![Just(None), (JOINED..JOINED + 3).prop_map(Some), (0..3u64).prop_map(Some)];
    let claim = (any_claim(), ended.prop_map(|ended| ended.map(WallTime)));
    (0..4u8, 0..2u8, 1..4u64, claim, tags).prop_map(
        |(name, address, incarnation, (claim, ended), tags)| Update {
            identity: Identity {
                name: Name::new(&format!("vm{name}")).unwrap(),
                address: SocketAddr::from(([192, 0, 2, name * 2 + address], 8946)),
                incarnation: Incarnation(JOINED + incarnation),
            },
            ended: ended.filter(|_| claim != Claim::Alive),
            claim,
            tags,
        },
    )
}

fn any_forgotten() -> impl Strategy<Value = Forgotten> {
    let identity = (any_name(), any_address(), any::<u64>());
    (identity, any_name(), any::<u64>()).prop_map(|((name, address, incarnation), by, keep)| {
        let identity = Identity { name, address, incarnation: Incarnation(incarnation) };
        Forgotten { identity, by, keep: Duration::from_millis(keep) }
    })
}

fn any_body() -> impl Strategy<Value = Body> {
    let digest = (any::<u32>(), any::<u32>()).prop_map(|(count, hash)| Digest { count, hash });
    let summary = (0..=8u32)
        .prop_flat_map(|power| vec(any::<u32>(), 1 << power))
        .prop_map(|buckets| Summary { buckets });
    let name_and_incarnation = || (any_name(), any::<u64>().prop_map(Incarnation));
    prop_oneof![
        (any::<u32>(), any::<Option<i64>>(), vec(any_update(), 0..3))
            .prop_map(|(hash, delay, updates)| Body::Heartbeat { hash, delay, updates }),
        vec(any_update(), 0..3).prop_map(Body::Updates),
        name_and_incarnation().prop_map(|(name, incarnation)| Body::Probe { name, incarnation }),
        (name_and_incarnation(), any::<u64>(), any::<u64>()).prop_map(
            |((name, incarnation), sent, age)| Body::ProbeReply { name, incarnation, sent, age }
        ),
        summary.prop_map(Body::Summary),
        (any::<u64>(), digest.clone()).prop_map(|(incarnation, side)| Body::DeclaredFailed {
            incarnation: Incarnation(incarnation),
            side
        }),
        (any_name(), any::<u32>(), digest).prop_map(|(name, settings, side)| Body::Announce {
            name,
            settings,
            side
        }),
        Just(Body::Leave),
        Just(Body::LeaveAcknowledged),
        (any::<Option<u32>>(), vec(any_forgotten(), 0..4))
            .prop_map(|(hash, records)| Body::Forgotten { hash, records }),
        (any::<u32>(), any::<Option<i64>>(), vec(any_update(), 0..3))
            .prop_map(|(hash, delay, updates)| Body::Ping { hash, delay, updates }),
        (name_and_incarnation(), any::<u64>()).prop_map(|((name, incarnation), sent)| {
            Body::PingRequest { name, incarnation, sent }
        }),
        any_name().prop_map(|requester| Body::IndirectPing { requester }),
        vec((name_and_incarnation(), any::<u64>(), proptest::option::of(any_name())), 0..4)
            .prop_map(|facts| {
                let facts = facts.into_iter();
                let facts = facts.map(|((name, incarnation), sent, by)| Suspicion {
                    name,
                    incarnation,
                    sent,
                    by,
                });
                Body::Suspicions(facts.collect())
            }),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    (0..=Incarnation::MAX.0, any::<u64>(), any::<u64>(), any_body()).prop_map(
        |(incarnation, mono, wall, body)| Message {
            incarnation: Incarnation(incarnation),
            sent: SentAt { mono, wall: WallTime(wall) },
            body,
        },
    )
}

/// The subject of the merge law: the member, its state with the evidence, and its tags.
fn essence(list: &List) -> Vec<Update> {
    list.iter().map(|entry| entry.to_update()).collect()
}

fn merged<'a>(updates: impl IntoIterator<Item = &'a Update>) -> List {
    let mut list = List::new();
    for update in updates {
        list.merge(update.clone(), Instant::EPOCH);
    }
    list
}

proptest! {
    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        updates in vec(colliding_update(), 0..24),
        order in any::<prop::sample::Index>(),
    ) {
        let once = merged(&updates);
        let mut others = updates.clone();
        others.reverse();
        prop_assert_eq!(essence(&once), essence(&merged(&others)), "commutative");
        let cut = if updates.is_empty() { 0 } else { order.index(updates.len()) };
        others.rotate_left(cut);
        let twice = merged(others.iter().chain(&updates));
        prop_assert_eq!(essence(&once), essence(&twice), "idempotent");
        let part = essence(&merged(&updates[cut..]));
        let in_parts = merged(updates[..cut].iter().chain(&part));
        prop_assert_eq!(essence(&once), essence(&in_parts), "associative");
        prop_assert_eq!(once.digest(), twice.digest());
        let up = once.iter().filter(|entry| entry.is_up());
        let alive: Vec<u32> = up.map(|entry| entry.identity.fingerprint(&entry.tags)).collect();
        prop_assert_eq!(once.up(), alive.len());
        let sum = alive.into_iter().fold(0, u32::wrapping_add);
        prop_assert_eq!(once.digest().hash, sum, "the digest kept is the digest reckoned anew");
    }

    /// The time of an end is the earliest that was said of it, and is never unknown again.
    #[test]
    fn of_one_end_the_earliest_known_time_stays(times in vec(any::<Option<u8>>(), 1..12)) {
        let mut left = me(1);
        left.claim = Claim::Left;
        left.identity.incarnation = Incarnation(JOINED);
        let said = |time: &Option<u8>| time.map(|time| WallTime(JOINED + u64::from(time)));
        let updates: Vec<Update> =
            times.iter().map(|time| Update { ended: said(time), ..left.clone() }).collect();
        let list = merged(&updates);
        let earliest = times.iter().filter_map(said).min();
        prop_assert_eq!(list.iter().next().unwrap().ended, earliest);
    }

    /// A clock that is a year behind is none: such a time is as good as unknown.
    #[test]
    fn an_end_long_before_its_beginning_is_not_believed(days in 0..2_000u64) {
        let mut left = me(1);
        left.claim = Claim::Left;
        left.identity.incarnation = Incarnation(JOINED);
        let time = WallTime(JOINED - days * 24 * 60 * 60 * 1_000);
        let list = merged([&left.ended_at(time)]);
        prop_assert_eq!(list.iter().next().unwrap().ended.is_some(), days <= 366);
    }

    /// An older incarnation never comes back.
    #[test]
    fn within_an_incarnation_the_end_is_final(updates in vec(colliding_update(), 1..24)) {
        let mut list = List::new();
        for update in updates {
            let before = list.get(&update.identity.name).cloned();
            list.merge(update.clone(), Instant::EPOCH);
            let after = list.get(&update.identity.name).cloned();
            if let (Some(before), Some(after)) = (before, after) {
                prop_assert!(after.identity.incarnation >= before.identity.incarnation);
                if after.identity.incarnation == before.identity.incarnation && !before.is_up() {
                    prop_assert!(!after.is_up());
                }
            }
        }
    }

    #[test]
    fn every_message_survives_the_wire(message in any_message()) {
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        prop_assert!(bytes.len() <= MAX_DATAGRAM);
        prop_assert_eq!(decode(&bytes), Ok(message));
    }

    #[test]
    fn calls_survive_the_wire(
        updates in vec(any_update(), 0..20),
        forgotten in vec(any_forgotten(), 0..20),
        last in any::<u64>(),
    ) {
        let request = CallRequest::Forget { sender: me(1), forgotten: forgotten.clone() };
        prop_assert_eq!(decode_versioned::<CallRequest>(&encode_versioned(&request)), Ok(request));
        let reply = CallReply::Forgotten(forgotten.clone());
        prop_assert_eq!(decode_versioned::<CallReply>(&encode_versioned(&reply)), Ok(reply));
        let request = CallRequest::Exchange { sender: me(1), list: updates.clone() };
        prop_assert_eq!(decode_versioned::<CallRequest>(&encode_versioned(&request)), Ok(request));
        let reply = CallReply::Welcome { list: updates, last, forgotten };
        prop_assert_eq!(decode_versioned::<CallReply>(&encode_versioned(&reply)), Ok(reply));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..1_300)) {
        let _ = decode(&bytes);
        let _ = decode_versioned::<CallRequest>(&bytes);
        let _ = decode_versioned::<CallReply>(&bytes);
    }

    #[test]
    fn a_damaged_message_is_refused_or_read_but_never_panics(
        message in any_message(),
        place in any::<prop::sample::Index>(),
        bits in 1..=255u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        prop_assert_eq!(decode(&bytes[..cut.index(bytes.len())]), Err(DecodeError::Malformed), "a \
        part is no message");
        bytes.push(0);
        prop_assert_eq!(decode(&bytes), Err(DecodeError::Malformed), "nothing may follow");
        bytes.pop();
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        let _ = decode(&bytes);
    }

    #[test]
    fn packed_news_fits_and_is_complete(
        updates in vec(any_update(), 0..200),
        introduced in any::<bool>(),
    ) {
        let introduction = introduced.then(|| me(1));
        let mut pieces = pack(&updates, introduction.as_ref());
        for piece in &mut pieces {
            prop_assert!(piece.iter().map(Update::wire_size).sum::<usize>() <= UPDATES_ROOM);
            let heartbeat = Body::Heartbeat {
                hash: u32::MAX,
                delay: Some(i64::MIN),
                updates: piece.clone(),
            };
            let mut bytes = Vec::new();
            let sent = SentAt { mono: u64::MAX, wall: WallTime(0) };
            encode(&Message { incarnation: Incarnation::MAX, sent, body: heartbeat }, &mut bytes);
            prop_assert!(bytes.len() <= MAX_DATAGRAM, "{}", bytes.len());
            if let Some(introduction) = &introduction {
                prop_assert_eq!(&piece.remove(0), introduction);
            }
        }
        prop_assert_eq!(pieces.concat(), updates);
    }

    #[test]
    fn a_member_survives_any_datagrams_from_anyone(
        messages in vec((any_message(), 0..3u8, any::<u32>()), 0..40),
        garbage in vec(any::<u8>(), 0..100),
    ) {
        let name = Name::new("vm0").unwrap();
        let mut node = Node::new(Settings::default(), name, address(0), None, 7);
        let mut at = 1_000;
        node.join(now(at), Vec::new(), Vec::new()).unwrap();
        for (mut message, from, pause) in messages {
            if from == 0 {
                message.body = Body::Updates(vec![me(u8::try_from(at % 5).unwrap() + 1)]);
            }
            let mut bytes = Vec::new();
            encode(&message, &mut bytes);
            at += u64::from(pause) % 5_000;
            let _ = node.handle_datagram(now(at), address(from), &garbage);
            prop_assert!(node.handle_datagram(now(at), address(from), &bytes).is_ok());
            node.handle_timeout(now(at));
            let mut payload = Vec::new();
            while let Some(output) = node.poll_output(&mut payload) {
                if matches!(output, Output::Transmit(_)) {
                    prop_assert!(payload.len() <= MAX_DATAGRAM);
                    prop_assert!(decode(&payload).is_ok());
                }
            }
        }
    }
}

fn address(i: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, i], 8946))
}

fn me(i: u8) -> Update {
    let identity = Identity {
        name: Name::new(&format!("vm{i}")).unwrap(),
        address: address(i),
        incarnation: Incarnation(9),
    };
    Update::new(identity, Claim::Alive)
}

fn now(at: u64) -> Now {
    Now {
        mono: Instant::from_epoch(Duration::from_millis(at)),
        wall: WallTime(1_763_688_000_000 + at),
    }
}

#[test]
fn a_list_holds_no_more_than_its_bound_however_it_is_filled() {
    let numbered = |i: usize, claim: Claim| {
        let address = SocketAddr::from((
            [10, 0, u8::try_from(i >> 8).unwrap(), u8::try_from(i & 255).unwrap()],
            8946,
        ));
        let identity = Identity {
            name: Name::new(&format!("vm{i}")).unwrap(),
            address,
            incarnation: Incarnation(9),
        };
        Update::new(identity, claim)
    };
    let mut list = List::new();
    for i in 0..MAX_ENTRIES {
        let claim = if i == 77 { Claim::Left } else { Claim::Alive };
        assert!(list.set(numbered(i, claim), Instant::EPOCH).is_some());
    }
    assert!(
        list.set(numbered(MAX_ENTRIES, Claim::Alive), Instant::EPOCH).is_some(),
        "the one that left makes room"
    );
    assert!(list.get(&Name::new("vm77").unwrap()).is_none());
    let one_more = numbered(MAX_ENTRIES + 1, Claim::Alive);
    assert!(
        list.set(one_more.clone(), Instant::EPOCH).is_none()
            && list.merge(one_more, Instant::EPOCH).is_none()
    );
    assert!(
        list.set(numbered(5, Claim::Left), Instant::EPOCH).is_some(),
        "those that are in it change as before"
    );
    assert_eq!((list.len(), list.up()), (MAX_ENTRIES, MAX_ENTRIES - 1));
}

#[test]
fn a_message_of_another_version_differs_from_rubbish() {
    // [3, "anything", ...]
    assert_eq!(decode(&[0x82, 0x03, 0x61, b'x', 0, 0, 0, 0, 0, 9]), Err(DecodeError::Version(3)));
    assert_eq!(decode(b""), Err(DecodeError::Malformed));
    assert_eq!(decode(&[0x80]), Err(DecodeError::Malformed));
    assert_eq!(decode(&[0x80, 0, 0, 0, 0, 0, 9]), Err(DecodeError::Malformed));
    assert_eq!(decode(&[0; 1_201]), Err(DecodeError::TooLong(1_201)));
}

#[test]
fn a_name_that_no_machine_has_is_refused_at_the_edge() {
    let mut update = encode_versioned(&CallReply::List(vec![me(1)]));
    let place = update.windows(3).position(|window| window == b"vm1").unwrap();
    update[place] = b'\n';
    assert_eq!(decode_versioned::<CallReply>(&update), Err(DecodeError::Malformed));
}

#[test]
fn an_idle_heartbeat_is_the_one_in_the_document() {
    let heartbeat = Message {
        incarnation: Incarnation(1_763_688_033_123),
        sent: SentAt { mono: 86_400_000, wall: WallTime(1_763_688_033_123 + 86_400_000 - 3) },
        body: Body::Heartbeat { hash: u32::MAX - 5, delay: Some(1), updates: Vec::new() },
    };
    let mut bytes = Vec::new();
    encode(&heartbeat, &mut bytes);
    let document = include_str!("../PROTOCOL.md");
    assert!(document.contains("(21 bytes; 49 on the wire with IPv4 and UDP headers)"));
    assert_eq!(bytes.len(), 21);
    let start = document.find("    86 02 00").unwrap();
    let hexadecimal: String = document[start..]
        .lines()
        .take_while(|line| line.starts_with("    "))
        .flat_map(|line| {
            line.trim().split("  ").next().unwrap().chars().filter(|c| !c.is_whitespace())
        })
        .collect();
    let documented: Vec<u8> = (0..hexadecimal.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap())
        .collect();
    assert_eq!(documented, bytes);
}
