//! Defines the options: what is measured, how much, and for how long. It owns no state.

use crate::results::Results;
use crate::text::Size;
use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How large each file of the searched text is, in bytes, unless there is less text.
const FILE_BYTES: u64 = 60_000_000;

/// The fewest files of the searched text.
const LEAST_FILES: u64 = 8;

/// Measures copies of logs: what shipping costs, and how fast they are searched. As root
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How many megabytes of text are searched
    #[arg(long, default_value_t = 6_000, value_parser = clap::value_parser!(u64).range(20..))]
    megabytes: u64,
    /// How many megabytes each of the ten members logs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    log_megabytes: u64,
    /// How many megabytes each of them logs in a second
    #[arg(long, default_value_t = 2.0)]
    pub(crate) pace: f64,
    /// Number of rounds of each search
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// How long to watch fleets that log nothing, in seconds
    #[arg(long, default_value_t = 60)]
    rest_seconds: u64,
    /// Rows to measure; all by default. They replace the same rows of earlier runs. Other rows stay
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    /// The directory of another memberd and memberctl, which search the .gz files too
    #[arg(long)]
    pub(crate) baseline: Option<PathBuf>,
    /// Forget the results of earlier runs
    #[arg(long)]
    pub(crate) anew: bool,
    /// Directory of the raw results
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench_copies"))]
    pub(crate) directory: PathBuf,
    /// The page whose section is written, if the results are in the default place
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/BENCHMARKS.md"))]
    pub(crate) benchmarks: PathBuf,
    /// Measure nothing, and write the page from the stored results
    #[arg(long)]
    pub(crate) render: bool,
}

/// The rows that can be measured, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Row {
    /// Nobody logs anything
    Rest,
    /// One member logs
    One,
    /// All ten members log
    All,
    /// The size of a store of sealed copies
    Size,
    /// Searches of copies beside those of .gz and .zst files
    Search,
}

impl Options {
    pub(crate) fn wants(&self, row: Row) -> bool {
        self.rows.is_empty() || self.rows.contains(&row)
    }

    pub(crate) fn rest_span(&self) -> Duration {
        Duration::from_secs(self.rest_seconds)
    }

    /// How much each member logs, in bytes.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.log_megabytes * 1_000_000
    }

    /// How large the searched text is.
    pub(crate) fn text(&self) -> Size {
        let bytes = self.megabytes * 1_000_000;
        let file_bytes = (bytes / LEAST_FILES).min(FILE_BYTES);
        Size { files: bytes / file_bytes, file_bytes }
    }

    /// Reads the stored raw results.
    pub(crate) fn results(&self) -> Results {
        Results::read(&self.directory)
    }

    /// Whether the benchmarks page shows these results.
    pub(crate) fn is_for_the_benchmarks(&self) -> bool {
        self.directory.ends_with("examples/bench_copies")
    }
}
