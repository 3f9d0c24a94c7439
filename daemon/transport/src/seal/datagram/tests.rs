//! Tests of sealing and opening datagrams.

use super::header::INCARNATION;
use super::*;
use crate::seal::tests::keys;
use memberd_membership::{Body, Message, SentAt, WallTime, wire};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Instant;

/// Bytes of IPv4 and UDP headers.
const IP_UDP: usize = 28;

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, number], 8_946))
}

/// The receiver's incarnation.
const RECEIVER: Incarnation = Incarnation(1_763_688_000_000);

/// The receiver's side of the member of this number.
fn opener(number: u8) -> Opener {
    let mut opener = Opener::new(address(number), None);
    opener.begin(RECEIVER);
    opener
}

fn sealer(number: u8, incarnation: u64) -> Sealer {
    let mut sealer = Sealer::new(address(number));
    sealer.begin(Incarnation(incarnation));
    sealer
}

const TO: Recipient = Recipient::Incarnation(RECEIVER);

/// A datagram of this incarnation, with these bytes for its array.
fn datagram(array: &[u8], incarnation: u64) -> Vec<u8> {
    [array, &Incarnation(incarnation).to_bytes()].concat()
}

/// What this opener makes of a datagram that seems to come from that address.
fn open(
    opener: &mut Opener,
    digits: &str,
    from: SocketAddr,
    sealed: &[u8],
) -> Result<Vec<u8>, SealRefusal> {
    opener.open(&keys(digits), from, &mut sealed.to_vec()).map(|opened| match opened {
        Opened::Datagram(datagram) => datagram.to_vec(),
        Opened::Hello(_) | Opened::HelloReply(_) => Vec::new(),
    })
}

#[test]
fn every_key_of_the_keyring_opens_and_the_first_seals() {
    let news = datagram(b"news", 1);
    for (ours, theirs) in [("a", "a"), ("a", "ba"), ("bc", "cb")] {
        let sealed = sealer(1, 1).seal(&keys(ours), address(2), TO, &news).unwrap().to_vec();
        assert_eq!(open(&mut opener(2), theirs, address(1), &sealed).unwrap(), news);
    }
    let sealed = sealer(1, 1).seal(&keys("ab"), address(2), TO, &news).unwrap().to_vec();
    let refusal = open(&mut opener(2), "b", address(1), &sealed);
    assert_eq!(refusal, Err(SealRefusal::UnknownKey(keys("a").first().id)));
}

#[test]
fn a_datagram_is_taken_once_by_its_receiver_from_its_sender() {
    let news = datagram(b"news", 1);
    let sealed = sealer(1, 1).seal(&keys("a"), address(2), TO, &news).unwrap().to_vec();
    let mut receiver = opener(2);
    assert_eq!(
        open(&mut receiver, "a", address(3), &sealed),
        Err(SealRefusal::Forged),
        "from another's address"
    );
    assert_eq!(open(&mut receiver, "a", address(1), &sealed).unwrap(), news);
    assert_eq!(open(&mut receiver, "a", address(1), &sealed), Err(SealRefusal::Replayed));
    assert_eq!(
        open(&mut opener(3), "a", address(1), &sealed),
        Err(SealRefusal::Forged),
        "led to another"
    );
    assert_eq!(
        open(&mut opener(1), "a", address(2), &sealed),
        Err(SealRefusal::Forged),
        "sent back"
    );
    assert_eq!(
        open(&mut opener(1), "a", address(1), &sealed),
        Err(SealRefusal::Forged),
        "sent back as its own"
    );
}

/// No nonce is used twice, whichever incarnation begins and whichever key is first.
#[test]
fn no_nonce_is_used_twice() {
    let (mut sealer, mut used) = (Sealer::new(address(1)), BTreeSet::new());
    assert_eq!(sealer.seal(&keys("a"), address(2), TO, b"").unwrap_err(), SealError::NoIncarnation);
    for (digits, incarnation) in
        [("a", 5), ("ab", 5), ("ba", 4), ("a", 5), ("a", 6), ("b", 5), ("ab", 6)]
    {
        sealer.begin(Incarnation(incarnation));
        for _ in 0..3 {
            let sealed = sealer.seal(&keys(digits), address(2), TO, b"").unwrap().to_vec();
            // For one key, what follows its id determines the nonce.
            assert!(used.insert(sealed[..HEADER + INCARNATION].to_vec()));
        }
    }
}

#[test]
fn only_the_present_incarnation_is_sealed() {
    let mut sealer = sealer(1, 5);
    sealer.begin(Incarnation(6));
    for incarnation in [0, 5, 7] {
        let sealed = sealer.seal(&keys("a"), address(2), TO, &datagram(b"news", incarnation));
        assert_eq!(sealed.unwrap_err(), SealError::OtherIncarnation);
    }
    let sealed = sealer.seal(&keys("a"), address(2), TO, &datagram(b"news", 6)).unwrap().to_vec();
    assert_eq!(open(&mut opener(2), "a", address(1), &sealed).unwrap(), datagram(b"news", 6));
}

