//! Defines the options: what is measured, how many times, and for how long. It owns no state.

use crate::agent::{PROGRAMS, Program};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, ValueEnum};
use memberd_tests::bench::{self, RunOptions};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;

/// Measures memberd and Serf in network namespaces, as root
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Number of rounds of each row, over all groups of a size together
    #[arg(long, default_value_t = 10)]
    pub(crate) rounds: usize,
    /// Sizes of the groups
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [10, 50, 100],
        value_parser = clap::value_parser!(u8).range(5..=250)
    )]
    pub(crate) agents: Vec<u8>,
    /// Programs to measure
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = PROGRAMS,
        value_parser = program()
    )]
    pub(crate) programs: Vec<Program>,
    /// The most agents that run at once. Groups of a size run in parallel, so that each round
    /// measures several
    #[arg(long, default_value_t = 200)]
    at_once: usize,
    /// Sizes of the simulated groups. 10000 members take hours and 10 GB of memory
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000])]
    pub(crate) simulated: Vec<usize>,
    /// The largest group that is stopped, split and loses its introducer
    #[arg(long, default_value_t = 50)]
    pub(crate) disturbed: u8,
    /// How long to watch groups under loss, in seconds
    #[arg(long, default_value_t = 120)]
    loss_seconds: u64,
    /// Number of agents in the groups under loss
    #[arg(long, default_value_t = 50)]
    pub(crate) loss_agents: u8,
    /// How long to watch groups at rest, in seconds
    #[arg(long, default_value_t = 20)]
    rest_seconds: u64,
    /// Numbers of memberd on one machine, to measure the cost of growth
    #[arg(long, value_delimiter = ',', default_values_t = [10, 50, 100, 250, 500])]
    pub(crate) growth: Vec<usize>,
    /// Size of the log to search on each machine, in megabytes
    #[arg(long, default_value_t = 20)]
    pub(crate) log_megabytes: usize,
    /// Time after which no round begins, in minutes; a running round is finished
    #[arg(long, default_value_t = 100)]
    pub(crate) minutes: u64,
    #[command(flatten)]
    pub(crate) run: RunOptions<Row>,
}

/// The rows that can be measured, in the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Row {
    /// All start at once
    Start,
    /// One, three and four crash
    Crash,
    /// One leaves
    Leave,
    /// Nothing happens
    Rest,
    /// An agent is stopped for a while
    Stop,
    /// The group is split in halves
    Split,
    /// The introducer crashes and comes back
    Introducer,
    /// Packets are lost
    Loss,
    /// Logs are searched
    Search,
    /// Many memberd on one machine
    Growth,
    /// The detectors in the simulator
    Simulated,
}

impl Row {
    /// All of them.
    pub(crate) const ALL: &'static [Row] = &[
        Row::Start,
        Row::Crash,
        Row::Leave,
        Row::Rest,
        Row::Stop,
        Row::Split,
        Row::Introducer,
        Row::Loss,
        Row::Search,
        Row::Growth,
        Row::Simulated,
    ];

    /// Whether real groups of several sizes go through it, of memberd and of Serf.
    pub(crate) fn is_beside_serf(self) -> bool {
        !matches!(self, Row::Search | Row::Growth | Row::Simulated)
    }
}

/// Reads the name of a program.
fn program() -> impl TypedValueParser<Value = Program> {
    PossibleValuesParser::new(PROGRAMS.map(|program| program.option)).try_map(|option| {
        PROGRAMS.into_iter().find(|program| program.option == option).ok_or("no such program")
    })
}

impl bench::Row for Row {
    const DIRECTORY: &'static str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/peers/results");
}

impl Options {
    /// The sizes of groups to compare with Serf; none if no such row is wanted.
    pub(crate) fn sizes(&self) -> Vec<u8> {
        let beside = |row: &&Row| row.is_beside_serf() && **row != Row::Loss;
        let wanted = Row::ALL.iter().filter(beside).any(|row| self.run.wants(*row));
        if wanted { self.agents.clone() } else { Vec::new() }
    }

    /// Whether groups of this size and program go through this row. Large groups skip the
    /// disturbing rows.
    pub(crate) fn has(&self, row: Row, agents: u8, program: Program) -> bool {
        let disturbs = matches!(row, Row::Stop | Row::Split | Row::Introducer);
        (!disturbs || agents <= self.disturbed) && program.rows.contains(&row)
    }

    /// How many groups of this size run in parallel.
    pub(crate) fn side_by_side(&self, agents: u8) -> usize {
        (self.at_once / usize::from(agents)).clamp(1, self.rounds.max(1))
    }

    pub(crate) fn loss_span(&self) -> Duration {
        Duration::from_secs(self.loss_seconds)
    }

    pub(crate) fn rest_span(&self) -> Duration {
        Duration::from_secs(self.rest_seconds)
    }

    /// Describes what will be measured, and estimates the time.
    pub(crate) fn plan(&self) -> String {
        let mut text = String::new();
        let mut sum = 0;
        let mut say = |what: String, seconds: u64| {
            sum += seconds;
            let _ = writeln!(text, "{what}: about {} min", seconds.div_ceil(60));
        };
        let alone = [
            (Row::Search, 60 + self.rounds as u64 * 8),
            (Row::Growth, self.growth.len() as u64 * (self.rest_seconds + 25)),
            (Row::Loss, self.programs.len() as u64 * (self.loss_seconds + 25)),
            (Row::Simulated, self.simulated.iter().map(|members| 30 + *members as u64 / 5).sum()),
        ];
        for (row, seconds) in alone.into_iter().filter(|(row, _)| self.run.wants(*row)) {
            say(format!("{row:?}"), seconds);
        }
        for agents in self.sizes() {
            say(
                format!("{agents} agents, {} groups side by side", self.side_by_side(agents)),
                self.seconds(agents),
            );
        }
        let _ = write!(
            text,
            "in all about {} min; no round begins after {} min",
            sum.div_ceil(60),
            self.minutes
        );
        text
    }

    /// Estimates the seconds for the rows of one size, from measurements on two cores.
    fn seconds(&self, agents: u8) -> u64 {
        let n = u64::from(agents);
        let rounds = self.rounds.div_ceil(self.side_by_side(agents)) as u64;
        let form = 5 + n / 6;
        let stage = |program: Program| {
            let slow = !program.is_memberd();
            let crash = rounds * if slow { 40 } else { 28 };
            let rest = 12 + self.rest_seconds;
            let all = [
                (Row::Crash, crash),
                (Row::Leave, rounds * 6),
                (Row::Rest, rest),
                (Row::Stop, rounds * 35),
                (Row::Split, if slow { 55 } else { 30 }),
                (Row::Introducer, if slow { 20 } else { 8 }),
            ];
            form + all
                .iter()
                .filter(|(row, _)| self.run.wants(*row) && self.has(*row, agents, program))
                .map(|(_, seconds)| seconds)
                .sum::<u64>()
        };
        let start = if self.run.wants(Row::Start) { self.rounds as u64 * (5 + n / 10) } else { 0 };
        start + self.programs.iter().map(|program| stage(program)).sum::<u64>()
    }
}
