//! Draws the faults of a run, biased towards the worst moments: uniform ones do not find broken
//! leases. Then faults end, and the run must come to rest. It owns the plan of a seed.

use super::faults::{Fault, ShareWish};
use super::invariants::majority;
use super::process::{Setup, index};
use super::{SECOND, World, ms};
use memberd_council::{KeeperCount, Mutant, Voter};
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// What most faults of a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    Uniform,
    /// The leader is cut off, alone or with few.
    IsolateLeader,
    /// The leader keeps a bare majority, one of which restarts; then it is cut off.
    Squeeze,
    /// Voters crash right after they answered a RENEW, and are back at once.
    RestartVoters,
    /// Machines come and go; leaders are cut off right after a view with a new council.
    Seats,
    /// Slow, hanging and full disks, and crashes.
    Disks,
    /// Stops, pauses, and steps of the wall clock.
    Clocks,
    /// Splits, chains and single dead links.
    Partitions,
    /// A small council grows by so many that the new ones are a majority; its leader is cut off
    /// while that is pending, and who finishes it crashes.
    Growth,
}

const ALL: [Bias; 9] = [
    Bias::Uniform,
    Bias::IsolateLeader,
    Bias::Squeeze,
    Bias::RestartVoters,
    Bias::Seats,
    Bias::Disks,
    Bias::Clocks,
    Bias::Partitions,
    Bias::Growth,
];

/// The run of a seed.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub bias: Bias,
    /// Machines, of which `members` are a group when the run begins.
    pub size: usize,
    pub members: usize,
    pub council: usize,
    /// How many of the first machines found the group.
    pub founders: usize,
    /// How many faults come before the quiet.
    pub faults: usize,
    /// Whether messages overtake each other, beyond what streams do.
    pub unordered: bool,
    pub mutant: Option<Mutant>,
    /// How often a machine or a link that is gone refuses connections.
    pub refusals: f64,
    /// Whether shares of files come and go meanwhile.
    pub shares: bool,
}

impl Plan {
    /// The run of a seed.
    pub fn of(seed: u64) -> Self {
        let bias = ALL[seed as usize % ALL.len()];
        let mut rng = SmallRng::seed_from_u64(seed ^ 0xc0_c1);
        let members = rng.random_range(2..=7);
        let plan = Plan {
            seed,
            bias: Bias::Uniform,
            size: members + rng.random_range(0..=2),
            members,
            council: *[3, 5, 7, 9].choose(&mut rng).unwrap(),
            founders: rng.random_range(1..=3).min(members),
            faults: rng.random_range(4..=20),
            unordered: rng.random_bool(0.2),
            mutant: None,
            refusals: *[0.0, 0.5, 1.0].choose(&mut rng).unwrap(),
            shares: (seed / ALL.len() as u64) % 2 == 1,
        };
        plan.with(bias)
    }

    /// The same with another bias.
    pub fn with(self, bias: Bias) -> Self {
        match bias {
            Bias::Growth => Plan { bias, members: 3, founders: 3, size: 8, council: 9, ..self },
            _ => Plan { bias, ..self },
        }
    }

    /// The world in which the run begins.
    pub fn world(&self) -> World {
        let initial: Vec<usize> = (0..self.founders).collect();
        let setup = Setup::new(self.council, &initial, self.mutant);
        World::new(self.size, self.members, self.seed, setup)
    }

    /// Runs both phases.
    pub fn run(&self) -> World {
        let mut world = self.world();
        self.run_in(&mut world);
        world
    }

    /// Runs both phases in this world.
    pub fn run_in(&self, world: &mut World) {
        let rng = SmallRng::seed_from_u64(self.seed ^ 0xfa_017);
        let shares = SmallRng::seed_from_u64(self.seed ^ 0x5a_4e);
        let mut run = Run { rng, shares, plan: self, world };
        run.faults();
        run.quiet();
    }
}

struct Run<'a> {
    rng: SmallRng,
    /// Draws the changes of shares: the faults of a seed are the same with and without them.
    shares: SmallRng,
    plan: &'a Plan,
    world: &'a mut World,
}

