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

mod header;

use super::incarnations::OwnIncarnations;
use super::keyring::SealingKeys;
use super::refusal::SealRefusal;
use super::replay::Heard;
use super::{HELLO, SEALED};
use chacha20poly1305::Tag;
use chacha20poly1305::aead::AeadInPlace;
use header::{HEADER, Header};
use memberd_membership::{Incarnation, MAX_DATAGRAM};
use std::net::SocketAddr;

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
    /// An empty datagram answers a hello. For [`Recipient::Anyone`] the result is a hello for any
    /// datagram. The result is valid until the next call.
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
        // The number is used up, even if this datagram fails.
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
    ) -> Result<Opened<'a>, SealRefusal> {
        let [SEALED | HELLO, ..] = bytes else { return Err(SealRefusal::Plain) };
        let (head, rest) = bytes.split_first_chunk_mut().ok_or(SealRefusal::Forged)?;
        let (datagram, tag) = rest.split_last_chunk_mut::<TAG>().ok_or(SealRefusal::Forged)?;
        let (array, incarnation) = datagram.split_last_chunk_mut().ok_or(SealRefusal::Forged)?;
        let header = Header::from_bytes(head, Incarnation::from_bytes(*incarnation));
        let key = keys.find(header.key).ok_or(SealRefusal::UnknownKey(header.key))?;
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
                return Err(SealRefusal::Forged);
            }
        } else {
            let addressed = self
                .incarnations
                .iter()
                .find(|own| opens(Recipient::Incarnation(own.incarnation)))
                .ok_or(SealRefusal::Forged)?;
            if !addressed.is_remembered {
                return Err(SealRefusal::FormerIncarnation);
            }
        }
        if !self.heard.take(from, header.incarnation.0, header.number) {
            return Err(SealRefusal::Replayed);
        }
        Ok(match header.first {
            HELLO => Opened::Hello(header.incarnation),
            _ if array.is_empty() => Opened::HelloReply(header.incarnation),
            _ => Opened::Datagram(datagram),
        })
    }
}

#[cfg(test)]
mod tests;
