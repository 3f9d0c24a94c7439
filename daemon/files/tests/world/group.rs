//! The group around the members: the view service, and the list of the ring, which may be wrong.

use super::sim::{Happening, World};
use super::{SECOND, ms, name};
use memberd_files::store::Room;
use memberd_files::{Epoch, Hints, MemberOfView, Name};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

impl World {
    /// Those that hear each other and run: the side on which a leader can be.
    fn sides(&self) -> Vec<BTreeSet<usize>> {
        let up: Vec<usize> = (0..self.machines.len())
            .filter(|i| self.machines[*i].runs() && self.machines[*i].stopped_until <= self.now)
            .collect();
        let around = |one: &usize| {
            up.iter()
                .copied()
                .filter(|other| other == one || self.network.joins(*one, *other))
                .collect()
        };
        up.iter().map(around).collect()
    }

    /// The leader looks who is there, and agrees on a view if it has a majority.
    pub fn group(&mut self) {
        let pause = if self.is_long { 60_000 } else { 1_000 };
        let after = if self.is_calm { ms(pause) } else { self.micros(80_000, 250_000) };
        self.at(after, Happening::Group);
        let sides = self.sides();
        let most = sides.into_iter().filter(|side| self.views.is_majority(side));
        let Some(side) = most.max_by_key(BTreeSet::len) else { return };
        for i in &side {
            self.machines[*i].heard_at = self.now;
        }
        for i in side.clone() {
            for change in std::mem::take(&mut self.machines[i].proposals) {
                if self.rng.random_bool(0.8) || self.is_calm {
                    self.views.propose(change);
                } else {
                    self.machines[i].proposals.push(change);
                }
            }
        }
        let patience = Duration::from_millis(self.rng.random_range(1_500..2_500));
        let members: BTreeMap<Name, MemberOfView> = (0..self.machines.len())
            .filter(|i| {
                let machine = &self.machines[*i];
                let is_member = self.views.newest().members.contains_key(&name(*i));
                let is_new = side.contains(i) && machine.up_since + ms(300) < self.now;
                is_new || is_member && machine.heard_at + patience > self.now
            })
            .map(|i| (name(i), self.setup.member(i)))
            .collect();
        let before = self.views.newest().epoch;
        self.views.follow(members);
        if self.views.newest().epoch != before {
            self.count_gone();
            let view = self.views.newest().clone();
            self.note(|| {
                let members: Vec<_> = view.members.keys().map(Name::as_str).collect();
                format!("view {:?}: {members:?}, {:?}", view.epoch, view.shares.values().next())
            });
        }
        for i in side {
            self.hear_of_views(i);
        }
    }

    /// What is copied again is counted against what was lost, or away for so long that it counts.
    fn count_gone(&mut self) {
        let newest = self.views.newest().clone();
        for i in 0..self.machines.len() {
            let is_member = newest.members.contains_key(&name(i));
            match (is_member, self.gone.get(&i).copied()) {
                (false, None) => drop(self.gone.insert(i, (self.now, false))),
                (true, Some((since, is_counted))) => {
                    self.gone.remove(&i);
                    if !is_counted && since + 25 * SECOND < self.now {
                        self.count_lost(i);
                    }
                }
                _ => {}
            }
        }
        // With two away, one copy may be left: that is repaired at once.
        if self.gone.len().max(self.harmed.len()) > 1 {
            let uncounted: Vec<usize> =
                self.gone.iter().filter(|(_, (_, counted))| !counted).map(|(i, _)| *i).collect();
            for i in uncounted {
                self.count_lost(i);
                self.gone.insert(i, (self.now, true));
            }
        }
    }

    pub fn count_lost(&mut self, at: usize) {
        let sealed = self.machines[at].facts.sealed.values();
        self.lost_bytes += sealed.map(|(length, _)| length).sum::<u64>();
    }

    /// A machine hears of views late, and not of all.
    fn hear_of_views(&mut self, at: usize) {
        let newest = self.views.newest().epoch;
        if self.machines[at].shown >= newest {
            return;
        }
        match self.rng.random_range(0..10) {
            _ if self.is_calm => self.show(at, newest),
            0..6 => self.show(at, newest),
            6 => self.show(at, Epoch(newest.0 - 1)),
            _ => {}
        }
    }

    /// What each machine takes the others for: right after a while, or wrong.
    pub fn ring(&mut self) {
        let pause = if self.is_long { 60_000 } else { 2_000 };
        let after = if self.is_calm { ms(pause) } else { ms(400) };
        self.at(after, Happening::Ring);
        for at in 0..self.machines.len() {
            if !self.machines[at].runs() || self.machines[at].stopped_until > self.now {
                continue;
            }
            let hints = self.hints(at);
            if hints != self.machines[at].hints {
                self.machines[at].hints = hints.clone();
                self.give(at, |member, now| member.handle_hints(now, hints, BTreeSet::new()));
            }
        }
    }

    fn hints(&mut self, at: usize) -> Hints {
        let mut hints = Hints::default();
        for other in (0..self.machines.len()).filter(|other| *other != at) {
            let machine = &self.machines[other];
            let is_silent = !machine.runs()
                || machine.stopped_until > self.now
                || !self.network.joins(at, other);
            let is_known = machine.heard_at + 2 * SECOND < self.now;
            if is_silent && is_known || self.machines[at].rumours.contains(&other) {
                hints.failed.insert(name(other));
            }
            let (room, is_dead) = self.room_of(other);
            if room != Room::Plenty {
                hints.full.insert(name(other));
            }
            if is_dead && machine.runs() {
                hints.dead.insert(name(other));
            }
        }
        hints
    }
}
