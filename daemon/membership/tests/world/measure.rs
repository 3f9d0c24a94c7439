//! Measures the cost of a fleet and its detection times, for the examples. It owns the measured
//! figures.

use super::{Network, World, name};
use memberd_membership::{Counters, Event, MemberEventKind, Name, Settings};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long to watch a fleet after its crashes.
const QUIET: Duration = Duration::from_secs(20);

/// A fleet that idles and then loses some members at the same moment.
#[derive(Debug, Clone)]
pub struct Plan {
    pub members: usize,
    pub crash: usize,
    pub settings: Settings,
    pub network: Network,
    /// The delay of datagrams from the crash on, if it is another one then.
    pub delay_at_crash: Option<Duration>,
    /// Whether neighbours on the ring crash, and not random members.
    pub neighbours: bool,
    pub idle: Duration,
    pub seed: u64,
}

impl Plan {
    /// Random members of a group with these settings, on a network of defaults. Nobody crashes.
    pub fn new(members: usize, settings: Settings) -> Self {
        Plan {
            members,
            crash: 0,
            settings,
            network: Network::default(),
            delay_at_crash: None,
            neighbours: false,
            idle: Duration::from_secs(1),
            seed: 1,
        }
    }
}

/// The results of one run, or of several together.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// For each crash, the seconds until it was in the first list, and in all of them.
    pub first: Vec<f64>,
    pub every: Vec<f64>,
    /// How many crashes were not in every list at the end.
    pub missed: usize,
    /// The number of live members that were reported failed, and the member hours of the run.
    pub false_failures: usize,
    pub member_hours: f64,
    /// How often members suspected others at rest, and how often one refuted that.
    pub suspicions: u64,
    pub refutations: u64,
    /// The most datagrams that a member sent in a second after the crashes.
    pub busiest: u64,
    /// The member seconds at rest, and the datagrams and bytes that were sent meanwhile. Bytes
    /// include IPv4 and UDP headers.
    idle_seconds: f64,
    idle_datagrams: f64,
    idle_bytes: f64,
    /// The additional datagrams of the survivors after the crashes, and the number of survivors.
    event_datagrams: f64,
    survivors: f64,
}

impl Measured {
    /// Datagrams that an idle member sends in a second.
    pub fn datagrams_a_second(&self) -> f64 {
        self.idle_datagrams / self.idle_seconds
    }

    /// Bytes that an idle member sends in a second, with IPv4 and UDP headers.
    pub fn bytes_a_second(&self) -> f64 {
        self.idle_bytes / self.idle_seconds
    }

    /// Datagrams that each survivor sent because of the crashes.
    pub fn datagrams_of_the_crashes(&self) -> f64 {
        self.event_datagrams / self.survivors
    }

    /// Adds the results of another run.
    pub fn add(&mut self, other: Measured) {
        self.first.extend(other.first);
        self.every.extend(other.every);
        self.missed += other.missed;
        self.false_failures += other.false_failures;
        self.member_hours += other.member_hours;
        self.suspicions += other.suspicions;
        self.refutations += other.refutations;
        self.busiest = self.busiest.max(other.busiest);
        self.idle_seconds += other.idle_seconds;
        self.idle_datagrams += other.idle_datagrams;
        self.idle_bytes += other.idle_bytes;
        self.event_datagrams += other.event_datagrams;
        self.survivors += other.survivors;
    }
}

