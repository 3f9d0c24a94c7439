//! Stores the raw results. [`Results`] owns every sample of every row, each with the run that it
//! comes from.

use crate::agent::Program;
use crate::group::LIMIT;
use crate::options::{Options, Row};
use crate::{benchmarks, machine, plot, table};
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
    /// The groups whose lists were not whole in time, so that a row ended early or never began.
    pub(crate) never_whole: Vec<NeverWhole>,
    /// The rows that could not be measured, and the reasons.
    pub(crate) failures: Vec<Failure>,
}

/// One run of this program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The time of its beginning, which identifies it.
    pub(crate) began: String,
    /// What it measured, on which machine, and how.
    pub(crate) conditions: Vec<String>,
}

/// One measurement: a row of one size and program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) row: Row,
    /// How many agents the group has.
    pub(crate) agents: usize,
    pub(crate) program: String,
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

/// A group's lists were not whole within [`LIMIT`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NeverWhole {
    #[serde(flatten)]
    pub(crate) of: Subject,
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
    /// A count in an hour.
    PerHour,
    /// A count over the whole row.
    Total,
    /// Ones and zeros: the event happened or not.
    Share,
}

impl Measure {
    /// Formats a number with its unit.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Measure::Seconds if value.is_infinite() => format!("never in {} s", LIMIT.as_secs()),
            Measure::Seconds if value < 1.0 => format!("{:.0} ms", value * 1e3),
            Measure::Seconds => format!("{value:.2} s"),
            Measure::PerSecond => format!("{value:.1}/s"),
            Measure::PerHour if value == 0.0 => "0".to_owned(),
            Measure::PerHour => format!("{value:.3}/h"),
            Measure::BytesPerSecond => format!("{value:.0} B/s"),
            Measure::MillisecondsPerSecond => format!("{value:.2} ms/s"),
            Measure::Mebibytes => format!("{value:.1} MiB"),
            Measure::Total | Measure::Share => format!("{value:.0}"),
        }
    }
}

impl Subject {
    pub(crate) fn new(row: Row, agents: impl Into<usize>, program: Program) -> Self {
        Subject { row, agents: agents.into(), program: program.name.to_owned() }
    }

    /// Whether a result of this subject replaces one of the other. All groups under loss have the
    /// same size.
    fn replaces(&self, other: &Subject) -> bool {
        (self.row, &self.program) == (other.row, &other.program)
            && (self.agents == other.agents || self.row == Row::Loss)
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{:?} of {} x {}", self.row, self.agents, self.program)
    }
}

