//! Stores the raw results. [`Results`] owns every sample of every row, each with the run that it
//! comes from.

use super::{Measure, Record, Row, machine};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};
use std::fs;
use std::path::Path;

/// The file of the raw results.
const RAW: &str = "results.json";

/// What a record is about: a row, and who was measured.
pub trait Subject: Clone + PartialEq + Display + Serialize + DeserializeOwned {
    /// The rows of its benchmark.
    type Row: Row;

    /// Its row.
    fn row(&self) -> Self::Row;

    /// Whether a result of this subject replaces one of the other, which an earlier run measured.
    fn replaces(&self, earlier: &Self) -> bool {
        self == earlier
    }
}

/// The results of one run or of several. Each run adds its rows, and replaces the same rows of
/// earlier runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results<S> {
    /// The runs that the results come from. The last one is the present run.
    pub runs: Vec<Run>,
    /// The cells of the tables.
    pub records: Vec<Record<S>>,
    /// The groups whose lists were not whole in time, so that a row ended early or never began.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub never_whole: Vec<NeverWhole<S>>,
    /// The rows that could not be measured, and the reasons.
    pub failures: Vec<Failure<S>>,
}

/// One run of a program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// The time of its beginning, which identifies it.
    pub began: String,
    /// How busy the machine was, for programs that judge it.
    #[serde(flatten)]
    pub load: Option<Load>,
    /// What it measured, on which machine, and how.
    pub conditions: Vec<String>,
}

/// How busy a machine is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Load {
    cores: usize,
    /// Before and after.
    loads: Vec<f64>,
}

/// A row that failed, or for which no time was left.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure<S> {
    /// Which row.
    #[serde(flatten)]
    pub of: S,
    /// The reason.
    pub why: String,
}

/// A group whose lists were not whole within [`LIMIT`](super::LIMIT).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NeverWhole<S> {
    /// Which row and group.
    #[serde(flatten)]
    pub of: S,
    /// The run, by the time of its beginning.
    pub run: String,
}

/// A row of one column: the subject of benchmarks that need no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column<R> {
    /// The row.
    pub row: R,
    /// Who was measured, and how.
    pub column: String,
}

impl<R: Row> Column<R> {
    /// This row of this column.
    pub fn new(row: R, column: &str) -> Self {
        Column { row, column: column.to_owned() }
    }
}

impl<R: Row> Display for Column<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{:?} {}", self.row, self.column)
    }
}

impl<R: Row> Subject for Column<R> {
    type Row = R;

    fn row(&self) -> R {
        self.row
    }

    /// All columns of a row are measured by one run.
    fn replaces(&self, earlier: &Self) -> bool {
        self.row == earlier.row
    }
}

impl Run {
    /// The run that begins now, under these conditions.
    pub fn begin(mut conditions: Vec<String>) -> Self {
        conditions.push(format!("load before {}", machine::load()));
        Run { began: machine::now(), load: None, conditions }
    }

    /// The run with the machine's load, which it notes at its end too.
    pub fn with_load(self) -> Self {
        let loads = vec![machine::load().parse().unwrap_or_default()];
        Run { load: Some(Load { cores: machine::cores(), loads }), ..self }
    }

    /// The load before and after, by the number of cores; nothing if it was not noted.
    pub fn loads_per_core(&self) -> impl Iterator<Item = f64> + '_ {
        let of = |load: &Load| -> Vec<f64> {
            load.loads.iter().map(|sample| sample / load.cores as f64).collect()
        };
        self.load.iter().flat_map(of)
    }
}

impl<S> Default for Results<S> {
    fn default() -> Self {
        Results {
            runs: Vec::new(),
            records: Vec::new(),
            never_whole: Vec::new(),
            failures: Vec::new(),
        }
    }
}

