//! What a record is about. It owns no state.

use crate::options::Row;
use memberd_tests::bench;
pub(crate) use memberd_tests::bench::Measure;

/// The results of one run or of several.
pub(crate) type Results = bench::Results<Subject>;

/// A row of a program, and how it was started.
pub(crate) type Subject = bench::Column<Row>;

/// One cell of a table.
pub(crate) type Record = bench::Record<Subject>;

/// The sample that at most one in a hundred is above, by the nearest rank; nothing without samples.
pub(crate) fn p99(record: &Record) -> Option<f64> {
    let mut sorted = record.samples.clone();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * 99).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_percentile_is_a_sample() {
        let of = |count: u32| {
            let mut results = Results::default();
            let samples: Vec<f64> = (1..=count).map(f64::from).collect();
            let of = Subject::new(Row::Latency, "memberd");
            results.add(&of, Measure::Seconds, "line to row", &samples);
            p99(&results.records[0])
        };
        assert_eq!([of(1), of(50), of(100), of(200)], [1.0, 50.0, 99.0, 198.0].map(Some));
    }
}
