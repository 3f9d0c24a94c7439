//! What happens to members in the storm of files.

use super::{MOST_AWAY, ROOM_KIB, Storm};
use crate::trials::rest::pass;
use crate::wait::SOON;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// The longest pause between two acts.
const PAUSE_MS: usize = 1_500;

/// How long a member is stopped or split off, at least and beyond that.
const AWAY: Duration = Duration::from_secs(1);
const AWAY_MS: usize = 8_000;

impl Storm {
    /// Does something, and says what it was.
    pub(super) fn act(&mut self) -> String {
        pass(Duration::from_millis(self.chance.below(PAUSE_MS) as u64));
        let room = MOST_AWAY - self.dead.len().max(self.full.len());
        match self.chance.below(8) {
            0..3 if room > 0 && self.full.is_empty() => self.kill(room),
            3 if room > 0 && self.full.is_empty() => self.stop(),
            4 | 5 if room > 0 && self.full.is_empty() => self.split(room),
            6 if self.dead.is_empty() => self.change_disk(),
            _ if !self.dead.is_empty() => {
                let dead: Vec<usize> = self.dead.iter().copied().collect();
                let count = 1 + self.chance.below(dead.len());
                let some = self.chance.pick(&dead, count);
                self.bring_back(&some)
            }
            _ => self.free_disks(),
        }
    }

    /// One or two members are killed at once. All files stay readable, and have all copies again
    /// soon.
    fn kill(&mut self, room: usize) -> String {
        let up = self.up();
        let count = 1 + self.chance.below(room);
        let victims = self.chance.pick(&up, count);
        let killed = Instant::now();
        for number in &victims {
            self.fleet[*number].signal(Signal::SIGKILL);
            self.dead.insert(*number);
        }
        self.check_fixed(&self.others(&victims));
        for number in &victims {
            self.fleet[*number].wait_for_end(SOON);
        }
        self.wait_until_whole();
        let whole = killed.elapsed();
        self.stored.whole_after.push(whole);
        format!("vm{victims:?} killed, all whole {:.1} s later", whole.as_secs_f64())
    }

    /// These come back with what their disks have.
    pub(super) fn bring_back(&mut self, numbers: &[usize]) -> String {
        for number in numbers {
            self.fleet[*number].launch();
        }
        for number in numbers {
            self.fleet[*number].wait_until_it_answers();
            self.dead.remove(number);
        }
        self.wait_until_agreed(&self.up());
        self.check_fixed(&self.up());
        format!("vm{numbers:?} back")
    }

    /// A member hangs for a while.
    fn stop(&mut self) -> String {
        let up = self.up();
        let number = up[self.chance.below(up.len())];
        let span = AWAY + Duration::from_millis(self.chance.below(AWAY_MS) as u64);
        self.fleet[number].signal(Signal::SIGSTOP);
        let stopped = Instant::now();
        self.check_fixed(&self.others(&[number]));
        pass(span.saturating_sub(stopped.elapsed()));
        self.fleet[number].signal(Signal::SIGCONT);
        self.wait_until_agreed(&up);
        format!("vm{number} was stopped for {:.1} s", span.as_secs_f64())
    }

    /// One or two members are split off for a while. The others have all files.
    fn split(&mut self, room: usize) -> String {
        let up = self.up();
        let count = 1 + self.chance.below(room);
        let some = self.chance.pick(&up, count);
        let others = self.others(&some);
        let span = AWAY + Duration::from_millis(self.chance.below(AWAY_MS) as u64);
        self.fleet.network().cut(&some, &others);
        let cut = Instant::now();
        self.check_fixed(&others);
        pass(span.saturating_sub(cut.elapsed()));
        self.fleet.network().heal();
        self.wait_until_agreed(&up);
        format!("vm{some:?} were split off for {:.1} s", span.as_secs_f64())
    }

    /// A disk becomes full, or has room again.
    fn change_disk(&mut self) -> String {
        if !self.full.is_empty() {
            return self.free_disks();
        }
        let small: Vec<usize> =
            self.disks.keys().copied().filter(|number| !self.dead.contains(number)).collect();
        let number = small[self.chance.below(small.len())];
        self.disks[&number].leave_free(0);
        self.full.insert(number);
        self.check_fixed(&self.up());
        format!("the disk of vm{number} is full")
    }

    /// All disks have room.
    pub(super) fn free_disks(&mut self) -> String {
        let full = std::mem::take(&mut self.full);
        for number in &full {
            self.disks[number].leave_free(ROOM_KIB);
        }
        format!("the disks of vm{full:?} have room")
    }

    /// The members that run, but these.
    pub(super) fn others(&self, without: &[usize]) -> Vec<usize> {
        let up = self.up().into_iter();
        up.filter(|number| !without.contains(number) && !self.dead.contains(number)).collect()
    }
}
