//! Hashes an extent while its bytes come in. Owns the groups so far.

use super::{ExtentHashes, GROUP_BYTES, root};
use blake3::hazmat::HasherExt;

/// Takes an extent's bytes in their order, in pieces of any size.
#[derive(Debug, Clone)]
pub struct ExtentHasher {
    length: u64,
    groups: Vec<[u8; 32]>,
    /// The group that is not whole, or not known to be followed by another.
    open: blake3::Hasher,
    open_bytes: u64,
}

impl Default for ExtentHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl ExtentHasher {
    /// The hasher of no byte.
    #[must_use]
    pub fn new() -> Self {
        ExtentHasher { length: 0, groups: Vec::new(), open: blake3::Hasher::new(), open_bytes: 0 }
    }

    /// The bytes so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.open_bytes == GROUP_BYTES {
                self.groups.push(self.open.finalize_non_root());
                // A reset hasher would keep its offset in parts.
                self.open = blake3::Hasher::new();
                self.open.set_input_offset(self.length);
                self.open_bytes = 0;
            }
            let room = usize::try_from(GROUP_BYTES - self.open_bytes).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.open.update(now);
            self.open_bytes += now.len() as u64;
            self.length += now.len() as u64;
            bytes = later;
        }
    }

    /// The hashes of all that came.
    #[must_use]
    pub fn finish(mut self) -> ExtentHashes {
        let last = if self.groups.is_empty() {
            *self.open.finalize().as_bytes()
        } else {
            self.open.finalize_non_root()
        };
        self.groups.push(last);
        ExtentHashes { length: self.length, root: root(&self.groups), groups: self.groups }
    }
}
