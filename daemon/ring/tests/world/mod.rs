//! A simulated network of members: deterministic, seeded, in virtual time. It runs the very `Node` that memberd runs.
//!
//! One seed draws every delay, loss and phase, so a run can be replayed. Members are numbered; member `i` is named `vm{i}`.

#![allow(dead_code, unreachable_pub, reason = "each test and example uses its part of the world")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's world is small, and a broken one should stop the run"
)]

use memberd_ring::join::{CALL_TIMEOUT, CallId};
use memberd_ring::list::{Claim, List, Update};
use memberd_ring::node::PhaseName;
use memberd_ring::{Event, Identity, Incarnation, Instant, MemberEventKind, Name, Node, Now, Settings, WallTime};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The wall clock when virtual time begins: 2025-11-21.
const EPOCH_WALL: u64 = 1_763_688_000_000;

/// How the network treats datagrams.
#[derive(Debug, Clone)]
pub struct Network {
    /// The part of the datagrams that is lost, 0 to 1.
    pub loss: f64,
    /// The part that is delivered twice.
    pub duplication: f64,
    /// The least delay.
    pub delay: Duration,
    /// The mean of a delay on top that is exponentially distributed, so that datagrams overtake each other.
    pub jitter: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Network { loss: 0.0, duplication: 0.0, delay: Duration::from_millis(1), jitter: Duration::ZERO }
    }
}

enum Happening {
    Datagram { to: usize, from: SocketAddr, bytes: Vec<u8> },
    Request { to: usize, from: usize, life: u32, id: CallId, bytes: Vec<u8> },
    Reply { to: usize, life: u32, id: CallId, reply: Result<Vec<u8>, String> },
    Wake { member: usize, life: u32 },
}

/// A machine: its clocks, and the daemon on it while it runs.
pub struct Machine {
    pub node: Option<Node>,
    pub address: SocketAddr,
    pub last: Option<Incarnation>,
    /// The wall clock's error, in milliseconds.
    pub wall_offset: i64,
    /// Until when it is stopped (SIGSTOP), if it is.
    pub stopped_until: Duration,
    /// Which process this is: what was meant for a former one is void.
    life: u32,
    woken_for: Option<Instant>,
    inbox: Vec<Happening>,
}

/// Something that a member saw, and when in true time.
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
    settings: Settings,
    /// Which side of a split each machine is on.
    sides: Vec<u8>,
    /// Those that hear nothing.
    deaf: BTreeSet<usize>,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    sequence: u64,
    rng: SmallRng,
}

/// Member `i`'s address.
pub fn address(i: usize) -> SocketAddr {
    let [_, b, c, d] = u32::try_from(i + 1).unwrap().to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, b, c, d)), 8946)
}

