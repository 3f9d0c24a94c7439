//! One run: clients and faults, quiet, and that again.

use super::setup::Mutant;
use super::sim::World;
use super::{SECOND, clients};

/// What the runs did, so that nobody takes runs without any work for sound ones.
#[derive(Debug, Default)]
pub struct Total {
    runs: u64,
    acknowledged: u64,
    reads: u64,
    unsure: u64,
    retried: u64,
    views: u64,
    reigns: u64,
    entries: u64,
    extents: u64,
    messages: u64,
    events: u64,
}

impl Total {
    pub fn add(&mut self, world: &World) {
        self.runs += 1;
        self.acknowledged += world.clients.acknowledged;
        self.reads += world.clients.reads;
        self.unsure += world.clients.unsure;
        self.retried += world.clients.retried;
        self.views += world.views.newest().epoch.0;
        self.reigns += world.truth.reigns() as u64;
        self.entries += world.truth.catalog.applied().index;
        self.extents += world.truth.extents.len() as u64;
        self.messages += world.messages;
        self.events += world.events;
    }

    pub fn expect_work(&self) {
        let runs = self.runs;
        assert!(runs < 2 || self.acknowledged > 50 * runs, "hardly anything was written");
        assert!(runs < 2 || self.reads > 20 * runs, "hardly anything was read");
        assert!(runs < 2 || self.extents > 10 * runs, "hardly any extents: {self:?}");
        assert!(runs < 2 || self.reigns > 2 * runs, "hardly any change of primaries");
    }
}

pub fn story(seed: u64, mutant: Mutant) -> World {
    let mut world = World::new(seed, mutant);
    world.settle_first();
    for _ in 0..2 {
        if world.broken.is_some() {
            return world;
        }
        let end = world.now + 30 * SECOND;
        world.clients_until(end);
        world.faults_until(end);
        world.run(30 * SECOND);
        world.settle();
    }
    if world.broken.is_none() {
        world.restart_in_quiet();
    }
    if world.broken.is_none() && seed.is_multiple_of(8) {
        world.wait_for_garbage();
    }
    world
}

impl World {
    /// Waits for the first view, and makes the files that grow.
    fn settle_first(&mut self) {
        self.clients.sessions.extend((0..5).map(|_| clients::Session::default()));
        self.is_calm = true;
        if !self.run_until(60 * SECOND, |world| world.unrest().is_none()) {
            let unrest = self.unrest();
            return self.break_it(format!("at the beginning: {unrest:?}"));
        }
        for _ in 0..2 {
            let doing = self.new_list();
            self.do_now(doing);
        }
        self.was_whole = true;
        self.is_calm = false;
    }
}
