//! What goes wrong: machines and workers crash, stop and wake, disks are lost, links are cut,
//! clocks jump, files rotate and are deleted, and leaders are replaced for no reason.

use super::sim::{Happening, World};
use rand::RngExt;

/// A crash at a point of a run.
#[derive(Debug, Clone)]
pub struct CrashAt {
    /// Which input or output.
    pub boundary: u64,
    /// How many others crash with the machine whose input or output it is.
    pub others: usize,
    /// Whether the leader is among them.
    pub leader: bool,
    /// Whether they only stop, and wake when their stages are others'.
    pub zombies: bool,
    /// Another crash after it.
    pub then: Option<Box<CrashAt>>,
}

#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The process ends, and begins again.
    Kill(usize),
    /// The machine is down for a while.
    Crash {
        machine: usize,
        for_us: u64,
        disk_lost: bool,
    },
    Up(usize),
    /// The process is stopped, and goes on as if nothing had been.
    Stop {
        machine: usize,
        for_us: u64,
    },
    /// It joins again, under a new incarnation, after it was taken for failed.
    Rejoin(usize),
    /// The others take a machine for failed that is not.
    Suspect(usize),
    Cut(usize, usize),
    Heal,
    /// Another leader.
    Elect,
    Rotate(usize),
    Delete(usize),
    /// A file that was counted to its end and deleted comes back: it had only been moved away.
    Return(usize),
    ClockJump(usize),
}

impl World {
    /// Draws faults up to a time.
    pub fn draw_faults(&mut self, until_us: u64) {
        let count = self.rng.random_range(4..16);
        for _ in 0..count {
            let wait = self.rng.random_range(500_000..until_us.max(500_001));
            let machine = self.rng.random_range(0..self.machines.len());
            let for_us = self.rng.random_range(200_000..9_000_000);
            let fault = match self.rng.random_range(0..22) {
                0..4 => Fault::Kill(machine),
                4..7 => {
                    let disk_lost = self.rng.random_bool(0.2);
                    Fault::Crash { machine, for_us, disk_lost }
                }
                7 | 8 => {
                    self.plan_disaster(wait);
                    continue;
                }
                9..12 => Fault::Stop { machine, for_us },
                12 => Fault::Suspect(machine),
                13 | 14 => Fault::Cut(machine, self.rng.random_range(0..self.machines.len())),
                15 => Fault::Elect,
                16..18 => Fault::Rotate(machine),
                20 => Fault::Rotate(machine),
                21 => Fault::Return(machine),
                18 if self.setup.loses_bytes => Fault::Delete(machine),
                _ => Fault::ClockJump(machine),
            };
            self.at(wait, Happening::Fault(fault));
        }
    }

    /// The leader and three others at once.
    fn plan_disaster(&mut self, wait: u64) {
        let mut all: Vec<usize> = (0..self.machines.len()).collect();
        for _ in 0..3 {
            let machine = all.remove(self.rng.random_range(0..all.len()));
            let for_us = self.rng.random_range(500_000..8_000_000);
            let crash = Fault::Crash { machine, for_us, disk_lost: false };
            self.at(wait, Happening::Fault(crash));
        }
        let leader = self.leading.unwrap_or(0);
        let crash = Fault::Crash { machine: leader, for_us: 3_000_000, disk_lost: false };
        self.at(wait, Happening::Fault(crash));
    }

    pub fn fault(&mut self, fault: Fault) {
        self.note(|| format!("fault: {fault:?}"));
        match fault {
            Fault::Up(machine) => self.up(machine),
            Fault::Rejoin(machine) => self.rejoin(machine),
            Fault::Heal => self.cut.clear(),
            _ if self.is_calm => {}
            Fault::Kill(machine) => {
                if self.machines[machine].worker.is_some() {
                    self.end(machine);
                    self.start(machine);
                }
            }
            Fault::Crash { machine, for_us, disk_lost } => self.crash(machine, for_us, disk_lost),
            Fault::Stop { machine, for_us } => self.stop(machine, for_us),
            Fault::Suspect(machine) => {
                self.at(0, Happening::Known { machine, is_alive: false });
                let wait = self.rng.random_range(500_000..4_000_000);
                self.at(wait, Happening::Fault(Fault::Rejoin(machine)));
            }
            Fault::Cut(one, other) => {
                self.cut.extend([(one, other), (other, one)]);
                let wait = self.rng.random_range(500_000..5_000_000);
                self.at(wait, Happening::Fault(Fault::Heal));
            }
            Fault::Elect => {
                let machine = self.rng.random_range(0..self.machines.len());
                if self.is_up(machine) {
                    self.elect(machine);
                }
            }
            Fault::Rotate(machine) => self.rotate(machine),
            Fault::Delete(machine) => self.delete(machine),
            Fault::Return(machine) => self.bring_back(machine),
            Fault::ClockJump(machine) => {
                let jump = self.rng.random_range(-1_500..3_000);
                self.machines[machine].skew_ms += jump;
                // What a clock that goes back says is late by the clock that was.
                let now = self.clocks(machine).wall_ms;
                let clock = &mut self.machines[machine].clock_ms;
                *clock = (*clock).max(now - jump.min(0));
            }
        }
    }

