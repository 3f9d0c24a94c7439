//! Stores the raw results. [`Results`] owns every sample of every row, each with the run that it
//! comes from.

use crate::group::LIMIT;
use crate::options::{Options, Row};
use crate::system::System;
use crate::{machine, table};
use serde::{Deserialize, Deserializer, Serialize};
use std::fs;
use std::path::Path;

/// The results of one run or of several. Each run adds its rows, and replaces the same rows of
/// earlier runs.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The runs that the results come from. The last one is the present run.
    pub(crate) runs: Vec<Run>,
    pub(crate) records: Vec<Record>,
    /// The rows that could not be measured, and the reasons.
    pub(crate) failures: Vec<Failure>,
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) what: String,
    #[serde(flatten)]
    pub(crate) of: Subject,
    pub(crate) measure: Measure,
    /// A sample is infinite, and `null` in the file, where the condition never held.
    #[serde(deserialize_with = "samples")]
    pub(crate) samples: Vec<f64>,
    /// The run, by its [`Run::began`].
    pub(crate) run: String,
}

/// A row that failed, or for which no time was left.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failure {
    #[serde(flatten)]
    pub(crate) of: Subject,
    pub(crate) why: String,
}

/// The meaning of a number. For each of them, less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Measure {
    Seconds,
    PerSecond,
    BytesPerSecond,
    MillisecondsPerSecond,
    Mebibytes,
    /// A count over the whole row.
    Total,
}

impl Measure {
    /// Formats a number with its unit.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Measure::Seconds if value.is_infinite() => format!("never in {} s", LIMIT.as_secs()),
            Measure::Seconds if value < 1.0 => format!("{:.0} ms", value * 1e3),
            Measure::Seconds => format!("{value:.2} s"),
            Measure::PerSecond => format!("{value:.1}/s"),
            Measure::BytesPerSecond => format!("{value:.0} B/s"),
            Measure::MillisecondsPerSecond => format!("{value:.2} ms/s"),
            Measure::Mebibytes => format!("{value:.1} MiB"),
            Measure::Total => format!("{value:.0}"),
        }
    }
}

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

impl Record {
    /// The median of the samples, or their sum if they are counts.
    pub(crate) fn typical(&self) -> f64 {
        if self.measure == Measure::Total {
            return self.samples.iter().sum();
        }
        // With an even number of samples, it is the mean of the middle two.
        let count = self.samples.len();
        (self.at(count.saturating_sub(1) / 2) + self.at(count / 2)) / 2.0
    }

    /// The largest sample.
    pub(crate) fn worst(&self) -> f64 {
        self.at(self.samples.len().saturating_sub(1))
    }

    fn at(&self, index: usize) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }

    /// Formats a cell: the median and the worst, or a count.
    pub(crate) fn cell(&self) -> String {
        let typical = self.measure.show(self.typical());
        match self.measure {
            Measure::Total => typical,
            measure => format!("{typical}, {}", measure.show(self.worst())),
        }
    }
}

impl Results {
    /// The stored results, or none, with one more run to add to.
    pub(crate) fn to_add_to(options: &Options) -> Self {
        let there = !options.anew && options.directory.join("results.json").exists();
        let mut results = if there { Self::read(&options.directory) } else { Results::default() };
        results.failures.retain(|failure| !options.wants(failure.of.row));
        results.runs.push(machine::run(options));
        results
    }

    /// Reads the stored results.
    ///
    /// # Panics
    /// When they cannot be read.
    pub(crate) fn read(directory: &Path) -> Self {
        let text = fs::read(directory.join("results.json"))
            .expect("raw results, of `make bench-agreement`");
        serde_json::from_slice(&text).expect("raw results as they are written")
    }

    /// Adds samples. It removes the results of earlier runs for this subject.
    pub(crate) fn add(&mut self, of: &Subject, measure: Measure, what: &str, samples: &[f64]) {
        let run = self.runs.last().map(|run| run.began.clone()).unwrap_or_default();
        self.records.retain(|record| record.run == run || record.of != *of);
        // None of them is accurate to a microsecond.
        let samples = samples.iter().map(|sample| (sample * 1e6).round() / 1e6);
        match self.records.iter_mut().find(|record| record.of == *of && record.what == what) {
            Some(record) => record.samples.extend(samples),
            None => self.records.push(Record {
                what: what.to_owned(),
                of: of.clone(),
                measure,
                samples: samples.collect(),
                run,
            }),
        }
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
        let text = serde_json::to_string(&kept)
            .expect("results as JSON")
            .replace("},{", "},\n{")
            .replace("],\"", "],\n\"");
        fs::create_dir_all(&options.directory).expect("a directory for the results");
        fs::write(options.directory.join("results.json"), text + "\n")
            .expect("room for the results");
        if options.is_for_the_benchmarks() {
            table::SECTION.write(&options.benchmarks, &table::section(self));
        }
    }
}

/// JSON has no infinity, so the file has `null`.
fn samples<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let samples: Vec<Option<f64>> = Vec::deserialize(deserializer)?;
    Ok(samples.into_iter().map(|sample| sample.unwrap_or(f64::INFINITY)).collect())
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
            read.records.iter().map(|record| (record.run.as_str(), record.cell())).collect();
        let never = "never in 90 s, never in 90 s".to_owned();
        assert_eq!(cells, [("first", never), ("second", "1.25 s, 1.50 s".to_owned())]);
        assert_eq!(read.telling_runs().len(), 2);
    }
}
