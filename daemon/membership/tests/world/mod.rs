//! A simulated network of members: deterministic, seeded, in virtual time. It runs the very `Node`
//! that memberd runs.
//!
//! One seed draws every delay, loss and phase, so a run can be replayed. Members are numbered;
//! member `i` is named `vm{i}`.

#![allow(
    dead_code,
    unreachable_pub,
    unused_macros,
    reason = "each test and example uses its part of the world"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's world is small, and a broken one should stop the run"
)]

mod check;
mod clocks;
pub mod crashes;
pub mod detectors;
pub mod dialect;
mod environment;
pub mod measure;
mod network;
pub mod prelude;
mod queue;
mod run;
mod trace;

pub use network::Network;

use memberd_membership::{
    CallError, CallId, Claim, Event, Forget, ForgetError, Identity, Incarnation, Instant, List,
    MemberEventKind, Name, Node, Settings, SimulatedGroup, Tags, Update,
};
use queue::Planned;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The wall clock when virtual time begins: 2025-11-21.
const EPOCH_WALL: u64 = 1_763_688_000_000;

/// The virtual time at which a world begins.
const BEGINNING: Duration = Duration::from_secs(10);

enum Happening {
    Datagram {
        to: usize,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    Request {
        to: usize,
        from: usize,
        process: u32,
        id: CallId,
        bytes: Vec<u8>,
    },
    Reply {
        to: usize,
        process: u32,
        id: CallId,
        reply: Result<Vec<u8>, CallError>,
    },
    Wake {
        member: usize,
        due: Instant,
    },
    /// A stopped daemon continues.
    Resume {
        member: usize,
    },
}

/// Translates a message of this version into one of another version, or drops it: then nothing is
/// left of it.
pub type Dialect = fn(&[u8]) -> Vec<u8>;

/// A machine: its clocks, and the daemon on it while it runs.
pub struct Machine {
    pub node: Option<Node>,
    pub address: SocketAddr,
    pub last: Option<Incarnation>,
    /// The wall clock's error, in milliseconds.
    pub wall_offset: i64,
    rate: clocks::Rate,
    /// The end of its stop (SIGSTOP), if it is stopped.
    pub stopped_until: Duration,
    /// The translation of its messages, if it runs another version.
    pub dialect: Option<Dialect>,
    /// The part of a message of this version that it understands, if it runs an older one.
    pub hears: Option<Dialect>,
    /// The number of the process. Events for an earlier process are void.
    process: u32,
    woken_for: Option<Instant>,
    inbox: Vec<Happening>,
}

impl Machine {
    fn says(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self.dialect {
            None => bytes,
            Some(dialect) => dialect(&bytes),
        }
    }

    fn understands(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self.hears {
            None => bytes,
            Some(hears) => hears(&bytes),
        }
    }

    fn new(i: usize) -> Self {
        Machine {
            node: None,
            address: address(i),
            last: None,
            wall_offset: 0,
            rate: clocks::Rate::default(),
            stopped_until: Duration::ZERO,
            dialect: None,
            hears: None,
            process: 0,
            woken_for: None,
            inbox: Vec::new(),
        }
    }
}

/// An event that a member saw, with the true time.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Duration,
    pub by: usize,
    pub event: Event,
}

/// The world.
pub struct World {
    pub seed: u64,
    pub now: Duration,
    pub network: Network,
    pub machines: Vec<Machine>,
    pub seen: Vec<Seen>,
    pub sent: u64,
    pub sent_bytes: u64,
    /// How many times a node was woken at a moment that it had requested.
    pub woken: u64,
    /// The most outputs of a node after one input: datagrams, calls and events.
    pub most_at_once: usize,
    /// Whether a list was corrupted on purpose, so that it may have incarnations that were never
    /// used.
    pub corrupted: bool,
    /// Whether the invariants are checked while the world runs.
    pub checked: bool,
    settings: Settings,
    cuts: network::Cuts,
    queue: BinaryHeap<Planned>,
    sequence: u64,
    rng: SmallRng,
    notes: Vec<(Duration, String)>,
    checks: check::Checks,
}

