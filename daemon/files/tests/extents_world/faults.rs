//! The faults: drawn from the seed, never more losses at once than the promise covers.

use super::disk::Sealed;
use super::{Happening, SECOND, World, name};
use rand::RngExt;
use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process ends, and begins again after a while.
    Crash(usize),
    /// The machine ends with its disk, and begins again empty.
    Wipe(usize),
    Start(usize),
    /// The view loses a machine that does not run, or gets it back.
    Leave(usize),
    Join(usize),
    Full(usize, bool),
    /// Its disk answers nothing more.
    Dead(usize),
    Cut(usize, bool),
    /// A bit of one sealed extent changes.
    Rot(usize),
    /// It takes all others for failed: it was stopped, and goes on.
    Alone(usize, bool),
    /// Somebody takes somebody else for failed.
    Rumour(usize, usize, bool),
}

impl World {
    /// Draws faults until a moment, of which at most `losses` take a disk.
    pub fn faults_until(&mut self, end: Duration, mut losses: usize) {
        let mut at = self.now + self.span(1_000, 5_000);
        while at < end {
            let i = self.rng.random_range(0..self.machines.len());
            let back = at + self.span(200, 30_000);
            match self.rng.random_range(0..12) {
                0..4 => {
                    self.at(at, Happening::Fault(Fault::Crash(i)));
                    self.at(back, Happening::Fault(Fault::Start(i)));
                }
                4..6 if losses > 0 => {
                    losses -= 1;
                    let fault = match self.rng.random_range(0..3) {
                        0 => Fault::Dead(i),
                        1 => Fault::Rot(i),
                        _ => Fault::Wipe(i),
                    };
                    self.at(at, Happening::Fault(fault));
                    if matches!(fault, Fault::Wipe(_)) {
                        self.at(back, Happening::Fault(Fault::Start(i)));
                    }
                }
                6..8 => {
                    self.at(at, Happening::Fault(Fault::Full(i, true)));
                    self.at(back, Happening::Fault(Fault::Full(i, false)));
                }
                8..10 => {
                    self.at(at, Happening::Fault(Fault::Cut(i, true)));
                    self.at(back, Happening::Fault(Fault::Cut(i, false)));
                }
                10 => {
                    self.at(at, Happening::Fault(Fault::Alone(i, true)));
                    self.at(back.min(at + 3 * SECOND), Happening::Fault(Fault::Alone(i, false)));
                }
                _ => {
                    let about = self.rng.random_range(0..self.machines.len());
                    self.at(at, Happening::Fault(Fault::Rumour(i, about, true)));
                    self.at(back, Happening::Fault(Fault::Rumour(i, about, false)));
                }
            }
            at += self.span(500, 9_000);
        }
    }

    pub fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Crash(i) => self.stop(i),
            Fault::Wipe(i) => {
                self.stop(i);
                self.lose(i);
            }
            Fault::Start(i) => {
                if !self.machines[i].runs() {
                    self.start(i);
                    self.tell_all(i, false);
                    let at = self.now + self.span(300, 1_500);
                    self.at(at, Happening::Fault(Fault::Join(i)));
                }
            }
            Fault::Leave(i) if !self.machines[i].runs() || self.is_cut(i, i) => {
                if self.view.members.len() > 3 {
                    self.change_view(|members| drop(members.remove(&name(i))));
                }
            }
            Fault::Join(i) if self.machines[i].runs() && !self.is_cut(i, i) => {
                let member = self.member(i);
                self.change_view(|members| drop(members.insert(name(i), member)));
                for other in 0..self.machines.len() {
                    self.tell_restart(other, i);
                }
            }
            Fault::Full(i, is_full) => self.machines[i].disk.is_full = is_full,
            Fault::Dead(i) => {
                if self.machines[i].disk.sealed.values().all(Sealed::is_intact) {
                    self.machines[i].disk.is_dead = true;
                }
            }
            Fault::Cut(i, true) => {
                self.network.cut_off.insert(i);
                self.tell_all(i, true);
                let at = self.now + self.span(1_500, 3_000);
                self.at(at, Happening::Fault(Fault::Leave(i)));
            }
            Fault::Cut(i, false) => {
                self.network.cut_off.remove(&i);
                self.tell_all(i, false);
                let at = self.now + self.span(300, 1_500);
                self.at(at, Happening::Fault(Fault::Join(i)));
            }
            Fault::Rot(i) => self.rot(i),
            Fault::Alone(i, is_alone) => {
                for about in (0..self.machines.len()).filter(|about| *about != i) {
                    self.hint(i, about, is_alone);
                }
            }
            Fault::Rumour(i, about, is_failed) => self.hint(i, about, is_failed),
            Fault::Leave(_) | Fault::Join(_) => {}
        }
    }

    fn stop(&mut self, i: usize) {
        if self.machines[i].runs() {
            self.crash(i);
            self.tell_all(i, true);
            let at = self.now + self.span(1_500, 3_000);
            self.at(at, Happening::Fault(Fault::Leave(i)));
        }
    }

    /// Its disk is lost.
    pub fn lose(&mut self, i: usize) {
        self.machines[i].disk = super::disk::Disk::default();
    }

    fn rot(&mut self, i: usize) {
        let sealed: Vec<_> = self.machines[i].disk.sealed.keys().copied().collect();
        if sealed.is_empty() {
            return;
        }
        let extent = sealed[self.rng.random_range(0..sealed.len())];
        let at = self.rng.random_range(0..1_usize << 30);
        if let Some(one) = self.machines[i].disk.sealed.get_mut(&extent) {
            let at = at % one.bytes.len();
            one.bytes[at] ^= 4;
        }
    }

    /// Its disk looks for damage by itself.
    fn scrub(&mut self, i: usize) {
        let now = self.boot();
        let machine = &mut self.machines[i];
        let bad = machine.disk.sealed.iter().filter(|(_, one)| !one.is_intact());
        let bad: Vec<_> = bad.map(|(extent, _)| *extent).collect();
        if let Some(holder) = &mut machine.holder {
            bad.into_iter().for_each(|extent| holder.handle_bad(now, extent));
        }
        self.drain(i);
    }

    /// The list of the ring tells of a machine, at each a little later.
    fn tell_all(&mut self, about: usize, is_failed: bool) {
        for machine in (0..self.machines.len()).filter(|i| *i != about) {
            let late = if is_failed { self.span(1_400, 2_200) } else { self.span(100, 600) };
            let at = self.now + late;
            self.at(at, Happening::Hint { machine, about, is_failed });
        }
    }

    /// No more faults: all run, with a new disk where the old one is dead.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.network.loss = 0.0;
        self.network.twice = 0.0;
        self.run(40 * SECOND);
        for i in 0..self.machines.len() {
            self.machines[i].disk.is_full = false;
            if self.machines[i].disk.is_dead {
                self.crash(i);
                self.lose(i);
            }
            self.network.cut_off.remove(&i);
            if !self.machines[i].runs() {
                self.start(i);
            }
            let member = self.member(i);
            self.change_view(|members| drop(members.insert(name(i), member)));
            for other in 0..self.machines.len() {
                self.machines[other].hints.failed.clear();
                self.machines[other].hints.dead.clear();
                self.show_hints(other);
            }
            self.scrub(i);
        }
        for i in 0..self.machines.len() {
            for other in 0..self.machines.len() {
                self.tell_restart(other, i);
            }
        }
        self.calm_since = self.now;
    }
}
