//! Measures a fleet of real daemons on this machine: joining, one and four crashes at once, and what it costs at rest.
//!
//! `cargo build --release --bins && cargo run --release -p memberd-tests --example measure`

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement prints, and stops at what goes wrong")]

use memberd_control::message::MemberStatus;
use memberd_tests::{Fleet, proc};
use std::thread;
use std::time::{Duration, Instant};

const MEMBERS: u8 = 10;
const ROUNDS: usize = 10;
const REST: Duration = Duration::from_secs(30);

fn main() {
    println!("{MEMBERS} memberd processes on loopback, {ROUNDS} rounds; times are best, median, worst");
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
        // Neighbours on the ring: the hardest case. The pause puts each round at another phase of the heartbeats.
        thread::sleep(Duration::from_millis(700 + 60 * u64::try_from(round).unwrap_or_default()));
        let dead: Vec<usize> = fleet.ring().into_iter().cycle().skip(round).take(victims).collect();
        let crashes = fleet.crash(&dead);
        let names: Vec<&str> = crashes.iter().map(|crash| crash.name.as_str()).collect();
        for crash in &crashes {
            let times = followers.assert_in_every_list(&crash.id, MemberStatus::Failed, crash.at, &names);
            first.extend(times.iter().min());
            last.extend(times.iter().max());
        }
    }
    println!("SIGKILL of {victims}, until the first list has it  {}", spread(first));
    println!("SIGKILL of {victims}, until every list has it      {}", spread(last));
}

fn rest() {
    let fleet = Fleet::start(MEMBERS);
    // News rides on heartbeats, and lists are compared, for ten seconds after the last change.
    thread::sleep(Duration::from_secs(12));
    let counters = || {
        let count = |name: &str| {
            let of = |daemon: &memberd_tests::Daemon| {
                let status = daemon.control().status().expect("a status");
                status.counters.iter().find(|(counter, _)| counter == name).map_or(0, |(_, count)| *count)
            };
            fleet.daemons().iter().map(of).sum::<u64>()
        };
        let ticks: u64 = fleet.daemons().iter().map(|daemon| proc::cpu_ticks(daemon.pid())).sum();
        [count("datagrams_sent"), count("bytes_sent"), ticks].map(|count| f64::from(u32::try_from(count).unwrap_or(u32::MAX)))
    };
    let [datagrams, bytes, ticks] = counters();
    thread::sleep(REST);
    let [datagrams_after, bytes_after, ticks_after] = counters();
    let share = f64::from(MEMBERS) * REST.as_secs_f64();
    let sent = datagrams_after - datagrams;
    // 100 ticks are a second; the headers of IPv4 and UDP are 28 bytes.
    println!(
        "at rest, each: {:.2} datagrams/s, {:.0} bytes/s with IPv4 and UDP headers, {:.2} ms of CPU a second, {} KiB resident at most",
        sent / share,
        (bytes_after - bytes + 28.0 * sent) / share,
        (ticks_after - ticks) * 10.0 / share,
        fleet.daemons().iter().map(|daemon| proc::peak_kib(daemon.pid())).max().unwrap_or_default()
    );
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times.get((times.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default();
    format!("{:.3} s, {:.3} s, {:.3} s", at(0).as_secs_f64(), at(50).as_secs_f64(), at(100).as_secs_f64())
}
