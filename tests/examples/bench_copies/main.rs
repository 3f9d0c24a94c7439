//! Measures copies of logs: what it costs to ship them, and how fast they are searched beside other
//! programs. It owns the results, and writes them as raw results and as a section of the page.
//!
//! Run `make bench-copies` as root. `make bench-copies COPIES="--megabytes 200 --log-megabytes 5"`
//! is a short run. `--help` lists all options.

#![allow(
    clippy::print_stderr,
    clippy::expect_used,
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

use memberd_tests::bench::{self, Benchmark, Run, RunOptions, pass};
use memberd_tests::section::Section;
use options::{Options, Row};
use results::{Results, Subject};
use std::process::ExitCode;

/// The options of the measurement, and the results so far.
type Bench = bench::Bench<Options>;

fn main() -> ExitCode {
    bench::main::<Options>()
}

impl Benchmark for Options {
    type Subject = Subject;
    const NAME: &'static str = "bench_copies";
    const SECTION: Section = table::SECTION;

    fn run_options(&self) -> &RunOptions<Row> {
        &self.run
    }

    fn missing_tools(&self) -> Result<(), String> {
        machine::missing_tools(self)
    }

    fn begin(&self) -> Run {
        machine::run(self)
    }

    fn measure(bench: &mut Bench) {
        let wants = |rows: &[Row]| bench.options.run.wants_any(rows);
        let (ships, searches) = (wants(machine::SHIPPING), wants(machine::SEARCHING));
        if ships {
            shipping::measure(bench);
        }
        if searches {
            search::measure(bench);
        }
    }

    fn section(results: &Results) -> String {
        table::section(results)
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
