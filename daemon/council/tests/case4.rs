//! A leader crashes at each step of a change, with each subset of its peers reached, and its
//! successor at each of its own steps. The change is done nevertheless, once.
//!
//! `MEMBERD_SIM_SEEDS=1 cargo test --release -p memberd-council --test case4` runs every case; CI
//! leaves some out.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use memberd_council::{Body, Lineage, Message, News, Operation, View, Voter};
use std::sync::Arc;
use std::time::Duration;
use world::environment::all;
use world::faults::Fault;
use world::fold::fold;
use world::point::{Point, Step, Steps, Then};
use world::process::{Setup, identity, index};
use world::{SECOND, World, ms};

const COUNCILS: [usize; 5] = [2, 3, 4, 5, 7];

/// What the leader is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Delete,
    /// The leader leaves by plan.
    DeleteLeader,
    Claim,
}

/// A fleet at rest: a council of `size`, one member without a vote, and one machine that is none.
struct Scene {
    change: Change,
    size: usize,
    world: World,
    leader: usize,
    /// The incarnations at rest.
    lives: Vec<u64>,
}

/// What became of one run.
#[derive(Debug, Default)]
struct Count {
    leader: usize,
    successor: usize,
}

fn at_rest(world: &mut World, size: usize) {
    world.must(30 * SECOND, "a fleet at rest", |world| {
        let seated = world.council().len() == size;
        world.is_whole() && seated && world.exclusive().len() == 1 && world.agree()
    });
    world.run_for(SECOND);
    world.expect_sound();
}

impl Scene {
    fn new(change: Change, size: usize) -> Self {
        let voters: Vec<usize> = (0..size).collect();
        let founders = &voters[..size.min(3)];
        let mut setup = Setup::new(9, founders, None);
        setup.without_vote = vec![size, size + 1];
        let mut world = World::new(size + 2, size + 1, 7 + size as u64, setup);
        at_rest(&mut world, size);
        let leader = world.leader().unwrap();
        let lives = (0..size + 2).map(|i| world.ring.incarnation(i)).collect();
        Scene { change, size, world, leader, lives }
    }

    /// The world in which the change has just begun.
    fn begun(&self) -> World {
        let mut world = self.world.clone();
        if self.size == 2 {
            // The other one alone is no majority: whoever has left in the middle is started again.
            world.plan(12 * SECOND, Fault::Start(self.leader));
        }
        match self.change {
            Change::Add => world.act(Fault::Start(self.size + 1)),
            Change::Delete => world.act(Fault::Crash(self.size)),
            Change::DeleteLeader => world.act(Fault::Leave(self.leader)),
            Change::Claim => world.act(Fault::Claim(self.size, "job".to_owned())),
        }
        world
    }

    /// How long the change takes without any fault, and a little more.
    fn span(&self) -> Duration {
        match self.change {
            Change::Delete => 2 * SECOND + ms(400),
            Change::Add => SECOND,
            Change::DeleteLeader | Change::Claim => ms(400),
        }
    }

    /// The steps of a machine from here on.
    fn steps(&self, world: &World, machine: usize, span: Duration) -> Vec<Step> {
        let mut world = world.clone();
        world.steps = Some(Steps { machine, list: Vec::new() });
        world.run_for(span);
        world.expect_sound();
        world.steps.take().map(|steps| steps.list).unwrap_or_default()
    }

    fn is_done(&self, world: &World) -> bool {
        let Some(view) = world.invariants.newest() else { return false };
        match self.change {
            Change::Add => world.is_named(view, self.size + 1),
            Change::Delete => !world.is_named(view, self.size),
            Change::DeleteLeader => {
                !view.members.contains(&identity(self.leader, self.lives[self.leader]))
            }
            Change::Claim => view.claims.iter().any(|claim| claim.key == "job"),
        }
    }

    /// The change is done at last, once, and everybody knows.
    fn expect_done(&self, world: &mut World, what: &dyn Fn() -> String) {
        world.must(20 * SECOND, "the change done, and an exclusive leader", |world| {
            self.is_done(world) && world.exclusive().len() == 1
        });
        world.must(12 * SECOND, "the same view everywhere", World::agree);
        if world.violation.is_some() {
            println!("{:?}, council of {}: {}", self.change, self.size, what());
        }
        world.expect_sound();
    }
}

