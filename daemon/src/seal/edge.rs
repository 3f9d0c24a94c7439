//! The edge between the UDP socket and the protocol: what comes in is opened, what goes out is sealed, or neither where there is no key.

use super::datagram::{CannotSeal, Opener, Sealer};
use super::refusal::Refusal;
use super::{SEALED, Seal};
use memberd_ring::Incarnation;
use std::net::SocketAddr;

/// The datagrams of one member.
#[derive(Debug)]
pub struct Edge {
    seal: Seal,
    sealer: Sealer,
    opener: Opener,
}

impl Edge {
    /// For the member at this address.
    pub fn new(seal: Seal, own: SocketAddr) -> Self {
        Edge { seal, sealer: Sealer::new(own), opener: Opener::new(own) }
    }

    /// A new life begins, whose incarnation is on disk: see [`Sealer::begin`].
    pub fn begin(&mut self, incarnation: Incarnation) {
        self.sealer.begin(incarnation);
    }

    /// What the protocol is to see of a datagram that came; nothing, if it is turned away, which is counted.
    pub fn incoming<'a>(&mut self, from: SocketAddr, bytes: &'a mut [u8]) -> Option<&'a [u8]> {
        let opened = match self.seal.keys() {
            Some(keys) => self.opener.open(&keys, from, bytes),
            None if bytes.first() == Some(&SEALED) => Err(Refusal::Sealed),
            None => Ok(&*bytes),
        };
        opened.map_err(|refusal| self.seal.refusals().note(refusal, "datagram", from)).ok()
    }

    /// What is to be sent in the place of these bytes.
    ///
    /// # Errors
    /// When there is no nonce that was never used.
    pub fn outgoing(&mut self, to: SocketAddr, bytes: Vec<u8>) -> Result<Vec<u8>, CannotSeal> {
        match self.seal.keys() {
            Some(keys) => self.sealer.seal(&keys, to, &bytes),
            None => Ok(bytes),
        }
    }

    /// What was turned away, on connections too: each cause with its count.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        self.seal.refusals().named().into_iter()
    }
}
