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
    clippy::print_stderr,
    clippy::expect_used,
    clippy::unwrap_used,
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

use clap::Parser as _;
use group::InVain;
use memberd_tests::Network;
use memberd_tests::bench::{self, pass};
use options::{Options, Row};
use results::{Results, Subject};
use stage::Stage;
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
        eprintln!("bench_peers: {missing}");
        return ExitCode::FAILURE;
    }
    println!("{}", options.plan());
    let mut bench = Bench {
        results: Results::to_add_to(&options),
        ends: Instant::now() + options.limit(),
        options,
    };
    // Rows that are quick and informative come first.
    bench.attempt(&Subject::new(Row::Search, rows::search::MACHINES, &agent::RING), |bench, _| {
        rows::search::measure(bench)
    });
    rows::growth::measure(&mut bench);
    for agents in bench.options.sizes() {
        bench.beside_serf(agents);
    }
    rows::loss::measure(&mut bench);
    rows::simulated::measure(&mut bench);
    bench.results.finish();
    bench.results.write(&bench.options);
    println!("{}", table::all(&bench.results));
    if bench.results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The options of the measurement, and the results so far.
struct Bench {
    options: Options,
    results: Results,
    /// The moment after which no round begins.
    ends: Instant,
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

impl Bench {
    /// Measures all rows for one size of groups.
    fn beside_serf(&mut self, agents: u8) {
        let networks: Vec<Network> = (0..self.options.side_by_side(agents))
            .map(|_| Network::new(agents).expect("network namespaces"))
            .collect();
        let programs = self.options.programs.clone();
        for program in &programs {
            if self.options.has(Row::Start, agents, program) {
                self.attempt(&Subject::new(Row::Start, agents, program), |bench, of| {
                    rows::start::measure(bench, of, &networks[0], program);
                    Ok(())
                });
            }
        }
        for program in programs {
            let mut stage = Stage::new(&networks, program);
            for (row, measure) in ON_STAGE {
                if self.options.has(row, agents, program)
                    && !self.attempt(&Subject::new(row, agents, program), |bench, of| {
                        measure(bench, of, &mut stage)
                    })
                {
                    stage.clear();
                }
            }
        }
    }

    /// Measures a row if it is wanted, and returns whether it was measured to its end. A row that
    /// fails is reported, and the next rows go on.
    fn attempt(
        &mut self,
        of: &Subject,
        measure: impl FnOnce(&mut Bench, &Subject) -> Result<(), InVain>,
    ) -> bool {
        if !self.options.wants(of.row) {
            return true;
        }
        if self.is_over() {
            self.results
                .fail(of, "there was no time left: set --minutes, or --rows in another run");
            return true;
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| measure(self, of)));
        let result = match &outcome {
            Ok(Ok(())) => "measured",
            Ok(Err(InVain)) => {
                self.results.add_never_whole(of);
                "never whole"
            }
            Err(panic) => {
                self.results.fail(of, bench::words(&**panic));
                "FAILED"
            }
        };
        self.results.write(&self.options);
        let left = self.ends.saturating_duration_since(Instant::now()).as_secs();
        println!("{of}: {result} in {:.0} s; {left} s left", start.elapsed().as_secs_f64());
        matches!(outcome, Ok(Ok(())))
    }

    /// Whether the time limit is reached.
    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// The rounds of this many parallel groups that give the wanted number. There is at least one,
    /// and no round begins after the time limit.
    fn rounds(&self, groups: usize) -> impl Iterator<Item = usize> + use<> {
        let (rounds, ends) = (self.options.rounds.div_ceil(groups.max(1)), self.ends);
        (0..rounds).take_while(move |round| *round == 0 || Instant::now() < ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_committed_results_say() {
        let options = Options::parse_from(["bench_peers"]);
        let results = options.results();
        assert!(
            benchmarks::SECTION.read(&options.benchmarks) == benchmarks::section(&results),
            "run make bench-peers PEERS=--render"
        );
        let table = std::fs::read_to_string(options.directory.join("table.md")).unwrap();
        assert_eq!(table, table::all(&results), "run make bench-peers PEERS=--render");
    }
}
