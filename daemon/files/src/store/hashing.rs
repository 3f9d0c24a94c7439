//! Hashes bytes while they come, all of them and each group of 64 KiB.

/// The bytes of a group, which is verified by itself.
pub const GROUP_BYTES: u64 = 64 << 10;

/// The hashes of what came so far. It keeps 32 bytes for 64 KiB.
#[derive(Debug, Default)]
pub(super) struct Hashing {
    whole: blake3::Hasher,
    group: blake3::Hasher,
    groups: Vec<[u8; 32]>,
    length: u64,
}

/// What was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) length: u64,
    pub(super) root: [u8; 32],
    pub(super) groups: Vec<[u8; 32]>,
}

impl Hashing {
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        while !bytes.is_empty() {
            let room = usize::try_from(GROUP_BYTES - self.length % GROUP_BYTES);
            let take = room.unwrap_or(usize::MAX).min(bytes.len());
            let (now, rest) = bytes.split_at(take);
            self.group.update(now);
            self.length += take as u64;
            if self.length.is_multiple_of(GROUP_BYTES) {
                self.groups.push(self.group.finalize().into());
                self.group.reset();
            }
            bytes = rest;
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn finish(&self) -> Hashed {
        let mut groups = self.groups.clone();
        if !self.length.is_multiple_of(GROUP_BYTES) {
            groups.push(self.group.finalize().into());
        }
        Hashed { length: self.length, root: self.whole.finalize().into(), groups }
    }
}

impl Hashed {
    /// Where the groups begin and end that have a byte of a range.
    pub(super) fn around(&self, offset: u64, bytes: u64) -> (u64, u64) {
        let begin = offset / GROUP_BYTES * GROUP_BYTES;
        let end = offset.saturating_add(bytes).div_ceil(GROUP_BYTES).saturating_mul(GROUP_BYTES);
        (begin.min(self.length), end.min(self.length))
    }

    /// Whether bytes that begin with a group are what they were. Returns the first that is not.
    pub(super) fn first_bad(&self, begin: u64, bytes: &[u8]) -> Option<u64> {
        let first = usize::try_from(begin / GROUP_BYTES).unwrap_or(usize::MAX);
        let size = usize::try_from(GROUP_BYTES).unwrap_or(usize::MAX);
        let bad = bytes.chunks(size).enumerate().find(|(number, group)| {
            let expected = self.groups.get(first.saturating_add(*number));
            expected != Some(blake3::hash(group).as_bytes())
        });
        bad.map(|(number, _)| begin + number as u64 * GROUP_BYTES)
    }
}
