//! What of a sealed datagram is not encrypted, and what follows from it: key, nonce, and the bytes
//! that the tag covers.

use super::super::address::{ADDRESS_BYTES, address_bytes};
use super::super::keyring::SealingKey;
use super::Recipient;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use memberd_control::keyring::KeyId;
use memberd_membership::Incarnation;
use std::net::SocketAddr;
use zeroize::Zeroizing;

#[cfg(doc)]
use super::super::{HELLO, SEALED};

/// Bytes before the ciphertext.
pub(super) const HEADER: usize = 10;

/// Bytes of the sender's incarnation.
pub(super) const INCARNATION: usize = 6;

/// Bytes that the tag covers beside the ciphertext.
const ASSOCIATED: usize = HEADER + INCARNATION + ADDRESS_BYTES + 8;

/// The fields that are not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// [`SEALED`] or [`HELLO`].
    pub(super) first: u8,
    pub(super) key: KeyId,
    /// Less than 2^40, see [`MAX_NUMBER`](super::MAX_NUMBER).
    pub(super) number: u64,
    /// The sender's. It follows the ciphertext; the other fields precede it.
    pub(super) incarnation: Incarnation,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let [k0, k1, k2, k3] = self.key.0;
        let [_, _, _, n0, n1, n2, n3, n4] = self.number.to_be_bytes();
        [self.first, k0, k1, k2, k3, n0, n1, n2, n3, n4]
    }

    pub(super) fn from_bytes(bytes: &[u8; HEADER], incarnation: Incarnation) -> Self {
        let [first, k0, k1, k2, k3, n0, n1, n2, n3, n4] = *bytes;
        let number = u64::from_be_bytes([0, 0, 0, n0, n1, n2, n3, n4]);
        Header { first, key: KeyId([k0, k1, k2, k3]), number, incarnation }
    }

    /// The cipher of the sender's incarnation.
    pub(super) fn cipher(&self, key: &SealingKey, sender: SocketAddr) -> ChaCha20Poly1305 {
        let mut context = [0; ADDRESS_BYTES + 8];
        let (address, incarnation) = context.split_at_mut(ADDRESS_BYTES);
        address.copy_from_slice(&address_bytes(sender));
        incarnation.copy_from_slice(&self.incarnation.0.to_be_bytes());
        let key = Zeroizing::new(*blake3::keyed_hash(&key.datagrams, &context).as_bytes());
        ChaCha20Poly1305::new((&*key).into())
    }

    pub(super) fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        nonce[4..].copy_from_slice(&self.number.to_be_bytes());
        nonce
    }

    /// What the tag covers beside the ciphertext: this header, and the receiver with its
    /// incarnation, so that neither another member nor a later incarnation takes the datagram.
    pub(super) fn associated(
        &self,
        receiver: SocketAddr,
        recipient: Recipient,
    ) -> [u8; ASSOCIATED] {
        let mut bytes = [0; ASSOCIATED];
        let (header, rest) = bytes.split_at_mut(HEADER);
        let (incarnation, rest) = rest.split_at_mut(INCARNATION);
        let (address, recipient_bytes) = rest.split_at_mut(ADDRESS_BYTES);
        header.copy_from_slice(&self.to_bytes());
        incarnation.copy_from_slice(&self.incarnation.to_bytes());
        address.copy_from_slice(&address_bytes(receiver));
        recipient_bytes.copy_from_slice(&recipient.to_bytes());
        bytes
    }
}
