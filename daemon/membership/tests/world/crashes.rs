//! Crashes several members of a group, and measures how soon the others know. It owns no state.

use super::prelude::*;

/// Crashes, and how long the others have to know of them.
#[derive(Debug, Clone)]
pub struct Crashes {
    pub settings: Settings,
    pub size: usize,
    pub victims: Vec<usize>,
    /// How long after the group has formed.
    pub phase: Duration,
    /// The time from each crash to the next.
    pub spacing: Duration,
    pub seed: u64,
    /// Every list must be right then.
    pub every_list: Duration,
}

/// All subsets of at most `most` of `size` members that leave at least one alive.
pub fn subsets(size: usize, most: u32) -> Vec<Vec<usize>> {
    let chosen = |mask: &u32| (0..size).filter(|i| mask & (1 << i) != 0).collect::<Vec<usize>>();
    let masks = 1..1_u32 << size;
    masks
        .filter(|mask| mask.count_ones() <= most && (mask.count_ones() as usize) < size)
        .map(|mask| chosen(&mask))
        .collect()
}

impl Crashes {
    /// Runs them in a group at rest. Returns the times from each crash to the first and the last
    /// list.
    pub fn run(&self) -> Vec<(Duration, Duration)> {
        self.run_in(|_| ())
    }

    /// The same in a group that is prepared so.
    pub fn run_in(&self, prepare: impl FnOnce(&mut World)) -> Vec<(Duration, Duration)> {
        let mut world = World::formed(self.size, self.seed, self.settings.clone());
        prepare(&mut world);
        world.run_for(self.phase);
        let mut crashed = Vec::new();
        for victim in &self.victims {
            world.crash(*victim);
            crashed.push(world.now);
            world.run_for(self.spacing);
        }
        let survivors = world.all_but(&self.victims);
        world.run_until(self.every_list, &format!("{self:?}"), |world| {
            survivors.iter().all(|i| self.victims.iter().all(|victim| !world.holds_up(*i, *victim)))
        });
        let failures = world.failures_since(crashed[0]);
        let is_victim = |failed: &_| self.victims.iter().any(|victim| name(*victim) == *failed);
        assert!(failures.iter().all(|(.., failed)| is_victim(failed)), "{self:?}: {failures:?}");
        let of = |victim: usize, at: Duration| {
            let seen = failures
                .iter()
                .filter(|(_, by, failed)| survivors.contains(by) && *failed == name(victim));
            let times: Vec<Duration> = seen.map(|(seen, ..)| *seen - at).collect();
            (
                times.iter().min().copied().unwrap_or(Duration::MAX),
                times.iter().max().copied().unwrap_or(Duration::MAX),
            )
        };
        self.victims.iter().zip(crashed).map(|(victim, at)| of(*victim, at)).collect()
    }
}