/// Member `i`'s address.
pub fn address(i: usize) -> SocketAddr {
    let [_, b, c, d] = u32::try_from(i + 1).unwrap().to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, b, c, d)), 8946)
}

/// The one machine on which several members may be, each at a port of its own.
const ONE_HOST: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);
const FIRST_PORT: u16 = 10_000;

/// Member `i`'s name.
pub fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

/// The incarnation of every member of a world that begins as a group.
pub fn first_incarnation() -> Incarnation {
    Incarnation(EPOCH_WALL + BEGINNING.as_millis() as u64)
}

/// The list of all members of such a world.
pub fn whole_list(size: usize) -> List {
    let mut list = List::new();
    for i in 0..size {
        let identity =
            Identity { name: name(i), address: address(i), incarnation: first_incarnation() };
        list.merge(Update::new(identity, Claim::Alive), Instant::EPOCH);
    }
    list
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl World {
    /// A world of machines on which nothing runs yet.
    pub fn new(size: usize, seed: u64) -> Self {
        Self::with(size, seed, Settings::default())
    }

    /// The same, with these settings.
    pub fn with(size: usize, seed: u64, settings: Settings) -> Self {
        World {
            settings,
            seed,
            now: BEGINNING,
            network: Network::default(),
            machines: (0..size).map(Machine::new).collect(),
            seen: Vec::new(),
            sent: 0,
            sent_bytes: 0,
            woken: 0,
            most_at_once: 0,
            corrupted: false,
            checked: true,
            cuts: network::Cuts::default(),
            queue: BinaryHeap::new(),
            sequence: 0,
            rng: SmallRng::seed_from_u64(seed),
            notes: Vec::new(),
            checks: check::Checks::default(),
        }
    }

    /// A world whose members have all joined through member 0, one each millisecond, and have come
    /// to rest.
    pub fn joined(size: usize, seed: u64) -> Self {
        let mut world = World::new(size, seed);
        for i in 0..size {
            world.start(i, &[0]);
            world.run_for(ms(5));
        }
        let all: Vec<usize> = (0..size).collect();
        world.run_until_agreed(&all, Duration::from_secs(10));
        world.run_for(Duration::from_secs(5));
        world
    }

    /// A world whose members have been a group for a while.
    pub fn formed(size: usize, seed: u64, settings: Settings) -> Self {
        let whole = whole_list(size);
        let mut world = World::assumed(size, seed, settings, |_| whole.clone());
        world.run_for(Duration::from_secs(12));
        world
    }

    /// A world whose members begin with these lists, as if they had been a group for a while.
    pub fn assumed(
        size: usize,
        seed: u64,
        settings: Settings,
        list: impl Fn(usize) -> List,
    ) -> Self {
        let mut world = World::with(size, seed, settings);
        for i in 0..size {
            let (now, seed) = (world.clocks(i), world.rng.random());
            let incarnation = first_incarnation();
            let mut node = Node::new(world.settings.clone(), name(i), address(i), None, seed);
            node.assume(now, SimulatedGroup { list: list(i), incarnation });
            world.machines[i].last = Some(incarnation);
            world.machines[i].node = Some(node);
            world.drain(i);
        }
        world
    }

    /// Adds a machine on which nothing runs yet. Returns its number.
    pub fn add_machine(&mut self) -> usize {
        let i = self.machines.len();
        self.machines.push(Machine::new(i));
        i
    }

    /// Puts a member that does not run yet on the one machine that several share.
    pub fn put_on_one_host(&mut self, i: usize) {
        let port = FIRST_PORT + u16::try_from(i).unwrap();
        self.machines[i].address = SocketAddr::from((ONE_HOST, port));
    }

    /// Starts the daemon on a machine. The daemon joins through these introducers.
    pub fn start(&mut self, i: usize, introducers: &[usize]) {
        self.start_remembering(i, introducers, &[]);
    }

    /// The same, with members that it remembers.
    pub fn start_remembering(&mut self, i: usize, introducers: &[usize], remembered: &[usize]) {
        let (now, seed) = (self.clocks(i), self.rng.random());
        let addresses = |of: &[usize]| of.iter().map(|i| self.machines[*i].address).collect();
        let (introducers_at, remembered_at) = (addresses(introducers), addresses(remembered));
        let machine = &mut self.machines[i];
        assert!(machine.node.is_none(), "vm{i} runs already");
        self.notes.push((
            self.now,
            format!("vm{i} starts, introducers {introducers:?}, remembered {remembered:?}"),
        ));
        machine.process += 1;
        let mut node =
            Node::new(self.settings.clone(), name(i), machine.address, machine.last, seed);
        node.join(now, introducers_at, remembered_at).unwrap();
        machine.node = Some(node);
        self.drain(i);
    }

    /// Cuts the power of a machine.
    pub fn crash(&mut self, i: usize) {
        self.note(format!("vm{i} crashes"));
        let machine = &mut self.machines[i];
        machine.node = None;
        machine.process += 1;
        machine.inbox.clear();
        machine.woken_for = None;
        machine.stopped_until = Duration::ZERO;
    }

    /// Stops the daemon for a while. Datagrams that arrive meanwhile wait.
    pub fn stop_for(&mut self, i: usize, time: Duration) {
        self.note(format!("vm{i} is stopped for {time:?}"));
        self.machines[i].stopped_until = self.now + time;
        self.at(self.now + time, Happening::Resume { member: i });
    }

    pub fn leave(&mut self, i: usize) {
        self.note(format!("vm{i} leaves"));
        let now = self.clocks(i);
        self.machines[i].node.as_mut().unwrap().leave(now);
        self.drain(i);
    }

    /// Hands a datagram to a member, as if from another's address.
    pub fn hand(&mut self, i: usize, from: usize, bytes: &[u8]) {
        let now = self.clocks(i);
        let from = self.machines[from].address;
        let node = self.machines[i].node.as_mut().unwrap();
        node.handle_datagram(now, from, bytes).unwrap();
        self.drain(i);
    }

    /// Has a member forget others that are gone.
    pub fn forget(&mut self, i: usize, which: &Forget) -> Result<Vec<Identity>, ForgetError> {
        self.note(format!("vm{i} is to forget {which:?}"));
        let now = self.clocks(i);
        let forgotten = self.machines[i].node.as_mut().unwrap().forget(now, which);
        self.drain(i);
        forgotten
    }

    /// Whether a member saw that this identity was forgotten.
    fn saw_forgotten(&self, i: usize, identity: &Identity) -> bool {
        self.seen.iter().any(|seen| {
            let forgotten = match &seen.event {
                Event::Forgotten { entry, .. } => {
                    let forgotten = &entry.identity;
                    forgotten.name == identity.name && forgotten.incarnation >= identity.incarnation
                }
                _ => false,
            };
            seen.by == i && forgotten
        })
    }

    /// Replaces the tags of a member from now on.
    pub fn tag(&mut self, i: usize, tags: &Tags) {
        self.note(format!("vm{i} is tagged {tags}"));
        let now = self.clocks(i);
        self.machines[i].node.as_mut().unwrap().set_tags(now, tags.clone());
        self.drain(i);
    }

    /// Runs until the lists of all these members hold exactly them.
    pub fn run_until_agreed(&mut self, members: &[usize], limit: Duration) -> Duration {
        let names: BTreeSet<Name> = members.iter().map(|i| name(*i)).collect();
        self.run_until(limit, "all lists equal", |world| {
            members.iter().all(|i| world.up_in_list(*i) == names)
        })
    }

    /// The names of the members that are up in a member's list.
    pub fn up_in_list(&self, i: usize) -> BTreeSet<Name> {
        let node = self.machines[i].node.as_ref();
        let list = node.into_iter().flat_map(|node| node.list().iter());
        list.filter(|entry| entry.is_up()).map(|entry| entry.identity.name.clone()).collect()
    }

    pub fn node(&self, i: usize) -> &Node {
        self.machines[i].node.as_ref().unwrap()
    }

    /// Whether an incarnation is up in a member's list.
    pub fn holds_up(&self, i: usize, member: usize) -> bool {
        self.machines[i]
            .node
            .as_ref()
            .is_some_and(|node| node.list().get(&name(member)).is_some_and(|entry| entry.is_up()))
    }

    /// All members but these.
    pub fn all_but(&self, gone: &[usize]) -> Vec<usize> {
        (0..self.machines.len()).filter(|i| !gone.contains(i)).collect()
    }

    /// The members in the order of their positions, as member `i` sees it.
    pub fn ring(&self, i: usize) -> Vec<usize> {
        self.node(i)
            .list()
            .by_position()
            .iter()
            .filter_map(|entry| self.index(entry.identity.address))
            .collect()
    }

    /// The times from a moment until a member was failed in the first and in the last of these
    /// members' lists, if it is in all.
    pub fn noticed(
        &self,
        member: usize,
        since: Duration,
        survivors: &[usize],
    ) -> Option<(Duration, Duration)> {
        let mut first_by = BTreeMap::new();
        for (at, by, failed) in self.failures_since(since) {
            if failed == name(member) {
                first_by.entry(by).or_insert(at - since);
            }
        }
        let times: Option<Vec<Duration>> =
            survivors.iter().map(|survivor| first_by.get(survivor).copied()).collect();
        let times = times?;
        Some((times.iter().min().copied()?, times.iter().max().copied()?))
    }

    /// Whether these members' lists hold exactly them, each in its present incarnation.
    pub fn whole(&self, members: &[usize]) -> bool {
        let identity = |i: usize| {
            self.machines[i].last.map(|incarnation| Identity {
                name: name(i),
                address: self.machines[i].address,
                incarnation,
            })
        };
        let living: BTreeSet<Identity> = members.iter().filter_map(|i| identity(*i)).collect();
        members.iter().all(|i| {
            let list = self.machines[*i].node.as_ref().map(Node::list);
            list.is_some_and(|list| {
                let up = list.iter().filter(|entry| entry.is_up());
                list.up() == living.len()
                    && up.into_iter().all(|entry| living.contains(&entry.identity))
            })
        })
    }

    /// Runs until these members' lists hold exactly them, each in its present incarnation. Returns
    /// how long that took.
    pub fn run_until_whole(&mut self, members: &[usize], limit: Duration) -> Duration {
        self.run_until_at_most_every(ms(2), limit, "every list whole", |world| world.whole(members))
    }

    /// The failures reported since a moment: when, by whom, of whom.
    pub fn failures_since(&self, since: Duration) -> Vec<(Duration, usize, Name)> {
        let failed = |seen: &Seen| match &seen.event {
            Event::Member(event) if matches!(event.kind, MemberEventKind::Failed(_)) => {
                Some((seen.at, seen.by, event.member.name.clone()))
            }
            _ => None,
        };
        self.seen.iter().filter(|seen| seen.at >= since).filter_map(failed).collect()
    }

    fn index(&self, address: SocketAddr) -> Option<usize> {
        let IpAddr::V4(ip) = address.ip() else { return None };
        let index = match ip {
            ONE_HOST => usize::from(address.port() - FIRST_PORT),
            _ => (u32::from(ip) & 0xff_ffff) as usize - 1,
        };
        (index < self.machines.len()).then_some(index)
    }
}
