//! Measures fleets of real daemons and compares them with the simulator: crashes, loss, splits, the
//! introducer's absence, and rest. It owns the fleets, whose daemons have a network namespace each.
//!
//! Run `make bench-netns` as root. It takes about twenty minutes. The variables `NETNS_ROUNDS`,
//! `NETNS_SECONDS` and `NETNS_MEMBERS` make it shorter.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement prints, and stops at an error"
)]

mod simulated;
mod table;

use memberd_tests::namespaces::CommandError;
use memberd_tests::trials::crashes::{self, Crashes};
use memberd_tests::trials::{introducer, loss, rest, split};
use memberd_tests::{Fleet, Network, size};
use simulated::Simulation;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;
use table::{row, spread};

const ROUNDS: usize = 20;
const SECONDS: u64 = 120;
const MEMBERS_AT_REST: u8 = 100;

/// How many times a fleet is split, and how many times it loses its introducer.
const FEW_ROUNDS: usize = 5;

/// How long a fleet is split.
const SPLIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netns: {error}; it needs root, iproute2, nftables and util-linux");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), CommandError> {
    println!("memberd processes in network namespaces; times are median, worst; {}\n", load());
    table::head();
    for members in [10, 50] {
        crash(members)?;
    }
    for percent in [10, 30] {
        lose(50, percent)?;
    }
    for members in [10, 50] {
        split_in_halves(members)?;
    }
    lose_the_introducer(10)?;
    stay_at_rest(size::members_at_rest(MEMBERS_AT_REST))?;
    println!("\n{}", load());
    Ok(())
}

fn formed(members: u8) -> Result<Fleet, CommandError> {
    let mut fleet = Fleet::within(Network::new(members)?, members);
    fleet.form();
    Ok(fleet)
}

fn crash(members: u8) -> Result<(), CommandError> {
    let rounds = size::rounds(ROUNDS);
    let real = crashes::rounds(&mut formed(members)?, rounds);
    let simulation =
        Simulation::of(members).number("crash", crashes::AT_ONCE).number("rounds", rounds).run();
    crash_rows(
        &format!("{members} members, {rounds} rounds of {} `SIGKILL`s at once", crashes::AT_ONCE),
        &real,
        &simulation,
    );
    Ok(())
}

fn crash_rows(what: &str, real: &Crashes, simulation: &Simulation) {
    let (first, every) = real.noticed.iter().map(|noticed| (noticed.first, noticed.every)).unzip();
    row(&format!("{what}: first list"), &spread(first), &simulation.times("first_list_seconds"));
    row("every list", &spread(every), &simulation.times("every_list_seconds"));
    row(
        "live members reported failed",
        &real.false_failures.to_string(),
        &simulation.count("false_failures"),
    );
}

fn lose(members: u8, percent: u8) -> Result<(), CommandError> {
    let (rounds, span) = (size::rounds(ROUNDS), size::span(SECONDS));
    let mut fleet = formed(members)?;
    rest::calm();
    let watched = loss::watch(&fleet, percent, span);
    let real = loss::crash_rounds(&mut fleet, percent, rounds);
    let seconds = usize::try_from(span.as_secs()).expect("the span is whole seconds");
    let lossy = |rounds| Simulation::of(members).percent("loss", percent).number("rounds", rounds);
    let quiet = lossy(1).number("crash", 0).number("idle", seconds).run();
    let crashes = lossy(rounds).number("crash", crashes::AT_ONCE).run();
    let what = format!("{members} members, {percent} % loss");
    row(
        &format!("{what}, {seconds} s: live members reported failed"),
        &watched.false_failures.to_string(),
        &quiet.count("false_failures"),
    );
    row("datagrams, bytes a second, each", &table::cost(&watched.cost), &quiet.cost());
    crash_rows(
        &format!("{what}, {rounds} rounds of {} `SIGKILL`s at once", crashes::AT_ONCE),
        &real,
        &crashes,
    );
    Ok(())
}

fn split_in_halves(members: u8) -> Result<(), CommandError> {
    let fleet = formed(members)?;
    let (rounds, simulated) = (FEW_ROUNDS.min(size::rounds(ROUNDS)), size::rounds(ROUNDS));
    let real: Vec<split::Healed> = (0..rounds).map(|_| split::halves(&fleet, SPLIT)).collect();
    let seconds = usize::try_from(SPLIT.as_secs()).expect("a short time");
    let simulation =
        Simulation::of(members).number("rounds", simulated).number("split", seconds).run();
    row(
        &format!(
            "{members} members, {rounds} times ({simulated} simulated) split in halves for \
            {seconds} s: every list whole after the heal"
        ),
        &spread(real.iter().map(|healed| healed.whole).collect()),
        &simulation.times("every_list_whole_seconds"),
    );
    let renewed: usize = real.iter().map(|healed| healed.renewed).sum();
    row("new incarnations, in all", &renewed.to_string(), &simulation.count("renewed"));
    Ok(())
}

fn lose_the_introducer(members: u8) -> Result<(), CommandError> {
    let mut fleet = formed(members)?;
    let rounds = FEW_ROUNDS.min(size::rounds(ROUNDS));
    let real: Vec<introducer::Absence> =
        (0..rounds).map(|_| introducer::absence(&mut fleet, |_| ())).collect();
    row(
        &format!(
            "{members} members, {rounds} times the introducer killed and started: every list whole \
            after its start"
        ),
        &spread(real.iter().map(|absence| absence.back).collect()),
        "",
    );
    Ok(())
}

fn stay_at_rest(members: u8) -> Result<(), CommandError> {
    let (fleet, span) = (formed(members)?, size::span(SECONDS));
    rest::calm();
    let real = rest::cost(&fleet, span);
    let seconds = usize::try_from(span.as_secs()).expect("the span is whole seconds");
    let simulation = Simulation::of(members)
        .number("crash", 0)
        .number("rounds", 1)
        .number("idle", seconds)
        .run();
    row(
        &format!("{members} members at rest, {seconds} s: datagrams, bytes a second, each"),
        &table::cost(&real),
        &simulation.cost(),
    );
    let percent = |part: f64| format!("{:.3} %", part * 100.0);
    row(
        "of one processor, each: mean, worst",
        &format!("{}, {}", percent(real.processor), percent(real.processor_worst)),
        "",
    );
    row("resident at most, of any", &format!("{:.1} MiB", real.peak_kib as f64 / 1_024.0), "");
    Ok(())
}

/// The load of the machine, from proc_loadavg(5).
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").expect("a load average");
    let last_minute = load.split(' ').next().unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("load {last_minute} on {processors} processors")
}
