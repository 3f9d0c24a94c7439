//! Stores the raw results. [`Results`] owns every sample of every row, each with the run that it
//! comes from.

use crate::options::{Options, Row};
use crate::system::System;
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
    /// Whether the machine had much other work. Of the servers alone, it is rarely that high.
    pub(crate) fn is_busy(&self) -> bool {
        self.loads.iter().any(|load| *load > self.cores as f64 * 1.5)
    }
}

/// One measurement: a row of one system and number of servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) row: Row,
    pub(crate) servers: usize,
    pub(crate) system: String,
}

/// One cell of the table.
pub(crate) type Record = bench::Record<Subject>;

impl Subject {
    pub(crate) fn new(row: Row, servers: impl Into<usize>, system: System) -> Self {
        Subject { row, servers: servers.into(), system: system.name().to_owned() }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{:?} of {} x {}", self.row, self.servers, self.system)
    }
}

/// Formats a cell: the median and the worst, or a count.
pub(crate) fn cell(record: &Record) -> String {
    let typical = record.measure.show(record.typical());
    match record.measure {
        Measure::Total => typical,
        measure => format!("{typical}, {}", measure.show(record.worst())),
    }
}

impl Results {
    /// The stored results, or none, with one more run to add to.
    pub(crate) fn to_add_to(options: &Options) -> Self {
        let stored = || bench::stored(&options.directory);
        let mut results: Self =
            if options.anew { Self::default() } else { stored().unwrap_or_default() };
        results.failures.retain(|failure| !options.wants(failure.of.row));
        results.runs.push(described::run(options));
        results
    }

    /// Reads the stored results.
    ///
    /// # Panics
    /// When they cannot be read.
    pub(crate) fn read(directory: &Path) -> Self {
        bench::stored(directory).expect("raw results, of `make bench-agreement`")
    }

    /// Adds samples. It removes the results of earlier runs for this subject.
    pub(crate) fn add(&mut self, of: &Subject, measure: Measure, what: &str, samples: &[f64]) {
        let run = self.runs.last().map(|run| run.began.clone()).unwrap_or_default();
        self.records.retain(|record| record.run == run || record.of != *of);
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

    /// The cell of a system, if it was measured.
    pub(crate) fn find(&self, what: &str, servers: usize, system: System) -> Option<&Record> {
        let is_it = |record: &&Record| {
            (record.what.as_str(), record.of.servers) == (what, servers)
                && record.of.system == system.name()
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
            let began = began.to_owned();
            let run = Run { began, cores: 2, loads: vec![0.5], conditions: Vec::new() };
            results.runs.push(run);
        };
        let crash = |servers: usize| Subject::new(Row::Crash, servers, System::Etcd);
        begin(&mut results, "first");
        for servers in [3, 5] {
            results.add(&crash(servers), Measure::Seconds, "killed", &[2.0]);
            results.add(&crash(servers), Measure::Seconds, "killed", &[f64::INFINITY]);
        }
        begin(&mut results, "second");
        results.add(&crash(5), Measure::Seconds, "killed", &[1.0, 1.5]);
        let read: Results =
            serde_json::from_str(&serde_json::to_string(&results).unwrap()).unwrap();
        let cells: Vec<(&str, String)> =
            read.records.iter().map(|record| (record.run.as_str(), cell(record))).collect();
        let never = "never in 90 s, never in 90 s".to_owned();
        assert_eq!(cells, [("first", never), ("second", "1.25 s, 1.50 s".to_owned())]);
        assert_eq!(read.telling_runs().len(), 2);
    }
}
