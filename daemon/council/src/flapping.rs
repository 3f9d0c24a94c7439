//! Members that fail again and again: [`Flaps`] says how long they must be up before a view has
//! them.

use crate::time::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long a failure counts.
const MEMORY: Duration = Duration::from_secs(600);
/// The most failures that are remembered of one member: enough for the longest delay.
const MAX_FAILURES: usize = 9;
/// The delay after the second failure. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(10);
/// The longest delay.
const MAX_DELAY: Duration = Duration::from_secs(600);

/// When members failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flaps {
    failures: BTreeMap<Name, VecDeque<BootTime>>,
}

impl Flaps {
    /// A member has failed.
    pub(crate) fn on_failure(&mut self, name: &Name, now: BootTime) {
        self.failures.retain(|_, times| times.back().is_some_and(|at| now.since(*at) < MEMORY));
        let times = self.failures.entry(name.clone()).or_default();
        if times.len() == MAX_FAILURES {
            times.pop_front();
        }
        times.push_back(now);
    }

    /// How long it must be up. One failure in ten minutes costs nothing: a machine that crashed, or
    /// came back from the other side of a partition, is a member again at once.
    pub(crate) fn delay(&self, name: &Name, now: BootTime) -> Duration {
        let times = self.failures.get(name);
        let recent =
            times.map_or(0, |times| times.iter().filter(|at| now.since(**at) < MEMORY).count());
        match u32::try_from(recent).unwrap_or(u32::MAX).checked_sub(2) {
            None => Duration::ZERO,
            Some(more) => FIRST_DELAY.saturating_mul(1 << more.min(16)).min(MAX_DELAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_after_the_first_doubles_the_delay() {
        let (mut flaps, name) = (Flaps::default(), Name::new("vm1").unwrap());
        let at = |seconds| BootTime::from_epoch(Duration::from_secs(seconds));
        let mut delays = Vec::new();
        for second in 0..9 {
            flaps.on_failure(&name, at(second));
            delays.push(flaps.delay(&name, at(second)).as_secs());
        }
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(flaps.delay(&name, at(700)), Duration::ZERO);
    }
}