#[test]
fn nothing_is_sealed_without_an_unused_nonce() {
    let mut sealer = sealer(1, Incarnation::MAX.0);
    sealer.present.as_mut().unwrap().next = MAX_NUMBER;
    let said = datagram(b"last", Incarnation::MAX.0);
    let last = sealer.seal(&keys("a"), address(2), TO, &said).unwrap().to_vec();
    assert_eq!(open(&mut opener(2), "a", address(1), &last).unwrap(), said);
    assert_eq!(sealer.seal(&keys("a"), address(2), TO, b"").unwrap_err(), SealError::Exhausted);
    sealer.begin(Incarnation(Incarnation::MAX.0 + 1));
    assert_eq!(sealer.seal(&keys("a"), address(2), TO, b"").unwrap_err(), SealError::Exhausted);
}

const SENDER: Incarnation = Incarnation(1_763_688_033_123);

fn heartbeat(delay: i64, sent: u64, wall_offset: i64) -> Vec<u8> {
    let incarnation = SENDER;
    let wall = WallTime((incarnation.0 + sent).checked_add_signed(wall_offset).unwrap());
    let body = Body::Heartbeat { hash: u32::MAX - 5, delay: Some(delay), updates: Vec::new() };
    let mut bytes = Vec::new();
    wire::encode(&Message { incarnation, sent: SentAt { mono: sent, wall }, body }, &mut bytes);
    bytes
}

#[test]
fn a_heartbeat_is_under_100_bytes_on_the_wire() {
    let sealed = |said: &[u8]| {
        sealer(1, SENDER.0).seal(&keys("a"), address(2), TO, said).unwrap().len() + IP_UDP
    };
    assert_eq!((OVERHEAD, MAX_SEALED), (26, 1_200));
    assert_eq!(sealed(&heartbeat(1, 86_400_000, -3)), 75, "the example of PROTOCOL.md");
    // Up for longer than 49 days, a minute of latency and of difference between clocks.
    assert_eq!(sealed(&heartbeat(60_000, 1 << 40, -60_000)), 83);
}

proptest! {
    /// What is sealed is opened; what is changed in any bit, or cut, is not.
    #[test]
    fn only_what_is_unchanged_is_opened(
        array in proptest::collection::vec(any::<u8>(), 0..300),
        bit in any::<proptest::sample::Index>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let said = datagram(&array, SENDER.0);
        let sealed =
            sealer(1, SENDER.0).seal(&keys("a"), address(2), TO, &said).unwrap().to_vec();
        prop_assert_eq!(sealed.len(), said.len() + OVERHEAD);
        let mut receiver = opener(2);
        let bit = bit.index(sealed.len() * 8);
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(open(&mut receiver, "a", address(1), &forged).is_err());
        let cut = &sealed[..cut.index(sealed.len())];
        prop_assert!(open(&mut receiver, "a", address(1), cut).is_err());
        // Without an array it is the reply to a hello, and empty.
        let expected = if array.is_empty() { array } else { said };
        prop_assert_eq!(open(&mut receiver, "a", address(1), &sealed).unwrap(), expected);
    }

    #[test]
    fn no_bytes_of_a_stranger_are_opened(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        sealed in any::<bool>(),
    ) {
        let (mut bytes, keys) = (bytes, keys("ab"));
        if let (true, [first, k0, k1, k2, k3, ..]) = (sealed, bytes.as_mut_slice()) {
            *first = SEALED;
            [*k0, *k1, *k2, *k3] = keys.first().id.0;
        }
        prop_assert!(opener(2).open(&keys, address(1), &mut bytes).is_err());
    }
}

#[test]
fn every_bit_of_a_heartbeat_is_guarded() {
    let sealed = sealer(1, SENDER.0)
        .seal(&keys("a"), address(2), TO, &heartbeat(1, 600, 0))
        .unwrap()
        .to_vec();
    let mut receiver = opener(2);
    for bit in 0..sealed.len() * 8 {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&mut receiver, "ab", address(1), &forged).is_err(), "bit {bit}");
    }
    open(&mut receiver, "ab", address(1), &sealed).unwrap();
}

#[test]
fn a_forged_datagram_costs_little() {
    let (keys, mut receiver) = (keys("abcdef01"), opener(2));
    let mut forged = sealer(1, 0).seal(&keys, address(2), TO, &[0; MAX_DATAGRAM]).unwrap().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let start = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(
            receiver.open(&keys, address(1), &mut forged.clone()).unwrap_err(),
            SealRefusal::Forged
        );
    }
    let each = start.elapsed() / 1_000;
    println!("{} bytes forged: {each:?} each", forged.len());
    // Without optimization, on a busy machine.
    assert!(each.as_millis() < 5, "{each:?}");
}
