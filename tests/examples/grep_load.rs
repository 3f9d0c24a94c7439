//! Measures how greps at full speed affect heartbeats. It owns a fleet on this machine and searches
//! every member repeatedly. It watches how late the timers are and whether a member is reported
//! failed.
//!
//! `cargo build --release --bins && cargo run --release -p memberd-tests --example grep_load`

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement prints, and stops at an error"
)]

use memberd_control::message::MemberStatus;
use memberd_tests::{Daemon, Fleet, proc};
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

const MEMBERS: u8 = 10;
const FILE_BYTES: usize = 20_000_000;
const SPAN: Duration = Duration::from_secs(30);

/// The concurrent greps, each over all members. Most count lines, and some print up to a third of
/// them.
const GREPS: [&[&str]; 10] = [
    &["-c", "-i", "timeout.*disk"],
    &["-c", "needle"],
    &["status=[45]"],
    &["-c", "-E", "[a-f]{4}[0-9]{3}"],
    &["needle"],
    &["-i", "DISK"],
    &["-c", "-v", "needle"],
    &["-o", "user=[a-z]*"],
    &["-c", "nowhere"],
    &["-n", "disk"],
];

fn main() {
    println!(
        "{MEMBERS} members, each with {} MB to search, for {SPAN:?} each",
        FILE_BYTES / 1_000_000
    );
    measure(&[]);
    measure(&GREPS);
}

/// Watches a new fleet while these greps run concurrently and repeatedly.
fn measure(greps: &'static [&'static [&'static str]]) {
    let fleet = Fleet::start_with(MEMBERS, offer);
    let mut followers = fleet.follow();
    let ticks = || fleet.daemons().iter().map(|daemon| proc::cpu_ticks(daemon.pid())).sum::<u64>();
    let (before, start) = (ticks(), Instant::now());
    let done: usize = std::thread::scope(|scope| {
        let run = |(index, options): (usize, &&'static [&'static str])| {
            // Two users would ask two daemons, so the greps do too.
            let (daemon, options) = (&fleet[1 + index % 2], *options);
            scope.spawn(move || run_repeatedly(daemon, options, start))
        };
        let threads: Vec<_> = greps.iter().enumerate().map(run).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread must not panic")).sum()
    });
    std::thread::sleep(SPAN.saturating_sub(start.elapsed()));
    let late = fleet.daemons().iter().map(|daemon| {
        let counters = daemon.control().status().expect("a status").counters;
        counters
            .iter()
            .find(|(name, _)| name == "loop_lateness_max_ms")
            .map_or(0, |(_, late)| *late)
    });
    let mut late: Vec<u64> = late.collect();
    late.sort_unstable();
    let peak =
        fleet.daemons().iter().map(|daemon| proc::peak_kib(daemon.pid())).max().unwrap_or_default();
    let failed = followers.seen().iter().filter(|seen| seen.status == MemberStatus::Failed).count();
    println!(
        "{} concurrent greps, {done} done, {} s of CPU in the daemons; the latest timer of each \
        member: {late:?} ms; {} MiB at most; \
         {failed} reported failed",
        greps.len(),
        (ticks() - before) / 100,
        peak / 1024,
    );
}

fn run_repeatedly(daemon: &Daemon, options: &[&str], start: Instant) -> usize {
    let mut runs = 0;
    while start.elapsed() < SPAN {
        let mut command = daemon.memberctl(&[&["grep"], options, &["load.txt"]].concat());
        let status =
            command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("memberctl runs");
        assert!(matches!(status.code(), Some(0 | 1)), "{options:?}: {status}");
        runs += 1;
    }
    runs
}

fn offer(daemon: &mut Daemon) {
    let mut file = daemon.offer("load.txt");
    let mut text = String::with_capacity(FILE_BYTES + 200);
    let mut number = 0_u64;
    while text.len() < FILE_BYTES {
        number += 1;
        let word = ["disk is fine", "timeout on disk", "all is well", "GET /index.html"]
            [(number % 4) as usize];
        let needle = if number.is_multiple_of(1_000) { " needle" } else { "" };
        let user = ["anna", "bert", "carl"][(number % 3) as usize];
        text += &format!(
            "2026-11-21T07:00:00Z {number} status={} user={user} {word}{needle}\n",
            200 + number % 301
        );
    }
    file.write_all(text.as_bytes()).expect("a file to search");
}
