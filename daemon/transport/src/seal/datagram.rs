//! Sealed datagrams: ChaCha20-Poly1305 (RFC 8439) under a key of the sender's present life, with a
//! number that only grows for nonce.
//!
//! ```text
//! 0x01 | key id (4) | number (5) | ciphertext of the array | incarnation (6) | tag (16)
//! ```
//!
//! In the clear a datagram is an array and the sender's incarnation ([`memberd_membership::wire`]).
//! The array is encrypted; the incarnation stays as it is, since the receiver needs it for that.
//!
//! It is for one life of its receiver. One that begins with 0x02 is for whoever lives at its
//! address, and is only a greeting. A greeting and its answer have no array.
//!
//! The key is derived from the group's key, the sender's address and its incarnation. A machine
//! never uses an incarnation twice, and within one the number never goes back. So no nonce is used
//! twice under one key.

use super::keyring::{SealingKey, SealingKeys};
use super::lives::{For, OwnLives};
use super::refusal::Refusal;
use super::replay::Heard;
use super::{GREETING, SEALED};
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

/// A million datagrams a second last for 12 days, a thousand for 34 years. Whoever has used them up
/// says no more in this life.
const MOST_NUMBER: u64 = (1 << 40) - 1;

/// Why a datagram cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotSeal {
    /// Nothing is said before this process has an incarnation of its own.
    #[error("not in a group since the start")]
    NoLife,
    /// A former life said it, and numbers are counted for the present one only.
    #[error("said in another life than the present one")]
    OtherLife,
    /// The incarnation is of the year 10889 or later, or all numbers of this life are used up.
    #[error("nonces have run out")]
    Exhausted,
}

/// Seals what one member sends.
#[derive(Debug)]
pub struct Sealer {
    own: SocketAddr,
    life: Option<Life>,
    /// What was sealed last: kept, so that a heartbeat allocates nothing.
    sealed: Vec<u8>,
}

/// What must never be used twice together.
#[derive(Debug, Clone, Copy)]
struct Life {
    incarnation: Incarnation,
    next: u64,
}

impl Sealer {
    /// For the member at this address, which has no incarnation yet.
    pub fn new(own: SocketAddr) -> Self {
        Sealer { own, life: None, sealed: Vec::new() }
    }

    /// A new life begins. `incarnation` is durable on disk, so no later process uses it again. One
    /// that is not larger than the present one changes nothing: the numbers go on.
    pub fn begin(&mut self, incarnation: Incarnation) {
        if self.life.is_none_or(|life| life.incarnation < incarnation) {
            self.life = Some(Life { incarnation, next: 0 });
        }
    }

    /// Seals a datagram with the first key, for this life of this receiver only. An empty one
    /// answers a greeting; a greeting is for anyone there, and says nothing. What is returned is
    /// there until the next is sealed.
    ///
    /// # Errors
    /// When there is no nonce that was never used, or the datagram is not of the present life.
    pub fn seal(
        &mut self,
        keys: &SealingKeys,
        to: SocketAddr,
        whom: For,
        datagram: &[u8],
    ) -> Result<&[u8], CannotSeal> {
        let life = self.life.as_mut().ok_or(CannotSeal::NoLife)?;
        if life.incarnation > Incarnation::MAX || life.next > MOST_NUMBER {
            return Err(CannotSeal::Exhausted);
        }
        let present = life.incarnation.to_bytes();
        let (array, incarnation) = datagram.split_last_chunk().unwrap_or((&[], &present));
        if *incarnation != present {
            return Err(CannotSeal::OtherLife);
        }
        let (first, array) =
            if whom == For::Anyone { (GREETING, &[][..]) } else { (SEALED, array) };
        let header = Header {
            first,
            key: keys.first().id,
            number: life.next,
            incarnation: life.incarnation,
        };
        // Used up, whatever becomes of this datagram.
        life.next += 1;
        let sealed = &mut self.sealed;
        sealed.clear();
        sealed.extend_from_slice(&header.to_bytes());
        sealed.extend_from_slice(array);
        let tag = header
            .cipher(keys.first(), self.own)
            .encrypt_in_place_detached(
                &header.nonce(),
                &header.associated(to, whom),
                sealed.get_mut(HEADER..).unwrap_or_default(),
            )
            .map_err(|_| CannotSeal::Exhausted)?;
        sealed.extend_from_slice(&present);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }
}

