//! Sealed datagrams: ChaCha20-Poly1305 (RFC 8439) under a key of the sender's present incarnation.
//! The nonce is a number that only grows. Owns that number, and the windows of what was opened.
//!
//! ```text
//! 0x01 | key id (4) | number (5) | ciphertext of the array | incarnation (6) | tag (16)
//! ```
//!
//! In the clear a datagram is an array and the sender's incarnation ([`memberd_membership::wire`]).
//! The array is encrypted. The incarnation is not, since the receiver needs it to find the key.
//!
//! A datagram is for one incarnation of its receiver. One that begins with 0x02 is a hello to
//! whichever incarnation is at the address. A hello and its reply have no array.
//!
//! The key is derived from the group's key, the sender's address and its incarnation. A machine
//! never uses an incarnation twice, and the number never goes back within one. So no nonce is used
//! twice under one key.

use super::incarnations::OwnIncarnations;
use super::keyring::{SealingKey, SealingKeys};
use super::refusal::Refusal;
use super::replay::Heard;
use super::{HELLO, SEALED};
use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, Tag};
use memberd_control::keyring::KeyId;
use memberd_membership::{Incarnation, MAX_DATAGRAM};
use std::net::{IpAddr, SocketAddr};
use zeroize::Zeroizing;

/// Bytes before the ciphertext.
const HEADER: usize = 10;

/// Bytes of the sender's incarnation.
const INCARNATION: usize = 6;

const TAG: usize = 16;

/// By how many bytes a datagram grows.
const OVERHEAD: usize = HEADER + TAG;

/// The longest sealed datagram, in bytes of UDP payload.
pub const MAX_SEALED: usize = MAX_DATAGRAM + OVERHEAD;

/// The largest number. A million datagrams a second last for 12 days, a thousand for 34 years; then
/// the member sends no more in this incarnation.
const MAX_NUMBER: u64 = (1 << 40) - 1;

/// Why a datagram cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This process has no incarnation yet.
    #[error("this daemon has not been in a group since its start")]
    NoIncarnation,
    /// The datagram is of a former incarnation; numbers are counted for the present one only.
    #[error("the datagram is not of the present incarnation")]
    OtherIncarnation,
    /// The incarnation is of the year 10889 or later, or all its numbers are used up.
    #[error("no unused nonce is left")]
    Exhausted,
}

/// Whom a datagram is for, at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// This incarnation, and no later one.
    Incarnation(Incarnation),
    /// Whichever incarnation is there. Such a datagram is empty, since it could be a recording from
    /// before the receiver's incarnation began.
    Anyone,
}

impl Recipient {
    /// The bytes that the tag covers; no incarnation is 0.
    fn to_bytes(self) -> [u8; 8] {
        match self {
            Recipient::Incarnation(incarnation) => incarnation.0.to_be_bytes(),
            Recipient::Anyone => [0; 8],
        }
    }
}

/// Seals what one member sends.
#[derive(Debug)]
pub struct Sealer {
    own: SocketAddr,
    present: Option<Numbering>,
    /// The last sealed datagram, kept so that a heartbeat allocates nothing.
    sealed: Vec<u8>,
}

/// An incarnation and its next number, which together are used once.
#[derive(Debug, Clone, Copy)]
struct Numbering {
    incarnation: Incarnation,
    next: u64,
}

impl Sealer {
    /// For the member at this address, which has no incarnation yet.
    pub fn new(own: SocketAddr) -> Self {
        Sealer { own, present: None, sealed: Vec::new() }
    }

    /// A new incarnation begins. It must be durable on disk, so that no later process uses it
    /// again. One that is not larger than the present one changes nothing: the numbers go on.
    pub fn begin(&mut self, incarnation: Incarnation) {
        if self.present.is_none_or(|present| present.incarnation < incarnation) {
            self.present = Some(Numbering { incarnation, next: 0 });
        }
    }

