//! What goes wrong with a fleet, and what its users do: each as one action on the world. It owns no
//! state.

use super::process::name;
use super::{Happening, World};
use memberd_council::{Council, KeeperCount, Name, Now, ShareChange, ShareName, Term, View, Voter};
use rand::RngExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long a daemon that has left the ring runs on.
const GOODBYE: Duration = Duration::from_millis(100);

/// What a member wants of a share.
#[derive(Debug, Clone, Copy)]
pub enum ShareWish {
    Add(KeeperCount),
    Remove,
    /// To have it noted that the first keeper that is not whole has become so.
    Fill,
}

/// An action on the world.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The process ends at once; what was not durable is lost.
    Crash(usize),
    /// The same, and its machine stays up, whatever is drawn: it refuses connections.
    Kill(usize),
    Start(usize),
    /// SIGSTOP or suspend: the clocks run on.
    Stop(usize, Duration),
    /// A hypervisor pauses the machine with its clocks.
    Pause(usize, Duration),
    StepWall(usize, i64),
    Drift(usize, i32),
    Cut(usize, usize),
    /// Cuts a link, and rejects what it does not let through.
    Reject(usize, usize),
    Join(usize, usize),
    /// Cuts every link of these machines to all others.
    Isolate(Vec<usize>),
    /// Cuts every link between different sides.
    Split(Vec<u8>),
    Heal,
    Full(usize),
    Room(usize),
    /// Each write takes up to this long.
    SlowDisk(usize, Duration),
    /// The agreement file is lost while the process is down.
    Wipe(usize),
    /// Its daemon stops by plan.
    Leave(usize),
    /// The daemon that stops by plan leaves the ring.
    LeaveRing(usize),
    /// Its lineage was recovered without it.
    SetAside(usize, Arc<View>),
    Claim(usize, String),
    /// It wants this of the share of this name.
    Share(usize, String, ShareWish),
    HandOver(usize, Option<usize>),
    /// Nothing runs under this term any more on a machine.
    LetGo(usize, Term),
    /// An operator says that these are lost.
    Recover(usize, Vec<usize>),
}

impl World {
    /// Does it, where it makes sense.
    pub fn act(&mut self, fault: Fault) {
        self.note(|| format!("--- {fault:?}"));
        match fault {
            Fault::Crash(i) => {
                let survive = self.rng.random_range(0..=2);
                self.crash(i, survive);
            }
            Fault::Kill(i) => self.kill(i),
            Fault::Start(i) => self.start(i),
            Fault::Stop(i, lasts) => self.stop(i, lasts),
            Fault::Pause(i, lasts) => {
                if self.runs(i) {
                    self.machines[i].clock.pause(self.now);
                    self.stop(i, lasts);
                }
            }
            Fault::StepWall(i, milliseconds) => self.machines[i].clock.step_wall(milliseconds),
            Fault::Drift(i, rate) => self.machines[i].clock.drift(self.now, rate),
            Fault::Cut(one, other) => self.cut_link(one, other),
            Fault::Reject(one, other) => {
                self.cut(&[(one, other)]);
                self.reject(one, other);
            }
            Fault::Join(one, other) => self.join(one, other),
            Fault::Isolate(those) => {
                let those: BTreeSet<usize> = those.into_iter().collect();
                let sides: Vec<u8> =
                    (0..self.machines.len()).map(|i| u8::from(those.contains(&i))).collect();
                self.split(&sides);
            }
            Fault::Split(sides) => self.split(&sides),
            Fault::Heal => self.heal(),
            Fault::Full(i) => self.machines[i].disk.full = true,
            Fault::Room(i) => {
                self.machines[i].disk.empty(self.now);
                for id in self.machines[i].disk.waiting() {
                    let process = self.machines[i].number;
                    self.queue.plan(self.now, Happening::Written { machine: i, process, id });
                }
            }
            Fault::SlowDisk(i, mean) => self.machines[i].disk.speed.mean = mean,
            Fault::Wipe(i) => self.wipe(i),
            Fault::Leave(i) => self.leave(i),
            Fault::LeaveRing(i) => self.leave_ring(i),
            Fault::SetAside(i, view) => {
                self.crash(i, 0);
                self.wipe(i);
                self.start(i);
                self.ask(i, |council, now| {
                    council.adopt(now, &view);
                    true
                });
            }
            Fault::Claim(i, key) => {
                let token = self.rng.random();
                self.ask(i, |council, now| council.claim(now, &key, token, false).is_ok());
            }
            Fault::Share(i, name, wish) => self.wish_share(i, &name, wish),
            Fault::HandOver(i, to) => {
                self.ask(i, |council, now| council.hand_over(now, to.map(name)).is_ok());
            }
            Fault::LetGo(i, term) => self.ask(i, |council, now| {
                council.let_go(now, term);
                true
            }),
            Fault::Recover(i, lost) => {
                let lost: Vec<Name> = lost.into_iter().map(name).collect();
                self.ask(i, |council, now| council.recover(now, &lost).is_ok());
            }
        }
    }

