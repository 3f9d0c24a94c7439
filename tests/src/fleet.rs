//! A fleet: daemons `vm1`, `vm2`, ... with addresses of their own, on loopback or in a network.
//! `vm1` is the introducer.

use crate::block::Block;
use crate::follow::Followers;
use crate::wait::{KILLED, SOON, holds, stretched};
use crate::{Daemon, Network, Settings, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::ops::{Index, IndexMut};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How many lines of each log a failing test prints.
const TAIL: usize = 25;

/// The daemons, counted from 1 as their names are: `fleet[1]` is `vm1`.
#[derive(Debug)]
pub struct Fleet {
    daemons: Vec<Daemon>,
    ground: Ground,
    directory: TempDir,
}

/// The addresses of a fleet.
#[derive(Debug)]
enum Ground {
    Loopback(Block),
    Network(Network),
}

impl Fleet {
    /// A fleet of n daemons that do not run yet.
    ///
    /// # Panics
    /// When there is no room on the disk or no free block of addresses.
    pub fn new(n: u8) -> Self {
        Self::on(Ground::Loopback(Block::take()), n)
    }

    /// A fleet of n daemons that do not run yet, each on a machine of this network.
    ///
    /// # Panics
    /// When there is no room on the disk, or the network has fewer machines.
    pub fn within(network: Network, n: u8) -> Self {
        Self::on(Ground::Network(network), n)
    }

    fn on(ground: Ground, n: u8) -> Self {
        let directory =
            tempfile::Builder::new().prefix("memberd-").tempdir().expect("a temporary directory");
        let mut fleet = Fleet { daemons: Vec::new(), ground, directory };
        for _ in 0..n {
            fleet.add();
        }
        fleet
    }

    /// n daemons that run and are in no group.
    ///
    /// # Panics
    /// When one does not start.
    pub fn idle(n: u8) -> Self {
        let mut fleet = Fleet::new(n);
        fleet.launch();
        fleet
    }

    /// n daemons in one group, with equal lists.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn start(n: u8) -> Self {
        Self::start_with(n, |_| ())
    }

    /// As [`Fleet::start`], with something done to each daemon before.
    ///
    /// # Panics
    /// As [`Fleet::start`].
    pub fn start_with(n: u8, mut prepare: impl FnMut(&mut Daemon)) -> Self {
        let mut fleet = Fleet::new(n);
        fleet.daemons.iter_mut().for_each(&mut prepare);
        fleet.form();
        fleet
    }

    /// Starts all, joins them, and waits until their lists are whole.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn form(&mut self) {
        self.launch();
        self.join_all();
        self.wait_until_whole();
    }

    /// Adds a daemon, named after its number, that does not run yet.
    ///
    /// # Panics
    /// When there are more than 250, or than the network has machines.
    pub fn add(&mut self) -> &mut Daemon {
        let i = u8::try_from(self.daemons.len() + 1)
            .ok()
            .filter(|i| *i <= 250)
            .expect("at most 250 daemons");
        let name = format!("vm{i}");
        let directory = self.directory.path().join(&name);
        let mut settings = Settings::new(&directory, &name, self.address(i));
        settings.introducers = vec![self.address(1).to_string()];
        let mut daemon = Daemon::new(directory, settings);
        if let Ground::Network(network) = &self.ground {
            assert!(i <= network.machines(), "the network has {} machines", network.machines());
            daemon.move_to(network.namespace(i));
        }
        self.daemons.push(daemon);
        self.daemons.last_mut().expect("one was just added")
    }

    fn address(&self, i: u8) -> SocketAddr {
        match &self.ground {
            Ground::Loopback(block) => block.address(i),
            Ground::Network(network) => network.address(i),
        }
    }

    /// The network that it is in.
    ///
    /// # Panics
    /// When it is on loopback.
    pub fn network(&self) -> &Network {
        match &self.ground {
            Ground::Network(network) => network,
            Ground::Loopback(_) => {
                panic!("a fleet on loopback has no network to lose or cut anything")
            }
        }
    }

    /// Each of them is an introducer of all from the next start on, so that somebody can introduce,
    /// whichever members are down.
    pub fn let_all_introduce(&mut self) {
        let addresses = self.daemons.iter().map(|daemon| daemon.settings.address.to_string());
        let addresses: Vec<String> = addresses.collect();
        for daemon in &mut self.daemons {
            daemon.settings.introducers.clone_from(&addresses);
        }
    }

    /// The numbers of the daemons that run.
    pub fn running_numbers(&self) -> Vec<usize> {
        (1..=self.daemons.len()).filter(|number| self[*number].is_running()).collect()
    }

    /// Starts these again, and waits until they are members, in lists that are whole.
    ///
    /// # Panics
    /// When they do not come back by themselves.
    pub fn restart(&mut self, numbers: &[usize]) {
        numbers.iter().for_each(|number| self[*number].launch());
        numbers.iter().for_each(|number| self[*number].wait_until_it_answers());
        self.wait_until_whole();
        for number in numbers {
            wait_until("it is a member again", SOON, || {
                let phase =
                    self[*number].control().status().map_err(|error| error.to_string())?.phase;
                holds(phase == "member", || format!("vm{number} is {phase}"))
            });
        }
    }

    fn launch(&mut self) {
        self.daemons.iter_mut().for_each(Daemon::launch);
        self.daemons.iter_mut().for_each(Daemon::wait_until_it_answers);
    }

    /// Joins all: the introducer, then the others at once.
    ///
    /// # Panics
    /// When one is not let in.
    pub fn join_all(&self) {
        let [first, others @ ..] = self.daemons.as_slice() else { return };
        first.control().join().expect("the introducer founds the group");
        let joins: Vec<_> = others
            .iter()
            .map(|daemon| {
                let control = daemon.control();
                (daemon.name(), thread::spawn(move || control.join()))
            })
            .collect();
        for (name, join) in joins {
            let joined = join.join().expect("the joining thread ends well");
            joined.unwrap_or_else(|error| panic!("{name} could not join: {error}"));
        }
    }

    /// The daemons that run.
    pub fn running(&self) -> impl Iterator<Item = &Daemon> {
        self.daemons.iter().filter(|daemon| daemon.is_running())
    }

    /// All of them.
    pub fn daemons(&self) -> &[Daemon] {
        &self.daemons
    }

    /// All of them, to be changed.
    pub fn daemons_mut(&mut self) -> &mut [Daemon] {
        &mut self.daemons
    }

    /// The numbers of all of them as they stand on the ring.
    pub fn ring(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = (1..=self.daemons.len()).collect();
        numbers.sort_by_key(|number| self[*number].position());
        numbers
    }

    /// The id under which a daemon is in the group.
    ///
    /// # Panics
    /// When it is in none.
    pub fn id(&self, number: usize) -> String {
        self[number]
            .control()
            .status()
            .expect("a status")
            .id
            .unwrap_or_else(|| panic!("vm{number} is in no group"))
    }

    /// Waits until every list of the running holds exactly the running, and returns the ids.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn wait_until_whole(&self) -> Vec<String> {
        self.wait_until_whole_within(SOON)
    }

    /// As [`Fleet::wait_until_whole`], with another limit.
    ///
    /// # Panics
    /// As [`Fleet::wait_until_whole`].
    pub fn wait_until_whole_within(&self, limit: Duration) -> Vec<String> {
        let names: BTreeSet<&str> = self.running().map(Daemon::name).collect();
        wait_until("all lists hold the running members", limit, || {
            let mut common: Option<Vec<String>> = None;
            for daemon in self.running() {
                let list = daemon
                    .control()
                    .alive()
                    .map_err(|error| format!("{}: {error}", daemon.name()))?;
                let listed: BTreeSet<&str> =
                    list.iter().filter_map(|id| id.split('@').next()).collect();
                holds(listed == names && list.len() == names.len(), || {
                    format!("{} lists {list:?}", daemon.name())
                })?;
                let first = common.get_or_insert_with(|| list.clone());
                holds(*first == list, || {
                    format!("{} lists {list:?}, another {first:?}", daemon.name())
                })?;
            }
            common.ok_or("nobody runs".to_owned())
        })
    }

    /// Waits until each running daemon has the names of all others in its state directory. A crash
    /// then loses none of them.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn wait_until_remembered(&self) {
        wait_until("all members are in all states on disk", SOON, || {
            for (daemon, other) in
                self.running().flat_map(|daemon| self.running().map(move |other| (daemon, other)))
            {
                let state =
                    fs::read(daemon.settings.state_dir.join("members.cbor")).unwrap_or_default();
                let found = state
                    .windows(other.name().len())
                    .any(|window| window == other.name().as_bytes());
                holds(found, || format!("{} is not in that of {}", other.name(), daemon.name()))?;
            }
            Ok(())
        });
    }

    /// Follows the events of all that run.
    ///
    /// # Panics
    /// When one does not answer.
    pub fn follow(&self) -> Followers {
        Followers::of(self.running().map(|daemon| (daemon.name(), daemon.control())))
    }

    /// Crashes these at once, and returns the name, id and moment of each.
    ///
    /// # Panics
    /// When one is not in the group.
    pub fn crash(&mut self, numbers: &[usize]) -> Vec<Crash> {
        let ids: Vec<String> = numbers.iter().map(|number| self.id(*number)).collect();
        let at: Vec<Instant> = numbers
            .iter()
            .map(|number| self[*number].signal(nix::sys::signal::Signal::SIGKILL))
            .collect();
        for number in numbers {
            self[*number].wait_for_end(KILLED);
        }
        let named = numbers.iter().zip(ids).zip(at);
        named.map(|((number, id), at)| Crash { name: format!("vm{number}"), id, at }).collect()
    }

    /// Asserts that no log of a running daemon says that anybody but these ids failed.
    ///
    /// # Panics
    /// When one does.
    pub fn assert_logs_accuse_none_but(&self, ids: &[&str]) {
        for daemon in &self.daemons {
            let wrong: Vec<String> = daemon
                .log()
                .failed()
                .into_iter()
                .filter(|id| !ids.contains(&id.as_str()))
                .collect();
            assert!(wrong.is_empty(), "{} reported live members failed: {wrong:?}", daemon.name());
        }
    }

    /// Watches for this long that nobody reports anybody failed but these ids. It serves claims
    /// that something does not happen.
    ///
    /// # Panics
    /// When somebody does.
    pub fn assert_quiet_for(&self, followers: &mut Followers, span: Duration, ids: &[&str]) {
        let start = Instant::now();
        wait_until("the time to be watched is over", span + stretched(SOON), || {
            followers.assert_none_failed_but(ids);
            holds(start.elapsed() >= span, || format!("{:?} so far", start.elapsed()))
        });
    }
}

/// A crash that the test made.
#[derive(Debug, Clone)]
pub struct Crash {
    /// Whose.
    pub name: String,
    /// The id that it had in the group.
    pub id: String,
    /// The moment just before kill(2).
    pub at: Instant,
}

impl Index<usize> for Fleet {
    type Output = Daemon;

    fn index(&self, number: usize) -> &Daemon {
        &self.daemons[number - 1]
    }
}

impl IndexMut<usize> for Fleet {
    fn index_mut(&mut self, number: usize) -> &mut Daemon {
        &mut self.daemons[number - 1]
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        for daemon in &mut self.daemons {
            if let Some(status) = daemon.ended() {
                eprintln!(
                    "--- {} had ended by itself, or by another's hand: {status}",
                    daemon.name()
                );
            }
            let said = daemon.stderr();
            let lines: Vec<&str> = said.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
            eprintln!("--- {} ({}) said last:\n{tail}", daemon.name(), daemon.settings.address);
        }
    }
}
