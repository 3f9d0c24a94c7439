//! The hashes of an extent: one for each 64 KiB group and the root, which is blake3 of the content.
//! They are made while the bytes come in. Owns no state.
//!
//! A group is a subtree of blake3's own tree, so each byte is hashed once and the root proves the
//! list of groups (the BLAKE3 paper, section 2.1).

mod hasher;
#[cfg(test)]
mod tests;

pub use hasher::ExtentHasher;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

/// The bytes that have one hash.
pub const GROUP_BYTES: u64 = 64 << 10;

/// The most bytes that one message carries, and that a client's reader or writer hands over.
pub const PIECE_BYTES: usize = 256 << 10;

/// The hashes of a whole extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtentHashes {
    length: u64,
    root: [u8; 32],
    groups: Vec<[u8; 32]>,
}

/// Bytes that are not those that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes from {offset} on are not those that were written")]
pub struct BadGroup {
    /// Where the group begins.
    pub offset: u64,
}

impl ExtentHashes {
    /// The hashes of a list that was kept or sent; nothing if it has another number of groups than
    /// the length needs.
    #[must_use]
    pub fn from_groups(length: u64, groups: Vec<[u8; 32]>) -> Option<Self> {
        let fits = groups.len() as u64 == length.div_ceil(GROUP_BYTES).max(1);
        fits.then(|| ExtentHashes { length, root: root(&groups), groups })
    }

    /// All bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// blake3 of all bytes.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    /// The hash of each group.
    #[must_use]
    pub fn groups(&self) -> &[[u8; 32]] {
        &self.groups
    }

    /// The groups that have these bytes, as a range of the content: what to read to verify them.
    #[must_use]
    pub fn around(&self, offset: u64, bytes: u64) -> std::ops::Range<u64> {
        let end = offset.saturating_add(bytes).min(self.length);
        let start = offset.min(end) / GROUP_BYTES * GROUP_BYTES;
        start..end.div_ceil(GROUP_BYTES).saturating_mul(GROUP_BYTES).min(self.length)
    }

    /// Compares whole groups, the first of which begins at `offset`.
    ///
    /// # Errors
    /// At the first group that differs, is cut off, or is none.
    pub fn verify(&self, offset: u64, bytes: &[u8]) -> Result<(), BadGroup> {
        let mut at = offset;
        #[allow(clippy::cast_possible_truncation, reason = "a group is small")]
        for group in bytes.chunks(GROUP_BYTES as usize) {
            let whole = (self.length.saturating_sub(at)).min(GROUP_BYTES) == group.len() as u64;
            let known = usize::try_from(at / GROUP_BYTES).ok().and_then(|i| self.groups.get(i));
            let begins = at.is_multiple_of(GROUP_BYTES);
            if !whole || !begins || known != Some(&hash(at, group, self.groups.len() == 1)) {
                return Err(BadGroup { offset: at });
            }
            at += group.len() as u64;
        }
        Ok(())
    }
}

/// The hash of a group. The only one of an extent is its root.
fn hash(offset: u64, bytes: &[u8], only: bool) -> [u8; 32] {
    if only {
        return *blake3::hash(bytes).as_bytes();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset);
    hasher.update(bytes).finalize_non_root()
}

fn root(groups: &[[u8; 32]]) -> [u8; 32] {
    match groups {
        [] => *blake3::hash(&[]).as_bytes(),
        [only] => *only,
        _ => {
            let (left, right) = halves(groups);
            *merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes()
        }
    }
}

fn subtree(groups: &[[u8; 32]]) -> [u8; 32] {
    if let [only] = groups {
        return *only;
    }
    let (left, right) = halves(groups);
    merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
}

/// The left half is the largest power of two that leaves something on the right.
fn halves(groups: &[[u8; 32]]) -> (&[[u8; 32]], &[[u8; 32]]) {
    groups.split_at(groups.len().div_ceil(2).next_power_of_two())
}
