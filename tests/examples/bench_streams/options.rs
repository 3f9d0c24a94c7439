//! Defines the options: what is measured, how much, and how many times. It owns no state.

use crate::system::System;
use clap::{Parser, ValueEnum};
use memberd_tests::bench::{self, RunOptions};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Measures questions over logs and durable jobs beside Spark, mawk, DuckDB and angle-grinder
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Number of rounds of each question and of lines; each round starts each program anew
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// How many megabytes each of the ten logs has
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    megabytes: u64,
    /// How many lines are timed on their way, in each round
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) marks: u16,
    /// Number of rounds of each kind of kill
    #[arg(long, default_value_t = 3)]
    pub(crate) kills: usize,
    /// How long to watch programs at rest, in seconds
    #[arg(long, default_value_t = 40)]
    rest_seconds: u64,
    /// How long a program runs before it counts as at rest, in seconds
    #[arg(long, default_value_t = 90)]
    calm_seconds: u64,
    /// Programs to measure
    #[arg(long, value_delimiter = ',', default_values_t = System::ALL, value_enum)]
    pub(crate) systems: Vec<System>,
    #[command(flatten)]
    pub(crate) run: RunOptions<Row>,
}

/// The rows that can be measured, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Row {
    /// Errors by member, path and status
    Errors,
    /// All lines by member and status, every ten seconds
    Windows,
    /// The ten clients with the most requests
    Clients,
    /// From a line to its row
    Latency,
    /// Nothing is written
    Rest,
    /// Kills, until the next row
    Kills,
    /// Rows that are missing or doubled after kills
    Doubles,
}

impl bench::Row for Row {
    const DIRECTORY: &'static str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench_streams");
}

impl Options {
    /// How long each log is.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.megabytes * 1_000_000
    }

    pub(crate) fn rest_span(&self) -> Duration {
        Duration::from_secs(self.rest_seconds)
    }

    pub(crate) fn calm_span(&self) -> Duration {
        Duration::from_secs(self.calm_seconds)
    }

    /// Whether this program is to be measured.
    pub(crate) fn has(&self, system: System) -> bool {
        self.systems.contains(&system)
    }
}
