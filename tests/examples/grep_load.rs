//! Measures what greps at full speed do to heartbeats: every member of a fleet on this machine is searched over and over, while it is
//! watched how late its timers are and whether anybody is reported failed.
//!
//! `cargo build --release --bins && cargo run --release -p memberd-tests --example grep_load`

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement prints, and stops at what goes wrong")]

use memberd_control::message::MemberStatus;
use memberd_tests::{Daemon, Fleet, proc};
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

const MEMBERS: u8 = 10;
const FILE_BYTES: usize = 20_000_000;
const SPAN: Duration = Duration::from_secs(30);

/// Greps at once, each over all members: one that counts, and one that prints a third of all lines.
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
    let fleet = Fleet::start_with(MEMBERS, offer);
    let mut followers = fleet.follow();
    println!("{MEMBERS} members, each with {} MB to search; {} greps at once for {SPAN:?}", FILE_BYTES / 1_000_000, GREPS.len());
    let ticks = |fleet: &Fleet| fleet.daemons().iter().map(|daemon| proc::cpu_ticks(daemon.pid())).sum::<u64>();
    let before = ticks(&fleet);
    let start = Instant::now();
    let done: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = GREPS
            .iter()
            .enumerate()
            .map(|(index, options)| {
                // Two daemons are asked, as two people would.
                let daemon = &fleet[1 + index % 2];
                scope.spawn(move || {
                    let mut runs = 0;
                    while start.elapsed() < SPAN {
                        let mut command = daemon.memberctl(&[&["grep"], *options, &["load.txt"]].concat());
                        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("memberctl runs");
                        assert!(matches!(status.code(), Some(0 | 1)), "{options:?}: {status}");
                        runs += 1;
                    }
                    runs
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread ends well")).sum()
    });
    let cpu = (ticks(&fleet) - before) / 100;
    println!("{done} greps done, {cpu} s of CPU used by the daemons");
    for daemon in fleet.daemons() {
        let counters = daemon.control().status().expect("a status").counters;
        let late = counters.iter().find(|(name, _)| name == "loop_lateness_max_ms").map_or(0, |(_, late)| *late);
        println!(
            "{}: timers at most {late} ms late, {} MiB resident at most",
            daemon.name(),
            proc::peak_kib(daemon.pid()) / 1024
        );
    }
    let failed = followers.seen().iter().filter(|seen| seen.status == MemberStatus::Failed).count();
    println!("reported failed: {failed}");
}

fn offer(daemon: &mut Daemon) {
    let mut file = daemon.offer("load.txt");
    let mut text = String::with_capacity(FILE_BYTES + 200);
    let mut number = 0_u64;
    while text.len() < FILE_BYTES {
        number += 1;
        let word = ["disk is fine", "timeout on disk", "all is well", "GET /index.html"][(number % 4) as usize];
        let needle = if number.is_multiple_of(1_000) { " needle" } else { "" };
        let user = ["anna", "bert", "carl"][(number % 3) as usize];
        text += &format!("2026-11-21T07:00:00Z {number} status={} user={user} {word}{needle}\n", 200 + number % 301);
    }
    file.write_all(text.as_bytes()).expect("a file to search");
}
