//! Owns the announces that wait for an answer to a hello: each is sealed and sent when the
//! incarnation at its address is known.

use super::incarnations::insert_bounded;
use std::collections::HashMap;
use std::net::SocketAddr;

/// The newest announce for each address.
#[derive(Debug, Default)]
pub(super) struct PendingAnnounces(HashMap<SocketAddr, Vec<u8>>);

impl PendingAnnounces {
    /// Keeps an announce for whoever answers at this address; it replaces an older one.
    pub(super) fn push(&mut self, to: SocketAddr, datagram: Vec<u8>) {
        insert_bounded(&mut self.0, to, datagram);
    }

    /// Somebody at this address has answered: takes the announce for it out.
    pub(super) fn take(&mut self, from: SocketAddr) -> Option<Vec<u8>> {
        self.0.remove(&from)
    }
}

#[cfg(test)]
mod tests {
    use super::super::incarnations::MAX_OTHERS;
    use super::*;

    #[test]
    fn the_newest_announce_is_taken_once() {
        let (mut pending, at) = (PendingAnnounces::default(), "127.0.0.1:1".parse().unwrap());
        pending.push(at, vec![1]);
        pending.push(at, vec![2]);
        assert_eq!(pending.take(at), Some(vec![2]));
        assert_eq!(pending.take(at), None);
    }

    #[test]
    fn pending_announces_are_bounded() {
        let mut pending = PendingAnnounces::default();
        for number in 0..10_000_u32 {
            pending.push(SocketAddr::from((number.to_be_bytes(), 1)), Vec::new());
        }
        assert!(pending.0.len() <= MAX_OTHERS);
    }
}
