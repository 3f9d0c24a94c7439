//! Plans a fleet: runs a simulated one through crashes and reports how soon they are seen and what it costs.
//!
//! `cargo run --release -p memberd-ring --example simulate -- --members 1000 --crash 4 --loss 0.1`

#[path = "../tests/world/mod.rs"]
mod world;

use clap::Parser;
use memberd_ring::{GroupSettings, Settings};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::time::{Duration, Instant};
use world::{Network, World};

/// Simulates fleets of memberd in virtual time: the protocol is the daemon's own, the network and the clocks are not.
#[derive(Debug, Parser)]
struct Options {
    /// How many members
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// How many of them crash at the same moment, in each round
    #[arg(long, default_value_t = 4)]
    crash: usize,
    /// How often, each time with other members of a fleet made anew
    #[arg(long, default_value_t = 10)]
    rounds: u64,
    /// The part of the datagrams that is lost, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// The least delay of a datagram, in milliseconds
    #[arg(long, default_value_t = 1)]
    delay: u64,
    /// The mean of a further, exponentially distributed delay, in milliseconds
    #[arg(long, default_value_t = 0)]
    jitter: u64,
    /// How long the idle fleet is watched before the crash, in seconds
    #[arg(long, default_value_t = 20)]
    idle: u64,
    /// The group's max_simultaneous_failures
    #[arg(long, default_value_t = GroupSettings::default().max_simultaneous_failures)]
    monitors: u8,
    /// The group's heartbeat_interval, in milliseconds
    #[arg(long, default_value_t = 600)]
    interval: u64,
    /// The group's failure_timeout, in milliseconds
    #[arg(long, default_value_t = 1_750)]
    timeout: u64,
    /// The first round's seed; the others' follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON object instead of the report
    #[arg(long)]
    json: bool,
}

/// What all rounds gave, in seconds of virtual time and per member and second.
#[derive(Debug, Default)]
struct Totals {
    first: Vec<f64>,
    every: Vec<f64>,
    false_failures: usize,
    member_hours: f64,
    idle_datagrams: f64,
    idle_bytes: f64,
    event_datagrams: f64,
    missed: usize,
}

fn main() {
    let options = Options::parse();
    assert!(options.crash < options.members, "someone has to be left to notice");
    let began = Instant::now();
    let mut totals = Totals::default();
    for round in 0..options.rounds {
        run(&options, options.seed + round, &mut totals);
    }
    if options.json { print_json(&options, &totals) } else { print_report(&options, &totals, began.elapsed()) }
}

fn run(options: &Options, seed: u64, totals: &mut Totals) {
    let group = GroupSettings {
        max_simultaneous_failures: options.monitors,
        heartbeat_interval: Duration::from_millis(options.interval),
        failure_timeout: Duration::from_millis(options.timeout),
    };
    let mut world = World::formed(options.members, seed, Settings { group, ..Settings::default() });
    world.network = Network {
        loss: options.loss,
        duplication: 0.0,
        delay: Duration::from_millis(options.delay),
        jitter: Duration::from_millis(options.jitter),
    };
    let members = options.members as f64;
    let mut choice = SmallRng::seed_from_u64(seed);
    let idle = Duration::from_secs(options.idle) + Duration::from_millis(choice.random_range(0..options.interval));
    let (sent, bytes, from) = (world.sent, world.sent_bytes, world.now);
    world.run_for(idle);
    totals.idle_datagrams += (world.sent - sent) as f64 / members / idle.as_secs_f64();
    totals.idle_bytes += (world.sent_bytes - bytes + 28 * (world.sent - sent)) as f64 / members / idle.as_secs_f64();

    let mut victims: Vec<usize> = (0..options.members).collect();
    victims.shuffle(&mut choice);
    victims.truncate(options.crash);
    let (crashed, sent) = (world.now, world.sent);
    for victim in &victims {
        world.crash(*victim);
    }
    let quiet = Duration::from_secs(20);
    world.run_for(quiet);
    let expected_idle = totals.idle_datagrams / (seed - options.seed + 1) as f64 * quiet.as_secs_f64();
    let survivors = members - options.crash as f64;
    totals.event_datagrams += (world.sent - sent) as f64 / survivors - expected_idle;
    totals.member_hours += members * (world.now - from).as_secs_f64() / 3_600.0;
    let failures = world.failures_since(from);
    for victim in &victims {
        let of_victim = failures.iter().filter(|(at, _, name)| *at >= crashed && *name == world::name(*victim));
        let times: Vec<f64> = of_victim.map(|(at, ..)| (*at - crashed).as_secs_f64()).collect();
        if times.len() < options.members - options.crash {
            totals.missed += 1;
            continue;
        }
        totals.first.push(times.iter().copied().fold(f64::INFINITY, f64::min));
        totals.every.push(times.iter().copied().fold(0.0, f64::max));
    }
    let is_false = |(at, _, name): &&(Duration, usize, memberd_ring::Name)| {
        *at < crashed || !victims.iter().any(|victim| world::name(*victim) == *name)
    };
    let mut falsely: Vec<_> = failures.iter().filter(is_false).map(|(_, _, name)| name).collect();
    falsely.sort();
    falsely.dedup();
    totals.false_failures += falsely.len();
}

