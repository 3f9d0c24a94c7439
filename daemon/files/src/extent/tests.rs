//! The hashes against blake3 itself.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test's numbers")]

use super::{ExtentHasher, ExtentHashes, GROUP_BYTES};
use proptest::prelude::*;

fn content(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|i| (i as u8).wrapping_mul(31) ^ (i >> 8) as u8 ^ seed).collect()
}

fn hashes(bytes: &[u8], piece: usize) -> ExtentHashes {
    let mut hasher = ExtentHasher::new();
    bytes.chunks(piece.max(1)).for_each(|piece| hasher.update(piece));
    assert_eq!(hasher.length(), bytes.len() as u64);
    hasher.finish()
}

/// The root is blake3 of the content at every number of groups, also of none and of whole ones.
#[test]
fn the_root_is_blake3_of_the_content() {
    let group = GROUP_BYTES as usize;
    let around = |groups: usize| [groups * group, groups * group + 1, groups * group + group - 1];
    for length in (0..10).flat_map(around) {
        let bytes = content(length, 7);
        let hashes = hashes(&bytes, 100_000);
        assert_eq!(hashes.root(), *blake3::hash(&bytes).as_bytes(), "{length} bytes");
        let again = ExtentHashes::from_groups(length as u64, hashes.groups().to_vec());
        assert_eq!(again, Some(hashes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any range is verified by the groups around it, and one changed bit in them is found.
    #[test]
    fn a_changed_bit_is_found(
        length in 1usize..400_000, piece in 1usize..300_000, at: prop::sample::Index,
        offset: prop::sample::Index, span in 1u64..200_000,
    ) {
        let mut bytes = content(length, 3);
        let hashes = hashes(&bytes, piece);
        let around = hashes.around(offset.index(length) as u64, span);
        let range = around.start as usize..around.end as usize;
        prop_assert_eq!(hashes.verify(around.start, &bytes[range.clone()]), Ok(()));
        let changed = range.start + at.index(range.len());
        bytes[changed] ^= 0x10;
        let bad = hashes.verify(around.start, &bytes[range]).unwrap_err();
        prop_assert_eq!(bad.offset, changed as u64 / GROUP_BYTES * GROUP_BYTES);
    }

    /// A list with a group too few or too many is none, and a changed one has another root.
    #[test]
    fn a_changed_list_is_found(length in 70_000usize..300_000, which: prop::sample::Index) {
        let hashes = hashes(&content(length, 1), 65_536);
        let mut groups = hashes.groups().to_vec();
        let which = which.index(groups.len());
        groups[which][0] ^= 1;
        let other = ExtentHashes::from_groups(length as u64, groups.clone()).unwrap();
        prop_assert_ne!(other.root(), hashes.root());
        groups.pop();
        prop_assert_eq!(ExtentHashes::from_groups(length as u64, groups), None);
    }
}
