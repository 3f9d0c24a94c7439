//! Names the streams of a source: a stream is a file under any name, from its beginning to its
//! truncation or its end.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How many bytes at the beginning of a file are compared to recognise it.
pub const FINGERPRINT_BYTES: usize = 1024;

/// A stream of a source. Inodes are used again, and a file may be truncated: then another stream
/// begins, with a later `begun_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId {
    /// The device of the file at the source (`st_dev`).
    pub device: u64,
    /// The inode of the file at the source (`st_ino`).
    pub inode: u64,
    /// When the source began to send it, in milliseconds since the Unix epoch. Unique for this
    /// device and inode.
    pub begun_ms: u64,
}

/// The beginning of a file, by which it is recognised after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many bytes were compared: at most [`FINGERPRINT_BYTES`], less for a shorter file.
    pub bytes: u16,
    /// The first half of their blake3 hash.
    #[serde(with = "crate::bytes::array")]
    pub hash: [u8; 16],
}

impl Fingerprint {
    /// The fingerprint of a file that begins with `head`. Only the first [`FINGERPRINT_BYTES`] are
    /// taken.
    pub fn of(head: &[u8]) -> Fingerprint {
        let head = head.get(..FINGERPRINT_BYTES).unwrap_or(head);
        let mut hash = [0; 16];
        for (to, from) in hash.iter_mut().zip(blake3::hash(head).as_bytes()) {
            *to = *from;
        }
        Fingerprint { bytes: u16::try_from(head.len()).unwrap_or(u16::MAX), hash }
    }

    /// Whether a file that begins with `head` is the one of which this was taken.
    pub fn is_of(&self, head: &[u8]) -> bool {
        head.get(..usize::from(self.bytes)).is_some_and(|head| Fingerprint::of(head) == *self)
    }
}

/// Where a stream takes the place of an earlier one of the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joint {
    /// The earlier stream.
    pub stream: StreamId,
    /// Up to where the file has what is kept of it, in bytes. What is kept beyond is not in the
    /// file any more, or comes again.
    pub at: u64,
}

/// What a source says of a stream. A later one replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// The stream.
    pub id: StreamId,
    /// The beginning of the file.
    pub fingerprint: Fingerprint,
    /// Its path at the source now, absolute.
    #[serde(with = "crate::bytes::path")]
    pub path: PathBuf,
    /// The path of the file that it was rotated away from, or its own.
    #[serde(with = "crate::bytes::path")]
    pub origin: PathBuf,
    /// Whether a search of the source that does not ask for rotated files finds it under `path`.
    /// It does not find files that were rotated away, deleted or truncated.
    #[serde(default)]
    pub listed: bool,
    /// Whether the source offers it to searches now. What is not offered is kept until its time is
    /// over, and not searched.
    pub offered: bool,
    /// When it was last written, in milliseconds since the Unix epoch: times without a year are
    /// read by it.
    pub modified_ms: i64,
    /// The time zone of the source, in which times without one are read: an IANA name, or empty for
    /// UTC.
    pub zone: String,
    /// How many bytes at its end the source could not send: the file was truncated or deleted
    /// before it was read.
    #[serde(default)]
    pub lost_bytes: u64,
    /// The stream that it continues, if its copy cannot go on: it is damaged, or the file has lost
    /// its end. It begins there, and searches read both as one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<Joint>,
}
