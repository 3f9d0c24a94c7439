//! Measures memberd's agreed views, etcd and ZooKeeper in turn on this machine, in network
//! namespaces. It owns the results, and writes them as raw results and as a table.
//!
//! Run `make bench-agreement` as root. `make bench-agreement AGREEMENT="--rounds 3 --servers 3"` is
//! a short run. `--help` lists all options.
//!
//! A server names its leader in its log, which this process reads from a pipe. The time of a line
//! is when it was read. The time of a crash is just before kill(2).

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement reports a row that fails")]

mod gateway;
mod group;
mod machine;
mod options;
mod results;
mod rows;
mod system;
mod table;
mod zookeeper;

use memberd_tests::Network;
use memberd_tests::bench::{self, Benchmark, Run, RunOptions, pass};
use memberd_tests::section::Section;
use options::{Options, Row};
use results::{Results, Subject};
use rows::Stage;
use std::process::ExitCode;
use system::System;

/// The options of the measurement, and the results so far.
type Bench = bench::Bench<Options>;

fn main() -> ExitCode {
    bench::main::<Options>()
}

impl Benchmark for Options {
    type Subject = Subject;
    const NAME: &'static str = "bench_agreement";
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
        for servers in bench.options.servers.clone() {
            let network = Network::new(servers).expect("network namespaces");
            for system in bench.options.systems.clone() {
                measure(bench, &network, system);
            }
        }
    }

    fn section(results: &Results) -> String {
        table::section(results)
    }
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

/// Measures all wanted rows of one system.
fn measure(bench: &mut Bench, network: &Network, system: System) {
    let mut stage = Stage::new(network, system);
    if system == System::EtcdFastest {
        let pace = stage.find_pace();
        let pace = pace.map_or("none of those tried".to_owned(), |pace| pace.to_string());
        bench.results.note(format!("etcd's fastest of {}: {pace}", network.machines()));
    }
    for (row, measure) in ROWS {
        if bench.wants(row) && system.has(row) {
            let of = Subject::new(row, network.machines(), system);
            if bench.attempt(&of, |bench| measure(bench, &of, &mut stage)).is_none() {
                stage.clear();
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
