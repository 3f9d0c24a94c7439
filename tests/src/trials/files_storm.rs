//! Puts replicated files through a storm, by a seed: clients on all machines append numbered
//! records while members are killed, stopped and split off, and disks become full.
//!
//! At most two members are away at a time. So at every moment each file that was put can be read
//! whole, and in the end there is each acknowledged record once, and no other one twice.

mod acts;
mod appender;
mod check;

use crate::chance::Chance;
use crate::disk::Disk;
use crate::wait::{SOON, holds, stretched};
use crate::{Fleet, Network, wait_until};
use appender::Appender;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How many members there are.
pub const MEMBERS: u8 = 8;

/// How many may be away at a time: killed, stopped, split off or with a full disk.
const MOST_AWAY: usize = 2;

/// How many of them have a small disk for their files, that becomes full.
const SMALL_DISKS: usize = 3;

/// What is free on such a disk otherwise, in KiB. The store leaves 1 GiB free.
const ROOM_KIB: u64 = 4 << 20;

/// The share of the storm.
const SHARE: &str = "/storm";

/// The files that are appended to, each by all machines.
const APPENDED: [&str; 2] = ["/storm/records-1", "/storm/records-2"];

/// The sizes of the files that never change: one in the catalog, the others in extents.
const FIXED_BYTES: [usize; 4] = [100, 20_000, 3_000_000, 9_000_000];

/// How long copies may take until they are whole after an act. A storm takes all that the machine
/// has.
const WHOLE: Duration = Duration::from_secs(120);

/// The results.
#[derive(Debug, Default)]
pub struct Stored {
    /// How often something was done.
    pub acts: usize,
    /// The records that were acknowledged, and those of which nobody knows.
    pub acknowledged: usize,
    /// Those that were not acknowledged, and of those how many are there all the same.
    pub unsure: [usize; 2],
    /// How often a file was read whole.
    pub reads: usize,
    /// From each kill until all files had all copies again.
    pub whole_after: Vec<Duration>,
}

struct Storm {
    appenders: Vec<Appender>,
    fixed: BTreeMap<String, Vec<u8>>,
    disks: BTreeMap<usize, Disk>,
    fleet: Fleet,
    full: BTreeSet<usize>,
    dead: BTreeSet<usize>,
    chance: Chance,
    begun: Instant,
    stored: Stored,
}

/// Puts eight members on this network through a storm of this length, within
/// [`crate::disk::with_own_mounts`].
///
/// # Panics
/// When a file cannot be read, has other bytes, or a record is missing or there twice.
pub fn store(network: Network, seed: u64, span: Duration) -> Stored {
    let mut storm = Storm::gather(network, seed);
    while storm.begun.elapsed() < span {
        let what = storm.act();
        storm.stored.acts += 1;
        storm.say(&what);
    }
    storm.calm();
    storm.stored
}

impl Storm {
    fn gather(network: Network, seed: u64) -> Storm {
        let mut chance = Chance::new(seed);
        let mut fleet = Fleet::within(network, MEMBERS);
        let all: Vec<usize> = (1..=usize::from(MEMBERS)).collect();
        fleet.let_all_introduce();
        for daemon in fleet.daemons_mut() {
            daemon.settings.set_agreement(&["vm1", "vm2", "vm3", "vm4", "vm5"], &[]);
            daemon.settings.file_store =
                vec!["enabled = true".to_owned(), "repair_after = \"1s\"".to_owned()];
            daemon.set_keys("a");
        }
        let small = chance.pick(&all, SMALL_DISKS).into_iter();
        let disks = small.map(|number| {
            let room = u32::try_from(ROOM_KIB).expect("a small number");
            (number, Disk::mount(&fleet[number].settings.state_dir.join("files"), room))
        });
        let disks = disks.collect();
        fleet.form();
        let mut storm = Storm {
            appenders: Vec::new(),
            fixed: BTreeMap::new(),
            disks,
            fleet,
            full: BTreeSet::new(),
            dead: BTreeSet::new(),
            chance,
            begun: Instant::now(),
            stored: Stored::default(),
        };
        storm.say("the group is whole");
        storm.wait_until_agreed(&all);
        storm.say("it has agreed");
        storm.put_all();
        storm.say("the files are there");
        storm.begun = Instant::now();
        let appenders = (1..)
            .zip(storm.fleet.daemons())
            .map(|(number, daemon)| Appender::start(daemon, seed.wrapping_add(number << 32)));
        storm.appenders = appenders.collect();
        storm
    }

    /// Makes the share and what is in it.
    fn put_all(&mut self) {
        self.ctl(1, &["file", "mkdir", SHARE]);
        for file in APPENDED {
            self.put(file, b"");
        }
        for (number, bytes) in FIXED_BYTES.into_iter().enumerate() {
            let content: Vec<u8> =
                (0..bytes).map(|_| self.chance.below(256).to_le_bytes()[0]).collect();
            let file = format!("{SHARE}/fixed-{number}");
            self.put(&file, &content);
            self.fixed.insert(file, content);
        }
    }

    fn put(&self, file: &str, content: &[u8]) {
        let local = self.fleet[1].directory().join("local");
        std::fs::write(&local, content).expect("a file to put");
        self.ctl(1, &["file", "put", &local.display().to_string(), file]);
    }

    /// Runs memberctl at a member. It must do what it is told.
    fn ctl(&self, number: usize, arguments: &[&str]) -> Vec<u8> {
        let output = self.fleet[number].ctl(arguments);
        assert!(output.status.success(), "vm{number} {arguments:?}: {output:?}");
        output.stdout
    }

    fn say(&self, what: &str) {
        let away = (&self.dead, &self.full);
        println!("{:7.1} s  {what}; away: {away:?}", self.begun.elapsed().as_secs_f64());
    }

    /// The members that run.
    fn up(&self) -> Vec<usize> {
        self.fleet.running_numbers()
    }

    /// Waits until each of these has a view of exactly these members, as they run now. A view that
    /// has a former incarnation will be without that member for a while. With two more away, that
    /// would be more than a quarter of all, and then repairs wait for ten minutes.
    fn wait_until_agreed(&self, members: &[usize]) {
        let expected: BTreeSet<String> =
            members.iter().map(|number| format!("vm{number}")).collect();
        wait_until("the views are as they should be", stretched(2 * SOON), || {
            for number in members {
                let control = self.fleet[*number].control();
                let view = control.view().map_err(|error| error.to_string())?;
                let alive = control.alive().map_err(|error| error.to_string())?;
                let names: BTreeSet<String> = view.members.iter().cloned().collect();
                let ids: BTreeSet<&String> = view.ids.iter().collect();
                let is_so = names == expected && ids == alive.iter().collect();
                holds(is_so, || format!("vm{number} has {view:?} and lists {alive:?}"))?;
            }
            Ok(())
        });
    }

    /// Everybody comes back. Then all copies become whole, and all records are there.
    fn calm(&mut self) {
        self.free_disks();
        let dead: Vec<usize> = self.dead.iter().copied().collect();
        let what = self.bring_back(&dead);
        self.say(&what);
        for appender in &mut self.appenders {
            appender.finish();
        }
        self.wait_until_whole();
        self.check_fixed(&self.up());
        self.check_records();
    }
}
