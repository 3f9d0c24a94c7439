//! What keepers of one share say to each other: [`Message`], and its bytes.

use crate::catalog::{Ballot, Entry, Position};
use crate::forms;
use crate::ids::Epoch;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// A message between keepers of one share. Who sent it is known from its connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which share of its name: the number of the view that added it.
    pub added: Epoch,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// A keeper of this view says what it has, so that the first whole one claims.
    Standing {
        /// The view's number.
        epoch: Epoch,
        /// What it has.
        report: Report,
    },
    /// A keeper wants to be primary.
    Claim {
        /// The ballot of its reign.
        ballot: Ballot,
    },
    /// The sender promises to take nothing of older ballots.
    Promise {
        /// The claim's ballot.
        ballot: Ballot,
        /// What it has.
        report: Report,
    },
    /// The sender has promised more.
    Refuse {
        /// Its promise.
        promised: Ballot,
    },
    /// The claimant wants the entries of a longer log.
    Fetch {
        /// The claim's ballot.
        ballot: Ballot,
        /// Positions in its own log, the best one first: at most 4.
        #[serde(deserialize_with = "positions")]
        after: Vec<Position>,
    },
    /// The entries.
    Fetched {
        /// The claim's ballot.
        ballot: Ballot,
        /// Which of the positions it has; nothing: none, and an image is needed.
        base: Option<Position>,
        /// The entries after it, or the first of them.
        #[serde(with = "entries")]
        entries: Vec<Arc<Entry>>,
        /// The end of the log.
        end: Position,
    },
    /// The primary's entries.
    Append {
        /// Its ballot.
        ballot: Ballot,
        /// The position before them.
        base: Position,
        /// They.
        #[serde(with = "entries")]
        entries: Vec<Arc<Entry>>,
        /// While it brings the log of the receiver level: where that ends.
        level: Option<Level>,
        /// Up to which index all keepers have the log.
        committed: u64,
    },
    /// What the sender has durably.
    Acked {
        /// The ballot.
        ballot: Ballot,
        /// The end of its log.
        end: u64,
        /// Whether it was brought level under the ballot.
        is_level: bool,
        /// Whether it has the whole catalog.
        is_whole: bool,
    },
    /// Entries do not follow what the sender has.
    Gap {
        /// The ballot.
        ballot: Ballot,
        /// What it has.
        report: Report,
    },
    /// The primary asks whether it is heard.
    Beacon {
        /// Its ballot.
        ballot: Ballot,
        /// Which beacon.
        sequence: u64,
        /// Up to which index all keepers have the log.
        committed: u64,
    },
    /// It is heard.
    Heard {
        /// The ballot.
        ballot: Ballot,
        /// Which beacon.
        sequence: u64,
    },
    /// The sender needs an image.
    WantImage {
        /// The ballot that it promised last.
        ballot: Ballot,
        /// A position that all keepers had. The image is of there or later.
        covering: Position,
        /// Of which image it has the begin.
        at: Option<Position>,
        /// How many bytes it has.
        offset: u64,
    },
    /// A piece of an image.
    ImagePiece {
        /// Which image.
        at: Position,
        /// Its first byte's place.
        offset: u64,
        /// The length of the whole.
        total: u64,
        /// blake3 of the whole.
        #[serde(with = "forms::hash")]
        hash: [u8; 32],
        /// At most 256 KiB.
        #[serde(with = "forms::bytes")]
        bytes: Vec<u8>,
    },
    /// A member that is a keeper no more offers what it has.
    Offer {
        /// What it has.
        report: Report,
    },
    /// The keepers of this view are whole: the sender of the offer may forget its own.
    Release {
        /// The view's number.
        epoch: Epoch,
    },
}

/// Until where a log is brought level, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Its end.
    pub end: Position,
    /// Whether the receiver begins anew: its log does not fit.
    pub restart: bool,
}

