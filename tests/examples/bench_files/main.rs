//! Measures replicated files of memberd, HDFS and SeaweedFS in turn on this machine, in network
//! namespaces. It owns the results, and writes them as raw results and as a section of the page.
//!
//! Run `make bench-files` as root. `make bench-files FILES="--rounds 1 --crash-rounds 1 --megabytes
//! 100 --directory /tmp/files"` is a short run. `--help` lists all options.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::unwrap_used,
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

use clap::Parser as _;
use memberd_tests::bench;
use options::{Options, Row};
use results::{Results, Subject};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;
use system::System;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.render {
        options.results().write(&options);
        return ExitCode::SUCCESS;
    }
    if let Err(missing) = machine::missing_tools(&options) {
        eprintln!("bench_files: {missing}");
        return ExitCode::FAILURE;
    }
    let mut bench = Bench {
        results: Results::to_add_to(&options),
        ends: Instant::now() + options.limit(),
        options,
    };
    for set in &SETS {
        if set.rows.iter().any(|row| bench.options.wants(*row)) {
            bench.rounds(set);
        }
    }
    bench.results.finish();
    bench.results.write(&bench.options);
    println!("{}", table::section(&bench.results));
    if bench.results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

/// The options of the measurement, and the results so far.
struct Bench {
    options: Options,
    results: Results,
    /// The moment after which no round begins.
    ends: Instant,
}

impl Bench {
    /// Measures rows in rounds. In each, all systems have their turn, without each other.
    fn rounds(&mut self, set: &Set) {
        for round in 1..=(set.rounds)(&self.options) {
            for system in self.options.systems.clone() {
                if set.syncing_too || system.is_as_it_is() {
                    self.attempt(set, system, round);
                }
            }
        }
    }

    /// Measures a set of rows with a system once. A failure is reported, and the rest goes on.
    fn attempt(&mut self, set: &Set, system: System, round: usize) {
        let of = Subject::new(set.rows[0], system.name());
        if Instant::now() >= self.ends {
            self.results.fail(&of, "there was no time left: set --minutes");
            return;
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (set.measure)(self, system)));
        if let Err(panic) = &outcome {
            self.results.fail(&of, bench::words(&**panic));
        }
        self.results.write(&self.options);
        let result = if outcome.is_ok() { "measured" } else { "FAILED" };
        println!("{of}, round {round}: {result} in {:.0} s", start.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_committed_results_say() {
        let options = Options::parse_from(["bench_files"]);
        assert!(
            table::SECTION.read(&options.benchmarks) == table::section(&options.results()),
            "run make bench-files FILES=--render"
        );
    }
}
