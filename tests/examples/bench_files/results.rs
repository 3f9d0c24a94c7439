//! Stores the raw results. [`Results`] owns every sample of every row, each with the run that it
//! comes from.

use crate::options::{Options, Row};
use crate::{machine as described, table};
pub(crate) use memberd_tests::bench::Measure;
use memberd_tests::bench::{self, Failure, machine};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The results of one run or of several. Each run adds its rows, and replaces the same rows of
/// earlier runs.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The runs that the results come from. The last one is the present run.
    pub(crate) runs: Vec<Run>,
    pub(crate) records: Vec<Record>,
    /// The rows that could not be measured, and the reasons.
    pub(crate) failures: Vec<Failure<Subject>>,
}

/// One run of this program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The time of its beginning, which identifies it.
    pub(crate) began: String,
    pub(crate) cores: usize,
    /// The load of the machine before and after.
    pub(crate) loads: Vec<f64>,
    /// What it measured, on which machine, and how.
    pub(crate) conditions: Vec<String>,
}

impl Run {
    /// Whether the machine had other work when the run began.
    pub(crate) fn is_busy(&self) -> bool {
        self.loads.first().is_some_and(|load| *load > self.cores as f64 * 0.75)
    }
}

/// One measurement: a row of one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) row: Row,
    /// A system and the way to speak with it.
    pub(crate) column: String,
}

/// One cell of a table.
pub(crate) type Record = bench::Record<Subject>;

impl Subject {
    pub(crate) fn new(row: Row, column: &str) -> Self {
        Subject { row, column: column.to_owned() }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{:?} {}", self.row, self.column)
    }
}

/// Formats a cell: the median and the worst of several, or the only one.
pub(crate) fn cell(record: &Record) -> String {
    let typical = show(record.measure, record.typical());
    match record.measure {
        Measure::Total => typical,
        _ if record.samples.len() == 1 => typical,
        measure => format!("{typical}, {}", show(measure, record.worst())),
    }
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

impl Results {
    /// The stored results, or none, with one more run to add to. The rows that it measures are
    /// forgotten.
    pub(crate) fn to_add_to(options: &Options) -> Self {
        let stored = || bench::stored(&options.directory);
        let mut results: Self =
            if options.anew { Self::default() } else { stored().unwrap_or_default() };
        results.forget(|row| options.wants(row));
        results.runs.push(described::run(options));
        results
    }

    fn forget(&mut self, is_measured: impl Fn(Row) -> bool) {
        self.records.retain(|record| !is_measured(record.of.row));
        self.failures.retain(|failure| !is_measured(failure.of.row));
    }

    /// Reads the stored results.
    ///
    /// # Panics
    /// When they cannot be read.
    pub(crate) fn read(directory: &Path) -> Self {
        bench::stored(directory).expect("raw results, of `make bench-files`")
    }

    /// Adds samples.
    pub(crate) fn add(&mut self, of: &Subject, measure: Measure, what: &str, samples: &[f64]) {
        let run = self.runs.last().map(|run| run.began.clone()).unwrap_or_default();
        Record::add(&mut self.records, run, of, measure, what, samples);
    }

    /// Notes that a row could not be measured.
    pub(crate) fn fail(&mut self, of: &Subject, why: &str) {
        eprintln!("{of}: {why}");
        self.failures.push(Failure { of: of.clone(), why: why.to_owned() });
    }

    /// Notes a condition of the present run.
    pub(crate) fn note(&mut self, condition: String) {
        self.runs.last_mut().expect("a run").conditions.push(condition);
    }

    /// Notes the load at the end of the run.
    pub(crate) fn finish(&mut self) {
        let load = machine::load();
        self.note(format!("load at the end {load}"));
        let run = self.runs.last_mut().expect("a run");
        run.loads.extend(load.parse::<f64>());
    }

    /// The runs that results come from.
    pub(crate) fn telling_runs(&self) -> Vec<&Run> {
        let tells = |run: &&Run| self.records.iter().any(|record| record.run == run.began);
        self.runs.iter().filter(tells).collect()
    }

    /// A cell, if it was measured.
    pub(crate) fn find(&self, row: Row, what: &str, column: &str) -> Option<&Record> {
        let is_it = |record: &&Record| {
            (record.of.row, record.what.as_str(), record.of.column.as_str()) == (row, what, column)
        };
        self.records.iter().find(is_it)
    }

    /// Writes the raw results and the page.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub(crate) fn write(&self, options: &Options) {
        let kept =
            Results { runs: self.telling_runs().into_iter().cloned().collect(), ..self.clone() };
        bench::store(&options.directory, &kept);
        if options.is_for_the_benchmarks() {
            table::SECTION.write(&options.benchmarks, &table::section(self));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run replaces the rows that it measures. The other rows stay, with their own run.
    #[test]
    fn a_run_replaces_only_the_rows_that_it_measures() {
        let mut results = Results::default();
        let begin = |results: &mut Results, began: &str| {
            let (began, conditions) = (began.to_owned(), Vec::new());
            results.runs.push(Run { began, cores: 2, loads: vec![0.5], conditions });
        };
        begin(&mut results, "first");
        for row in [Row::Put, Row::Stat] {
            results.add(&Subject::new(row, "HDFS"), Measure::Seconds, "time", &[2.0, 4.0]);
        }
        results.forget(|row| row == Row::Stat);
        begin(&mut results, "second");
        results.add(&Subject::new(Row::Stat, "HDFS"), Measure::Seconds, "time", &[0.0005]);
        let found = |row| {
            let record = results.find(row, "time", "HDFS").unwrap();
            (record.run.as_str(), cell(record))
        };
        assert_eq!(found(Row::Put), ("first", "3.00 s, 4.00 s".to_owned()));
        assert_eq!(found(Row::Stat), ("second", "0.50 ms".to_owned()));
    }
}