/// What a keeper has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The newest ballot under which its log was brought level.
    pub level: Ballot,
    /// The position before its first entry.
    pub before: Position,
    /// Up to which index it knows that all keepers had the log.
    pub committed: u64,
    /// The end of its log.
    pub end: Position,
    /// Whether it has the whole catalog.
    pub is_whole: bool,
    /// How long the lease of a former primary may last, in milliseconds.
    pub lease_left_ms: u32,
}

impl Message {
    /// The longest message, in bytes.
    pub const MAX_BYTES: usize = 4 << 20;
    /// The most bytes of entries in one, by their weight.
    pub(crate) const MAX_ENTRIES_BYTES: usize = 512 << 10;
    /// The most bytes of a piece of an image.
    pub(crate) const MAX_PIECE: usize = forms::bytes::MAX;

    /// The bytes of the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        forms::encode(self)
    }

    /// Reads a message; nothing if the bytes are none, or exceed a bound.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Message> {
        if bytes.len() > Self::MAX_BYTES { None } else { forms::decode(bytes) }
    }
}

fn positions<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Position>, D::Error> {
    forms::bounded::<_, _, 4>(from)
}

mod entries {
    use super::{Arc, Deserializer, Entry, Serialize, Serializer, forms};
    use serde::de::Error;

    /// The most entries of one message.
    const MAX: usize = 1 << 14;

    pub(super) fn serialize<S: Serializer>(
        entries: &[Arc<Entry>],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        entries.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Arc<Entry>>, D::Error> {
        let entries: Vec<Arc<Entry>> = forms::bounded::<_, _, MAX>(from)?;
        let follow = entries
            .windows(2)
            .all(|two| two[0].position.index.checked_add(1) == Some(two[1].position.index));
        if follow && entries.iter().all(|entry| entry.mutation.fits()) {
            Ok(entries)
        } else {
            Err(D::Error::custom("an entry exceeds a bound, or does not follow the one before"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Mutation;
    use crate::ids::{InodeId, OperationId};

    fn entry(index: u64) -> Arc<Entry> {
        let ballot = Ballot { epoch: Epoch(2), session: 8 };
        Arc::new(Entry {
            position: Position { ballot, index },
            time_ms: 1,
            wall_ms: 2,
            operation: OperationId(u128::MAX),
            mutation: Mutation::OpenTail {
                inode: InodeId(2),
                tail: crate::ids::ExtentId(3),
                members: vec![memberd_membership::Name::new("a").unwrap()],
            },
        })
    }

    fn append(indices: &[u64]) -> Message {
        let entries = indices.iter().map(|index| entry(*index)).collect();
        let ballot = Ballot { epoch: Epoch(2), session: 8 };
        let base = Position { ballot, index: 4 };
        let level = Some(Level { end: base, restart: true });
        let body = Body::Append { ballot, base, entries, level, committed: 4 };
        Message { added: Epoch(1), body }
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let message = append(&[5, 6, 7]);
        assert_eq!(Message::decode(&message.encode()), Some(message.clone()));
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Message::decode(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn a_message_out_of_bounds_is_refused() {
        assert_eq!(Message::decode(&append(&[5, 7]).encode()), None, "a gap");
        let fetch = |count| {
            let after = vec![Position::START; count];
            Message { added: Epoch(1), body: Body::Fetch { ballot: Ballot::NONE, after } }.encode()
        };
        assert!(Message::decode(&fetch(4)).is_some());
        assert_eq!(Message::decode(&fetch(5)), None);
        let piece = |length| {
            let (at, hash) = (Position::START, [0; 32]);
            let bytes = vec![0; length];
            let body = Body::ImagePiece { at, offset: 0, total: 1, hash, bytes };
            Message { added: Epoch(1), body }.encode()
        };
        assert!(Message::decode(&piece(Message::MAX_PIECE)).is_some());
        assert_eq!(Message::decode(&piece(Message::MAX_PIECE + 1)), None);
    }
}
