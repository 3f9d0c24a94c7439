//! Percentiles within 1 %: how many numbers lie in each of many buckets.
//!
//! This is DDSketch with its linearly interpolated mapping (Masson, Rim and Lee, VLDB 2019, section
//! 2.2, and its implementations). A power of two is divided in 64 equal parts, so the middle of a
//! bucket differs from its numbers by 1/128 at most. A bucket's number is made of the bits of the
//! floating-point number, so it is the same on every machine, and merging is exact.

use crate::decimal::Decimal;
use std::mem::size_of;

/// How many bits of the fraction a bucket's number leaves out: 52 less 6.
const SHIFT: u32 = 46;

/// The bucket of 10^28, which no number reaches.
pub(crate) const MAX_BUCKET: i32 = 71_424;

/// The bucket of 10^-18, the smallest positive number.
pub(crate) const MIN_BUCKET: i32 = 61_641;

/// Buckets in ascending order, and how many numbers each has. The bucket of a negative number is
/// negative, and that of 0 is 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sketch {
    pub(crate) buckets: Vec<(i32, u64)>,
}

fn bucket(number: Decimal) -> i32 {
    if number.is_zero() {
        return 0;
    }
    let float = number.as_f64();
    let place = i32::try_from(float.abs().to_bits() >> SHIFT).unwrap_or(MAX_BUCKET);
    if float < 0.0 { -place } else { place }
}

/// The middle of a bucket, with four digits.
fn middle(bucket: i32) -> Option<Decimal> {
    if bucket == 0 {
        return Some(Decimal::default());
    }
    let edge = |place: u32| f64::from_bits(u64::from(place) << SHIFT);
    let place = bucket.unsigned_abs();
    let decimal = |number: f64| Decimal::parse(format!("{number:.3e}").as_bytes());
    let middle = decimal(f64::midpoint(edge(place), edge(place + 1)));
    let middle = middle.or_else(|| decimal(edge(place)))?;
    Some(if bucket < 0 { middle.negated() } else { middle })
}

impl Sketch {
    /// How many bytes it has of its own.
    pub(crate) fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<(i32, u64)>()
    }

    pub(crate) fn add(&mut self, number: Decimal) {
        self.add_to(bucket(number), 1);
    }

    fn add_to(&mut self, bucket: i32, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.buckets.iter().for_each(|(bucket, count)| self.add_to(*bucket, *count));
    }

    /// The number that `hundredths` of a percent of all are not above (the nearest rank). None if
    /// there are no numbers.
    pub(crate) fn percentile(&self, hundredths: u16) -> Option<Decimal> {
        let total: u128 = self.buckets.iter().map(|(_, count)| u128::from(*count)).sum();
        let rank = (total * u128::from(hundredths)).div_ceil(10_000).max(1);
        let mut below = 0_u128;
        for (bucket, count) in &self.buckets {
            below += u128::from(*count);
            if below >= rank {
                return middle(*bucket);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_BUCKET, MIN_BUCKET, Sketch, bucket, middle};
    use crate::decimal::Decimal;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn bounds_of_buckets_are_those_of_numbers() {
        assert_eq!(bucket(number("9999999999999999999999999999")), MAX_BUCKET);
        assert_eq!(bucket(number("0.000000000000000001")), MIN_BUCKET);
        assert!(middle(MAX_BUCKET).is_some() && middle(-MIN_BUCKET).is_some());
    }

    /// The middle of its bucket is within 1 % of every number.
    #[test]
    fn every_number_is_within_one_percent() {
        for power in -15..=27 {
            for step in 0..900 {
                let exact = number(&format!("{}.{:02}e{power}", 1 + step / 100, step % 100));
                let near = middle(bucket(exact)).unwrap().as_f64();
                let error = (near - exact.as_f64()).abs() / exact.as_f64();
                assert!(error < 0.01, "{exact} became {near}");
                assert_eq!(
                    middle(bucket(exact.negated())),
                    middle(bucket(exact)).map(Decimal::negated)
                );
            }
        }
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.percentile(9_900), None);
        for value in 1..=100_u64 {
            sketch.add(Decimal::from(value));
        }
        let near = |hundredths, exact: f64| {
            let value = sketch.percentile(hundredths).unwrap().as_f64();
            assert!((value - exact).abs() / exact < 0.01, "{hundredths}: {value}");
        };
        near(9_900, 99.0);
        near(9_990, 100.0);
        near(5_000, 50.0);
        near(1, 1.0);
    }
}
