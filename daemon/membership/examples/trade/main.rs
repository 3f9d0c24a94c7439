//! Shows what settings cost and buy in simulated fleets. It owns the command line.
//!
//! `cargo run --release -p memberd-membership --example trade` compares heartbeat intervals.
//! With `--detectors` it compares the ring and SWIM, as JSON for `make bench-peers`.

#[path = "../../tests/world/mod.rs"]
mod world;

mod detectors;
mod intervals;

use clap::Parser;
use std::path::PathBuf;

/// Sweeps the heartbeat interval at 0, 10 and 30 % loss, or compares the detectors.
#[derive(Debug, Parser)]
struct Options {
    /// How many members
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// How long to watch the idle fleet for false failures, in seconds of virtual time
    #[arg(long, default_value_t = 900)]
    idle: u64,
    /// Number of times that members crash at the same moment
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// The file of the plot of intervals
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/plots/interval.svg"))]
    plot: PathBuf,
    /// Compare the detectors instead, and print each figure as a JSON object
    #[arg(long)]
    detectors: bool,
}

fn main() -> std::io::Result<()> {
    let options = Options::parse();
    if options.detectors {
        detectors::compare(&options, &mut std::io::stdout().lock())
    } else {
        intervals::sweep(&options)
    }
}
