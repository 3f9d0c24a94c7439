//! The faults: drawn from the seed. Two disks are lost at once at most; all else is only away.

use super::sim::{Happening, World};
use super::{SECOND, ms};
use memberd_files::store::sim_disk::{Fault as DiskFault, Which};
use rand::RngExt;
use std::io::ErrorKind;
use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The process ends; or the power goes.
    Crash(usize, bool),
    /// The power goes within some write of the store.
    Power(usize, u64),
    Start(usize),
    /// The machine loses its disk.
    Wipe(usize),
    /// A sync fails, and later ones say that all is well.
    Sync(usize, u64),
    /// A bit of a sealed extent changes.
    Rot(usize),
    /// There is no more space.
    Full(usize, bool),
    /// The process is stopped for a while, and goes on as if nothing were.
    Stop(usize, Duration),
    Split(Vec<usize>),
    /// Messages of one are not heard by another.
    OneWay(usize, usize),
    Heal,
    Weather(f64, f64, f64),
    /// One takes another for failed, without reason.
    Rumour(usize, usize, bool),
}

impl World {
    /// Draws faults until a moment.
    pub fn faults_until(&mut self, end: Duration) {
        let mut after = self.micros(500_000, 4_000_000);
        let mut losses = 2;
        while self.now + after < end {
            let i = self.rng.random_range(0..self.machines.len());
            let j = self.rng.random_range(0..self.machines.len());
            let short = self.rng.random_bool(0.5);
            let lasts = self.micros(200_000, if short { 3_000_000 } else { 25_000_000 });
            let (fault, end) = self.draw_fault(i, j, lasts, &mut losses);
            self.at(after, Happening::Fault(fault));
            if let Some(end) = end {
                self.at(after + lasts, Happening::Fault(end));
            }
            after += self.micros(200_000, 7_000_000);
        }
    }

    fn draw_fault(
        &mut self,
        i: usize,
        j: usize,
        lasts: Duration,
        losses: &mut usize,
    ) -> (Fault, Option<Fault>) {
        let back = Some(Fault::Start(i));
        match self.rng.random_range(0..20) {
            0..4 => {
                let power = self.rng.random_bool(0.5);
                (Fault::Crash(i, power), back)
            }
            4..6 => (Fault::Power(i, self.rng.random_range(1..12)), back),
            6 | 7 if *losses > 0 => {
                *losses -= 1;
                (Fault::Wipe(i), back)
            }
            8 | 9 if *losses > 0 => {
                *losses -= 1;
                (Fault::Sync(i, self.rng.random_range(1..6)), None)
            }
            10 if *losses > 0 => {
                *losses -= 1;
                (Fault::Rot(i), None)
            }
            11 => (Fault::Full(i, true), Some(Fault::Full(i, false))),
            12 => (Fault::Stop(i, lasts.min(8 * SECOND)), None),
            13..15 => {
                let mut side = vec![i];
                if i != j && self.rng.random_bool(0.4) {
                    side.push(j);
                }
                (Fault::Split(side), Some(Fault::Heal))
            }
            15 if i != j => (Fault::OneWay(i, j), Some(Fault::Heal)),
            16 | 17 => {
                let loss = [0.0, 0.01, 0.1, 0.25][self.rng.random_range(0..4)];
                let twice = [0.0, 0.02][self.rng.random_range(0..2)];
                let slow = [0.0, 0.02, 0.1][self.rng.random_range(0..3)];
                (Fault::Weather(loss, twice, slow), Some(Fault::Weather(0.0, 0.0, 0.01)))
            }
            _ => (Fault::Rumour(i, j, true), Some(Fault::Rumour(i, j, false))),
        }
    }

