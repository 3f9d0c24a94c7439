//! What a source and a keeper say to each other about copies, over a connection that the source
//! opens and keeps. Each message is one CBOR value in a frame. A source is known by its
//! connection, so its name comes only once.

use super::block::{Block, MAX_BLOCK_BYTES};
use super::standing::Standing;
use super::store::Refused;
use super::stream::{StreamHead, StreamId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of these messages, which the request that begins a connection says.
pub const VERSION: u8 = 1;

/// The most bytes of blocks that a source sends to a keeper before it must wait for
/// [`FromKeeper::Kept`].
pub const WINDOW_BYTES: usize = 2 * 1024 * 1024;

/// How many blocks these may be at most.
pub const WINDOW_BLOCKS: usize = 1024;

/// The longest message to a keeper, in bytes: a block that does not compress, and its head.
pub const TO_KEEPER_CAP: usize = MAX_BLOCK_BYTES + 64 * 1024;

/// The longest message from a keeper, in bytes: standings with the longest paths.
pub const FROM_KEEPER_CAP: usize = STANDINGS_IN_ONE * 10 * 1024;

/// How many standings one message has at most.
pub const STANDINGS_IN_ONE: usize = 48;

/// What a source says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToKeeper {
    /// First: which copies are there? [`FromKeeper::Standings`] answers.
    Begin {
        /// The name of the source.
        source: String,
    },
    /// Before the first block of a stream, and when anything in it changes.
    Head(Box<StreamHead>),
    /// The next block of a stream.
    Block(Block),
    /// This much is there and not sent, since the keeper, the network or the source is too slow.
    /// It comes at most once a second, and with 0 once all is sent again. A keeper that was last
    /// told 0 has all but what was written since the source looked at its files. One that was told
    /// nothing does not know.
    Behind {
        /// How many bytes of text.
        bytes: u64,
        /// How long the looks of the source at its files are apart, in milliseconds: 1,000 if it
        /// does not say so.
        #[serde(default = "usual_pause_ms")]
        every_ms: u32,
    },
}

/// How long the looks of a source at its files are apart, where that is not much work.
fn usual_pause_ms() -> u32 {
    1_000
}

/// What a keeper says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromKeeper {
    /// The copies of the source's streams, durable as they are.
    Standings {
        /// At most [`STANDINGS_IN_ONE`] of them.
        standings: Vec<Standing>,
        /// Whether more of them follow.
        more: bool,
    },
    /// These became durable.
    Kept(Vec<Kept>),
    /// A head or a block was not taken, nor will later blocks of this stream be.
    Refused {
        /// The stream.
        stream: StreamId,
        /// Why.
        reason: Refused,
    },
    /// Nothing is taken any more, and the connection ends: the source chooses another keeper.
    Stopped {
        /// For the log: one line.
        reason: String,
    },
}

/// A stream became durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The stream.
    pub stream: StreamId,
    /// Up to where, in bytes of the file.
    pub end: u64,
}

/// A message cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It cannot be encoded. Encoding to memory does not fail in practice.
    #[error("a message about copies cannot be encoded: {0}")]
    Encode(String),
    /// It is none of this version.
    #[error("a message about copies cannot be read: {0}")]
    Decode(String),
    /// Bytes follow it.
    #[error("{0} bytes follow a message about copies")]
    Trailing(usize),
}

/// The body of a frame with this message.
///
/// # Errors
/// When it cannot be encoded.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes)
        .map_err(|error| WireError::Encode(error.to_string()))?;
    Ok(bytes)
}

/// The message in the body of a frame, which its reader has bounded.
///
/// # Errors
/// When it is none, or has more behind it.
pub fn decode<M: DeserializeOwned>(mut body: &[u8]) -> Result<M, WireError> {
    let message =
        ciborium::from_reader(&mut body).map_err(|error| WireError::Decode(error.to_string()))?;
    if body.is_empty() { Ok(message) } else { Err(WireError::Trailing(body.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockHead;
    use crate::standing::MOST_MARKS;
    use crate::stream::{Fingerprint, Joint};
    use std::path::PathBuf;

    const STREAM: StreamId = StreamId { device: u64::MAX, inode: u64::MAX, begun_ms: u64::MAX };

    fn head() -> StreamHead {
        let path = PathBuf::from(format!("/{}", "p".repeat(4_095)));
        StreamHead {
            id: STREAM,
            fingerprint: Fingerprint::of(b"x"),
            origin: path.clone(),
            path,
            listed: true,
            offered: true,
            lost_bytes: u64::MAX,
            continues: Some(Joint { stream: STREAM, at: u64::MAX }),
            modified_ms: i64::MAX,
            zone: "Antarctica/DumontDUrville".to_owned(),
        }
    }

    fn block_head() -> BlockHead {
        BlockHead {
            stream: STREAM,
            offset: u64::MAX,
            text_bytes: u32::MAX,
            hash: [255; 32],
            read_ms: u64::MAX,
        }
    }

    #[test]
    fn the_longest_messages_are_within_their_caps() {
        // zstd needs 8 bytes more for each 256 KiB, and a header: ZSTD_compressBound.
        let frame = vec![7; MAX_BLOCK_BYTES + MAX_BLOCK_BYTES / 256];
        let block = ToKeeper::Block(Block { head: block_head(), frame });
        let bytes = encode(&block).unwrap();
        assert!(bytes.len() <= TO_KEEPER_CAP, "{}", bytes.len());
        assert_eq!(decode::<ToKeeper>(&bytes).unwrap(), block);
        let standing = Standing {
            head: head(),
            begin: u64::MAX,
            end: u64::MAX,
            dropped_bytes: u64::MAX,
            last: Some(block_head()),
            marks: vec![block_head().into(); MOST_MARKS],
            is_damaged: true,
        };
        let standings =
            FromKeeper::Standings { standings: vec![standing; STANDINGS_IN_ONE], more: true };
        let bytes = encode(&standings).unwrap();
        assert!(bytes.len() <= FROM_KEEPER_CAP, "{}", bytes.len());
        assert_eq!(decode::<FromKeeper>(&bytes).unwrap(), standings);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let good = encode(&ToKeeper::Behind { bytes: 7, every_ms: 1_000 }).unwrap();
        assert!(decode::<ToKeeper>(&good[..good.len() - 1]).is_err());
        assert!(matches!(
            decode::<ToKeeper>(&[&good[..], &[0]].concat()),
            Err(WireError::Trailing(1))
        ));
        assert!(decode::<FromKeeper>(&good).is_err());
    }
}
