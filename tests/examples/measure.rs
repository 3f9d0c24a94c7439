//! Measures a fleet of real daemons on this machine: joins, one and four simultaneous crashes, and
//! the cost at rest. It owns the fleet.
//!
//! `cargo build --release --bins && cargo run --release -p memberd-tests --example measure`

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement prints, and stops at an error"
)]

use memberd_control::message::MemberStatus;
use memberd_tests::Fleet;
use memberd_tests::trials::rest;
use std::thread;
use std::time::{Duration, Instant};

const MEMBERS: u8 = 10;
const ROUNDS: usize = 10;
const REST: Duration = Duration::from_secs(30);

fn main() {
    println!(
        "{MEMBERS} memberd processes on loopback, {ROUNDS} rounds; times are best, median, worst"
    );
    join();
    for victims in [1, 4] {
        crash(victims);
    }
    rest();
}

fn join() {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let fleet = Fleet::idle(MEMBERS);
        for daemon in fleet.daemons() {
            let began = Instant::now();
            daemon.control().join().expect("a member joins");
            times.push(began.elapsed());
        }
        fleet.wait_until_whole();
    }
    println!("join, until heartbeats are exchanged   {}", spread(times));
}

fn crash(victims: usize) {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut fleet = Fleet::start(MEMBERS);
        let mut followers = fleet.follow();
        // Neighbours on the ring are the hardest case. The pause starts each round at another phase
        // of the heartbeats.
        thread::sleep(Duration::from_millis(700 + 60 * u64::try_from(round).unwrap_or_default()));
        let dead: Vec<usize> = fleet.ring().into_iter().cycle().skip(round).take(victims).collect();
        let crashes = fleet.crash(&dead);
        let names: Vec<&str> = crashes.iter().map(|crash| crash.name.as_str()).collect();
        for crash in &crashes {
            let times =
                followers.assert_in_every_list(&crash.id, MemberStatus::Failed, crash.at, &names);
            first.extend(times.iter().min());
            last.extend(times.iter().max());
        }
    }
    println!("SIGKILL of {victims}, until the first list has it  {}", spread(first));
    println!("SIGKILL of {victims}, until every list has it      {}", spread(last));
}

fn rest() {
    let fleet = Fleet::start(MEMBERS);
    rest::calm();
    let rest = rest::cost(&fleet, REST);
    println!(
        "at rest, each: {:.2} datagrams/s, {:.0} bytes/s with IPv4 and UDP headers, {:.2} ms of \
        CPU a second, {} KiB resident at most",
        rest.datagrams,
        rest.bytes,
        rest.processor * 1e3,
        rest.peak_kib
    );
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| {
        times.get((times.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default()
    };
    format!(
        "{:.3} s, {:.3} s, {:.3} s",
        at(0).as_secs_f64(),
        at(50).as_secs_f64(),
        at(100).as_secs_f64()
    )
}
