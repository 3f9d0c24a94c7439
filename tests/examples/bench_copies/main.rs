//! Measures copies of logs: what it costs to ship them, and how fast they are searched beside other
//! programs. It owns the results, and writes them as raw results and as a section of the page.
//!
//! Run `make bench-copies` as root. `make bench-copies COPIES="--megabytes 200 --log-megabytes 5"`
//! is a short run. `--help` lists all options.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement prints, and reports a row that fails"
)]

mod aims;
mod machine;
mod options;
mod results;
mod search;
mod shipping;
mod table;
mod text;

use clap::Parser as _;
use memberd_tests::bench::{self, pass};
use options::{Options, Row};
use results::{Results, Subject};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.render {
        options.results().write(&options);
        return ExitCode::SUCCESS;
    }
    if let Err(missing) = machine::missing_tools(&options) {
        eprintln!("bench_copies: {missing}");
        return ExitCode::FAILURE;
    }
    let mut bench = Bench { results: Results::to_add_to(&options), options };
    let wants = |rows: &[Row]| rows.iter().any(|row| bench.options.wants(*row));
    let (ships, searches) =
        (wants(&[Row::Rest, Row::One, Row::All]), wants(&[Row::Size, Row::Search]));
    if ships {
        shipping::measure(&mut bench);
    }
    if searches {
        search::measure(&mut bench);
    }
    bench.results.finish();
    bench.results.write(&bench.options);
    println!("{}", table::section(&bench.results));
    if bench.results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The options of the measurement, and the results so far.
struct Bench {
    options: Options,
    results: Results,
}

impl Bench {
    /// Measures something. What fails is reported, and the rest goes on.
    fn attempt(&mut self, of: &Subject, measure: impl FnOnce(&mut Bench)) {
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| measure(self)));
        if let Err(panic) = &outcome {
            self.results.fail(of, bench::words(&**panic));
        }
        self.results.write(&self.options);
        let result = if outcome.is_ok() { "measured" } else { "FAILED" };
        println!("{of}: {result} in {:.0} s", start.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_committed_results_say() {
        let options = Options::parse_from(["bench_copies"]);
        assert!(
            table::SECTION.read(&options.benchmarks) == table::section(&options.results()),
            "run make bench-copies COPIES=--render"
        );
    }
}
