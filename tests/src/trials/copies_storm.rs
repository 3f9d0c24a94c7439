//! Puts copies of logs through a storm, by a seed: machines write and rotate logs at full speed
//! while members are killed, stopped, split and sent away, disks become full, and keepers change.
//!
//! After each act, what a search finds of each machine that is gone is compared with what that
//! machine wrote: of each file whole lines from its beginning on, no gap, and no line twice. Only
//! what a keeper dropped for want of space may be missing at the beginning, and that is told.

mod acts;
mod answer;
mod check;
mod line;
mod stores;
mod truth;
mod writer;

use crate::chance::Chance;
use crate::disk::Disk;
use crate::wait::holds;
use crate::{Fleet, Network, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use writer::Writer;

/// How many members there are.
pub const MEMBERS: u8 = 8;

/// How many of them have a small disk for their state, that becomes full.
const SMALL_DISKS: usize = 3;

/// What is free on such a disk otherwise, in KiB. Keepers leave 1 GiB free.
const ROOM_KIB: u64 = 4 << 20;

/// How many bytes a second each machine writes, on average.
const PACE: u64 = 200_000;

/// How many lines each machine writes to each log in the end.
const LAST_LINES: u64 = 2;

/// How long the lists may take after an act, and the copies at the end.
const LISTED: Duration = Duration::from_secs(60);
const KEPT: Duration = Duration::from_secs(180);

/// The results.
#[derive(Debug, Default)]
pub struct Weathered {
    /// How often something was done.
    pub acts: usize,
    /// How many searches for the logs of a machine that is gone were compared, and their lines.
    pub searches: usize,
    /// How many lines they printed.
    pub lines: u64,
    /// What was missing at the end of the copies of each member that was killed while its copies
    /// were not late.
    pub lacked: Vec<Duration>,
    /// What is kept in the end, in bytes of text.
    pub kept_bytes: u64,
}

/// A machine that is gone.
#[derive(Debug, Clone, Copy)]
struct Death {
    at: Instant,
    /// Whether it left, and did not fail.
    left: bool,
}

/// The storm.
struct Storm {
    writers: Vec<Writer>,
    disks: BTreeMap<usize, Disk>,
    fleet: Fleet,
    /// The members whose disks are full now, and whether any ever was.
    full: BTreeSet<usize>,
    was_full: bool,
    dead: BTreeMap<usize, Death>,
    /// When each member that runs was started.
    started: BTreeMap<usize, Instant>,
    chance: Chance,
    begun: Instant,
    weathered: Weathered,
}

/// Puts eight members on this network through a storm of this length, within
/// [`crate::disk::with_own_mounts`].
///
/// # Panics
/// When a search prints something else than it should, or the copies are not whole in the end.
pub fn weather(network: Network, seed: u64, span: Duration) -> Weathered {
    let mut storm = Storm::gather(network, seed);
    while storm.begun.elapsed() < span {
        let what = storm.act();
        storm.weathered.acts += 1;
        storm.say(&what);
        storm.check_dead();
    }
    storm.calm();
    storm.weathered
}

impl Storm {
    fn gather(network: Network, seed: u64) -> Storm {
        let mut chance = Chance::new(seed);
        let mut fleet = Fleet::within(network, MEMBERS);
        let all: Vec<usize> = (1..=usize::from(MEMBERS)).collect();
        fleet.let_all_introduce();
        for daemon in fleet.daemons_mut() {
            daemon.settings.logs = vec!["copies = 2".to_owned()];
            daemon.set_keys("a");
            line::Log::ALL.iter().for_each(|log| drop(daemon.offer(log.file())));
        }
        let small = chance.pick(&all, SMALL_DISKS).into_iter();
        let disks = small.map(|number| {
            let room = u32::try_from(ROOM_KIB).expect("a small number");
            (number, Disk::mount(&fleet[number].settings.state_dir, room))
        });
        let disks = disks.collect();
        fleet.form();
        let writers = fleet.daemons().iter().zip(1..).map(|(daemon, number)| {
            Writer::start(daemon.directory(), daemon.name(), seed.wrapping_add(number << 32), PACE)
        });
        let (writers, begun) = (writers.collect(), Instant::now());
        let started = all.into_iter().map(|number| (number, begun)).collect();
        Storm {
            writers,
            disks,
            fleet,
            full: BTreeSet::new(),
            was_full: false,
            dead: BTreeMap::new(),
            started,
            chance,
            begun,
            weathered: Weathered::default(),
        }
    }

    fn say(&self, what: &str) {
        let dead: Vec<&usize> = self.dead.keys().collect();
        println!("{:7.1} s  {what}; gone: {dead:?}", self.begun.elapsed().as_secs_f64());
    }

    fn writer(&self, number: usize) -> &Writer {
        &self.writers[number - 1]
    }

    /// The members that run.
    fn up(&self) -> Vec<usize> {
        self.fleet.running_numbers()
    }

    /// Waits until each of these lists exactly those as alive.
    fn wait_until_listed(&self, observers: &[usize], members: &[usize]) {
        let expected: BTreeSet<String> =
            members.iter().map(|number| format!("vm{number}")).collect();
        wait_until("the lists are as they should be", LISTED, || {
            for number in observers {
                let alive = self.fleet[*number].control().alive();
                let alive = alive.map_err(|error| error.to_string())?;
                let names = alive.iter().filter_map(|id| id.split('@').next());
                let names: BTreeSet<String> = names.map(str::to_owned).collect();
                holds(names == expected, || format!("vm{number} lists {alive:?}"))?;
            }
            Ok(())
        });
    }

    /// Everybody comes back, and nothing is full. Then what is on the disks of the machines is kept
    /// twice, and what is kept is what they wrote.
    fn calm(&mut self) {
        self.free_disks();
        let gone: Vec<usize> = self.dead.keys().copied().collect();
        let what = self.bring_back(&gone);
        self.say(&what);
        self.writers.iter().for_each(|writer| writer.finish(LAST_LINES));
        let start = Instant::now();
        let daemons: Vec<&crate::Daemon> = self.fleet.daemons().iter().collect();
        wait_until("two members have each log", KEPT, || {
            let mut missing = Vec::new();
            for daemon in &daemons {
                missing.extend(stores::not_kept_twice(&daemons, daemon, !self.was_full)?);
            }
            holds(missing.is_empty(), || missing.join("\n"))
        });
        self.say(&format!("all is kept twice {:.1} s later", start.elapsed().as_secs_f64()));
        for (keeper, writer) in daemons
            .iter()
            .flat_map(|keeper| self.writers.iter().map(move |writer| (keeper, writer)))
        {
            let truth = writer.truth();
            let verified = stores::verify(keeper, &truth);
            self.weathered.kept_bytes += verified.unwrap_or_else(|fault| {
                panic!("{} keeps of {}: {fault}", keeper.name(), truth.machine())
            });
        }
    }
}
