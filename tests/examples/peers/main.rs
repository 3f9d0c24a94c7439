//! Measures memberd beside Serf, in turn on this machine, in network namespaces of its own: a table, raw results and plots.
//!
//! `make bench-peers`, as root. `make bench-peers PEERS="--rounds 2 --agents 10"` is a short one; `--help` says what else there is.
//!
//! An agent's list is what its own log says of it: memberd's `member joined`, `failed`, `left`, Serf's `EventMemberJoin`, `Failed`, `Leave`.
//! Both write their logs to a pipe, from which this process reads, so both pay the same for being watched; a line's time is when it was
//! read, a crash's time the one just before kill(2).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement prints, and a row that goes wrong is reported as such"
)]

mod agent;
mod group;
mod machine;
mod options;
mod plot;
mod readme;
mod results;
mod rows;
mod stage;
mod table;

use agent::Program;
use clap::Parser as _;
use memberd_tests::Network;
use options::{Options, Row};
use results::Results;
use stage::Stage;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

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
    let mut bench = Bench { results: Results::new(&options), ends: Instant::now() + options.limit(), options };
    for agents in bench.options.agents.clone() {
        bench.beside_serf(agents);
    }
    bench.attempt(Row::Loss, "loss", rows::loss::measure);
    bench.attempt(Row::Search, "search", rows::search::measure);
    bench.attempt(Row::Growth, "growth", rows::growth::measure);
    bench.results.finish();
    bench.results.write(&bench.options);
    println!("{}", table::all(&bench.results));
    if bench.results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is measured, and how, and what came of it so far.
struct Bench {
    options: Options,
    results: Results,
    /// When no more rounds begin.
    ends: Instant,
}

impl Bench {
    /// All rows that one size of groups has.
    fn beside_serf(&mut self, agents: u8) {
        let networks: Vec<Network> =
            (0..self.options.side_by_side(agents)).map(|_| Network::new(agents).expect("network namespaces")).collect();
        self.attempt(Row::Start, &format!("start of {agents}"), |bench| rows::start::measure(bench, &networks));
        for program in self.options.programs.clone() {
            let mut stage = Stage::new(&networks, program);
            let mut on_stage = |bench: &mut Bench, row: Row, measure: fn(&mut Bench, &mut Stage)| {
                let default_only = !matches!(row, Row::Crash | Row::Rest);
                if program == Program::SerfLocal && default_only {
                    return;
                }
                if !bench.attempt(row, &format!("{row:?} of {agents} x {}", program.name()), |bench| measure(bench, &mut stage)) {
                    stage.clear();
                }
            };
            on_stage(self, Row::Crash, rows::crashes::measure);
            on_stage(self, Row::Leave, rows::leave::measure);
            on_stage(self, Row::Rest, rows::rest::measure);
            if agents <= self.options.disturbed {
                on_stage(self, Row::Stop, rows::stop::measure);
                on_stage(self, Row::Split, rows::split::measure);
                on_stage(self, Row::Introducer, rows::introducer::measure);
            }
        }
    }

    /// Measures a row if it is wanted. One that fails is reported, and the others go on. Whether it went well.
    fn attempt(&mut self, row: Row, what: &str, measure: impl FnOnce(&mut Bench)) -> bool {
        if !self.options.wants(row) {
            return true;
        }
        if self.is_over() {
            self.results.fail(what, "there was no time left for it: --minutes");
            return true;
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| measure(self)));
        let good = outcome.is_ok();
        if let Err(panic) = outcome {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned())).unwrap_or_default();
            self.results.fail(what, &words);
        }
        self.results.write(&self.options);
        let left = self.ends.saturating_duration_since(Instant::now()).as_secs();
        println!("{what}: {} in {:.0} s; {left} s left", if good { "measured" } else { "FAILED" }, start.elapsed().as_secs_f64());
        good
    }

    /// Whether the time is over.
    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// The rounds of so many groups side by side that make up the wanted number, as long as there is time; one at least.
    fn rounds(&self, groups: usize) -> impl Iterator<Item = usize> + use<> {
        let (rounds, ends) = (self.options.rounds.div_ceil(groups.max(1)), self.ends);
        (0..rounds).take_while(move |round| *round == 0 || Instant::now() < ends)
    }
}

/// Lets time pass: what is measured or set up here is a time.
fn pass(span: Duration) {
    std::thread::sleep(span);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_what_the_committed_results_say() {
        let options = Options::parse_from(["bench_peers"]);
        let results = options.results();
        let shown = std::fs::read_to_string(&options.readme).unwrap();
        assert!(shown.contains(&readme::section(&results)), "make bench-peers PEERS=--render writes it anew");
        let table = std::fs::read_to_string(options.directory.join("table.md")).unwrap();
        assert_eq!(table, table::all(&results), "make bench-peers PEERS=--render writes it anew");
    }
}