    fn ask(&mut self, i: usize, question: impl FnOnce(&mut Council, Now) -> bool) {
        if self.runs(i) {
            self.give(i, |council, now| {
                // A refusal changes nothing.
                question(council, now);
            });
        }
    }

    fn wish_share(&mut self, i: usize, name: &str, wish: ShareWish) {
        let name = ShareName::new(name).unwrap();
        let token = self.rng.random();
        self.ask(i, |council, now| {
            let share = council.view().share(&name).cloned();
            let change = match (wish, share) {
                (ShareWish::Add(keepers), _) => ShareChange::Add { name, keepers },
                (_, None) => return false,
                (ShareWish::Remove, Some(share)) => {
                    ShareChange::Remove { name, added: share.added }
                }
                (ShareWish::Fill, Some(share)) => {
                    let Some(one) = share.keepers.into_iter().find(|one| !one.whole) else {
                        return false;
                    };
                    ShareChange::Fill { name, keeper: one.name, since: one.since }
                }
            };
            council.change_share(now, token, change).is_ok()
        });
    }

    /// The process is gone. Of its writes on the way the first `survive` became durable.
    pub(super) fn crash(&mut self, i: usize, survive: usize) {
        if self.machines[i].process.is_none() {
            return;
        }
        let size = self.machines.len();
        let machine = &mut self.machines[i];
        machine.process = None;
        machine.number += 1;
        machine.stops += 1;
        machine.stopped = false;
        machine.leaving = false;
        machine.clock.resume(self.now);
        machine.inbox.clear();
        machine.unsent.clear();
        machine.woken_for = None;
        machine.disk.crash(survive, &mut self.rng);
        machine.view = None;
        machine.list_changed = false;
        self.leading.remove(&i);
        if let Some(durable) = machine.disk.durable() {
            self.invariants.durable(&name(i), durable);
        }
        self.network.hang_up(i, size);
        let stays_up = self.draws_refusal();
        self.after_end(i, stays_up);
        self.look_at_ring();
    }

    fn kill(&mut self, i: usize) {
        if self.machines[i].process.is_some() {
            self.crash(i, 0);
            self.after_end(i, true);
        }
    }

    fn start(&mut self, i: usize) {
        if self.machines[i].process.is_some() {
            return;
        }
        self.ring.begin(i);
        self.run_process(i);
        self.look_at_ring();
    }

    pub(super) fn stop(&mut self, i: usize, lasts: Duration) {
        if !self.runs(i) {
            return;
        }
        let machine = &mut self.machines[i];
        machine.stopped = true;
        machine.stops += 1;
        let stop = machine.stops;
        self.queue.plan(self.now + lasts, Happening::Resume { machine: i, stop });
        self.look_at_ring();
    }

