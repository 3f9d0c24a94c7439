//! Defines the options: what is measured, how much, and how many times. It owns no state.

use crate::system::System;
use clap::{Parser, ValueEnum};
use memberd_tests::bench::{self, RunOptions};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Measures replicated files of memberd, HDFS and SeaweedFS in network namespaces, as root
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Number of rounds of the rows without a crash; each round starts each system anew
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Number of rounds of the rows with a crash, and of memory
    #[arg(long, default_value_t = 3)]
    pub(crate) crash_rounds: usize,
    /// How many megabytes the killed machine has
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u64).range(1..))]
    megabytes: u64,
    /// Systems to measure
    #[arg(long, value_delimiter = ',', default_values_t = System::ALL, value_enum)]
    pub(crate) systems: Vec<System>,
    /// How long to watch nodes at rest, and after a node came back, in seconds
    #[arg(long, default_value_t = 40)]
    watch_seconds: u64,
    /// Time after which no round begins, in minutes; a running round is finished
    #[arg(long, default_value_t = 120)]
    pub(crate) minutes: u64,
    #[command(flatten)]
    pub(crate) run: RunOptions<Row>,
}

/// The rows that can be measured, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Row {
    /// 100 MB are written
    Put,
    /// 100 MB are read
    Get,
    /// Small files are made
    Create,
    /// 100 B are added to a file
    Append,
    /// A file's length is asked for
    Stat,
    /// A file gets another name
    Rename,
    /// How often the disks are waited for, by create and append
    Syncs,
    /// A machine is killed
    Repair,
    /// A machine is killed, and starts again after 20 s
    Back,
    /// The memory of nodes, at rest and under load
    Memory,
}

impl bench::Row for Row {
    const DIRECTORY: &'static str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench_files");
}

impl Options {
    /// How much the killed machine has, in bytes.
    pub(crate) fn lost_bytes(&self) -> u64 {
        self.megabytes * 1_000_000
    }

    pub(crate) fn watch_span(&self) -> Duration {
        Duration::from_secs(self.watch_seconds)
    }
}
