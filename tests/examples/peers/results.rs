//! What a record is about: a row of a program and a size of its group. It owns no state.

use crate::agent::Program;
use crate::options::Row;
pub(crate) use memberd_tests::bench::Measure;
use memberd_tests::bench::{self, results::NeverWhole};
use serde::{Deserialize, Serialize};

/// The results of one run or of several.
pub(crate) type Results = bench::Results<Subject>;

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

impl Subject {
    pub(crate) fn new(row: Row, agents: impl Into<usize>, program: Program) -> Self {
        Subject { row, agents: agents.into(), program: program.name.to_owned() }
    }
}

impl bench::Subject for Subject {
    type Row = Row;

    fn row(&self) -> Row {
        self.row
    }

    /// All groups under loss have the same size.
    fn replaces(&self, earlier: &Self) -> bool {
        (self.row, &self.program) == (earlier.row, &earlier.program)
            && (self.agents == earlier.agents || self.row == Row::Loss)
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

/// The cell of a program, if it was measured.
pub(crate) fn find<'a>(
    results: &'a Results,
    what: &str,
    agents: usize,
    program: &str,
) -> Option<&'a Record> {
    let is_it = |record: &&Record| {
        record.what == what && record.of.agents == agents && record.of.program == program
    };
    results.records.iter().find(is_it)
}

/// The entry of a group whose lists were not whole in time, if there is one.
pub(crate) fn find_never_whole<'a>(
    results: &'a Results,
    row: Row,
    agents: usize,
    program: &str,
) -> Option<&'a NeverWhole<Subject>> {
    let of = Subject { row, agents, program: program.to_owned() };
    results.never_whole.iter().find(|group| group.of == of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::SERF;

    fn begun(mut results: Results, began: &str) -> Results {
        let (began, conditions) = (began.to_owned(), Vec::new());
        results.runs.push(bench::Run { began, load: None, conditions });
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
        let of_serf = find(&results, "one crash: first list", 10, "Serf").unwrap();
        assert_eq!(of_serf.samples, [5.0, 7.0]);
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