impl Record {
    /// The median of the samples, or their sum if they are counts.
    pub(crate) fn typical(&self) -> f64 {
        match self.measure {
            Measure::Total | Measure::Share => self.samples.iter().sum(),
            // With an even number of samples, it is the mean of the middle two.
            _ => {
                (self.at(self.samples.len().saturating_sub(1) / 2)
                    + self.at(self.samples.len() / 2))
                    / 2.0
            }
        }
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
        match self.measure {
            _ if self.samples.is_empty() => "none".to_owned(),
            Measure::Total => self.measure.show(self.typical()),
            Measure::Share => format!("{:.0} of {}", self.typical(), self.samples.len()),
            measure if self.samples.len() == 1 => measure.show(self.typical()),
            measure if self.typical().is_infinite() => measure.show(self.typical()),
            measure => format!("{}, {}", measure.show(self.typical()), measure.show(self.worst())),
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
        let text =
            fs::read(directory.join("results.json")).expect("raw results, of `make bench-peers`");
        serde_json::from_slice(&text).expect("raw results as they are written")
    }

    /// Adds samples. It removes the results of earlier runs for this row, size and program.
    pub(crate) fn add(&mut self, of: &Subject, measure: Measure, what: &str, samples: &[f64]) {
        let run = self.replace(of);
        // None of them is accurate to a microsecond.
        let samples = samples.iter().map(|sample| (sample * 1e6).round() / 1e6);
        match self.records.iter_mut().find(|record| record.of == *of && record.what == what) {
            Some(record) => record.samples.extend(samples),
            None => {
                self.records.push(Record {
                    what: what.to_owned(),
                    of: of.clone(),
                    measure,
                    samples: samples.collect(),
                    run,
                });
            }
        }
    }

    /// Notes that the lists were not whole in time.
    pub(crate) fn add_never_whole(&mut self, of: &Subject) {
        let run = self.replace(of);
        self.never_whole.push(NeverWhole { of: of.clone(), run });
    }

    /// Removes the results of earlier runs for this subject. Returns the name of the present run.
    fn replace(&mut self, of: &Subject) -> String {
        let now = self.runs.last().map(|run| run.began.clone()).unwrap_or_default();
        self.records.retain(|record| record.run == now || !of.replaces(&record.of));
        self.never_whole.retain(|group| group.run == now || !of.replaces(&group.of));
        now
    }

    /// Notes that a row could not be measured.
    pub(crate) fn fail(&mut self, of: &Subject, why: &str) {
        self.failures.push(Failure { of: of.clone(), why: why.to_owned() });
    }

    /// Notes the load at the end of the run.
    pub(crate) fn finish(&mut self) {
        if let Some(run) = self.runs.last_mut() {
            run.conditions.push(format!("load at the end {}", machine::load()));
        }
    }

    /// The runs that results come from.
    pub(crate) fn telling_runs(&self) -> Vec<&Run> {
        let tells = |run: &&Run| {
            self.records.iter().any(|record| record.run == run.began)
                || self.never_whole.iter().any(|group| group.run == run.began)
        };
        self.runs.iter().filter(tells).collect()
    }

    /// The cell of a program, if it was measured.
    pub(crate) fn find(&self, what: &str, agents: usize, program: &str) -> Option<&Record> {
        let is_it = |record: &&Record| {
            record.what == what && record.of.agents == agents && record.of.program == program
        };
        self.records.iter().find(is_it)
    }

    /// The entry of a group whose lists were not whole in time, if there is one.
    pub(crate) fn find_never_whole(
        &self,
        row: Row,
        agents: usize,
        program: &str,
    ) -> Option<&NeverWhole> {
        let of = Subject { row, agents, program: program.to_owned() };
        self.never_whole.iter().find(|group| group.of == of)
    }

    /// Writes the raw results, the table, the plots and the page.
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
        let write = |name: &str, text: &str| {
            fs::write(options.directory.join(name), text).expect("room for the results");
        };
        fs::create_dir_all(&options.directory).expect("a directory for the results");
        write("results.json", &(text + "\n"));
        write("table.md", &table::all(self));
        for (name, svg) in plot::all(self) {
            write(name, &svg);
        }
        if options.is_for_the_benchmarks() {
            benchmarks::SECTION.write(&options.benchmarks, &benchmarks::section(self));
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
    use crate::agent::SERF;

    fn begun(mut results: Results, began: &str) -> Results {
        results.runs.push(Run { began: began.to_owned(), conditions: Vec::new() });
        results
    }

    fn serf(row: Row, agents: usize) -> Subject {
        Subject::new(row, agents, &SERF)
    }

    /// A run replaces the rows that it measures. The other rows stay, with their own run.
    #[test]
    fn a_run_replaces_only_the_rows_that_it_measures() {
        let mut results = begun(Results::default(), "first");
        results.add(&serf(Row::Crash, 10), Measure::Seconds, "one crash: first list", &[5.0]);
        results.add(&serf(Row::Crash, 10), Measure::Seconds, "one crash: first list", &[7.0]);
        results.add_never_whole(&serf(Row::Crash, 100));
        results.add(&serf(Row::Loss, 20), Measure::Total, "10 % lost", &[0.0]);
        assert_eq!(results.find("one crash: first list", 10, "Serf").unwrap().samples, [5.0, 7.0]);
        let mut results = begun(results, "second");
        results.add(&serf(Row::Crash, 100), Measure::Seconds, "one crash: first list", &[9.0]);
        results.add(&serf(Row::Loss, 50), Measure::Total, "10 % lost", &[1.0]);
        let runs: Vec<(&str, usize)> =
            results.records.iter().map(|record| (record.run.as_str(), record.of.agents)).collect();
        assert_eq!(runs, [("first", 10), ("second", 100), ("second", 50)]);
        assert!(results.never_whole.is_empty());
        let mut results = begun(results, "third");
        results.add(&serf(Row::Crash, 10), Measure::Seconds, "one crash: first list", &[6.0]);
        assert_eq!(
            results.telling_runs().iter().map(|run| run.began.as_str()).collect::<Vec<_>>(),
            ["second", "third"]
        );
    }

    #[test]
    fn what_was_waited_for_in_vain_is_in_the_file_and_in_the_cell() {
        let mut results = begun(Results::default(), "first");
        results.add(
            &serf(Row::Crash, 10),
            Measure::Seconds,
            "one crash: every list",
            &[5.0, f64::INFINITY, 6.0],
        );
        results.add(&serf(Row::Split, 10), Measure::Seconds, "split", &[f64::INFINITY]);
        let read: Results =
            serde_json::from_str(&serde_json::to_string(&results).unwrap()).unwrap();
        let cells: Vec<String> = read.records.iter().map(Record::cell).collect();
        assert_eq!(cells, ["6.00 s, never in 90 s", "never in 90 s"]);
    }
}
