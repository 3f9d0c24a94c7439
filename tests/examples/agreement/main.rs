//! Measures memberd's agreed views, etcd and ZooKeeper in turn on this machine, in network
//! namespaces. It owns the results, and writes them as raw results and as a table.
//!
//! Run `make bench-agreement` as root. `make bench-agreement AGREEMENT="--rounds 3 --servers 3"` is
//! a short run. `--help` lists all options.
//!
//! A server names its leader in its log, which this process reads from a pipe. The time of a line
//! is when it was read. The time of a crash is just before kill(2).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement prints, and reports a row that fails"
)]

mod gateway;
mod group;
mod machine;
mod options;
mod results;
mod rows;
mod system;
mod table;
mod zookeeper;

use clap::Parser as _;
use memberd_tests::Network;
use memberd_tests::bench::{self, pass};
use options::{Options, Row};
use results::{Results, Subject};
use rows::Stage;
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
        eprintln!("bench_agreement: {missing}");
        return ExitCode::FAILURE;
    }
    let mut bench = Bench {
        results: Results::to_add_to(&options),
        ends: Instant::now() + options.limit(),
        options,
    };
    for servers in bench.options.servers.clone() {
        let network = Network::new(servers).expect("network namespaces");
        for system in bench.options.systems.clone() {
            bench.measure(&network, system);
        }
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
    /// The moment after which no round begins.
    ends: Instant,
}

/// Measures a row.
type Measured = fn(&mut Bench, &Subject, &mut Stage);

/// The rows, in the order of the measurement. The quick ones come first.
const ROWS: [(Row, Measured); 6] = [
    (Row::Rest, rows::rest::measure),
    (Row::HandOver, rows::hand_over::measure),
    (Row::Lock, rows::hand_over::measure_lock),
    (Row::Crash, rows::crash::killed),
    (Row::Stop, rows::crash::stopped),
    (Row::Power, rows::crash::without_power),
];

impl Bench {
    /// Measures all wanted rows of one system.
    fn measure(&mut self, network: &Network, system: System) {
        let mut stage = Stage::new(network, system);
        if system == System::EtcdFastest {
            let pace = stage.find_pace();
            let pace = pace.map_or("none of those tried".to_owned(), |pace| pace.to_string());
            self.results.note(format!("etcd's fastest of {}: {pace}", network.machines()));
        }
        for (row, measure) in ROWS {
            if self.options.wants(row) && system.has(row) {
                let of = Subject::new(row, network.machines(), system);
                if !self.attempt(&of, |bench| measure(bench, &of, &mut stage)) {
                    stage.clear();
                }
            }
        }
    }

    /// Measures a row, and returns whether it was measured to its end. A row that fails is
    /// reported, and the next rows go on.
    fn attempt(&mut self, of: &Subject, measure: impl FnOnce(&mut Bench)) -> bool {
        if self.is_over() {
            self.results.fail(of, "there was no time left: set --minutes");
            return true;
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| measure(self)));
        if let Err(panic) = &outcome {
            self.results.fail(of, bench::words(&**panic));
        }
        self.results.write(&self.options);
        let result = if outcome.is_ok() { "measured" } else { "FAILED" };
        let left = self.ends.saturating_duration_since(Instant::now()).as_secs();
        println!("{of}: {result} in {:.0} s; {left} s left", start.elapsed().as_secs_f64());
        outcome.is_ok()
    }

    /// Whether the time limit is reached.
    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// The wanted rounds. There is at least one, and no round begins after the time limit.
    fn rounds(&self) -> impl Iterator<Item = usize> + use<> {
        let (rounds, ends) = (self.options.rounds, self.ends);
        (0..rounds).take_while(move |round| *round == 0 || Instant::now() < ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_committed_results_say() {
        let options = Options::parse_from(["bench_agreement"]);
        assert!(
            table::SECTION.read(&options.benchmarks) == table::section(&options.results()),
            "run make bench-agreement AGREEMENT=--render"
        );
    }
}
