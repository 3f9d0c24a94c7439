//! Digests of lists: an order-independent hash and count of the alive.

/// A hash and count of the members that are alive; equal lists have equal digests, whatever the order they were learned in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// How many members are alive.
    pub count: u32,
    /// The sum of their fingerprints, modulo 2^64.
    pub hash: u64,
}

impl Digest {
    pub(crate) fn add(&mut self, fingerprint: u64) {
        self.count += 1;
        self.hash = self.hash.wrapping_add(fingerprint);
    }

    pub(crate) fn remove(&mut self, fingerprint: u64) {
        self.count -= 1;
        self.hash = self.hash.wrapping_sub(fingerprint);
    }
}
