//! Starts, watches and crashes a group of servers. A [`Group`] owns their processes, and what each
//! has said of its leader.

use crate::pass;
use crate::system::{Listener, Named, Pace, Place, System};
use memberd_tests::Network;
use memberd_tests::control::Control;
use memberd_tests::process::Running;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The longest time to wait for a condition.
pub(crate) use memberd_tests::bench::LIMIT;

/// The pause between two looks at the logs, and two questions whether a leader is exclusive.
const PAUSE: Duration = Duration::from_millis(2);

/// A line of a log.
#[derive(Debug)]
struct Said {
    at: Instant,
    server: usize,
    life: u32,
    named: Named,
}

/// One server.
#[derive(Debug, Default)]
struct Server {
    process: Option<Running>,
    /// How many times it was started.
    life: u32,
    /// The leader that it named last, and when.
    leader: Option<(Instant, String)>,
}

/// Servers `vm1`, `vm2`, and so on, each on a machine of the network.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    system: System,
    pace: Option<Pace>,
    network: &'a Network,
    servers: Vec<Server>,
    said: (Sender<Said>, Receiver<Said>),
    /// The servers by the names that they have in logs.
    known: BTreeMap<String, usize>,
    /// A server that was asked to end.
    stopping: Option<Running>,
    /// How many times a server has named a leader.
    named: usize,
    directory: TempDir,
}

impl<'a> Group<'a> {
    /// Starts a server on each machine of the network.
    pub(crate) fn start(system: System, pace: Option<Pace>, network: &'a Network) -> Self {
        let mut group = Group {
            system,
            pace,
            network,
            servers: (0..network.machines()).map(|_| Server::default()).collect(),
            said: channel(),
            known: (1..=usize::from(network.machines())).map(|i| (format!("vm{i}"), i)).collect(),
            stopping: None,
            named: 0,
            directory: tempfile::Builder::new()
                .prefix("memberd-agreement-")
                .tempdir()
                .expect("a temporary directory"),
        };
        network.heal();
        (1..=group.servers.len()).for_each(|number| group.start_one(number));
        group
    }

    pub(crate) fn place(&self, number: usize) -> Place {
        let machines = 1..=self.network.machines();
        Place {
            number,
            namespace: self.network.namespace(small(number)),
            addresses: machines.map(|i| self.network.address(i).ip()).collect(),
            directory: self.directory.path().join(format!("vm{number}")),
        }
    }

    /// Starts a server on what its directory has.
    pub(crate) fn start_one(&mut self, number: usize) {
        if let Some(mut stopping) = self.stopping.take() {
            stopping.wait(LIMIT);
        }
        let (place, system, sender) = (self.place(number), self.system, self.said.0.clone());
        let mut process = Running::start(&mut system.command(&place, self.pace));
        let child = process.child();
        let log: Box<dyn Read + Send> = match (child.stdout.take(), child.stderr.take()) {
            (Some(out), _) => Box::new(out),
            (None, Some(err)) => Box::new(err),
            (None, None) => panic!("{} has no log to read", system.name()),
        };
        let server = &mut self.servers[number - 1];
        let life = server.life + 1;
        *server = Server { process: Some(process), life, leader: None };
        let listener = Listener::new(system, number);
        thread::spawn(move || follow(log, listener, number, life, &sender));
    }