impl<S: Subject> Results<S> {
    /// The results in this directory, if there are any.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn stored(directory: &Path) -> Option<Self> {
        let path = directory.join(RAW);
        path.exists().then(|| {
            let text = fs::read(path).expect("raw results that can be read");
            serde_json::from_slice(&text).expect("raw results as they are written")
        })
    }

    /// Writes the results as JSON, with lines that a person and a diff can read. Runs that no
    /// result comes from are left out.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn store(&self, directory: &Path) {
        let runs = self.telling_runs().into_iter().cloned().collect();
        let kept = Results { runs, ..self.clone() };
        let text = serde_json::to_string(&kept).expect("results as JSON");
        let text = text.replace("},{", "},\n{").replace("],\"", "],\n\"") + "\n";
        fs::create_dir_all(directory).expect("a directory for the results");
        fs::write(directory.join(RAW), text).expect("room for the results");
    }

    /// These results with one more run to add to, which measures the wanted rows.
    pub fn with_run(mut self, run: Run, wants: impl Fn(S::Row) -> bool) -> Self {
        self.failures.retain(|failure| !wants(failure.of.row()));
        self.runs.push(run);
        self
    }

    /// Adds samples. It removes the results of earlier runs that they replace.
    pub fn add(&mut self, of: &S, measure: Measure, what: &str, samples: &[f64]) {
        let run = self.replace(of);
        Record::add(&mut self.records, run, of, measure, what, samples);
    }

    /// Notes that the lists were not whole in time.
    pub fn add_never_whole(&mut self, of: &S) {
        let run = self.replace(of);
        self.never_whole.push(NeverWhole { of: of.clone(), run });
    }

    /// Removes the results of earlier runs for this subject. Returns the name of the present run.
    fn replace(&mut self, of: &S) -> String {
        let now = self.runs.last().map(|run| run.began.clone()).unwrap_or_default();
        self.records.retain(|record| record.run == now || !of.replaces(&record.of));
        self.never_whole.retain(|group| group.run == now || !of.replaces(&group.of));
        now
    }

    /// Notes that a row could not be measured.
    pub fn fail(&mut self, of: &S, why: &str) {
        self.failures.push(Failure { of: of.clone(), why: why.to_owned() });
    }

    /// Notes a condition of the present run.
    pub fn note(&mut self, condition: String) {
        if let Some(run) = self.runs.last_mut() {
            run.conditions.push(condition);
        }
    }

    /// Notes the load at the end of the run.
    pub fn finish(&mut self) {
        let load = machine::load();
        self.note(format!("load at the end {load}"));
        if let Some(noted) = self.runs.last_mut().and_then(|run| run.load.as_mut()) {
            noted.loads.extend(load.parse::<f64>());
        }
    }

    /// The runs that results come from.
    pub fn telling_runs(&self) -> Vec<&Run> {
        let tells = |run: &&Run| {
            self.records.iter().any(|record| record.run == run.began)
                || self.never_whole.iter().any(|group| group.run == run.began)
        };
        self.runs.iter().filter(tells).collect()
    }

    /// The method and the conditions of each run, one sentence each. It says which runs were on a
    /// busy machine.
    pub fn described(&self, method: &[&str], is_busy: impl Fn(&Run) -> bool) -> Vec<String> {
        let runs = self.telling_runs();
        let head = |index: usize| {
            if runs.len() > 1 { format!("Run {}, ", index + 1) } else { String::new() }
        };
        let sentence = |(index, run): (usize, &&Run)| {
            let busy = if is_busy(run) {
                "; **on a busy machine**: the load is from other work too, and all times are longer"
            } else {
                ""
            };
            format!("{}{}: {}{busy}.", head(index), run.began, run.conditions.join("; "))
        };
        let method = method.iter().map(|sentence| (*sentence).to_owned());
        method.chain(runs.iter().enumerate().map(sentence)).collect()
    }

    /// The rows that could not be measured, as paragraphs.
    pub fn not_measured(&self) -> String {
        let paragraph =
            |failure: &Failure<S>| format!("\nNot measured: {}: {}\n", failure.of, failure.why);
        self.failures.iter().map(paragraph).collect()
    }
}

