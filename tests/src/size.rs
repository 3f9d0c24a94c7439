//! The amount of work in tests and measurements. Each has a default, and the environment gives
//! another.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// `NETNS_ROUNDS`: rounds of crashes in each fleet.
///
/// # Panics
/// When that is not a number, as the others.
pub fn rounds(default: usize) -> usize {
    from_environment("NETNS_ROUNDS", default)
}

/// `NETNS_SECONDS`: how long a fleet is watched.
pub fn span(default: u64) -> Duration {
    Duration::from_secs(from_environment("NETNS_SECONDS", default))
}

/// `NETNS_MEMBERS`: the size of the fleet at rest.
pub fn members_at_rest(default: u8) -> u8 {
    from_environment("NETNS_MEMBERS", default)
}

/// `FLOOD_SECONDS`: how long a member is flooded.
pub fn flood(default: u64) -> Duration {
    Duration::from_secs(from_environment("FLOOD_SECONDS", default))
}

/// `SOAK_SECONDS`: how long a fleet is put through everything.
pub fn soak(default: u64) -> Duration {
    Duration::from_secs(from_environment("SOAK_SECONDS", default))
}

/// `STORM_SECONDS`: how long copies of logs go through a storm.
pub fn storm(default: u64) -> Duration {
    Duration::from_secs(from_environment("STORM_SECONDS", default))
}

/// `STORMS`: how many storms there are, each with a seed of its own.
pub fn storms(default: usize) -> usize {
    from_environment("STORMS", default)
}

/// `SEED`: the seed of all random choices. Without it each run has a new one.
pub fn seed() -> u64 {
    from_environment("SEED", RandomState::new().hash_one(0) % 1_000_000)
}

/// `KILLS`: how many times a daemon is killed at a random moment.
pub fn kills(default: u32) -> u32 {
    from_environment("KILLS", default)
}

/// `FAULTS`: how many times something becomes of a leader's machine.
pub fn faults(default: usize) -> usize {
    from_environment("FAULTS", default)
}

fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> T {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number that fits"))
    })
}
