//! Digests of lists: an order-independent hash and count of the live members. A digest is a plain
//! value.

/// A hash and count of the live members. Equal lists have equal digests, in any order of learning
/// them.
///
/// One pair of different lists in 2^32 has the same hash by chance. The difference then stays
/// unseen until either list changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// The number of live members.
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