    /// Seals a datagram with the first key of the keyring, for this recipient only.
    ///
    /// An empty datagram answers a hello. For [`Recipient::Anyone`] the result is a hello, whatever
    /// the datagram. The result is valid until the next call.
    ///
    /// # Errors
    /// When no unused nonce is left, or the datagram is not of the present incarnation.
    pub fn seal(
        &mut self,
        keys: &SealingKeys,
        to: SocketAddr,
        recipient: Recipient,
        datagram: &[u8],
    ) -> Result<&[u8], SealError> {
        let numbering = self.present.as_mut().ok_or(SealError::NoIncarnation)?;
        if numbering.incarnation > Incarnation::MAX || numbering.next > MAX_NUMBER {
            return Err(SealError::Exhausted);
        }
        let present = numbering.incarnation.to_bytes();
        let (array, incarnation) = datagram.split_last_chunk().unwrap_or((&[], &present));
        if *incarnation != present {
            return Err(SealError::OtherIncarnation);
        }
        let (first, array) =
            if recipient == Recipient::Anyone { (HELLO, &[][..]) } else { (SEALED, array) };
        let header = Header {
            first,
            key: keys.first().id,
            number: numbering.next,
            incarnation: numbering.incarnation,
        };
        // The number is used up, whatever becomes of this datagram.
        numbering.next += 1;
        let sealed = &mut self.sealed;
        sealed.clear();
        sealed.extend_from_slice(&header.to_bytes());
        sealed.extend_from_slice(array);
        let tag = header
            .cipher(keys.first(), self.own)
            .encrypt_in_place_detached(
                &header.nonce(),
                &header.associated(to, recipient),
                sealed.get_mut(HEADER..).unwrap_or_default(),
            )
            .map_err(|_| SealError::Exhausted)?;
        sealed.extend_from_slice(&present);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }
}

/// The content of a sealed datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<'a> {
    /// A datagram, as it was in the clear.
    Datagram(&'a [u8]),
    /// This incarnation of the sender asks which incarnation is here. It may have asked before the
    /// present incarnation began.
    Hello(Incarnation),
    /// This incarnation of the sender answers a hello.
    HelloReply(Incarnation),
}

/// Opens what one member is sent.
#[derive(Debug)]
pub struct Opener {
    own: SocketAddr,
    incarnations: OwnIncarnations,
    heard: Heard,
}

impl Opener {
    /// For the member at this address, which has no incarnation yet; `last` is the newest one of
    /// the processes before this one.
    pub fn new(own: SocketAddr, last: Option<Incarnation>) -> Self {
        Opener { own, incarnations: OwnIncarnations::after(last), heard: Heard::default() }
    }

    /// A new incarnation begins, as in [`Sealer::begin`].
    pub fn begin(&mut self, incarnation: Incarnation) {
        self.incarnations.begin(incarnation);
    }

    /// Opens a datagram in place: the result is a part of `bytes`. A refused one changes nothing
    /// but `bytes`.
    ///
    /// # Errors
    /// When it is not sealed; when it is sealed with an unknown key, for another member, from
    /// another address, or for an incarnation before this process; and when it came before.
    pub fn open<'a>(
        &mut self,
        keys: &SealingKeys,
        from: SocketAddr,
        bytes: &'a mut [u8],
    ) -> Result<Opened<'a>, Refusal> {
        let [SEALED | HELLO, ..] = bytes else { return Err(Refusal::Plain) };
        let (head, rest) = bytes.split_first_chunk_mut().ok_or(Refusal::Forged)?;
        let (datagram, tag) = rest.split_last_chunk_mut::<TAG>().ok_or(Refusal::Forged)?;
        let (array, incarnation) = datagram.split_last_chunk_mut().ok_or(Refusal::Forged)?;
        let header = Header::from_bytes(head, Incarnation::from_bytes(*incarnation));
        let key = keys.find(header.key).ok_or(Refusal::UnknownKey(header.key))?;
        let (cipher, nonce, own) = (header.cipher(key, from), header.nonce(), self.own);
        // The tag is checked before the array is changed.
        let mut opens = |recipient| {
            let associated = header.associated(own, recipient);
            cipher
                .decrypt_in_place_detached(&nonce, &associated, array, Tag::from_slice(tag))
                .is_ok()
        };
        if header.first == HELLO {
            if !opens(Recipient::Anyone) {
                return Err(Refusal::Forged);
            }
        } else {
            let addressed = self
                .incarnations
                .iter()
                .find(|own| opens(Recipient::Incarnation(own.incarnation)))
                .ok_or(Refusal::Forged)?;
            if !addressed.is_remembered {
                return Err(Refusal::FormerIncarnation);
            }
        }
        if !self.heard.take(from, header.incarnation.0, header.number) {
            return Err(Refusal::Replayed);
        }
        Ok(match header.first {
            HELLO => Opened::Hello(header.incarnation),
            _ if array.is_empty() => Opened::HelloReply(header.incarnation),
            _ => Opened::Datagram(datagram),
        })
    }
}