/// Which ends of a step are tried: each subset of its messages, and its writes lost or durable.
fn ends(step: &Step, most: usize) -> Vec<(u32, bool)> {
    let durable: &[bool] = if step.writing { &[false, true] } else { &[true] };
    let subsets = step.subsets(most);
    subsets.iter().flat_map(|sent| durable.iter().map(|durable| (*sent, *durable))).collect()
}

/// The successor of a leader that is gone: the first that stands for election.
fn successor(world: &World, gone: usize) -> Option<usize> {
    let mut world = world.clone();
    world.run_until(12 * SECOND, |world| world.leader().is_some_and(|leader| leader != gone));
    world.leader().filter(|leader| *leader != gone)
}

/// Runs all points of the leader, and of its successor after each.
fn every_point(scene: &Scene, then: Then, second: bool) -> Count {
    let size = scene.size;
    let begun = scene.begun();
    let mut count = Count::default();
    for (steps, step) in scene.steps(&begun, scene.leader, scene.span()).iter().enumerate() {
        for (sent, durable) in ends(step, 6) {
            let first = Point { machine: scene.leader, steps, sent, durable, then };
            let mut world = begun.clone();
            world.point = Some(first);
            world.run_until(scene.span(), |world| world.point.is_none());
            count.leader += 1;
            let crashed = world.clone();
            scene.expect_done(&mut world, &|| format!("{first:?}"));
            let chosen = all() || count.leader % size.pow(2) == 1;
            if second && chosen && crashed.point.is_none() {
                count.successor += after(scene, &crashed, first);
            }
        }
    }
    count
}

/// Crashes the successor at each of its steps as well; it is back 2 s later.
fn after(scene: &Scene, crashed: &World, first: Point) -> usize {
    let Some(successor) = successor(crashed, scene.leader) else { return 0 };
    let then = Then::Crash { back: Some(2 * SECOND) };
    let mut runs = 0;
    // What it does before it notices the crash is of no interest, but for what it accepts.
    for (steps, step) in scene.steps(crashed, successor, 4 * SECOND).iter().enumerate() {
        for (sent, durable) in ends(step, if all() { 3 } else { 1 }) {
            let second = Point { machine: successor, steps, sent, durable, then };
            let mut world = crashed.clone();
            world.point = Some(second);
            world.run_until(8 * SECOND, |world| world.point.is_none());
            scene.expect_done(&mut world, &|| format!("{first:?}, then {second:?}"));
            runs += 1;
        }
    }
    runs
}

/// `refusals` is how often the machine of a process that ends refuses connections.
fn every_change(then: impl Fn(usize) -> Then, second: bool, refusals: f64) {
    for change in [Change::Add, Change::Delete, Change::DeleteLeader, Change::Claim] {
        for size in COUNCILS {
            let mut scene = Scene::new(change, size);
            scene.world.refusals.chance = refusals;
            let count = every_point(&scene, then(size), second);
            println!(
                "{change:?}, council of {size}: {} points of the leader, {} of its successor",
                count.leader, count.successor
            );
            assert!(count.leader >= 4, "the change took the leader no steps");
        }
    }
}

/// A council of two needs both; of the others the old leader stays away.
fn gone(size: usize) -> Then {
    Then::Crash { back: (size == 2).then_some(3 * SECOND) }
}

#[test]
fn a_change_survives_its_leader_and_the_successor() {
    every_change(gone, true, 0.0);
}

#[test]
fn a_change_survives_a_leader_that_is_stopped() {
    every_change(|_| Then::Stop { lasts: 5 * SECOND }, false, 0.0);
}

#[test]
fn a_change_survives_a_leader_that_is_back_at_once() {
    every_change(|_| Then::Crash { back: Some(ms(50)) }, false, 0.5);
}

/// Its successor stands long before the list has it as gone.
#[test]
fn a_change_survives_a_leader_whose_machine_refuses_connections() {
    every_change(gone, false, 1.0);
}

/// What the old leader proposed, and the view that it makes.
struct Proposed {
    lineage: Lineage,
    number: u64,
    view: Arc<View>,
}

