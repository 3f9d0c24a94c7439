//! Digests of lists: an order-independent hash and count of the alive.

/// A hash and count of the live members. Equal lists have equal digests, in any order of learning
/// them.
///
/// Of two lists that differ, one pair in 2^32 has the same hash by chance, and the difference goes
/// unseen until either changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// How many members are alive.
    pub count: u32,
    /// The sum of their fingerprints, modulo 2^32.
    pub hash: u32,
}

impl Digest {
    pub(crate) fn add(&mut self, fingerprint: u32) {
        self.count += 1;
        self.hash = self.hash.wrapping_add(fingerprint);
    }

    pub(crate) fn remove(&mut self, fingerprint: u32) {
        self.count -= 1;
        self.hash = self.hash.wrapping_sub(fingerprint);
    }
}