/// What was sealed.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<'a> {
    /// A datagram, as it was in the clear.
    Said(&'a [u8]),
    /// This life of its sender wants to know who lives here. It may have wanted so before the
    /// present life began.
    Greeting(Incarnation),
    /// This life answers a greeting.
    Answer(Incarnation),
}

/// Opens what one member is sent.
#[derive(Debug)]
pub struct Opener {
    own: SocketAddr,
    lives: OwnLives,
    heard: Heard,
}

impl Opener {
    /// For the member at this address, which has not begun a life yet; `last` is the newest one of
    /// the processes before this one.
    pub fn new(own: SocketAddr, last: Option<Incarnation>) -> Self {
        Opener { own, lives: OwnLives::after(last), heard: Heard::default() }
    }

    /// A new life begins, as in [`Sealer::begin`].
    pub fn begin(&mut self, incarnation: Incarnation) {
        self.lives.begin(incarnation);
    }

    /// Opens a datagram, in place: what is returned is a part of `bytes`. What is refused leaves no
    /// trace but in `bytes`.
    ///
    /// # Errors
    /// When it is not sealed, sealed with a key that is not in the keyring, forged (or meant for
    /// another member, or sent from another address), meant for a life before this process, or was
    /// heard already.
    pub fn open<'a>(
        &mut self,
        keys: &SealingKeys,
        from: SocketAddr,
        bytes: &'a mut [u8],
    ) -> Result<Opened<'a>, Refusal> {
        let [SEALED | GREETING, ..] = bytes else { return Err(Refusal::Plain) };
        let (head, rest) = bytes.split_first_chunk_mut().ok_or(Refusal::Forged)?;
        let (datagram, tag) = rest.split_last_chunk_mut::<TAG>().ok_or(Refusal::Forged)?;
        let (array, incarnation) = datagram.split_last_chunk_mut().ok_or(Refusal::Forged)?;
        let header = Header::from_bytes(head, Incarnation::from_bytes(*incarnation));
        let key = keys.find(header.key).ok_or(Refusal::UnknownKey(header.key))?;
        let (cipher, nonce, own) = (header.cipher(key, from), header.nonce(), self.own);
        // The tag is looked at before the array is touched.
        let mut opens = |whom| {
            let associated = header.associated(own, whom);
            cipher
                .decrypt_in_place_detached(&nonce, &associated, array, Tag::from_slice(tag))
                .is_ok()
        };
        if header.first == GREETING {
            if !opens(For::Anyone) {
                return Err(Refusal::Forged);
            }
        } else {
            let life = self
                .lives
                .iter()
                .find(|life| opens(For::Life(life.incarnation)))
                .ok_or(Refusal::Forged)?;
            if !life.remembered {
                return Err(Refusal::FormerLife);
            }
        }
        if !self.heard.take(from, header.incarnation.0, header.number) {
            return Err(Refusal::Replayed);
        }
        Ok(match header.first {
            GREETING => Opened::Greeting(header.incarnation),
            _ if array.is_empty() => Opened::Answer(header.incarnation),
            _ => Opened::Said(datagram),
        })
    }
}

/// What is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// [`SEALED`] or [`GREETING`].
    first: u8,
    key: KeyId,
    /// At most [`MOST_NUMBER`].
    number: u64,
    /// The sender's. It stands behind the ciphertext, and the others before.
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

    /// The cipher of the sender's life.
    fn cipher(&self, key: &SealingKey, sender: SocketAddr) -> ChaCha20Poly1305 {
        let mut life = [0; ADDRESS + 8];
        let (address, incarnation) = life.split_at_mut(ADDRESS);
        address.copy_from_slice(&address_bytes(sender));
        incarnation.copy_from_slice(&self.incarnation.0.to_be_bytes());
        let key = Zeroizing::new(*blake3::keyed_hash(&key.datagrams, &life).as_bytes());
        ChaCha20Poly1305::new((&*key).into())
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        nonce[4..].copy_from_slice(&self.number.to_be_bytes());
        nonce
    }

    /// What the tag covers beside the ciphertext: this, and the receiver with its life, so that
    /// nobody else takes it and nobody later.
    fn associated(&self, receiver: SocketAddr, whom: For) -> [u8; ASSOCIATED] {
        let mut bytes = [0; ASSOCIATED];
        let (header, rest) = bytes.split_at_mut(HEADER);
        let (incarnation, rest) = rest.split_at_mut(INCARNATION);
        let (address, life) = rest.split_at_mut(ADDRESS);
        header.copy_from_slice(&self.to_bytes());
        incarnation.copy_from_slice(&self.incarnation.to_bytes());
        address.copy_from_slice(&address_bytes(receiver));
        life.copy_from_slice(&whom.to_bytes());
        bytes
    }
}

