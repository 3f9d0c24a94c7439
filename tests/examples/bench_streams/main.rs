//! Measures questions over logs and durable jobs of memberd beside Spark, mawk, DuckDB and
//! angle-grinder, in one run. It owns the results, and writes them as raw results, as a section of
//! the page and as a plot.
//!
//! Run `make bench-streams`. `make bench-streams STREAMS="--rounds 1 --megabytes 10 --directory
//! /tmp/streams"` is a short run. `--help` lists all options.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement prints, and reports a row that fails"
)]

mod aims;
mod answer;
mod follow;
mod job;
mod logs;
mod machine;
mod memberd;
mod options;
mod plot;
mod question;
mod results;
mod rows;
mod spark;
mod spark_stream;
mod stream;
mod system;
mod table;
mod usage;

use memberd_tests::bench::{self, Benchmark, Run, RunOptions};
use memberd_tests::section::Section;
use options::{Options, Row};
use results::{Results, Subject};
use std::fs;
use std::process::ExitCode;

/// The options of the measurement, and the results so far.
type Bench = bench::Bench<Options>;

fn main() -> ExitCode {
    bench::main::<Options>()
}

impl Benchmark for Options {
    type Subject = Subject;
    const NAME: &'static str = "bench_streams";
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
        rows::batch::measure(bench);
        rows::latency::measure(bench);
        rows::rest::measure(bench);
        rows::kills::measure(bench);
    }

    fn section(results: &Results) -> String {
        table::section(results)
    }

    fn write_more(&self, results: &Results) {
        let plot = self.run.directory.join(plot::FILE);
        if let Some(drawn) = plot::draw(results) {
            fs::write(plot, drawn).expect("room for the plot");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_committed_results_say() {
        let (options, results) = bench::check_page::<Options>();
        let shown = fs::read_to_string(options.run.directory.join(plot::FILE)).ok();
        assert_eq!(shown, plot::draw(&results), "run make bench-streams STREAMS=--render");
    }
}
