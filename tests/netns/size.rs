//! How much is tested: little by default, more by the environment.

use std::time::Duration;

/// Rounds of crashes in each fleet.
pub(crate) fn rounds() -> usize {
    from_environment("NETNS_ROUNDS", 4)
}

/// How long a fleet is watched.
pub(crate) fn span() -> Duration {
    Duration::from_secs(from_environment("NETNS_SECONDS", 30))
}

/// The size of the fleet at rest.
pub(crate) fn members_at_rest() -> u8 {
    from_environment("NETNS_MEMBERS", 30)
}

fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> T {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number that fits")))
}