impl<R: Row> Results<Column<R>> {
    /// A cell, if it was measured.
    pub fn find(&self, row: R, what: &str, column: &str) -> Option<&Record<Column<R>>> {
        let is_it = |record: &&Record<Column<R>>| {
            (record.of.row, record.what.as_str(), record.of.column.as_str()) == (row, what, column)
        };
        self.records.iter().find(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
    enum Part {
        Put,
        Stat,
    }

    impl Row for Part {
        const DIRECTORY: &'static str = "";
    }

    /// One row of several groups: results of one size leave those of another.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    struct Size(Column<Part>);

    impl Display for Size {
        fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            self.0.fmt(formatter)
        }
    }

    impl Subject for Size {
        type Row = Part;

        fn row(&self) -> Part {
            self.0.row
        }
    }

    fn begin<S: Subject>(results: Results<S>, began: &str) -> Results<S> {
        let (began, conditions) = (began.to_owned(), Vec::new());
        results.with_run(Run { began, load: None, conditions }, |_| true)
    }

    fn cells<S: Subject>(results: &Results<S>) -> Vec<(&str, String)> {
        let cell = |record: &Record<S>| record.cell(Measure::show);
        results.records.iter().map(|record| (record.run.as_str(), cell(record))).collect()
    }

    /// A run replaces all columns of the rows that it measures. The other rows stay, with their own
    /// run.
    #[test]
    fn a_run_replaces_only_the_rows_that_it_measures() {
        let mut results = begin(Results::default(), "first");
        for (row, column) in [(Part::Put, "HDFS"), (Part::Stat, "HDFS"), (Part::Stat, "memberd")] {
            results.add(&Column::new(row, column), Measure::Seconds, "time", &[2.0, 4.0]);
        }
        results.fail(&Column::new(Part::Stat, "SeaweedFS"), "no room");
        let mut results = begin(results, "second");
        for sample in [0.5, 0.7] {
            let of = Column::new(Part::Stat, "HDFS");
            results.add(&of, Measure::Seconds, "time", &[sample]);
        }
        let expected =
            [("first", "3.00 s, 4.00 s".to_owned()), ("second", "600 ms, 700 ms".to_owned())];
        assert_eq!(cells(&results), expected);
        assert!(results.find(Part::Stat, "time", "memberd").is_none());
        assert_eq!(results.not_measured(), "");
        assert_eq!(results.telling_runs().len(), 2);
    }

    /// What never happened is in the file, and a run without results is not.
    #[test]
    fn results_are_read_as_they_were_stored() {
        let directory = tempfile::tempdir().unwrap();
        let size = |name: &str| Size(Column::new(Part::Put, name));
        let mut results = begin(Results::default(), "first");
        results.runs = vec![results.runs.remove(0).with_load()];
        results.add(&size("3"), Measure::Seconds, "killed", &[2.0, f64::INFINITY]);
        results.add(&size("5"), Measure::Seconds, "killed", &[2.0]);
        let mut results = begin(begin(results, "vain"), "second");
        results.add(&size("5"), Measure::Seconds, "killed", &[1.0]);
        results.store(directory.path());
        let read: Results<Size> = Results::stored(directory.path()).unwrap();
        let never = "never in 90 s, never in 90 s".to_owned();
        assert_eq!(cells(&read), [("first", never), ("second", "1.00 s".to_owned())]);
        let loads: Vec<usize> = read.runs.iter().map(|run| run.loads_per_core().count()).collect();
        assert_eq!(loads, [1, 0]);
        let text = fs::read_to_string(directory.path().join(RAW)).unwrap();
        read.store(directory.path());
        assert_eq!(fs::read_to_string(directory.path().join(RAW)).unwrap(), text);
    }
}