    pub fn crash(&mut self, machine: usize, for_us: u64, disk_lost: bool) {
        let down = self.machines.iter().filter(|one| one.worker.is_none()).count();
        // Five copies survive four crashes.
        if down >= 4 || self.machines[machine].worker.is_none() {
            return;
        }
        self.end(machine);
        if disk_lost && down == 0 && self.store.fewest() >= 5 {
            self.store.lose(machine);
        }
        if for_us > 1_500_000 {
            let wait = self.rng.random_range(500_000..1_500_000);
            self.at(wait, Happening::Known { machine, is_alive: false });
        }
        self.at(for_us, Happening::Fault(Fault::Up(machine)));
    }

    fn up(&mut self, machine: usize) {
        if self.machines[machine].worker.is_some() {
            return;
        }
        self.machines[machine].incarnation += 1;
        self.machines[machine].joined_us = self.now_us;
        self.start(machine);
        let wait = self.rng.random_range(100_000..1_000_000);
        self.at(wait, Happening::Known { machine, is_alive: true });
    }

    pub fn stop(&mut self, machine: usize, for_us: u64) {
        if !self.is_up(machine) {
            return;
        }
        self.machines[machine].stopped_until = self.now_us + for_us;
        if for_us > 2_000_000 {
            let wait = self.rng.random_range(500_000..2_000_000);
            self.at(wait, Happening::Known { machine, is_alive: false });
            // For a while it does not know.
            let wait = for_us + self.rng.random_range(0..2_000_000);
            self.at(wait, Happening::Fault(Fault::Rejoin(machine)));
        }
    }

    fn rejoin(&mut self, machine: usize) {
        if self.machines[machine].worker.is_none() || self.machines[machine].is_known_alive {
            return;
        }
        self.end(machine);
        self.machines[machine].incarnation += 1;
        self.machines[machine].joined_us = self.now_us;
        self.start(machine);
        let wait = self.rng.random_range(50_000..500_000);
        self.at(wait, Happening::Known { machine, is_alive: true });
    }

    /// A file ends, and another takes its name.
    pub fn rotate(&mut self, machine: usize) {
        let files = &mut self.machines[machine].files;
        let Some(open) = files.iter_mut().find(|file| !file.is_finished && !file.is_deleted) else {
            return;
        };
        open.is_finished = true;
        self.new_file(machine);
        self.remove_old(machine);
    }

    /// Whoever rotates deletes old files: here all that were counted to their ends.
    fn remove_old(&mut self, machine: usize) {
        for at in 0..self.machines[machine].files.len() {
            let file = &self.machines[machine].files[at];
            let is_old = file.is_finished && !file.is_deleted;
            if is_old && self.oracle.is_counted(machine, file) {
                let file = &mut self.machines[machine].files[at];
                (file.is_deleted, file.was_removed) = (true, true);
            }
        }
    }

    fn bring_back(&mut self, machine: usize) {
        let files = &mut self.machines[machine].files;
        let removed = files.iter_mut().find(|file| file.was_removed && file.is_deleted);
        if let Some(file) = removed.filter(|file| file.lost_below == 0) {
            file.is_deleted = false;
        }
    }

    /// The oldest file is deleted, read or not; or a part of it is.
    fn delete(&mut self, machine: usize) {
        let whole = self.rng.random_bool(0.7);
        let files = &mut self.machines[machine].files;
        let Some(file) = files.iter_mut().find(|file| !file.is_deleted) else { return };
        file.lost_below = file.end();
        if whole {
            file.is_deleted = true;
            file.is_finished = true;
            self.new_file(machine);
        }
    }

    /// An input or output passes. True, and it does not, if the machine crashes just there.
    pub fn crosses(&mut self, machine: usize) -> bool {
        self.boundary += 1;
        let Some(crash) = self.crash_at.take_if(|crash| crash.boundary == self.boundary) else {
            return false;
        };
        self.crash_at = crash.then.clone().map(|then| *then);
        let mut down = vec![machine];
        down.extend(self.leading.filter(|leader| crash.leader && *leader != machine));
        let others = (1..self.machines.len()).map(|step| (machine + step) % self.machines.len());
        let others: Vec<usize> = others.filter(|other| !down.contains(other)).collect();
        down.extend(others.into_iter().take(crash.others));
        self.note(|| format!("{crash:?}: {down:?}"));
        for machine in down {
            if crash.zombies {
                self.stop(machine, 4_000_000);
            } else {
                self.crash(machine, 3_000_000, false);
            }
        }
        !crash.zombies
    }
}