/// The fields that are not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// [`SEALED`] or [`HELLO`].
    first: u8,
    key: KeyId,
    /// At most [`MAX_NUMBER`].
    number: u64,
    /// The sender's. It follows the ciphertext; the other fields precede it.
    incarnation: Incarnation,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER] {
        let [k0, k1, k2, k3] = self.key.0;
        let [_, _, _, n0, n1, n2, n3, n4] = self.number.to_be_bytes();
        [self.first, k0, k1, k2, k3, n0, n1, n2, n3, n4]
    }

    fn from_bytes(bytes: &[u8; HEADER], incarnation: Incarnation) -> Self {
        let [first, k0, k1, k2, k3, n0, n1, n2, n3, n4] = *bytes;
        let number = u64::from_be_bytes([0, 0, 0, n0, n1, n2, n3, n4]);
        Header { first, key: KeyId([k0, k1, k2, k3]), number, incarnation }
    }

    /// The cipher of the sender's incarnation.
    fn cipher(&self, key: &SealingKey, sender: SocketAddr) -> ChaCha20Poly1305 {
        let mut context = [0; ADDRESS + 8];
        let (address, incarnation) = context.split_at_mut(ADDRESS);
        address.copy_from_slice(&address_bytes(sender));
        incarnation.copy_from_slice(&self.incarnation.0.to_be_bytes());
        let key = Zeroizing::new(*blake3::keyed_hash(&key.datagrams, &context).as_bytes());
        ChaCha20Poly1305::new((&*key).into())
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        nonce[4..].copy_from_slice(&self.number.to_be_bytes());
        nonce
    }

    /// What the tag covers beside the ciphertext: this header, and the receiver with its
    /// incarnation, so that neither another member nor a later incarnation takes the datagram.
    fn associated(&self, receiver: SocketAddr, recipient: Recipient) -> [u8; ASSOCIATED] {
        let mut bytes = [0; ASSOCIATED];
        let (header, rest) = bytes.split_at_mut(HEADER);
        let (incarnation, rest) = rest.split_at_mut(INCARNATION);
        let (address, recipient_bytes) = rest.split_at_mut(ADDRESS);
        header.copy_from_slice(&self.to_bytes());
        incarnation.copy_from_slice(&self.incarnation.to_bytes());
        address.copy_from_slice(&address_bytes(receiver));
        recipient_bytes.copy_from_slice(&recipient.to_bytes());
        bytes
    }
}

/// Bytes of an address with its port.
const ADDRESS: usize = 18;

/// Sixteen bytes of address (IPv4 is mapped into IPv6, RFC 4291) and two of port, in network order.
pub(super) fn address_bytes(address: SocketAddr) -> [u8; ADDRESS] {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let mut bytes = [0; ADDRESS];
    bytes[..16].copy_from_slice(&ip.octets());
    bytes[16..].copy_from_slice(&address.port().to_be_bytes());
    bytes
}

/// Bytes that the tag covers beside the ciphertext.
const ASSOCIATED: usize = HEADER + INCARNATION + ADDRESS + 8;

#[cfg(test)]
mod tests {
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
    ) -> Result<Vec<u8>, Refusal> {
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
        assert_eq!(refusal, Err(Refusal::UnknownKey(keys("a").first().id)));
    }

    #[test]
    fn a_datagram_is_taken_once_by_its_receiver_from_its_sender() {
        let news = datagram(b"news", 1);
        let sealed = sealer(1, 1).seal(&keys("a"), address(2), TO, &news).unwrap().to_vec();
        let mut receiver = opener(2);
        assert_eq!(
            open(&mut receiver, "a", address(3), &sealed),
            Err(Refusal::Forged),
            "from another's address"
        );
        assert_eq!(open(&mut receiver, "a", address(1), &sealed).unwrap(), news);
        assert_eq!(open(&mut receiver, "a", address(1), &sealed), Err(Refusal::Replayed));
        assert_eq!(
            open(&mut opener(3), "a", address(1), &sealed),
            Err(Refusal::Forged),
            "led to another"
        );
        assert_eq!(
            open(&mut opener(1), "a", address(2), &sealed),
            Err(Refusal::Forged),
            "sent back"
        );
        assert_eq!(
            open(&mut opener(1), "a", address(1), &sealed),
            Err(Refusal::Forged),
            "sent back as its own"
        );
    }

    /// No nonce is used twice, whichever incarnation begins and whichever key is first.
    #[test]
    fn no_nonce_is_used_twice() {
        let (mut sealer, mut used) = (Sealer::new(address(1)), BTreeSet::new());
        assert_eq!(
            sealer.seal(&keys("a"), address(2), TO, b"").unwrap_err(),
            SealError::NoIncarnation
        );
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
        let sealed =
            sealer.seal(&keys("a"), address(2), TO, &datagram(b"news", 6)).unwrap().to_vec();
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
        let mut forged =
            sealer(1, 0).seal(&keys, address(2), TO, &[0; MAX_DATAGRAM]).unwrap().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        let start = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(
                receiver.open(&keys, address(1), &mut forged.clone()).unwrap_err(),
                Refusal::Forged
            );
        }
        let each = start.elapsed() / 1_000;
        println!("{} bytes forged: {each:?} each", forged.len());
        // Without optimization, on a busy machine.
        assert!(each.as_millis() < 5, "{each:?}");
    }
}