/// Bytes of an address with its port.
const ADDRESS: usize = 18;

/// Sixteen bytes of address, an IPv4 one mapped into IPv6 (RFC 4291), and two of port, in network
/// order.
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

/// Bytes of what the tag covers beside the ciphertext.
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

    /// The life of whoever receives.
    const LIFE: Incarnation = Incarnation(1_763_688_000_000);

    /// The member of this number, in that life.
    fn opener(number: u8) -> Opener {
        let mut opener = Opener::new(address(number), None);
        opener.begin(LIFE);
        opener
    }

    fn sealer(number: u8, incarnation: u64) -> Sealer {
        let mut sealer = Sealer::new(address(number));
        sealer.begin(Incarnation(incarnation));
        sealer
    }

    /// A datagram of a life: something for an array, and the incarnation.
    fn datagram(array: &[u8], life: u64) -> Vec<u8> {
        [array, &Incarnation(life).to_bytes()].concat()
    }

    /// What the member of this number makes of a datagram that seems to come from that address.
    fn open(
        opener: &mut Opener,
        digits: &str,
        from: SocketAddr,
        sealed: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        opener.open(&keys(digits), from, &mut sealed.to_vec()).map(|opened| match opened {
            Opened::Said(datagram) => datagram.to_vec(),
            Opened::Greeting(_) | Opened::Answer(_) => Vec::new(),
        })
    }

    #[test]
    fn every_key_of_the_keyring_opens_and_the_first_seals() {
        let news = datagram(b"news", 1);
        for (ours, theirs) in [("a", "a"), ("a", "ba"), ("bc", "cb")] {
            let sealed = sealer(1, 1)
                .seal(&keys(ours), address(2), For::Life(LIFE), &news)
                .unwrap()
                .to_vec();
            assert_eq!(open(&mut opener(2), theirs, address(1), &sealed).unwrap(), news);
        }
        let sealed =
            sealer(1, 1).seal(&keys("ab"), address(2), For::Life(LIFE), &news).unwrap().to_vec();
        let refusal = open(&mut opener(2), "b", address(1), &sealed);
        assert_eq!(refusal, Err(Refusal::UnknownKey(keys("a").first().id)));
    }

    #[test]
    fn a_datagram_is_taken_once_by_its_receiver_from_its_sender() {
        let news = datagram(b"news", 1);
        let sealed =
            sealer(1, 1).seal(&keys("a"), address(2), For::Life(LIFE), &news).unwrap().to_vec();
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

    #[test]
    fn no_nonce_is_used_twice_whatever_is_begun_and_whichever_key_is_first() {
        let (mut sealer, mut used) = (Sealer::new(address(1)), BTreeSet::new());
        assert_eq!(
            sealer.seal(&keys("a"), address(2), For::Life(LIFE), b"").unwrap_err(),
            CannotSeal::NoLife
        );
        for (digits, incarnation) in
            [("a", 5), ("ab", 5), ("ba", 4), ("a", 5), ("a", 6), ("b", 5), ("ab", 6)]
        {
            sealer.begin(Incarnation(incarnation));
            for _ in 0..3 {
                let sealed =
                    sealer.seal(&keys(digits), address(2), For::Life(LIFE), b"").unwrap().to_vec();
                // Of one key, what follows its id tells the nonce.
                assert!(used.insert(sealed[..HEADER + INCARNATION].to_vec()));
            }
        }
    }

    #[test]
    fn only_the_present_life_speaks() {
        let mut sealer = sealer(1, 5);
        sealer.begin(Incarnation(6));
        for life in [0, 5, 7] {
            let sealed =
                sealer.seal(&keys("a"), address(2), For::Life(LIFE), &datagram(b"news", life));
            assert_eq!(sealed.unwrap_err(), CannotSeal::OtherLife);
        }
        let sealed = sealer
            .seal(&keys("a"), address(2), For::Life(LIFE), &datagram(b"news", 6))
            .unwrap()
            .to_vec();
        assert_eq!(open(&mut opener(2), "a", address(1), &sealed).unwrap(), datagram(b"news", 6));
    }

    #[test]
    fn what_cannot_be_sealed_under_a_new_nonce_is_not_sealed() {
        let mut sealer = sealer(1, Incarnation::MAX.0);
        sealer.life.as_mut().unwrap().next = MOST_NUMBER;
        let said = datagram(b"last", Incarnation::MAX.0);
        let last = sealer.seal(&keys("a"), address(2), For::Life(LIFE), &said).unwrap().to_vec();
        assert_eq!(open(&mut opener(2), "a", address(1), &last).unwrap(), said);
        assert_eq!(
            sealer.seal(&keys("a"), address(2), For::Life(LIFE), b"").unwrap_err(),
            CannotSeal::Exhausted
        );
        sealer.begin(Incarnation(Incarnation::MAX.0 + 1));
        assert_eq!(
            sealer.seal(&keys("a"), address(2), For::Life(LIFE), b"").unwrap_err(),
            CannotSeal::Exhausted
        );
    }

    const SENDER: Incarnation = Incarnation(1_763_688_033_123);

    fn heartbeat(delay: i64, sent: u64, wall_offset: i64) -> Vec<u8> {
        let incarnation = SENDER;
        let wall = WallTime((incarnation.0 + sent).checked_add_signed(wall_offset).unwrap());
        let body = Body::Heartbeat { hash: u32::MAX - 5, delay: Some(delay), news: Vec::new() };
        let mut bytes = Vec::new();
        wire::encode(&Message { incarnation, sent: SentAt { mono: sent, wall }, body }, &mut bytes);
        bytes
    }

    #[test]
    fn a_heartbeat_is_under_100_bytes_on_the_wire() {
        let sealed = |said: &[u8]| {
            sealer(1, SENDER.0).seal(&keys("a"), address(2), For::Life(LIFE), said).unwrap().len()
                + IP_UDP
        };
        assert_eq!((OVERHEAD, MAX_SEALED), (26, 1_200));
        assert_eq!(sealed(&heartbeat(1, 86_400_000, -3)), 75, "the example of PROTOCOL.md");
        // Up for longer than 49 days, a minute of latency and of difference between clocks.
        assert_eq!(sealed(&heartbeat(60_000, 1 << 40, -60_000)), 83);
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_and_what_is_changed_in_any_bit_or_cut_is_not(
            array in proptest::collection::vec(any::<u8>(), 0..300),
            bit in any::<proptest::sample::Index>(),
            cut in any::<proptest::sample::Index>(),
        ) {
            let said = datagram(&array, SENDER.0);
            let sealed = sealer(1, SENDER.0).seal(&keys("a"), address(2), For::Life(LIFE), &said).unwrap().to_vec();
            prop_assert_eq!(sealed.len(), said.len() + OVERHEAD);
            let mut receiver = opener(2);
            let bit = bit.index(sealed.len() * 8);
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(&mut receiver, "a", address(1), &forged).is_err());
            prop_assert!(open(&mut receiver, "a", address(1), &sealed[..cut.index(sealed.len())]).is_err());
            // Without an array it answers a greeting, and says nothing.
            prop_assert_eq!(open(&mut receiver, "a", address(1), &sealed).unwrap(), if array.is_empty() { array } else { said });
        }

        #[test]
        fn no_bytes_of_a_stranger_are_opened(bytes in proptest::collection::vec(any::<u8>(), 0..200), sealed in any::<bool>()) {
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
            .seal(&keys("a"), address(2), For::Life(LIFE), &heartbeat(1, 600, 0))
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
    fn what_is_forged_costs_little() {
        let (keys, mut receiver) = (keys("abcdef01"), opener(2));
        let mut forged = sealer(1, 0)
            .seal(&keys, address(2), For::Life(LIFE), &[0; MAX_DATAGRAM])
            .unwrap()
            .to_vec();
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
