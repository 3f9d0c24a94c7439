//! Summaries of lists: bucketed hashes that tell where two lists differ.

use crate::identity::Identity;
use crate::list::List;

/// The most buckets of a [`Summary`].
pub(crate) const MAX_BUCKETS: usize = 256;

/// A list in brief: its members in buckets by the hash of their name and address, and for each
/// bucket the sum of its alive members' fingerprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// One sum a bucket, modulo 2^32. Their number is a power of two, at most [`MAX_BUCKETS`].
    pub buckets: Vec<u32>,
}

impl Summary {
    /// Sums a list up, with about four members a bucket.
    pub fn of(list: &List) -> Self {
        let buckets = (list.up() / 4).next_power_of_two().clamp(1, MAX_BUCKETS);
        Self::with_buckets(list, buckets)
    }

    /// Sums a list up in as many buckets as another summary has. The number must be a power of two.
    pub fn with_buckets(list: &List, buckets: usize) -> Self {
        let mut sums = vec![0u32; buckets];
        for entry in list.iter().filter(|entry| entry.is_reported_alive()) {
            if let Some(sum) = sums.get_mut(bucket(&entry.identity, buckets)) {
                *sum = sum.wrapping_add(entry.fingerprint());
            }
        }
        Summary { buckets: sums }
    }

    /// Which buckets differ between two summaries of the same number of buckets.
    pub fn differing(&self, other: &Summary) -> Vec<bool> {
        self.buckets.iter().zip(&other.buckets).map(|(ours, theirs)| ours != theirs).collect()
    }
}

/// The bucket of a member: by its name alone, so that both lists look for a machine in the same
/// place.
pub(crate) fn bucket(identity: &Identity, buckets: usize) -> usize {
    // FNV-1a; blake3 would be waste for a choice of bucket.
    let hash = identity.name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mask = u64::try_from(buckets.saturating_sub(1)).unwrap_or_default();
    usize::try_from((hash >> 16) & mask).unwrap_or_default()
}
