//! Defines the options: what is measured, how much, and for how long. It owns no state.

use crate::text::Size;
use clap::{Parser, ValueEnum};
use memberd_tests::bench::{self, RunOptions};
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
    /// The directory of another memberd and memberctl, which search the .gz files too
    #[arg(long)]
    pub(crate) baseline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunOptions<Row>,
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

impl bench::Row for Row {
    const DIRECTORY: &'static str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench_copies");
}

impl Options {
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
}
