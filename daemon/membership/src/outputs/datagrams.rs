//! Owns the datagrams that wait to be sent, one after the other in one buffer. The buffer is kept,
//! so that a member at rest allocates nothing.

use super::Transmit;
use crate::message::{Body, Message};
use crate::wire;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// The capacity that is kept after the queue has been drained. It is many times what a member at
/// rest needs.
const KEPT: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    bytes: Vec<u8>,
    /// The number of bytes that were taken.
    taken: usize,
    /// The length of each datagram.
    waiting: VecDeque<(Transmit, usize)>,
}

impl Datagrams {
    /// Adds a datagram, and returns its length.
    pub(crate) fn add(&mut self, to: SocketAddr, message: &Message) -> usize {
        let begin = self.bytes.len();
        wire::encode(message, &mut self.bytes);
        let length = self.bytes.len() - begin;
        let is_announce = matches!(message.body, Body::Announce { .. });
        self.waiting.push_back((Transmit { to, kind: message.body.kind(), is_announce }, length));
        length
    }

    /// Drops all waiting datagrams.
    pub(crate) fn clear(&mut self) {
        *self = Datagrams::default();
    }

    /// Takes the oldest datagram. Its bytes replace those in `payload`.
    pub(crate) fn take(&mut self, payload: &mut Vec<u8>) -> Option<Transmit> {
        payload.clear();
        let (transmit, length) = self.waiting.pop_front()?;
        payload.extend(self.bytes.iter().skip(self.taken).take(length));
        self.taken += length;
        if self.waiting.is_empty() {
            self.taken = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
            self.waiting.shrink_to(KEPT / size_of::<(Transmit, usize)>());
        }
        Some(transmit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::peer_clock::SentAt;
    use crate::gossip::anti_entropy::digest::Digest;
    use crate::identity::Incarnation;
    use crate::time::WallTime;

    fn message(number: u64) -> Message {
        Message {
            incarnation: Incarnation(number),
            sent: SentAt { mono: number, wall: WallTime(number) },
            body: Body::Leave,
        }
    }

    #[test]
    fn what_is_added_is_taken_in_turn_and_little_room_is_kept() {
        let (mut outbox, mut payload) = (Datagrams::default(), b"of before".to_vec());
        for round in 0..3 {
            for number in 0..1_000 {
                let length = outbox.add(SocketAddr::from(([192, 0, 2, 1], 1)), &message(number));
                assert!((6..20).contains(&length));
            }
            for number in 0..1_000 {
                let transmit = outbox.take(&mut payload).unwrap();
                assert_eq!((transmit.to.port(), transmit.kind), (1, "leave"));
                assert_eq!(wire::decode(&payload), Ok(message(number)), "in round {round}");
            }
            assert_eq!(outbox.take(&mut payload), None);
            assert!(payload.is_empty());
            assert!(outbox.bytes.capacity() <= KEPT);
        }
    }

    /// The owner of the node seals an announce in another way than all other datagrams.
    #[test]
    fn only_an_announce_is_marked_as_one() {
        let (mut outbox, mut payload) = (Datagrams::default(), Vec::new());
        let (to, side) = (SocketAddr::from(([192, 0, 2, 1], 1)), Digest::default());
        let body = Body::Announce { name: crate::testing::name(1), settings: 3, side };
        outbox.add(to, &message(1));
        outbox.add(to, &Message { body, ..message(2) });
        let marks = [(); 2].map(|()| outbox.take(&mut payload).unwrap().is_announce);
        assert_eq!(marks, [false, true]);
    }
}
