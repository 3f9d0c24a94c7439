//! Measures replicated files of memberd, HDFS and SeaweedFS in turn on this machine, in network
//! namespaces. It owns the results, and writes them as raw results and as a section of the page.
//!
//! Run `make bench-files` as root. `make bench-files FILES="--rounds 1 --crash-rounds 1 --megabytes
//! 100 --directory /tmp/files"` is a short run. `--help` lists all options.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement prints, and reports a row that fails"
)]

mod aims;
mod faces;
mod hdfs;
mod machine;
mod memberd;
mod nodes;
mod options;
mod results;
mod rows;
mod seaweed;
mod system;
mod table;

use memberd_tests::bench::{self, Benchmark, Run, RunOptions};
use memberd_tests::section::Section;
use options::{Options, Row};
use results::{Results, Subject};
use std::process::ExitCode;
use system::System;

/// The options of the measurement, and the results so far.
type Bench = bench::Bench<Options>;

fn main() -> ExitCode {
    bench::main::<Options>()
}

impl Benchmark for Options {
    type Subject = Subject;
    const NAME: &'static str = "bench_files";
    const SECTION: Section = table::SECTION;

    fn run_options(&self) -> &RunOptions<Row> {
        &self.run
    }

    fn minutes(&self) -> Option<u64> {
        Some(self.minutes)
    }

    fn missing_tools(&self) -> Result<(), String> {
        machine::missing_tools(self)
    }

    fn begin(&self) -> Run {
        machine::run(self)
    }

    fn measure(bench: &mut Bench) {
        for set in &SETS {
            if bench.options.run.wants_any(set.rows) {
                rounds(bench, set);
            }
        }
    }

    fn section(results: &Results) -> String {
        table::section(results)
    }
}

/// Rows that are measured together, in rounds.
struct Set {
    rows: &'static [Row],
    rounds: fn(&Options) -> usize,
    /// Whether systems that differ only in what they sync are measured too.
    syncing_too: bool,
    measure: fn(&mut Bench, System),
}

/// All of them, in the order of the measurement.
const SETS: [Set; 5] = [
    Set {
        rows: &rows::quick::ROWS,
        rounds: |options| options.rounds,
        syncing_too: true,
        measure: rows::quick::measure,
    },
    Set { rows: &[Row::Syncs], rounds: |_| 1, syncing_too: true, measure: rows::syncs::measure },
    Set {
        rows: &[Row::Repair],
        rounds: |options| options.crash_rounds,
        syncing_too: false,
        measure: rows::repair::measure,
    },
    Set {
        rows: &[Row::Back],
        rounds: |options| options.crash_rounds,
        syncing_too: false,
        measure: rows::back::measure,
    },
    Set {
        rows: &[Row::Memory],
        rounds: |options| options.crash_rounds,
        syncing_too: false,
        measure: rows::memory::measure,
    },
];

/// Measures rows in rounds. In each, all systems have their turn, without each other.
fn rounds(bench: &mut Bench, set: &Set) {
    for round in 1..=(set.rounds)(&bench.options) {
        println!("round {round}");
        for system in bench.options.systems.clone() {
            if set.syncing_too || system.is_as_it_is() {
                let of = Subject::new(set.rows[0], system.name());
                bench.attempt(&of, |bench| (set.measure)(bench, system));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_committed_results_say() {
        bench::check_page::<Options>();
    }
}