/// Member `i`'s name.
pub fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl World {
    /// A world of machines on which nothing runs yet.
    pub fn new(size: usize, seed: u64) -> Self {
        Self::with(size, seed, Settings::default())
    }

    /// The same, with settings of one's own.
    pub fn with(size: usize, seed: u64, settings: Settings) -> Self {
        let machine = |i| Machine {
            node: None,
            address: address(i),
            last: None,
            wall_offset: 0,
            stopped_until: Duration::ZERO,
            life: 0,
            woken_for: None,
            inbox: Vec::new(),
        };
        World {
            settings,
            seed,
            now: Duration::from_secs(10),
            network: Network::default(),
            machines: (0..size).map(machine).collect(),
            seen: Vec::new(),
            sent: 0,
            sent_bytes: 0,
            sides: vec![0; size],
            deaf: BTreeSet::new(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sequence: 0,
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// A world whose members have all joined through member 0, one a millisecond, and come to rest.
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
        let mut world = World::with(size, seed, settings);
        let mut list = List::new();
        for i in 0..size {
            let identity = Identity { name: name(i), address: address(i), incarnation: Incarnation(EPOCH_WALL + i as u64) };
            list.merge(Update { identity, claim: Claim::Alive }, Instant::EPOCH);
        }
        for i in 0..size {
            let (now, seed) = (world.clocks(i), world.rng.random());
            let incarnation = Incarnation(EPOCH_WALL + i as u64);
            let mut node = Node::new(settings, name(i), address(i), None, seed);
            node.assume(now, list.clone(), incarnation);
            world.machines[i].last = Some(incarnation);
            world.machines[i].node = Some(node);
            world.drain(i);
        }
        world.run_for(Duration::from_secs(12));
        world
    }

    pub fn clocks(&self, i: usize) -> Now {
        // Each machine booted at another time.
        let mono = self.now + Duration::from_secs(1_000 * (i as u64 % 97));
        let wall = (EPOCH_WALL + self.now.as_millis() as u64).saturating_add_signed(self.machines[i].wall_offset);
        Now { mono: Instant::from_epoch(mono), wall: WallTime(wall) }
    }

    /// Starts the daemon on a machine, which joins through these introducers.
    pub fn start(&mut self, i: usize, introducers: &[usize]) {
        self.start_remembering(i, introducers, &[]);
    }

    /// The same, with members that it remembers.
    pub fn start_remembering(&mut self, i: usize, introducers: &[usize], remembered: &[usize]) {
        let (now, seed) = (self.clocks(i), self.rng.random());
        let machine = &mut self.machines[i];
        assert!(machine.node.is_none(), "vm{i} runs already");
        machine.life += 1;
        let mut node = Node::new(self.settings, name(i), machine.address, machine.last, seed);
        let addresses = |of: &[usize]| of.iter().map(|i| address(*i)).collect();
        node.join(now, addresses(introducers), addresses(remembered)).unwrap();
        machine.node = Some(node);
        self.drain(i);
    }

    /// The machine loses power.
    pub fn crash(&mut self, i: usize) {
        self.machines[i].node = None;
        self.machines[i].life += 1;
        self.machines[i].inbox.clear();
    }

    /// The daemon is stopped for a while; what comes meanwhile waits.
    pub fn stop_for(&mut self, i: usize, time: Duration) {
        self.machines[i].stopped_until = self.now + time;
        let life = self.machines[i].life;
        self.at(self.now + time, Happening::Wake { member: i, life });
    }

    pub fn leave(&mut self, i: usize) {
        let now = self.clocks(i);
        self.machines[i].node.as_mut().unwrap().leave(now);
        self.drain(i);
    }

    /// Cuts the network: machines on different sides do not reach each other.
    pub fn split(&mut self, sides: &[u8]) {
        self.sides = sides.to_vec();
    }

    pub fn heal(&mut self) {
        self.sides.fill(0);
    }

    /// From now on, or no more, a machine sends datagrams but receives none.
    pub fn deafen(&mut self, i: usize, deaf: bool) {
        if deaf {
            self.deaf.insert(i);
        } else {
            self.deaf.remove(&i);
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until a condition holds and returns how long that took.
    pub fn run_until(&mut self, limit: Duration, what: &str, mut holds: impl FnMut(&World) -> bool) -> Duration {
        let (start, end) = (self.now, self.now + limit);
        while !holds(self) {
            if !self.step(end) {
                self.now = end;
                assert!(holds(self), "seed {}: not within {limit:?}: {what}\n{}", self.seed, self.describe());
            }
        }
        self.now - start
    }

    /// Runs until the lists of all these members hold exactly them.
    pub fn run_until_agreed(&mut self, members: &[usize], limit: Duration) -> Duration {
        let names: BTreeSet<Name> = members.iter().map(|i| name(*i)).collect();
        self.run_until(limit, "all lists equal", |world| members.iter().all(|i| world.up_in_list(*i) == names))
    }

    /// The names that are up in a member's list.
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
        self.machines[i].node.as_ref().is_some_and(|node| node.list().get(&name(member)).is_some_and(|entry| entry.is_up()))
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

    fn step(&mut self, end: Duration) -> bool {
        let Some(Reverse((at, sequence))) = self.queue.peek().copied() else { return false };
        if at > end {
            return false;
        }
        self.queue.pop();
        self.now = self.now.max(at);
        if let Some(happening) = self.happenings.remove(&sequence) {
            self.happen(happening);
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        let member = match &happening {
            Happening::Datagram { to, .. } | Happening::Request { to, .. } | Happening::Reply { to, .. } => *to,
            Happening::Wake { member, .. } => *member,
        };
        if self.machines[member].stopped_until > self.now {
            self.machines[member].inbox.push(happening);
            return;
        }
        let waiting = std::mem::take(&mut self.machines[member].inbox);
        // A woken process drains its sockets before it looks at its timers.
        let (wakes, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().chain([happening]).partition(|happening| matches!(happening, Happening::Wake { .. }));
        for happening in rest.into_iter().chain(wakes) {
            self.handle(happening);
        }
        self.drain(member);
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Datagram { to, from, bytes } => {
                let now = self.clocks(to);
                if let Some(node) = &mut self.machines[to].node {
                    node.handle_datagram(now, from, &bytes).unwrap();
                }
            }
            Happening::Request { to, from, life, id, bytes } => {
                let now = self.clocks(to);
                let reply = match &mut self.machines[to].node {
                    Some(node) => Ok(node.handle_request(now, &bytes)),
                    None => Err("connection refused".to_owned()),
                };
                let at = self.now + self.delay();
                self.at(at, Happening::Reply { to: from, life, id, reply });
            }
            Happening::Reply { to, life, id, reply } => {
                let now = self.clocks(to);
                let machine = &mut self.machines[to];
                if let Some(node) = machine.node.as_mut().filter(|_| machine.life == life) {
                    node.handle_reply(now, id, reply.as_deref().map_err(Clone::clone));
                }
            }
            Happening::Wake { member, life } => {
                let now = self.clocks(member);
                let machine = &mut self.machines[member];
                machine.woken_for = None;
                if let Some(node) = machine.node.as_mut().filter(|_| machine.life == life)
                    && node.poll_timeout().is_some_and(|due| due <= now.mono)
                {
                    node.handle_timeout(now);
                }
            }
        }
    }

    /// Carries out what a node asks for.
    fn drain(&mut self, i: usize) {
        let now = self.clocks(i);
        let Some(mut node) = self.machines[i].node.take() else { return };
        while let Some(event) = node.poll_event() {
            if let Event::Incarnation(incarnation) = event {
                assert!(self.machines[i].last < Some(incarnation), "seed {}: vm{i}'s incarnation did not grow", self.seed);
                self.machines[i].last = Some(incarnation);
            }
            self.seen.push(Seen { at: self.now, by: i, event });
        }
        while let Some(transmit) = node.poll_transmit() {
            assert!(transmit.payload.len() <= 1_200, "{} of {} bytes", transmit.kind, transmit.payload.len());
            self.sent += 1;
            self.sent_bytes += transmit.payload.len() as u64;
            self.carry(i, transmit.to, &transmit.payload);
        }
        while let Some(call) = node.poll_call() {
            let life = self.machines[i].life;
            match self.index(call.to).filter(|to| self.sides[*to] == self.sides[i]) {
                Some(to) => {
                    let at = self.now + self.delay() * 3;
                    self.at(at, Happening::Request { to, from: i, life, id: call.id, bytes: call.payload });
                }
                None => {
                    let reply = Err("timed out".to_owned());
                    self.at(self.now + CALL_TIMEOUT, Happening::Reply { to: i, life, id: call.id, reply });
                }
            }
        }
        let due = node.poll_timeout();
        self.machines[i].node = Some(node);
        if let Some(due) = due
            && self.machines[i].woken_for.is_none_or(|woken| due < woken)
        {
            self.machines[i].woken_for = Some(due);
            let life = self.machines[i].life;
            self.at(self.now + due.since(now.mono), Happening::Wake { member: i, life });
        }
    }

    fn carry(&mut self, from: usize, to: SocketAddr, bytes: &[u8]) {
        let Some(to) = self.index(to) else { return };
        if self.sides[from] != self.sides[to] || self.deaf.contains(&to) {
            return;
        }
        let copies = 1 + u8::from(self.rng.random_bool(self.network.duplication));
        for _ in 0..copies {
            if !self.rng.random_bool(self.network.loss) {
                let at = self.now + self.delay();
                self.at(at, Happening::Datagram { to, from: address(from), bytes: bytes.to_vec() });
            }
        }
    }

    fn delay(&mut self) -> Duration {
        let exponential = -(1.0 - self.rng.random::<f64>()).ln();
        self.network.delay + self.network.jitter.mul_f64(exponential)
    }

    fn index(&self, address: SocketAddr) -> Option<usize> {
        let IpAddr::V4(ip) = address.ip() else { return None };
        let index = (u32::from(ip) & 0xff_ffff) as usize - 1;
        (index < self.machines.len()).then_some(index)
    }

    fn at(&mut self, at: Duration, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert(self.sequence, happening);
        self.queue.push(Reverse((at, self.sequence)));
    }

    /// Who holds whom up, and the last that was seen: for a failed test.
    pub fn describe(&self) -> String {
        let mut text = format!("at {:?}\n", self.now);
        for (i, machine) in self.machines.iter().enumerate().take(40) {
            let phase = machine.node.as_ref().map_or("down", |node| match node.phase() {
                PhaseName::Member => "member",
                other => other.as_str(),
            });
            let up = self.up_in_list(i);
            text += &format!("vm{i} {phase}, {} up: {up:?}\n", up.len());
        }
        for seen in self.seen.iter().rev().take(60).rev() {
            text += &format!("{:?} vm{}: {:?}\n", seen.at, seen.by, seen.event);
        }
        text
    }
}
