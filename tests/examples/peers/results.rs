//! Stores the raw results. [`Results`] owns every sample of every row, each with the run that it
//! comes from.

use crate::agent::Program;
use crate::options::{Options, Row};
use crate::{benchmarks, machine as described, plot, table};
pub(crate) use memberd_tests::bench::Measure;
use memberd_tests::bench::{self, Failure, machine};
use serde::{Deserialize, Serialize};
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
    pub(crate) failures: Vec<Failure<Subject>>,
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
pub(crate) type Record = bench::Record<Subject>;

/// A group's lists were not whole within [`LIMIT`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NeverWhole {
    #[serde(flatten)]
    pub(crate) of: Subject,
    pub(crate) run: String,
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

/// Formats a cell: the median and the worst, or a count.
pub(crate) fn cell(record: &Record) -> String {
    match record.measure {
        _ if record.samples.is_empty() => "none".to_owned(),
        Measure::Total => record.measure.show(record.typical()),
        Measure::Share => format!("{:.0} of {}", record.typical(), record.samples.len()),
        measure if record.samples.len() == 1 => measure.show(record.typical()),
        measure if record.typical().is_infinite() => measure.show(record.typical()),
        measure => format!("{}, {}", measure.show(record.typical()), measure.show(record.worst())),
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
        bench::stored(directory).expect("raw results, of `make bench-peers`")
    }

    /// Adds samples. It removes the results of earlier runs for this row, size and program.
    pub(crate) fn add(&mut self, of: &Subject, measure: Measure, what: &str, samples: &[f64]) {
        let run = self.replace(of);
        Record::add(&mut self.records, run, of, measure, what, samples);
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
        let write = |name: &str, text: &str| {
            fs::write(options.directory.join(name), text).expect("room for the results");
        };
        bench::store(&options.directory, &kept);
        write("table.md", &table::all(self));
        for (name, svg) in plot::all(self) {
            write(name, &svg);
        }
        if options.is_for_the_benchmarks() {
            benchmarks::SECTION.write(&options.benchmarks, &benchmarks::section(self));
        }
    }
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
        let cells: Vec<String> = read.records.iter().map(cell).collect();
        assert_eq!(cells, ["6.00 s, never in 90 s", "never in 90 s"]);
    }
}
