//! What the programs share that measure memberd beside others: samples with their units, results of
//! several runs, options, and the machine they come from. It owns no state.
//!
//! A program implements [`Benchmark`] for its options, and calls [`main`]. It keeps what is its
//! own: the rows, how each is measured, and how the page shows them.

pub mod aims;
pub mod machine;
pub mod options;
pub mod results;
pub mod run;
pub mod table;

pub use options::{Row, RunOptions};
pub use results::{Column, Results, Run, Subject};
pub use run::{Bench, Benchmark, check_page, main};

use serde::{Deserialize, Deserializer, Serialize};
use std::thread;
use std::time::Duration;

/// How long a condition is waited for. A sample that took longer is infinite.
pub const LIMIT: Duration = Duration::from_secs(90);

/// The meaning of a number. For each of them, less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// A time.
    Seconds,
    /// A rate.
    PerSecond,
    /// A rate of bytes.
    BytesPerSecond,
    /// Processor time in a second.
    MillisecondsPerSecond,
    /// Memory.
    Mebibytes,
    /// An amount of text.
    Megabytes,
    /// Processor time for a megabyte of text.
    MillisecondsPerMegabyte,
    /// How many times as much.
    Ratio,
    /// A part of a hundred.
    Percent,
    /// A count in an hour.
    PerHour,
    /// A count over the whole row.
    Total,
    /// Ones and zeros: the event happened or not.
    Share,
}

impl Measure {
    /// Formats a number with its unit.
    pub fn show(self, value: f64) -> String {
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
            Measure::Megabytes => format!("{value:.1} MB"),
            Measure::MillisecondsPerMegabyte => format!("{value:.2} ms/MB"),
            Measure::Ratio => format!("{value:.3}"),
            Measure::Percent => format!("{value:.2} %"),
            Measure::Total | Measure::Share => format!("{value:.0}"),
        }
    }
}

/// One cell of a table, about a subject `S`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record<S> {
    /// What was measured.
    pub what: String,
    /// Of which row and program.
    #[serde(flatten)]
    pub of: S,
    /// The meaning of the samples.
    pub measure: Measure,
    /// A sample is infinite, and `null` in the file, where the condition never held.
    #[serde(deserialize_with = "samples")]
    pub samples: Vec<f64>,
    /// The run, by the time of its beginning.
    pub run: String,
}

impl<S> Record<S> {
    /// The median of the samples, or their sum if they are counts.
    pub fn typical(&self) -> f64 {
        if matches!(self.measure, Measure::Total | Measure::Share) {
            return self.samples.iter().sum();
        }
        // With an even number of samples, it is the mean of the middle two.
        let count = self.samples.len();
        (self.at(count.saturating_sub(1) / 2) + self.at(count / 2)) / 2.0
    }

    /// A cell of a table: the median and the worst of several samples, or the only one.
    pub fn cell(&self, show: impl Fn(Measure, f64) -> String) -> String {
        let typical = show(self.measure, self.typical());
        match self.measure {
            Measure::Total => typical,
            _ if self.samples.len() == 1 => typical,
            measure => format!("{typical}, {}", show(measure, self.worst())),
        }
    }

    /// The largest sample.
    pub fn worst(&self) -> f64 {
        self.at(self.samples.len().saturating_sub(1))
    }

    fn at(&self, index: usize) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }
}

impl<S: Clone + PartialEq> Record<S> {
    /// Adds samples to the record of this subject among those of `run`, or a record.
    pub fn add(
        records: &mut Vec<Record<S>>,
        run: String,
        of: &S,
        measure: Measure,
        what: &str,
        samples: &[f64],
    ) {
        // None of them is accurate to a microsecond.
        let samples = samples.iter().map(|sample| (sample * 1e6).round() / 1e6);
        match records.iter_mut().find(|record| record.of == *of && record.what == what) {
            Some(record) => record.samples.extend(samples),
            None => {
                let (what, of, samples) = (what.to_owned(), of.clone(), samples.collect());
                records.push(Record { what, of, measure, samples, run });
            }
        }
    }
}

/// Sleeps, because the measurement needs exactly this span of time.
pub fn pass(span: Duration) {
    thread::sleep(span);
}

/// How long the n-th group or round waits, up to a second. The waits are spread evenly, so that
/// rounds begin at all phases of the timers.
pub fn phase(n: usize) -> Duration {
    const GOLDEN_RATIO: f64 = 0.618_033_988_75;
    Duration::from_secs(1).mul_f64((n as f64 * GOLDEN_RATIO).fract())
}

/// JSON has no infinity, so the file has `null`.
fn samples<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let samples: Vec<Option<f64>> = Vec::deserialize(deserializer)?;
    Ok(samples.into_iter().map(|sample| sample.unwrap_or(f64::INFINITY)).collect())
}
