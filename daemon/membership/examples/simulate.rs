//! Plans a fleet. It runs a simulated fleet through crashes, a split, a mass join or a stall, and
//! reports how soon lists are right and the costs. It owns the simulated worlds.
//!
//! `cargo run --release -p memberd-membership --example simulate -- --members 1000 --crash 4 --loss
//! 0.1`

#[path = "../tests/world/mod.rs"]
mod world;

use clap::Parser;
use memberd_membership::{Detection, Event, GroupSettings, Settings};
use serde_json::json;
use std::time::{Duration, Instant};
use world::measure::{Measured, Plan, measure, quantile};
use world::{Network, World};

/// Simulates fleets of memberd in virtual time: the protocol is the daemon's own, the network and
/// the clocks are not.
#[derive(Debug, Parser)]
struct Options {
    /// How many members
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Number of members that crash at the same moment, in each round
    #[arg(long, default_value_t = 4)]
    crash: usize,
    /// Number of rounds, each with a new fleet and other members
    #[arg(long, default_value_t = 10)]
    rounds: u64,
    /// The fraction of lost datagrams, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// The least delay of a datagram, in milliseconds
    #[arg(long, default_value_t = 1)]
    delay: u64,
    /// The mean of a further, exponentially distributed delay, in milliseconds
    #[arg(long, default_value_t = 0)]
    jitter: u64,
    /// The part of the datagrams, 0 to 1, whose delay has a long tail on top: 20 ms to 3 s
    #[arg(long, default_value_t = 0.0)]
    latency_long_tail: f64,
    /// How long to watch the idle fleet before the crash, in seconds
    #[arg(long, default_value_t = 20)]
    idle: u64,
    /// Instead of the crashes: splits the fleet for this many seconds, and heals it
    #[arg(long, value_name = "SECONDS")]
    split: Option<u64>,
    /// How many members the split cuts off; half of them by default
    #[arg(long, requires = "split")]
    split_off: Option<usize>,
    /// Instead of the crashes: all members join at once, through this many introducers
    #[arg(long, value_name = "INTRODUCERS", conflicts_with = "split")]
    join_at_once: Option<usize>,
    /// Instead of the crashes: stops one member for this many milliseconds
    #[arg(long, value_name = "MILLISECONDS", conflicts_with_all = ["split", "join_at_once"])]
    stall: Option<u64>,
    /// The group's max_simultaneous_failures
    #[arg(long, default_value_t = GroupSettings::default().max_simultaneous_failures)]
    monitors: u8,
    /// The group's heartbeat_interval, in milliseconds
    #[arg(long, default_value_t = 600)]
    interval: u64,
    /// The group's failure_timeout, in milliseconds
    #[arg(long, default_value_t = 1_750)]
    timeout: u64,
    /// The seed of the first round; the others have the next ones
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON object instead of the report
    #[arg(long)]
    json: bool,
}

impl Options {
    fn settings(&self) -> Settings {
        let group = GroupSettings {
            max_simultaneous_failures: self.monitors,
            failure_timeout: Duration::from_millis(self.timeout),
            detection: Detection::Ring { heartbeat_interval: Duration::from_millis(self.interval) },
            agreement: None,
        };
        Settings { group, ..Settings::default() }
    }

    fn network(&self) -> Network {
        Network {
            loss: self.loss,
            duplication: 0.0,
            delay: Duration::from_millis(self.delay),
            jitter: Duration::from_millis(self.jitter),
            slow: self.latency_long_tail,
        }
    }

    fn seeds(&self) -> std::ops::Range<u64> {
        self.seed..self.seed + self.rounds
    }

    fn formed(&self, seed: u64) -> World {
        let mut world = World::formed(self.members, seed, self.settings());
        world.network = self.network();
        world.run_for(Duration::from_millis(1_000 + seed * 61 % 600));
        world
    }
}

fn main() {
    let options = Options::parse();
    let began = Instant::now();
    let repairs = if let Some(seconds) = options.split {
        Some((
            "after the split healed",
            repairs(&options, |options, seed| split(options, seconds, seed)),
        ))
    } else if let Some(introducers) = options.join_at_once {
        Some((
            "after all began to join",
            repairs(&options, |options, seed| join_at_once(options, introducers, seed)),
        ))
    } else {
        let stalled = options.stall.map(|milliseconds| {
            repairs(&options, |options, seed| stall(options, milliseconds, seed))
        });
        stalled.map(|repairs| ("after the stalled woke", repairs))
    };
    if let Some((since, repairs)) = repairs {
        print_repairs(&options, since, &repairs, began.elapsed());
        return;
    }
    assert!(options.crash < options.members, "someone has to be left to notice");
    let mut totals = Measured::default();
    for seed in options.seeds() {
        let (settings, network) = (options.settings(), options.network());
        let idle = Duration::from_secs(options.idle);
        totals.add(measure(&Plan {
            crash: options.crash,
            network,
            idle,
            seed,
            ..Plan::new(options.members, settings)
        }));
    }
    if options.json {
        print_json(&options, &totals);
    } else {
        print_report(&options, &totals, began.elapsed());
    }
}

/// The recovery of the lists.
#[derive(Debug, Default)]
struct Repairs {
    /// The seconds until every list was whole, in each round.
    whole: Vec<f64>,
    /// The number of new incarnations.
    renewed: usize,
    /// The datagrams that each member sent in the first 20 s afterwards.
    datagrams: f64,
}

