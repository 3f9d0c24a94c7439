//! How a world comes to rest once nothing goes wrong any more: the checks of liveness. It owns no
//! state.

use super::faults::Fault;
use super::invariants::majority;
use super::process::index;
use super::{Network, SECOND, Triggers, World};
use memberd_council::{View, Voter, VoterId};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use std::time::Duration;

/// Within this time after the last fault there is an exclusive leader: the list is right after
/// 1.75 s, and 5 s later there is one. The longest of it are two leases, if a view of a leader that
/// is gone had to be finished.
const LEADER: Duration = Duration::from_millis(6_800);

/// How long changes are held back while most members are gone at once.
const MOST_GONE: Duration = Duration::from_secs(5);

/// How long a member that failed again and again must be up before a view has it.
const MOST_FLAPPING: Duration = Duration::from_secs(600);

/// How often voters may go down with the view that gave them their seats.
const ROUNDS: usize = 5;

/// How long a daemon that stops by plan takes.
const LEAVES: Duration = Duration::from_millis(2_300);

impl World {
    /// Ends every fault but that machines are down.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.triggers = Triggers::default();
        let fresh = Network::default();
        self.network.loss = fresh.loss;
        self.network.stalls = fresh.stalls;
        self.network.jitter = fresh.jitter;
        self.network.unordered = false;
        self.network.drop_stalled(self.now);
        for i in 0..self.machines.len() {
            self.machines[i].disk.speed = super::disk::Speed::default();
            self.act(Fault::Room(i));
            let stop = self.machines[i].stops;
            self.resume(i, stop);
        }
        self.act(Fault::Heal);
        if self.machines.iter().any(|machine| machine.leaving) {
            self.run_for(LEAVES);
        }
    }

    /// Everybody is there again: the view has them all, those that failed often the last.
    pub fn expect_everybody(&mut self) {
        for i in 0..self.machines.len() {
            self.act(Fault::Start(i));
        }
        self.must(MOST_FLAPPING + 10 * SECOND, "a view of everybody", |world| {
            world.is_whole() && world.agree()
        });
        self.must(4 * SECOND, "an exclusive leader", |world| world.exclusive().len() == 1);
    }

    /// Leaves a bare majority of the newest council up, and nothing else goes wrong: there is an
    /// exclusive leader in time, then a view that has nobody who is gone, and then everybody has
    /// it. A view that was decided just before its voters went down may need others. Returns false
    /// if too many files are lost for that.
    pub fn expect_rest(&mut self, rng: &mut SmallRng) -> bool {
        for _ in 0..ROUNDS {
            let Some(kept) = self.survivors(rng) else { return false };
            for i in 0..self.machines.len() {
                self.act(if kept.contains(&i) { Fault::Start(i) } else { Fault::Crash(i) });
            }
            let Some(lacking) = self.lacks_at_rest() else { return true };
            let newest = self.invariants.newest().cloned();
            let up = |view: &View| {
                let seats = view.council.iter().filter(|seat| self.holds(seat));
                seats.filter(|seat| kept.contains(&index(&seat.name))).count() >= majority(view)
            };
            if newest.is_none_or(|view| up(&view)) {
                self.must(Duration::ZERO, lacking, |_| false);
                return false;
            }
        }
        false
    }

    /// What does not come in time, if anything.
    fn lacks_at_rest(&mut self) -> Option<&'static str> {
        if self.run_until(LEADER, |world| world.exclusive().len() == 1).is_none() {
            return Some("an exclusive leader");
        }
        if self.run_until(MOST_GONE + 3 * SECOND, World::has_nobody_gone).is_none() {
            return Some("a view without those who are gone");
        }
        let agree = self.run_until(2 * SECOND, World::agree);
        if agree.is_none() { Some("the same view everywhere") } else { None }
    }

    /// Whether somebody is exclusive in a view of running machines alone.
    fn has_nobody_gone(&self) -> bool {
        let view = self.exclusive().first().and_then(|one| self.view(one.machine));
        view.is_some_and(|view| {
            (0..self.machines.len()).all(|i| self.runs(i) || !self.is_named(view, i))
        })
    }

    /// Whether every machine that runs has the newest view.
    pub fn agree(&self) -> bool {
        let Some(newest) = self.invariants.newest() else { return false };
        (0..self.machines.len())
            .filter(|i| self.runs(*i))
            .all(|i| self.view(i).is_some_and(|view| view == newest))
    }

    /// Whether every machine that runs is a member in the newest view, in its present incarnation.
    pub fn is_whole(&self) -> bool {
        let Some(newest) = self.invariants.newest() else { return false };
        (0..self.machines.len()).all(|i| self.is_member(newest, i) == self.runs(i))
    }

    /// A bare majority of the newest council, of machines that still have their files, and of the
    /// one before as long as none of them has the newest view. Of a council that was proposed and
    /// may be finished as well.
    pub fn survivors(&self, rng: &mut SmallRng) -> Option<Vec<usize>> {
        let newest = self.invariants.newest()?.clone();
        let mut kept: Vec<usize> = Vec::new();
        for view in self.invariants.pending(&newest) {
            self.keep_majority(&view, &mut kept, rng)?;
        }
        let mut number = newest.number.0;
        loop {
            let view = self.invariants.view(newest.lineage, number)?;
            self.keep_majority(view, &mut kept, rng)?;
            let has = |i: &usize| {
                self.view(*i)
                    .is_some_and(|view| view.lineage == newest.lineage && view.number.0 >= number)
            };
            if kept.iter().any(has) {
                return Some(kept);
            }
            number = number.checked_sub(1)?;
        }
    }

    fn keep_majority(&self, view: &View, kept: &mut Vec<usize>, rng: &mut SmallRng) -> Option<()> {
        let held = view.council.iter().filter(|seat| self.holds(seat));
        let mut seats: Vec<usize> = held.map(|seat| index(&seat.name)).collect();
        let needed = majority(view);
        if seats.len() < needed {
            return None;
        }
        seats.shuffle(rng);
        seats.sort_by_key(|seat| !kept.contains(seat));
        seats.truncate(needed);
        seats.retain(|seat| !kept.contains(seat));
        kept.extend(seats);
        Some(())
    }

    /// Whether a machine has the file of a seat. That of a founder in view 0 is any.
    pub(super) fn holds(&self, seat: &Voter) -> bool {
        let machine = &self.machines[index(&seat.name)];
        let own = match &machine.process {
            Some(process) => Some(process.own().id),
            None => machine.disk.durable().map(|durable| durable.voter),
        };
        own.is_some_and(|own| own == seat.id || seat.id == VoterId::UNKNOWN)
    }
}