/// Runs a plan.
pub fn measure(plan: &Plan) -> Measured {
    let mut world = World::formed(plan.members, plan.seed, plan.settings.clone());
    world.network = plan.network.clone();
    let members = plan.members as f64;
    let mut choice = SmallRng::seed_from_u64(plan.seed);
    let idle = plan.idle + plan.settings.group.interval().mul_f64(choice.random::<f64>());
    let (sent, bytes, from) = (world.sent, world.sent_bytes, world.now);
    run_slim(&mut world, idle);
    let mut measured = Measured {
        idle_seconds: members * idle.as_secs_f64(),
        idle_datagrams: (world.sent - sent) as f64,
        idle_bytes: (world.sent_bytes - bytes + 28 * (world.sent - sent)) as f64,
        ..Measured::default()
    };
    let counted = |of: fn(&Counters) -> u64| -> u64 {
        (0..plan.members).map(|i| of(&world.node(i).counters())).sum()
    };
    measured.suspicions = counted(|counters| counters.suspicions);
    measured.refutations = counted(|counters| counters.refutations);
    let victims = victims(plan, &world, &mut choice);
    let survivors = world.all_but(&victims);
    if !victims.is_empty() {
        let (crashed, sent) = (world.now, world.sent);
        victims.iter().for_each(|victim| world.crash(*victim));
        world.network.delay = plan.delay_at_crash.unwrap_or(world.network.delay);
        measured.busiest = watch(&mut world, &survivors);
        measured.survivors = survivors.len() as f64;
        let usual = measured.datagrams_a_second() * measured.survivors * QUIET.as_secs_f64();
        measured.event_datagrams = (world.sent - sent) as f64 - usual;
        for victim in &victims {
            match world.noticed(*victim, crashed, &survivors) {
                Some((first, every)) => {
                    measured.first.push(first.as_secs_f64());
                    measured.every.push(every.as_secs_f64());
                }
                None => measured.missed += 1,
            }
        }
    }
    measured.member_hours = members * (world.now - from).as_secs_f64() / 3_600.0;
    let idle_until = from + idle;
    let gone: BTreeSet<Name> = victims.iter().map(|victim| name(*victim)).collect();
    let is_false =
        |(at, _, failed): &(Duration, usize, Name)| *at < idle_until || !gone.contains(failed);
    let mut last_reported: Vec<(Name, Duration)> = Vec::new();
    for (at, _, failed) in world.failures_since(from).into_iter().filter(is_false) {
        // Reports about one member within 10 s are one failure, seen by many.
        let known = last_reported.iter().rev().find(|(name, _)| *name == failed);
        if known.is_none_or(|(_, last)| at - *last > Duration::from_secs(10)) {
            measured.false_failures += 1;
            last_reported.push((failed, at));
        }
    }
    measured
}

/// Runs, and keeps no event but failures, since those of a large fleet would fill the memory.
fn run_slim(world: &mut World, time: Duration) {
    let end = world.now + time;
    while world.now < end {
        world.run_for(Duration::from_secs(1).min(end - world.now));
        world.seen.retain(|seen| is_failure(&seen.event));
    }
}

fn is_failure(event: &Event) -> bool {
    matches!(event, Event::Member(event) if matches!(event.kind, MemberEventKind::Failed(_)))
}

/// Chooses the members that crash.
fn victims(plan: &Plan, world: &World, choice: &mut SmallRng) -> Vec<usize> {
    let mut members: Vec<usize> = (0..plan.members).collect();
    if plan.neighbours {
        members = world.ring(0);
        members.rotate_left(choice.random_range(0..plan.members));
    } else {
        members.shuffle(choice);
    }
    members.truncate(plan.crash);
    members
}

/// Watches the survivors of crashes. Returns the most datagrams that one sent in a second.
fn watch(world: &mut World, survivors: &[usize]) -> u64 {
    let sent = |world: &World| -> Vec<u64> {
        survivors.iter().map(|i| world.node(*i).counters().datagrams_sent).collect()
    };
    let mut most = 0;
    for _ in 0..QUIET.as_secs() {
        let before = sent(world);
        run_slim(world, Duration::from_secs(1));
        let pairs = sent(world).into_iter().zip(before);
        most = most.max(pairs.map(|(after, before)| after - before).max().unwrap_or_default());
    }
    most
}

/// The value below which this many percent of the values lie.
pub fn quantile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len().saturating_sub(1) * percent).div_ceil(100);
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
