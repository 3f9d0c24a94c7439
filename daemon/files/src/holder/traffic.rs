//! A token bucket for the bytes of repair. Owns when the next may pass.

use crate::settings::ExtentSettings;
use memberd_council::BootTime;
use std::time::Duration;

/// A small extent counts as this much, so a million of them have a rate as well.
const LEAST: u64 = 64 << 10;
/// How much may pass at once after a rest.
const BURST: Duration = Duration::from_millis(50);

/// The generic cell rate algorithm (ITU-T I.371): what passes moves the moment of the next.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: u64,
    next: BootTime,
}

impl Bucket {
    pub(super) fn new(settings: &ExtentSettings, now: BootTime) -> Self {
        Bucket { rate: settings.repair_rate.max(1), next: now }
    }

    /// When something may pass.
    pub(super) fn next(&self) -> BootTime {
        self.next
    }

    /// Lets bytes pass, if it is time. Urgent ones count a quarter; while clients wait, all double.
    pub(super) fn pass(&mut self, now: BootTime, bytes: u64, urgent: bool, clients: bool) -> bool {
        if self.next > now {
            return false;
        }
        let bytes = bytes.max(LEAST) * if clients { 2 } else { 1 } / if urgent { 4 } else { 1 };
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        let span = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.next = self.next.max(now - BURST) + span;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use crate::settings::ExtentSettings;
    use memberd_council::BootTime;
    use std::time::Duration;

    fn passed(bytes: u64, urgent: bool, clients: bool) -> u64 {
        let start = BootTime::from_epoch(Duration::from_secs(100));
        let mut bucket = Bucket::new(&ExtentSettings::default(), start);
        let steps = (0..10_000)
            .filter(|ms| bucket.pass(start + Duration::from_millis(*ms), bytes, urgent, clients));
        steps.count() as u64 * bytes
    }

    /// In ten seconds ten times the rate passes, four times that if urgent, half beside clients.
    #[test]
    fn the_rate_is_kept() {
        let rate = 10 * ExtentSettings::default().repair_rate;
        let near = |bytes: u64, wanted: u64| bytes.abs_diff(wanted) < wanted / 20;
        assert!(near(passed(256 << 10, false, false), rate));
        assert!(near(passed(256 << 10, true, false), 4 * rate));
        assert!(near(passed(256 << 10, false, true), rate / 2));
        assert!(near(passed(100, false, false), rate / (64 << 10) * 100));
    }
}
