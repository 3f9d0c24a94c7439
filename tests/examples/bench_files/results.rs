//! What a record is about, and how its cell is written. It owns no state.

use crate::options::Row;
use memberd_tests::bench;
pub(crate) use memberd_tests::bench::Measure;

/// The results of one run or of several.
pub(crate) type Results = bench::Results<Subject>;

/// A row of a system and the way to speak with it.
pub(crate) type Subject = bench::Column<Row>;

/// One cell of a table.
pub(crate) type Record = bench::Record<Subject>;

/// Formats a cell: the median and the worst of several, or the only one.
pub(crate) fn cell(record: &Record) -> String {
    record.cell(show)
}

/// Formats a number. Some answers take a fraction of a millisecond.
pub(crate) fn show(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Seconds if value < 0.0995 => {
            let digits = if value < 0.00995 { 2 } else { 1 };
            format!("{:.digits$} ms", value * 1e3)
        }
        measure => measure.show(value),
    }
}