/// How long to wait for whole lists.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs a scenario in each round, until lists should become whole, and measures how they do.
fn repairs(options: &Options, story: impl Fn(&Options, u64) -> World) -> Repairs {
    let mut repairs = Repairs::default();
    for seed in options.seeds() {
        let mut world = story(options, seed);
        let (began, sent) = (world.now, world.sent);
        let whole = world.run_until_whole(&world.all_but(&[]), LIMIT);
        world.run_for(Duration::from_secs(20).saturating_sub(whole));
        repairs.whole.push(whole.as_secs_f64());
        repairs.datagrams += (world.sent - sent) as f64 / options.members as f64;
        repairs.renewed += world
            .seen
            .iter()
            .filter(|seen| seen.at >= began && matches!(seen.event, Event::Rejoined { .. }))
            .count();
    }
    repairs
}

fn split(options: &Options, seconds: u64, seed: u64) -> World {
    let mut world = options.formed(seed);
    let cut_off = options.split_off.unwrap_or(options.members / 2);
    let sides: Vec<u8> = (0..options.members).map(|i| u8::from(i < cut_off)).collect();
    world.split(&sides);
    world.run_for(Duration::from_secs(seconds));
    world.heal();
    world
}

fn join_at_once(options: &Options, introducers: usize, seed: u64) -> World {
    let mut world = World::with(options.members, seed, options.settings());
    world.network = options.network();
    let introducers: Vec<usize> = (0..introducers.clamp(1, options.members)).collect();
    for introducer in &introducers {
        world.start(*introducer, &introducers);
        world.run_for(Duration::from_secs(3));
    }
    for i in world.all_but(&introducers) {
        world.start(i, &introducers);
    }
    world
}

fn stall(options: &Options, milliseconds: u64, seed: u64) -> World {
    let mut world = options.formed(seed);
    let time = Duration::from_millis(milliseconds);
    world.stop_for(usize::try_from(seed).unwrap_or(0) % options.members, time);
    world.run_for(time);
    world
}

fn print_repairs(options: &Options, since: &str, repairs: &Repairs, took: Duration) {
    let at = |percent| quantile(&repairs.whole, percent);
    let datagrams = repairs.datagrams / options.rounds as f64;
    if options.json {
        let times = json!({ "min": at(0), "median": at(50), "p99": at(99), "max": at(100) });
        let (members, rounds, loss, seed) =
            (options.members, options.rounds, options.loss, options.seed);
        println!(
            "{}",
            json!({
                "schema": 1, "members": members, "rounds": rounds, "loss": loss, "seed": seed,
                "since": since, "every_list_whole_seconds": times, "renewed": repairs.renewed,
                "datagrams_in_20_seconds": datagrams,
            })
        );
        return;
    }
    println!("{}", title(options));
    println!(
        "every list whole {since}: min {:.3} s  median {:.3} s  p99 {:.3} s  max {:.3} s",
        at(0),
        at(50),
        at(99),
        at(100)
    );
    println!(
        "{:>16}  {} members came back under a new incarnation, in all rounds",
        "renewed", repairs.renewed
    );
    println!("{:>16}  {datagrams:.0} datagrams per member in the 20 s after", "cost");
    println!(
        "{:>16}  seeds {} to {}, {took:.1?}",
        "repeat with",
        options.seed,
        options.seed + options.rounds - 1
    );
}

fn title(options: &Options) -> String {
    format!(
        "{} members, k = {}, heartbeats every {} ms, timeout {} ms, {} % loss, {} ms delay + {} ms \
        jitter, {} rounds",
        options.members,
        options.monitors,
        options.interval,
        options.timeout,
        options.loss * 100.0,
        options.delay,
        options.jitter,
        options.rounds,
    )
}

fn print_report(options: &Options, totals: &Measured, took: Duration) {
    println!("{} of {} crashes", title(options), options.crash);
    if options.crash > 0 {
        print_crashes(totals);
    }
    println!(
        "{:>16}  {} in {:.1} member-hours",
        "false failures", totals.false_failures, totals.member_hours
    );
    println!(
        "{:>16}  {:.2} datagrams/s, {:.0} bytes/s with IPv4 and UDP headers, per member",
        "idle",
        totals.datagrams_a_second(),
        totals.bytes_a_second()
    );
    println!(
        "{:>16}  seeds {} to {}, {took:.1?}",
        "repeat with",
        options.seed,
        options.seed + options.rounds - 1
    );
}

fn print_crashes(totals: &Measured) {
    for (what, values) in [("first list", &totals.first), ("every list", &totals.every)] {
        let at = |percent| quantile(values, percent);
        println!(
            "{what:>16}  min {:.3} s  median {:.3} s  p99 {:.3} s  max {:.3} s",
            at(0),
            at(50),
            at(99),
            at(100)
        );
    }
    let gap: Vec<f64> =
        totals.first.iter().zip(&totals.every).map(|(first, every)| every - first).collect();
    println!(
        "{:>16}  median {:.0} ms  max {:.0} ms",
        "first to every",
        quantile(&gap, 50) * 1e3,
        quantile(&gap, 100) * 1e3
    );
    println!("{:>16}  {} crashes not in every list after 20 s", "missed", totals.missed);
    println!(
        "{:>16}  {:.1} datagrams per survivor beyond idle, within 20 s",
        "the crashes",
        totals.datagrams_of_the_crashes()
    );
}

fn print_json(options: &Options, totals: &Measured) {
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
        "idle_datagrams_per_second": totals.datagrams_a_second(),
        "idle_bytes_per_second": totals.bytes_a_second(),
        "datagrams_of_the_crashes": totals.datagrams_of_the_crashes(),
    });
    println!("{report}");
}
