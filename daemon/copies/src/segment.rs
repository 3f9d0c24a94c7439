//! The files of a stream: their names, and their bytes. It owns no state.
//!
//! Every file is a sequence of zstd frames, so `zstdcat` prints its text. What is not text is in
//! skippable frames (RFC 8878, 3.1.2), which begin with a magic number and their length.

pub(crate) mod head;
pub(crate) mod index;
pub(crate) mod names;
pub(crate) mod open_block;
pub(crate) mod recover;

use super::stream::StreamId;

/// The bytes of a skippable frame before its payload: its magic number, and how long the payload
/// is.
pub(crate) const SKIPPABLE_BYTES: usize = 8;

/// The most bytes that a zstd frame with `text_bytes` of text can have: `ZSTD_COMPRESSBOUND`, and
/// the headers of another encoder.
pub(crate) fn most_frame_bytes(text_bytes: u32) -> usize {
    let text_bytes = usize::try_from(text_bytes).unwrap_or(usize::MAX);
    text_bytes.saturating_add(text_bytes >> 8).saturating_add(1024)
}

/// The first `N` bytes of the blake3 hash of `bytes`.
pub(crate) fn digest<const N: usize>(bytes: &[u8]) -> [u8; N] {
    first(blake3::hash(bytes).as_bytes())
}

/// The same of bytes that belong to a stream, so that those of another one are not taken for them.
pub(crate) fn digest_of<const N: usize>(id: StreamId, bytes: &[u8]) -> [u8; N] {
    let mut hasher = blake3::Hasher::new();
    for number in [id.device, id.inode, id.begun_ms] {
        hasher.update(&number.to_le_bytes());
    }
    first(hasher.update(bytes).finalize().as_bytes())
}

/// Whether two hashes are the same. Fuzzing takes them for the same, to reach what is behind.
#[allow(unexpected_cfgs, reason = "daemon/fuzz/run sets it")]
pub(crate) fn is_same(hash: &[u8], other: &[u8]) -> bool {
    hash == other || cfg!(fuzzing)
}

fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut digest = [0; N];
    for (to, from) in digest.iter_mut().zip(hash) {
        *to = *from;
    }
    digest
}

/// Reads numbers, little endian, one after the other.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(crate) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (slice, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(slice)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_le_bytes)
    }
}
