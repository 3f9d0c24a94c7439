//! Counts durations in buckets. A [`Histogram`] owns its counts.

use std::time::Duration;

/// Upper bounds for what waits for a disk.
pub const DISK_BOUNDS: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Counts of durations for each upper bound, and their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [Duration],
    /// One count for each bound, not cumulative, and one for longer durations.
    counts: Vec<u64>,
    sum: Duration,
}

impl Histogram {
    /// An empty histogram with these upper bounds, the smallest first.
    pub fn new(bounds: &'static [Duration]) -> Self {
        Histogram { bounds, counts: vec![0; bounds.len() + 1], sum: Duration::ZERO }
    }

    /// Counts a duration.
    pub fn observe(&mut self, duration: Duration) {
        let bucket = self.bounds.partition_point(|bound| *bound < duration);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(duration);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all of them.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Each bound, with the number of durations that do not exceed it.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let cumulative = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        self.bounds.iter().copied().zip(cumulative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_hold_their_bound() {
        const BOUNDS: &[Duration] = &[Duration::from_millis(10), Duration::from_millis(100)];
        let mut histogram = Histogram::new(BOUNDS);
        [5, 10, 11, 500]
            .map(Duration::from_millis)
            .into_iter()
            .for_each(|duration| histogram.observe(duration));
        let counts: Vec<u64> = histogram.buckets().map(|(_, count)| count).collect();
        assert_eq!(
            (counts, histogram.count(), histogram.sum()),
            (vec![2, 3], 4, Duration::from_millis(526))
        );
    }
}