    pub(super) fn resume(&mut self, i: usize, stop: u32) {
        let machine = &mut self.machines[i];
        if !machine.stopped || machine.stops != stop {
            return;
        }
        machine.stopped = false;
        machine.clock.resume(self.now);
        // A timer that was set before a pause of the clock comes too early.
        machine.woken_for = None;
        self.note(|| format!("vm{i} goes on"));
        self.catch_up(i);
        self.show_list(i);
        self.drain(i);
        self.look_at_ring();
    }

    fn cut(&mut self, links: &[(usize, usize)]) {
        links.iter().for_each(|(one, other)| self.network.cut(*one, *other));
        self.look_at_ring();
    }

    fn cut_link(&mut self, one: usize, other: usize) {
        let rejects = !self.network.is_cut(one, other) && self.draws_refusal();
        self.cut(&[(one, other)]);
        if rejects {
            self.reject(one, other);
        }
    }

    fn join(&mut self, one: usize, other: usize) {
        self.network.join(one, other);
        self.refusals.join(one, other);
        self.look_at_ring();
    }

    fn heal(&mut self) {
        self.network.heal();
        self.refusals.heal();
        self.look_at_ring();
    }

    fn split(&mut self, sides: &[u8]) {
        let size = self.machines.len();
        let apart = |one: usize, other: usize| sides[one] != sides[other];
        let links: Vec<(usize, usize)> = (0..size)
            .flat_map(|one| (0..one).map(move |other| (one, other)))
            .filter(|(one, other)| apart(*one, *other))
            .collect();
        self.cut(&links);
    }

    fn wipe(&mut self, i: usize) {
        if self.machines[i].process.is_some() {
            return;
        }
        if let Some(durable) = self.machines[i].disk.durable() {
            self.invariants.burn(durable.voter);
        }
        self.machines[i].disk.wipe();
    }

    fn leave(&mut self, i: usize) {
        if self.runs(i) && !self.machines[i].leaving {
            self.machines[i].leaving = true;
            self.left.insert(i);
            self.give(i, Council::release);
        }
    }

    fn leave_ring(&mut self, i: usize) {
        if self.machines[i].process.is_some() {
            let plans = self.ring.leave(i, &mut self.rng);
            self.plan_news(plans);
            self.show_list(i);
            self.plan(GOODBYE, Fault::Crash(i));
        }
    }

    /// The parts of the network: machines that reach each other, by any way. Machines that do not
    /// run have none.
    pub fn parts(&self) -> Vec<Option<usize>> {
        self.parts_of(|i| self.runs(i))
    }

    fn parts_of(&self, counts: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
        let size = self.machines.len();
        let mut part: Vec<Option<usize>> = vec![None; size];
        for first in 0..size {
            if part[first].is_some() || !counts(first) {
                continue;
            }
            part[first] = Some(first);
            let mut to_visit = vec![first];
            while let Some(one) = to_visit.pop() {
                for (other, place) in part.iter_mut().enumerate() {
                    if place.is_none() && counts(other) && !self.network.is_cut(one, other) {
                        *place = Some(first);
                        to_visit.push(other);
                    }
                }
            }
        }
        part
    }

    pub(super) fn look_at_ring(&mut self) {
        self.look_at_minorities();
        let parts = self.parts();
        let plans = self.ring.look(&parts, &mut self.rng);
        self.plan_news(plans);
    }

    /// Tells the checker which parts of the network cannot decide. What was in flight over a cut is
    /// lost, but not what a machine had sent before it went down: so down machines count.
    fn look_at_minorities(&mut self) {
        let held = |i: usize| {
            let machine = &self.machines[i];
            let voter = |id| Voter { name: name(i), id };
            match &machine.process {
                Some(council) => Some((Arc::clone(council.view()), council.own().clone())),
                None => {
                    let durable = machine.disk.durable()?;
                    Some((Arc::clone(&durable.view), voter(durable.voter)))
                }
            }
        };
        let held: Vec<_> = (0..self.machines.len()).map(held).collect();
        let parts: Vec<usize> = self.parts_of(|_| true).into_iter().flatten().collect();
        self.invariants.parts(&parts, &held);
    }
}
