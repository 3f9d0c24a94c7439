//! The raw results: every sample of every row, with the machine, the versions and the settings.

use crate::agent::Program;
use crate::options::Options;
use crate::{machine, plot, readme, table};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// All that was measured in one run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// What it was measured on and with, a line each.
    pub(crate) conditions: Vec<String>,
    pub(crate) records: Vec<Record>,
    /// What could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

/// One cell of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) what: String,
    /// How many agents the group has.
    pub(crate) agents: usize,
    pub(crate) program: String,
    pub(crate) measure: Measure,
    pub(crate) samples: Vec<f64>,
}

/// What a number means. Of all of them less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Measure {
    Seconds,
    PerSecond,
    BytesPerSecond,
    MillisecondsPerSecond,
    Mebibytes,
    /// A count over the whole row.
    Total,
    /// Ones and zeros: it happened or not.
    Share,
}

impl Measure {
    /// A number with its unit.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Measure::Seconds if value < 1.0 => format!("{:.0} ms", value * 1e3),
            Measure::Seconds => format!("{value:.2} s"),
            Measure::PerSecond => format!("{value:.1}/s"),
            Measure::BytesPerSecond => format!("{value:.0} B/s"),
            Measure::MillisecondsPerSecond => format!("{value:.2} ms/s"),
            Measure::Mebibytes => format!("{value:.1} MiB"),
            Measure::Total | Measure::Share => format!("{value:.0}"),
        }
    }
}

impl Record {
    /// The middle of all samples, or their sum where they are counts.
    pub(crate) fn typical(&self) -> f64 {
        match self.measure {
            Measure::Total | Measure::Share => self.samples.iter().sum(),
            // Of an even number, between the two in the middle.
            _ => (self.at(self.samples.len().saturating_sub(1) / 2) + self.at(self.samples.len() / 2)) / 2.0,
        }
    }

    /// The largest.
    pub(crate) fn worst(&self) -> f64 {
        self.at(self.samples.len().saturating_sub(1))
    }

    fn at(&self, index: usize) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }

    /// As a cell: median, worst and how many there were; or a count.
    pub(crate) fn cell(&self) -> String {
        match self.measure {
            _ if self.samples.is_empty() => "none".to_owned(),
            Measure::Total => self.measure.show(self.typical()),
            Measure::Share => format!("{:.0} of {}", self.typical(), self.samples.len()),
            measure => format!("{}, {}", measure.show(self.typical()), measure.show(self.worst())),
        }
    }
}

impl Results {
    /// Nothing measured yet.
    pub(crate) fn new(options: &Options) -> Self {
        Results { conditions: machine::conditions(options), ..Results::default() }
    }

    /// What is there.
    ///
    /// # Panics
    /// When it cannot be read.
    pub(crate) fn read(directory: &Path) -> Self {
        let text = fs::read(directory.join("results.json")).expect("raw results, of `make bench-peers`");
        serde_json::from_slice(&text).expect("raw results as they are written")
    }

    pub(crate) fn add(&mut self, measure: Measure, what: &str, agents: impl Into<usize>, program: Program, samples: &[f64]) {
        self.add_of(measure, what, agents, program.name(), samples);
    }

    pub(crate) fn add_of(&mut self, measure: Measure, what: &str, agents: impl Into<usize>, program: &str, samples: &[f64]) {
        // A microsecond is more than any of them is exact to.
        let samples = samples.iter().map(|sample| (sample * 1e6).round() / 1e6).collect();
        let (what, program) = (what.to_owned(), program.to_owned());
        self.records.push(Record { what, agents: agents.into(), program, measure, samples });
    }

    /// Takes down that something could not be measured.
    pub(crate) fn fail(&mut self, what: &str, why: &str) {
        self.failures.push(format!("{what}: {why}"));
    }

    /// Takes down how the run ended.
    pub(crate) fn finish(&mut self) {
        self.conditions.push(format!("Load of the machine at the end: {}.", machine::load()));
    }

    /// The cell of a program, if it was measured.
    pub(crate) fn find(&self, what: &str, agents: usize, program: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.what == what && record.agents == agents && record.program == program)
    }

    /// Writes all that is made of them.
    ///
    /// # Panics
    /// When that cannot be written.
    pub(crate) fn write(&self, options: &Options) {
        let text = serde_json::to_string(self).expect("results as JSON").replace("},{", "},\n{");
        let write = |name: &str, text: &str| fs::write(options.directory.join(name), text).expect("room for the results");
        fs::create_dir_all(&options.directory).expect("a directory for the results");
        write("results.json", &(text + "\n"));
        write("table.md", &table::all(self));
        for (name, svg) in plot::all(self) {
            write(name, &svg);
        }
        if options.is_for_the_readme() {
            readme::update(&options.readme, self);
        }
    }
}