impl Run<'_> {
    fn ok(&self) -> bool {
        self.world.violation.is_none()
    }

    fn span(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_micros(self.rng.random_range(least * 1_000..=most * 1_000))
    }

    fn wait(&mut self, least: u64, most: u64) {
        let span = self.span(least, most);
        self.world.run_for(span);
    }

    fn any(&mut self) -> usize {
        self.rng.random_range(0..self.world.machines.len())
    }

    fn leader_or_any(&mut self) -> usize {
        match self.world.leader() {
            Some(leader) if self.rng.random_bool(0.7) => leader,
            _ => self.any(),
        }
    }

    /// A voter that is not the leader, or anybody.
    fn voter(&mut self) -> usize {
        let leader = self.world.leader();
        let council = self.world.council();
        let others: Vec<usize> = council.into_iter().filter(|i| Some(*i) != leader).collect();
        match others.choose(&mut self.rng) {
            Some(voter) => *voter,
            None => self.any(),
        }
    }

    fn faults(&mut self) {
        self.weather();
        if self.rng.random_bool(0.8) {
            self.world.run_until(8 * SECOND, |world| !world.exclusive().is_empty());
        }
        for _ in 0..self.plan.faults {
            if !self.ok() {
                return;
            }
            self.change_shares();
            let biased = self.rng.random_bool(0.8);
            match self.plan.bias {
                Bias::IsolateLeader if biased => self.isolate_leader(),
                Bias::Squeeze if biased => self.squeeze(),
                Bias::RestartVoters if biased => self.restart_voters(),
                Bias::Seats if biased => self.seats(),
                Bias::Disks if biased => self.disks(),
                Bias::Clocks if biased => self.time(),
                Bias::Partitions if biased => self.partition(),
                Bias::Growth if biased => self.grow(),
                _ => self.uniform(),
            }
        }
    }

    /// Somebody wants a share, or wants it no more. There are few names, so that wishes meet.
    fn change_shares(&mut self) {
        if !self.plan.shares {
            return;
        }
        for _ in 0..self.shares.random_range(0..=3) {
            let i = self.shares.random_range(0..self.world.machines.len());
            let name = format!("share-{}", self.shares.random_range(0..4));
            let wish = match self.shares.random_range(0..7) {
                0 => ShareWish::Remove,
                1..=3 => {
                    let count = self.shares.random_range(1..=KeeperCount::MOST as u8);
                    ShareWish::Add(count.try_into().unwrap())
                }
                _ => ShareWish::Fill,
            };
            self.world.act(Fault::Share(i, name, wish));
        }
    }

    /// What is so during the whole first phase.
    fn weather(&mut self) {
        self.world.network.unordered = self.plan.unordered;
        self.world.refusals.chance = self.plan.refusals;
        self.world.network.loss = *[0.0, 0.0, 0.01, 0.1, 0.3].choose(&mut self.rng).unwrap();
        self.world.network.stalls = *[0.0, 0.0, 0.02, 0.2].choose(&mut self.rng).unwrap();
        self.world.network.jitter = ms(*[0, 1, 5, 50].choose(&mut self.rng).unwrap());
        let mean = ms(*[0, 1, 5, 20, 100].choose(&mut self.rng).unwrap());
        let hangs = *[0.0, 0.0, 0.01, 0.1].choose(&mut self.rng).unwrap();
        for machine in &mut self.world.machines {
            machine.disk.speed.mean = mean;
            machine.disk.speed.hangs = hangs;
        }
        match self.plan.bias {
            Bias::RestartVoters => self.world.triggers.crash_after_renew = 0.02,
            Bias::Seats => self.world.triggers.isolate_after_seat = 0.3,
            _ => {}
        }
    }

    fn uniform(&mut self) {
        let (i, j) = (self.leader_or_any(), self.any());
        let fault = match self.rng.random_range(0..15) {
            0 | 1 => Fault::Crash(i),
            2..=4 => Fault::Start(j),
            5 => Fault::Stop(i, self.span(100, 8_000)),
            6 => Fault::Cut(i, j),
            7 => Fault::Join(i, j),
            8 => Fault::Isolate(vec![i]),
            9 | 10 => Fault::Heal,
            11 => Fault::Claim(j, format!("job{}", self.rng.random_range(0..4))),
            12 => Fault::HandOver(i, Some(j).filter(|_| self.rng.random_bool(0.5))),
            13 if self.may_lose(j) => Fault::Leave(j),
            14 if self.may_lose(j) => {
                self.world.act(Fault::Crash(j));
                Fault::Wipe(j)
            }
            _ => Fault::Start(j),
        };
        self.world.act(fault);
        self.wait(0, 3_000);
    }

    /// Whether the fleet bears that a machine's file is gone for good: the last councils keep a
    /// majority of files, and some founder has one. All founders without a file found again, if
    /// they reach nobody who knows better.
    fn may_lose(&self, i: usize) -> bool {
        let world = &self.world;
        let knows = |founder: usize| {
            let durable = world.machines[founder].disk.durable();
            durable.is_some_and(|durable| durable.number().0 > 0)
        };
        let founders = 0..self.plan.founders;
        if founders.contains(&i) && !founders.clone().any(|founder| founder != i && knows(founder))
        {
            return false;
        }
        let Some(newest) = world.invariants.newest() else { return false };
        let councils = (newest.number.0.saturating_sub(3)..=newest.number.0)
            .filter_map(|number| world.invariants.view(newest.lineage, number));
        let holds = |seat: &&Voter| index(&seat.name) != i && world.holds(seat);
        councils.into_iter().all(|view| view.council.iter().filter(holds).count() >= majority(view))
    }

    /// Cuts the leader off, alone or with fewer than a majority, and joins it again at some time.
    fn isolate_leader(&mut self) {
        self.world.run_until(4 * SECOND, |world| world.leader().is_some());
        self.wait(0, 2_000);
        let mut those = vec![self.leader_or_any()];
        let size = self.world.machines.len();
        while those.len() < size / 2 && self.rng.random_bool(0.3) {
            those.push(self.any());
        }
        self.world.act(Fault::Isolate(those));
        self.wait(1_000, 5_000);
        if self.rng.random_bool(0.3) {
            let i = self.any();
            self.world.act(Fault::Crash(i));
            self.wait(0, 300);
            self.world.act(Fault::Start(i));
        }
        if self.rng.random_bool(0.7) {
            self.world.act(Fault::Heal);
            self.wait(0, 4_000);
        }
    }

    /// The leader is heard by a bare majority alone; one of them restarts, and then the leader is
    /// cut off. Who had not heard it for a lease and who has forgotten its promise are a majority.
    fn squeeze(&mut self) {
        self.world.run_until(6 * SECOND, |world| !world.exclusive().is_empty());
        let Some(leader) = self.world.leader() else { return self.uniform() };
        let mut others: Vec<usize> =
            self.world.council().into_iter().filter(|i| *i != leader).collect();
        others.shuffle(&mut self.rng);
        let majority = self.world.council().len() / 2 + 1;
        let (kept, deaf) = others.split_at((majority - 1).min(others.len()));
        for i in deaf {
            self.world.act(Fault::Cut(leader, *i));
        }
        self.wait(2_500, 4_500);
        for i in kept {
            if self.rng.random_bool(0.6) {
                self.world.act(Fault::Crash(*i));
                self.wait(0, 400);
                self.world.act(Fault::Start(*i));
            }
        }
        self.wait(0, 800);
        self.world.act(Fault::Isolate(vec![leader]));
        if self.rng.random_bool(0.4) {
            self.hand_over_early(leader);
        } else {
            self.wait(2_000, 4_000);
        }
        self.world.act(Fault::Heal);
        self.wait(500, 4_000);
    }

    /// A successor hands over, or leaves, while the lease of the leader before it still lasts.
    fn hand_over_early(&mut self, gone: usize) {
        let another = |world: &World| world.leader().is_some_and(|leader| leader != gone);
        self.world.run_until(4 * SECOND, another);
        self.wait(0, 300);
        let Some(successor) = self.world.leader().filter(|leader| *leader != gone) else { return };
        let leaves = self.rng.random_bool(0.3) && self.may_lose(successor);
        let fault = if leaves { Fault::Leave(successor) } else { Fault::HandOver(successor, None) };
        self.world.act(fault);
        self.wait(0, 100);
        if self.rng.random_bool(0.5) {
            self.world.act(Fault::Crash(successor));
        }
        self.wait(500, 2_500);
    }

    fn restart_voters(&mut self) {
        match self.rng.random_range(0..4) {
            0 => {
                let voter = self.voter();
                self.world.act(Fault::Crash(voter));
                self.wait(0, 300);
                self.world.act(Fault::Start(voter));
                self.wait(0, 1_000);
            }
            1 => self.squeeze(),
            2 => self.isolate_leader(),
            _ => {
                self.world.act(Fault::Heal);
                for i in 0..self.world.machines.len() {
                    self.world.act(Fault::Start(i));
                }
                self.wait(500, 6_000);
            }
        }
    }

    /// Members come and go, so that councils change; elections follow at once.
    fn seats(&mut self) {
        let i = self.any();
        match self.rng.random_range(0..6) {
            0 | 1 => self.world.act(Fault::Start(i)),
            2 if self.may_lose(i) => self.world.act(Fault::Leave(i)),
            3 => self.world.act(Fault::Crash(i)),
            4 => {
                let leader = self.leader_or_any();
                self.world.act(Fault::HandOver(leader, None));
            }
            _ => {
                self.world.act(Fault::Heal);
                for i in 0..self.world.machines.len() {
                    self.world.act(Fault::Start(i));
                }
                self.wait(8_000, 14_000);
                return;
            }
        }
        self.wait(0, 5_000);
    }

    fn grow(&mut self) {
        self.world.run_until(6 * SECOND, |world| !world.exclusive().is_empty());
        let old = self.world.council();
        for i in (0..self.world.machines.len()).filter(|i| !old.contains(i)) {
            self.world.act(Fault::Start(i));
        }
        let grows = |world: &World| {
            let Some(newest) = world.invariants.newest() else { return false };
            let pending = world.invariants.pending(newest);
            pending.iter().any(|view| view.council.len() > newest.council.len() + 1)
        };
        self.world.run_until(2 * SECOND, grows);
        self.wait(0, 5);
        let Some(leader) = self.world.leader() else { return };
        self.world.act(Fault::Isolate(vec![leader]));
        let before = self.world.invariants.decided();
        self.world.run_until(4 * SECOND, |world| world.invariants.decided() > before);
        self.wait(0, 5);
        for i in old.into_iter().filter(|i| *i != leader) {
            if self.rng.random_bool(0.7) {
                self.world.act(Fault::Crash(i));
            }
        }
        self.wait(500, 3_000);
        self.world.act(Fault::Heal);
        for i in 0..3 {
            self.world.act(Fault::Start(i));
        }
        self.wait(1_000, 4_000);
        for i in 3..self.world.machines.len() {
            self.world.act(Fault::Crash(i));
        }
        self.wait(5_000, 12_000);
    }

    fn disks(&mut self) {
        let i = self.leader_or_any();
        match self.rng.random_range(0..6) {
            0 => self.world.act(Fault::Full(i)),
            1 | 2 => {
                for i in 0..self.world.machines.len() {
                    self.world.act(Fault::Room(i));
                }
            }
            3 => {
                let mean = self.span(1, 2_000);
                self.world.act(Fault::SlowDisk(i, mean));
            }
            4 => {
                self.world.act(Fault::Crash(i));
                self.wait(0, 2_500);
                self.world.act(Fault::Start(i));
            }
            _ => return self.uniform(),
        }
        self.wait(0, 3_000);
    }

    fn time(&mut self) {
        let i = self.leader_or_any();
        match self.rng.random_range(0..6) {
            0 | 1 => {
                let lasts = self.span(300, 8_000);
                self.world.act(Fault::Stop(i, lasts));
            }
            2 => {
                let lasts = self.span(300, 8_000);
                self.world.act(Fault::Pause(i, lasts));
            }
            3 => {
                let step = self.rng.random_range(-5_000..=5_000);
                self.world.act(Fault::StepWall(i, step));
            }
            4 => {
                let rate = self.rng.random_range(-200..=200);
                self.world.act(Fault::Drift(i, rate));
            }
            _ => return self.isolate_leader(),
        }
        self.wait(0, 4_000);
    }

    fn partition(&mut self) {
        let size = self.world.machines.len();
        match self.rng.random_range(0..5) {
            0 => {
                let parts = self.rng.random_range(2..=3);
                let sides = (0..size).map(|_| self.rng.random_range(0..parts)).collect();
                self.world.act(Fault::Split(sides));
            }
            1 => {
                // A chain: everybody reaches its neighbours alone.
                let mut order: Vec<usize> = (0..size).collect();
                order.shuffle(&mut self.rng);
                for one in 0..size {
                    for other in one + 2..size {
                        self.world.act(Fault::Cut(order[one], order[other]));
                    }
                }
            }
            2 => {
                // One reaches all, and all others it alone.
                let centre = self.any();
                for one in (0..size).filter(|i| *i != centre) {
                    for other in (0..one).filter(|i| *i != centre) {
                        self.world.act(Fault::Cut(one, other));
                    }
                }
            }
            3 => {
                let (one, other) = (self.leader_or_any(), self.any());
                self.world.act(Fault::Cut(one, other));
            }
            _ => return self.uniform(),
        }
        self.wait(500, 8_000);
        if self.rng.random_bool(0.6) {
            self.world.act(Fault::Heal);
            self.wait(0, 4_000);
        }
    }

    /// Faults end, with exactly a majority of the newest council up: there is an exclusive leader
    /// soon, and the view follows the list.
    fn quiet(&mut self) {
        if !self.ok() {
            return;
        }
        self.world.calm();
        let rests = self.world.expect_rest(&mut self.rng);
        if rests && self.plan.seed.is_multiple_of(5) {
            self.world.expect_everybody();
        }
    }
}
