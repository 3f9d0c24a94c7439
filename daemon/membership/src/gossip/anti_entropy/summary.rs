//! Summaries of lists: bucketed hashes that show where two lists differ. A summary is a plain
//! value.

use crate::identity::Identity;
use crate::list::List;

/// The most buckets of a [`Summary`].
pub(crate) const MAX_BUCKETS: usize = 256;

/// A short form of a list. Its members are in buckets by the hash of their name, and each bucket
/// has the sum of its live members' fingerprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// One sum for each bucket, modulo 2^32. The number of buckets is a power of two, at most
    /// `MAX_BUCKETS`.
    pub buckets: Vec<u32>,
}

impl Summary {
    /// Summarizes a list, with about four members in each bucket.
    pub fn of(list: &List) -> Self {
        let buckets = (list.up() / 4).next_power_of_two().clamp(1, MAX_BUCKETS);
        Self::with_buckets(list, buckets)
    }

    /// Summarizes a list in this many buckets, as another summary has. The number must be a power
    /// of two.
    pub fn with_buckets(list: &List, buckets: usize) -> Self {
        let mut sums = vec![0u32; buckets];
        for entry in list.iter().filter(|entry| entry.is_alive_to_others()) {
            if let Some(sum) = sums.get_mut(bucket(&entry.identity, buckets)) {
                *sum = sum.wrapping_add(entry.fingerprint());
            }
        }
        Summary { buckets: sums }
    }

    /// The buckets that differ between two summaries of the same size.
    pub fn differing(&self, other: &Summary) -> Vec<bool> {
        self.buckets.iter().zip(&other.buckets).map(|(ours, theirs)| ours != theirs).collect()
    }
}

/// The bucket of a member. It depends on the name only, so that both lists have a machine in the
/// same bucket.
pub(crate) fn bucket(identity: &Identity, buckets: usize) -> usize {
    // FNV-1a is enough to choose a bucket; blake3 would be slower.
    let hash = identity.name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mask = u64::try_from(buckets.saturating_sub(1)).unwrap_or_default();
    usize::try_from((hash >> 16) & mask).unwrap_or_default()
}
