//! Measures memberd, with each detector, and Serf in turn on this machine, in network namespaces.
//! It owns the results, and writes them as a table, raw results and plots.
//!
//! Run `make bench-peers` as root. `make bench-peers PEERS="--rounds 2 --agents 10"` is a short
//! run. `--help` lists all options.
//!
//! The list of an agent comes from its log: memberd's `member joined`, `failed`, `left`, Serf's
//! `EventMemberJoin`, `Failed`, `Leave`. Both programs write their logs to a pipe, which this
//! process reads, so watching costs both the same. The time of a line is when it was read. The time
//! of a crash is just before kill(2).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement prints, and reports a row that fails"
)]

mod agent;
mod benchmarks;
mod goals;
mod group;
mod machine;
mod options;
mod plot;
mod results;
mod rows;
mod stage;
mod table;

use group::InVain;
use memberd_tests::Network;
use memberd_tests::bench::{self, Benchmark, Run, RunOptions, pass};
use memberd_tests::section::Section;
use options::{Options, Row};
use results::{Results, Subject};
use stage::Stage;
use std::fs;
use std::process::ExitCode;

/// The options of the measurement, and the results so far.
type Bench = bench::Bench<Options>;

fn main() -> ExitCode {
    bench::main::<Options>()
}

impl Benchmark for Options {
    type Subject = Subject;
    const NAME: &'static str = "bench_peers";
    const SECTION: Section = benchmarks::SECTION;

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
        println!("{}", bench.options.plan());
        // Rows that are quick and informative come first.
        let of = Subject::new(Row::Search, rows::search::MACHINES, &agent::RING);
        attempt(bench, &of, |bench, _| rows::search::measure(bench));
        rows::growth::measure(bench);
        for agents in bench.options.sizes() {
            beside_serf(bench, agents);
        }
        rows::loss::measure(bench);
        rows::simulated::measure(bench);
    }

    fn section(results: &Results) -> String {
        benchmarks::section(results)
    }

    fn summary(results: &Results) -> String {
        table::all(results)
    }

    fn write_more(&self, results: &Results) {
        let write = |name: &str, text: &str| {
            fs::write(self.run.directory.join(name), text).expect("room for the results");
        };
        write("table.md", &table::all(results));
        for (name, svg) in plot::all(results) {
            write(name, &svg);
        }
    }
}

/// Measures a row on a stage. [`InVain`] says that the lists were not whole in time, so the row
/// ends early.
type Measured = fn(&mut Bench, &Subject, &mut Stage) -> Result<(), InVain>;

/// The rows that the groups go through, one after the other.
const ON_STAGE: [(Row, Measured); 6] = [
    (Row::Crash, rows::crashes::measure),
    (Row::Leave, rows::leave::measure),
    (Row::Rest, rows::rest::measure),
    (Row::Stop, rows::stop::measure),
    (Row::Split, rows::split::measure),
    (Row::Introducer, rows::introducer::measure),
];

/// Measures all rows for one size of groups.
fn beside_serf(bench: &mut Bench, agents: u8) {
    let networks: Vec<Network> = (0..bench.options.side_by_side(agents))
        .map(|_| Network::new(agents).expect("network namespaces"))
        .collect();
    let programs = bench.options.programs.clone();
    for program in &programs {
        if bench.options.has(Row::Start, agents, program) {
            attempt(bench, &Subject::new(Row::Start, agents, program), |bench, of| {
                rows::start::measure(bench, of, &networks[0], program);
                Ok(())
            });
        }
    }
    for program in programs {
        let mut stage = Stage::new(&networks, program);
        for (row, measure) in ON_STAGE {
            if bench.options.has(row, agents, program)
                && !attempt(bench, &Subject::new(row, agents, program), |bench, of| {
                    measure(bench, of, &mut stage)
                })
            {
                stage.clear();
            }
        }
    }
}

/// Measures a row if it is wanted, and returns whether it was measured to its end.
fn attempt(
    bench: &mut Bench,
    of: &Subject,
    measure: impl FnOnce(&mut Bench, &Subject) -> Result<(), InVain>,
) -> bool {
    if !bench.wants(of.row) {
        return true;
    }
    let measure = |bench: &mut Bench| {
        let outcome = measure(bench, of);
        if outcome.is_err() {
            println!("{of}: never whole");
            bench.results.add_never_whole(of);
        }
        outcome
    };
    matches!(bench.attempt(of, measure), Some(Ok(())))
}

/// The rounds of this many parallel groups that give the wanted number.
fn rounds(bench: &Bench, groups: usize) -> impl Iterator<Item = usize> + use<> {
    bench.rounds(bench.options.rounds.div_ceil(groups.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_committed_results_say() {
        let (options, results) = bench::check_page::<Options>();
        let table = fs::read_to_string(options.run.directory.join("table.md")).unwrap();
        assert_eq!(table, table::all(&results), "run make bench-peers PEERS=--render");
    }
}
