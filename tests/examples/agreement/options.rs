//! Defines the options: what is measured, how many times, and for how long. It owns no state.

use crate::system::System;
use clap::{Parser, ValueEnum};
use memberd_tests::bench::{self, RunOptions};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Measures memberd's agreed views, etcd and ZooKeeper in network namespaces, as root
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Number of rounds of each row
    #[arg(long, default_value_t = 20)]
    pub(crate) rounds: usize,
    /// Numbers of servers
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [3, 5],
        value_parser = clap::value_parser!(u8).range(3..=9)
    )]
    pub(crate) servers: Vec<u8>,
    /// Systems to measure
    #[arg(long, value_delimiter = ',', default_values_t = System::ALL, value_enum)]
    pub(crate) systems: Vec<System>,
    /// How long to watch servers at rest, in seconds
    #[arg(long, default_value_t = 20)]
    rest_seconds: u64,
    /// Time after which no round begins, in minutes; a running round is finished
    #[arg(long, default_value_t = 90)]
    pub(crate) minutes: u64,
    #[command(flatten)]
    pub(crate) run: RunOptions<Row>,
}

/// The rows that can be measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Row {
    /// The leader is killed
    Crash,
    /// The leader's machine loses its power: nothing says that its connections are gone
    Power,
    /// The leader is stopped by SIGTERM
    Stop,
    /// The leader hands over by plan
    HandOver,
    /// The holder of a lock gives it up, and another waits for it
    Lock,
    /// Nothing happens
    Rest,
}

impl bench::Row for Row {
    const DIRECTORY: &'static str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/agreement");
}

impl Options {
    pub(crate) fn rest_span(&self) -> Duration {
        Duration::from_secs(self.rest_seconds)
    }
}