    pub(crate) fn network(&self) -> &'a Network {
        self.network
    }

    pub(crate) fn system(&self) -> System {
        self.system
    }

    /// The control socket of a memberd.
    pub(crate) fn control(&self, number: usize) -> Control {
        Control::new(&self.place(number).socket())
    }

    /// The process ids of the running servers.
    pub(crate) fn pids(&self) -> Vec<Pid> {
        self.servers.iter().filter_map(|server| Some(server.process.as_ref()?.pid())).collect()
    }

    /// The numbers of the running servers.
    pub(crate) fn running(&self) -> Vec<usize> {
        let numbered = self.servers.iter().enumerate();
        numbered.filter(|(_, one)| one.process.is_some()).map(|(index, _)| index + 1).collect()
    }

    /// Kills a server, and returns the moment just before.
    pub(crate) fn kill(&mut self, number: usize) -> Instant {
        let process = self.servers[number - 1].process.take().expect("it runs");
        process.signal(Signal::SIGKILL)
    }

    /// Asks a server to end, and returns the moment just before. It counts as gone from then on.
    pub(crate) fn stop(&mut self, number: usize) -> Instant {
        let process = self.servers[number - 1].process.take().expect("it runs");
        let at = process.signal(Signal::SIGTERM);
        self.stopping = Some(process);
        at
    }

    /// The name of a server in etcd's logs.
    pub(crate) fn id(&self, number: usize) -> Option<u64> {
        let known = self.known.iter().filter(|(_, known)| **known == number);
        known.filter_map(|(name, _)| u64::from_str_radix(name, 16).ok()).next()
    }

    /// Reads what the logs said since the last call.
    pub(crate) fn look(&mut self) {
        while let Ok(Said { at, server, life, named }) = self.said.1.try_recv() {
            if let Some(own) = named.own {
                self.known.insert(own, server);
            }
            let server = &mut self.servers[server - 1];
            if server.life == life {
                server.leader = Some((at, named.leader));
                self.named += 1;
            }
        }
    }

    /// How many times a server has named a leader so far.
    pub(crate) fn named(&mut self) -> usize {
        self.look();
        self.named
    }

    /// The leader that all running servers have named since this moment, if it runs, and when the
    /// first and the last of them did.
    pub(crate) fn leader_since(&self, since: Option<Instant>) -> Option<(usize, [Instant; 2])> {
        let running = self.running();
        let mut leaders = BTreeSet::new();
        let mut times = Vec::new();
        for number in &running {
            let (at, name) = self.servers[number - 1].leader.as_ref()?;
            leaders.insert(self.known.get(name).copied()?);
            times.push(*at);
        }
        let leader = leaders.first().copied().filter(|leader| running.contains(leader))?;
        let (first, last) = (*times.iter().min()?, *times.iter().max()?);
        (leaders.len() == 1 && since.is_none_or(|since| first >= since))
            .then_some((leader, [first, last]))
    }

    /// The leader that a running server has named since this moment, if it runs too.
    pub(crate) fn some_leader_since(&self, since: Instant) -> Option<usize> {
        let running = self.running();
        let named = running.iter().filter_map(|number| self.servers[number - 1].leader.as_ref());
        let known =
            named.filter(|(at, _)| *at >= since).filter_map(|(_, name)| self.known.get(name));
        known.copied().find(|leader| running.contains(leader))
    }

    /// Whether this memberd is exclusive.
    pub(crate) fn is_exclusive(&self, number: usize) -> bool {
        self.control(number).leader().is_ok_and(|leader| leader.here && leader.exclusive)
    }

    /// Waits until all running servers name one running leader, and memberd's view has all of them.
    /// Returns the leader.
    ///
    /// # Panics
    /// When that takes longer than [`LIMIT`].
    pub(crate) fn settle(&mut self) -> usize {
        let start = Instant::now();
        loop {
            self.look();
            if let Some((leader, _)) = self.leader_since(None)
                && (self.system != System::Memberd || self.is_agreed(leader))
            {
                return leader;
            }
            assert!(start.elapsed() < LIMIT, "no leader of all within {LIMIT:?}");
            pass(Duration::from_millis(50));
        }
    }

    /// Whether all running memberd have one view of exactly them, in a council of as many, and the
    /// leader is exclusive.
    fn is_agreed(&self, leader: usize) -> bool {
        let running = self.running();
        let mut views = BTreeSet::new();
        let whole = running.iter().all(|number| {
            let Ok(view) = self.control(*number).view() else { return false };
            views.insert(view.record.number);
            let as_many = [view.members.len(), view.record.council.len()] == [running.len(); 2];
            as_many && !view.record.stale
        });
        whole && views.len() == 1 && self.is_exclusive(leader)
    }

    /// Waits until the condition gives something; `None` after [`LIMIT`].
    pub(crate) fn until<T>(&mut self, mut holds: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            self.look();
            if let Some(found) = holds(self) {
                return Some(found);
            }
            pass(PAUSE);
        }
        None
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        for pid in self.pids() {
            // All signals go first, so that nobody has time to react. An error means that it has
            // ended.
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
        }
    }
}

fn small(number: usize) -> u8 {
    u8::try_from(number).expect("at most nine machines")
}

/// Reads a log until its end.
fn follow(
    log: Box<dyn Read + Send>,
    mut listener: Listener,
    server: usize,
    life: u32,
    sender: &Sender<Said>,
) {
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        let at = Instant::now();
        if let Some(named) = listener.heard(&line)
            && sender.send(Said { at, server, life, named }).is_err()
        {
            return;
        }
    }
}