    pub fn fault(&mut self, fault: Fault) {
        if self.is_calm && !matches!(fault, Fault::Start(_)) {
            return;
        }
        self.note(|| format!("fault {fault:?}"));
        self.harm(&fault);
        match fault {
            Fault::Crash(i, power) => self.crash(i, power),
            Fault::Start(i) => self.start(i),
            Fault::Power(i, number) => {
                self.machines[i].disk.fail_at(Which::Changes, number, DiskFault::Power);
            }
            Fault::Wipe(i) => {
                if self.may_lose(i) {
                    self.wipe(i);
                }
            }
            Fault::Sync(i, number) => {
                if self.may_lose(i) {
                    let failed = DiskFault::Fail(ErrorKind::Other);
                    self.machines[i].disk.fail_at(Which::Syncs, number, failed);
                    self.machines[i].is_doomed = true;
                }
            }
            Fault::Rot(i) => self.rot(i),
            Fault::Full(i, true) => {
                let used = self.machines[i].disk.used();
                let more = self.rng.random_range(0..300_000);
                self.machines[i].disk.set_total(Some(used + more));
            }
            Fault::Full(i, false) => self.machines[i].disk.set_total(None),
            Fault::Stop(i, lasts) => self.machines[i].stopped_until = self.now + lasts,
            Fault::Split(side) => self.network.split(&side, self.machines.len()),
            Fault::OneWay(from, to) => drop(self.network.cut.insert((from, to))),
            Fault::Heal => self.network.heal(),
            Fault::Weather(loss, twice, slow) => {
                (self.network.loss, self.network.twice) = (loss, twice);
                self.network.slow = slow;
            }
            Fault::Rumour(i, about, is_failed) => {
                if is_failed {
                    self.machines[i].rumours.insert(about);
                } else {
                    self.machines[i].rumours.remove(&about);
                }
            }
        }
    }

    /// Two at once may be away or lose their disks, and nothing is lost. Of more, none may lose a
    /// disk that alone has something.
    fn may_lose(&self, at: usize) -> bool {
        let others = self.harmed.iter().filter(|other| **other != at).count();
        others <= 1 && self.was_whole || self.can_lose(at)
    }

    /// Whom a fault takes away.
    fn harm(&mut self, fault: &Fault) {
        match fault {
            Fault::Crash(i, _)
            | Fault::Power(i, _)
            | Fault::Wipe(i)
            | Fault::Sync(i, _)
            | Fault::Rot(i)
            | Fault::Full(i, true)
            | Fault::Stop(i, _)
            | Fault::OneWay(i, _) => drop(self.harmed.insert(*i)),
            Fault::Split(side) => self.harmed.extend(side),
            _ => {}
        }
    }

    fn rot(&mut self, at: usize) {
        let sealed: Vec<_> = self.machines[at].facts.sealed.keys().copied().collect();
        if sealed.is_empty() || self.room_of(at).1 {
            return;
        }
        let extent = sealed[self.rng.random_range(0..sealed.len())];
        if self.intact(extent).iter().all(|i| *i == at || self.machines[*i].is_doomed) {
            return;
        }
        let id = format!("{:032x}", extent.0);
        let file = format!("extents/{}/{id}", &id[..2]);
        let length = self.machines[at].facts.sealed[&extent].0 as usize;
        let place = self.rng.random_range(0..length);
        self.machines[at].disk.rot(&file, place);
        self.machines[at].facts.rotten.insert(extent);
        self.lost_bytes += length as u64;
        self.check_kept(extent, "a bit changed");
    }

    /// No more faults: all run, with a new disk where the old one has failed.
    pub fn calm(&mut self) {
        self.note(|| "calm".to_owned());
        self.is_calm = true;
        // The last fault may have come a moment ago, and nobody have heard of it yet.
        (0..self.machines.len()).for_each(|i| self.tell_store(i));
        self.network.heal();
        (self.network.loss, self.network.twice, self.network.slow) = (0.0, 0.0, 0.0);
        for i in 0..self.machines.len() {
            self.machines[i].rumours.clear();
            self.machines[i].is_doomed = false;
            self.machines[i].disk.set_total(None);
            self.machines[i].disk.fail_at(Which::Reads, u64::MAX, DiskFault::Power);
            self.machines[i].stopped_until = self.machines[i].stopped_until.min(self.now + ms(10));
        }
        for i in 0..self.machines.len() {
            if self.room_of(i).1 {
                // Whoever looks after it restarts it, or brings a new disk.
                if self.can_lose(i) && self.rng.random_bool(0.6) {
                    self.wipe(i);
                } else {
                    let power = self.rng.random_bool(0.5);
                    self.crash(i, power);
                }
            }
            self.start(i);
        }
        self.harmed.clear();
    }

    /// The scrub of each machine comes by.
    pub fn scrub(&mut self) {
        for i in 0..self.machines.len() {
            let bad: Vec<_> = self.machines[i].facts.rotten.iter().copied().collect();
            let room = self.room_of(i).0;
            if !bad.is_empty() {
                self.give(i, |member, now| member.handle_store(now, room, bad));
            }
        }
    }
}