/// The leader has asked these of its peers to accept a council that shares nobody with its own,
/// told these that it is decided, if it is, and is gone.
fn replaces_everybody(size: usize, reached: u32, told: Option<u32>) -> (World, Proposed, usize) {
    let founders: Vec<usize> = (0..size.min(3)).collect();
    let mut setup = Setup::new(9, &founders, None);
    setup.without_vote = (size..2 * size).collect();
    let mut world = World::new(2 * size, 2 * size, 7 + size as u64, setup);
    at_rest(&mut world, size);
    let leader = world.leader().unwrap();
    let view = Arc::clone(world.invariants.newest().unwrap());
    let voter = |i: usize| world.machines[i].process.as_ref().unwrap().own().clone();
    let council: Vec<Voter> = (size..2 * size).map(voter).collect();
    let proposal = Arc::new(view.propose(vec![Operation::Seat(council)]).unwrap());
    let made = Arc::new(fold(&view, &proposal));
    let sender = voter(leader);
    let message = |body: Body| Message { lineage: view.lineage, sender: sender.clone(), body };
    world.act(Fault::Crash(leader));
    if size == 2 {
        world.plan(3 * SECOND, Fault::Start(leader));
    }
    let seats = view.council.iter().map(|seat| index(&seat.name));
    let peers: Vec<usize> = seats.filter(|seat| *seat != leader).collect();
    let of = |bits: u32| peers.iter().enumerate().filter(move |(place, _)| bits & 1 << place != 0);
    for (_, i) in of(reached) {
        let body = Body::Req { term: view.term, proposal: Arc::clone(&proposal) };
        world.inject(leader, *i, message(body));
    }
    world.run_for(ms(100));
    for (_, i) in of(told.unwrap_or(0)) {
        let body = Body::NewView(News::Operations(Arc::clone(&proposal)));
        world.inject(leader, *i, message(body));
    }
    let proposed = Proposed { lineage: view.lineage, number: made.number.0, view: made };
    (world, proposed, leader)
}

/// Everybody in the council is replaced: the proposal reached any subset, and was decided or not.
#[test]
fn a_seat_for_others_survives_its_leader() {
    for size in COUNCILS {
        let mut runs = 0;
        for reached in 0..1_u32 << (size - 1) {
            let count = reached.count_ones() as usize;
            let decided = count > size / 2;
            let told: Vec<Option<u32>> = match (decided, all()) {
                (false, _) => vec![None],
                (true, false) => vec![None, Some(0), Some(1), Some(u32::MAX)],
                (true, true) => {
                    std::iter::once(None).chain((0..1_u32 << (size - 1)).map(Some)).collect()
                }
            };
            for told in told {
                runs += seat_case(size, reached, told);
            }
        }
        println!("a seat for others, council of {size}: {runs} runs");
    }
}

/// One such case, and then with a crash of the successor at each of its steps.
fn seat_case(size: usize, reached: u32, told: Option<u32>) -> usize {
    let (world, proposal, leader) = replaces_everybody(size, reached, told);
    let what = || format!("council of {size}, reached {reached:b}, told {told:?}");
    let survivors = if size == 2 { size } else { size - 1 };
    let sure = reached.count_ones() as usize > survivors - (size / 2 + 1);
    let expect = |mut world: World, second: Option<Point>| {
        world.point = second;
        world.must(25 * SECOND, "an exclusive leader", |world| {
            let next = world.invariants.view(proposal.lineage, proposal.number);
            next.is_some() && world.exclusive().len() == 1 && world.agree()
        });
        let next = world.invariants.view(proposal.lineage, proposal.number).cloned();
        if world.violation.is_some() || sure && next.as_ref() != Some(&proposal.view) {
            println!("{}, {second:?}: {next:?} and not {:?}", what(), proposal.view);
        }
        world.expect_sound();
        assert!(!sure || next.as_ref() == Some(&proposal.view), "what was accepted is not done");
    };
    expect(world.clone(), None);
    let chosen = all() || size < 5 || reached.is_multiple_of(5) && told.is_none();
    let Some(successor) = successor(&world, leader).filter(|_| chosen) else { return 1 };
    let mut watched = world.clone();
    watched.steps = Some(Steps { machine: successor, list: Vec::new() });
    watched.run_for(5 * SECOND);
    let steps = watched.steps.take().unwrap().list;
    for (steps, step) in steps.iter().enumerate() {
        for (sent, durable) in ends(step, if all() { 3 } else { 0 }) {
            let then = Then::Crash { back: Some(2 * SECOND) };
            expect(world.clone(), Some(Point { machine: successor, steps, sent, durable, then }));
        }
    }
    1 + steps.len()
}
