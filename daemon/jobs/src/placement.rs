//! Which partition has a key, and which member has a stage. Owns no state.
//!
//! State outlives upgrades, so both hashes are pinned: the tests below have their values.

use crate::ids::{JobId, Partition, Stage};
use memberd_membership::Name;
use std::cmp::Reverse;

/// The most partitions of a job.
pub const MAX_PARTITIONS: u16 = 64;

/// The partition of a key's bytes. `partitions` is 1 to [`MAX_PARTITIONS`], and never changes
/// within a job.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u16) -> Partition {
    let mut hasher = blake3::Hasher::new_derive_key("memberd 2026-11-30 jobs partition of a key");
    hasher.update(key);
    let part = first(&hasher) % u64::from(partitions.max(1));
    Partition(u16::try_from(part).unwrap_or_default())
}

/// The members in the order in which a stage prefers them: rendezvous hashing (Thaler and
/// Ravishankar, 1998). Who joins takes over its own share of stages, and moves no others.
#[must_use]
pub fn rank<'a>(
    job: JobId,
    stage: Stage,
    members: impl IntoIterator<Item = &'a Name>,
) -> Vec<Name> {
    let mut ranked: Vec<_> =
        members.into_iter().map(|name| (Reverse(score(job, stage, name)), name.clone())).collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, name)| name).collect()
}

fn score(job: JobId, stage: Stage, name: &Name) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("memberd 2026-11-30 jobs owner of a stage");
    hasher.update(&job.0.to_le_bytes());
    let stage = match stage {
        Stage::Partition(partition) => u32::from(partition.0),
        Stage::Sink => u32::MAX,
    };
    hasher.update(&stage.to_le_bytes());
    hasher.update(name.as_str().as_bytes());
    first(&hasher)
}

fn first(hasher: &blake3::Hasher) -> u64 {
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_a_key_is_pinned() {
        let parts: Vec<u16> = (0..8_u8).map(|key| partition_of(&[key], 64).0).collect();
        assert_eq!(parts, [53, 41, 37, 16, 60, 54, 24, 29]);
    }

    #[test]
    fn the_owner_of_a_stage_is_pinned() {
        let names: Vec<Name> =
            (1..=5).map(|number| Name::new(&format!("vm{number}")).unwrap()).collect();
        let best = |part| rank(JobId(7), Stage::Partition(Partition(part)), &names)[0].clone();
        let owners: Vec<String> = (0..6).map(|part| best(part).to_string()).collect();
        assert_eq!(owners, ["vm2", "vm5", "vm2", "vm3", "vm4", "vm1"]);
    }

    #[test]
    fn a_member_that_joins_takes_only_its_own_share() {
        let all: Vec<Name> =
            (0..9).map(|number| Name::new(&format!("vm{number}")).unwrap()).collect();
        for part in 0..64 {
            let stage = Stage::Partition(Partition(part));
            let before = rank(JobId(1), stage, &all[..8]).remove(0);
            let after = rank(JobId(1), stage, &all).remove(0);
            assert!(after == before || after == all[8]);
        }
    }
}