/// The value below which this many percent of the values lie.
fn quantile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len().saturating_sub(1) * percent).div_ceil(100);
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

fn print_report(options: &Options, totals: &Totals, took: Duration) {
    let rounds = options.rounds as f64;
    println!(
        "{} members, k = {}, heartbeats every {} ms, timeout {} ms, {} % loss, {} ms delay + {} ms jitter, {} rounds of {} crashes",
        options.members,
        options.monitors,
        options.interval,
        options.timeout,
        options.loss * 100.0,
        options.delay,
        options.jitter,
        options.rounds,
        options.crash
    );
    for (what, values) in [("first list", &totals.first), ("every list", &totals.every)] {
        let at = |percent| quantile(values, percent);
        println!("{what:>16}  min {:.3} s  median {:.3} s  p99 {:.3} s  max {:.3} s", at(0), at(50), at(99), at(100));
    }
    let gap: Vec<f64> = totals.first.iter().zip(&totals.every).map(|(first, every)| every - first).collect();
    println!("{:>16}  median {:.0} ms  max {:.0} ms", "first to every", quantile(&gap, 50) * 1e3, quantile(&gap, 100) * 1e3);
    println!("{:>16}  {} crashes not in every list after 20 s", "missed", totals.missed);
    println!("{:>16}  {} in {:.1} member-hours", "false failures", totals.false_failures, totals.member_hours);
    println!(
        "{:>16}  {:.2} datagrams/s, {:.0} bytes/s with IPv4 and UDP headers, per member",
        "idle",
        totals.idle_datagrams / rounds,
        totals.idle_bytes / rounds
    );
    println!("{:>16}  {:.1} datagrams per survivor beyond idle, within 20 s", "the crashes", totals.event_datagrams / rounds);
    println!("{:>16}  seeds {} to {}, {took:.1?}", "repeat with", options.seed, options.seed + options.rounds - 1);
}

fn print_json(options: &Options, totals: &Totals) {
    let rounds = options.rounds as f64;
    let times = |values: &[f64]| {
        let at = |percent| quantile(values, percent);
        json!({ "min": at(0), "median": at(50), "p99": at(99), "max": at(100) })
    };
    let report = json!({
        "schema": 1,
        "members": options.members,
        "crash": options.crash,
        "rounds": options.rounds,
        "loss": options.loss,
        "seed": options.seed,
        "first_list_seconds": times(&totals.first),
        "every_list_seconds": times(&totals.every),
        "missed": totals.missed,
        "false_failures": totals.false_failures,
        "member_hours": totals.member_hours,
        "idle_datagrams_per_second": totals.idle_datagrams / rounds,
        "idle_bytes_per_second": totals.idle_bytes / rounds,
        "datagrams_of_the_crashes": totals.event_datagrams / rounds,
    });
    println!("{report}");
}
