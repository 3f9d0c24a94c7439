//! How a world is built: drawn from its seed. Plain values.

use memberd_files::store::StoreMutant;
use memberd_files::{
    ExtentMutant, ExtentSettings, KeeperMutant, KeeperSettings, MemberOfView, MemberSettings,
    ShareKeepers,
};
use rand::RngExt;
use rand::rngs::SmallRng;

/// A rule that is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    None,
    TwoCopies,
    RetrySync,
    PlaceByOwnList,
    NoFence,
}

/// A world's size and settings.
pub struct Setup {
    pub seed: u64,
    pub machines: usize,
    pub zones: usize,
    /// How many keepers the share wants.
    pub keepers: usize,
    pub settings: MemberSettings,
    pub store_mutant: Option<StoreMutant>,
}

impl Setup {
    pub fn draw(seed: u64, mutant: Mutant, rng: &mut SmallRng) -> Setup {
        let extents = ExtentSettings {
            mutant: match mutant {
                Mutant::TwoCopies => Some(ExtentMutant::TwoCopies),
                Mutant::PlaceByOwnList => Some(ExtentMutant::PlaceByOwnList),
                _ => None,
            },
            ..ExtentSettings::default()
        };
        let keepers = KeeperSettings {
            log_bytes: if rng.random_bool(0.5) { 30_000 } else { 200_000 },
            mutant: match mutant {
                Mutant::NoFence => Some(KeeperMutant::NoFence),
                // What a coordinator counts, the primary counts again.
                Mutant::PlaceByOwnList => Some(KeeperMutant::CountNoCopies),
                _ => None,
            },
            ..KeeperSettings::default()
        };
        Setup {
            seed,
            machines: rng.random_range(4..8),
            zones: rng.random_range(0..4),
            // Of the seeds, one in four has a share with the most keepers.
            keepers: if seed % 4 == 1 { ShareKeepers::MOST } else { 3 },
            settings: MemberSettings { extents, keepers },
            store_mutant: (mutant == Mutant::RetrySync).then_some(StoreMutant::RetrySync),
        }
    }

    pub fn zone(&self, i: usize) -> Option<String> {
        (self.zones > 0).then(|| format!("z{}", i % self.zones.max(1)))
    }

    pub fn member(&self, i: usize) -> MemberOfView {
        MemberOfView { zone: self.zone(i) }
    }
}
