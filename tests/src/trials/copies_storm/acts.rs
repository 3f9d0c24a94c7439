//! What happens to members in the storm.

use super::{Death, ROOM_KIB, Storm};
use crate::Daemon;
use crate::trials::rest::pass;
use crate::wait::SOON;
use nix::sys::signal::Signal;
use std::thread;
use std::time::{Duration, Instant};

/// The most members that are gone at a time.
const MOST_GONE: usize = 3;

/// How long a member that is to be killed may take until its copies are not late.
const LATE: Duration = Duration::from_secs(5);

/// Copies are not late when the oldest text that waits has waited less, in seconds.
const WAITED: f64 = 1.5;

/// The longest pause between two acts, and the time in which a full disk is noticed.
const PAUSE_MS: usize = 1_500;
const NOTICED: Duration = Duration::from_secs(2);

/// What is left on a disk that has too little room for copies, in KiB.
const SCARCE_KIB: u64 = 512 << 10;

impl Storm {
    /// Does something, and says what it was.
    pub(super) fn act(&mut self) -> String {
        pass(Duration::from_millis(self.chance.below(PAUSE_MS) as u64));
        let room = MOST_GONE - self.dead.len();
        match self.chance.below(12) {
            0..4 if room > 0 => self.send_away(room),
            4 => self.stop(),
            5 | 6 => self.split(),
            7 | 8 => self.change_disks(),
            9 => self.switch_off(),
            _ if self.dead.is_empty() => self.send_away(room),
            _ => self.revive(),
        }
    }

    /// One or two members are killed, or one leaves.
    fn send_away(&mut self, room: usize) -> String {
        let up = self.up();
        let count = if room > 1 && self.chance.below(4) == 0 { 2 } else { 1 };
        let victims = self.chance.pick(&up, count);
        let left = count == 1 && self.chance.below(6) == 0;
        let in_time = self.full.is_empty() && count == 1 && self.are_in_time(victims[0]);
        for number in &victims {
            let signal = if left { Signal::SIGTERM } else { Signal::SIGKILL };
            let at = self.fleet[*number].signal(signal);
            self.writer(*number).pause();
            self.dead.insert(*number, Death { at, left });
        }
        for number in &victims {
            self.fleet[*number].wait_for_end(SOON);
        }
        let up = self.up();
        self.wait_until_listed(&up, &up);
        if in_time && !left {
            self.check_whole(victims[0], &up);
        }
        let how = if left { "left" } else { "killed" };
        format!("vm{victims:?} {how}, copies in time: {in_time}")
    }

    /// Whether two keepers have nearly all of a member's logs, at once or soon.
    fn are_in_time(&self, number: usize) -> bool {
        let start = Instant::now();
        while start.elapsed() < LATE {
            if is_in_time(&self.fleet[number]) {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// Some that are gone come back.
    fn revive(&mut self) -> String {
        let gone: Vec<usize> = self.dead.keys().copied().collect();
        let count = 1 + self.chance.below(gone.len());
        let some = self.chance.pick(&gone, count);
        self.bring_back(&some)
    }

    /// These come back. Their machines write and rotate logs before memberd runs, or after.
    pub(super) fn bring_back(&mut self, numbers: &[usize]) -> String {
        let before = self.chance.below(2) == 0;
        if before {
            numbers.iter().for_each(|number| self.writer(*number).resume());
            pass(Duration::from_millis(self.chance.below(PAUSE_MS) as u64));
        }
        for number in numbers {
            self.started.insert(*number, Instant::now());
            self.fleet[*number].launch();
        }
        for number in numbers {
            self.fleet[*number].wait_until_it_answers();
            if self.dead.remove(number).is_some_and(|death| death.left) {
                let joined = self.fleet[*number].control().join();
                joined.unwrap_or_else(|error| panic!("vm{number} could not join: {error}"));
            }
        }
        let up = self.up();
        self.wait_until_listed(&up, &up);
        if !before {
            // They answer for themselves again.
            numbers.iter().for_each(|number| self.writer(*number).finish(0));
            numbers.iter().for_each(|number| self.check_hidden(*number, &up));
            numbers.iter().for_each(|number| self.writer(*number).resume());
        }
        let when = if before { "before" } else { "after" };
        format!("vm{numbers:?} back, their logs written on {when} memberd")
    }

    /// A member hangs for a while.
    fn stop(&mut self) -> String {
        let up = self.up();
        let number = up[self.chance.below(up.len())];
        let with_writer = self.chance.below(2) == 0;
        self.fleet[number].signal(Signal::SIGSTOP);
        if with_writer {
            self.writer(number).pause();
        }
        let others: Vec<usize> = up.iter().copied().filter(|other| *other != number).collect();
        self.wait_until_listed(&others, &others);
        self.check_hidden(number, &others);
        let dead: Vec<usize> = self.dead.keys().copied().collect();
        dead.iter().for_each(|dead| self.check_hidden(*dead, &others));
        self.fleet[number].signal(Signal::SIGCONT);
        self.writer(number).resume();
        self.wait_until_listed(&up, &up);
        format!("vm{number} was stopped, its writer as well: {with_writer}")
    }

    /// The network is split. Each side searches for one of the other.
    fn split(&mut self) -> String {
        let up = self.up();
        let count = 1 + self.chance.below(up.len() / 2);
        let some = self.chance.pick(&up, count);
        let others: Vec<usize> = up.iter().copied().filter(|one| !some.contains(one)).collect();
        self.fleet.network().cut(&some, &others);
        self.wait_until_listed(&some, &some);
        self.wait_until_listed(&others, &others);
        for (here, there) in [(&some, &others), (&others, &some)] {
            let hidden = there[self.chance.below(there.len())];
            self.check_hidden(hidden, here);
            let dead: Vec<usize> = self.dead.keys().copied().collect();
            dead.iter().for_each(|dead| self.check_hidden(*dead, here));
        }
        self.fleet.network().heal();
        self.wait_until_listed(&up, &up);
        format!("vm{some:?} were split from vm{others:?}")
    }

    /// A disk becomes full, or has too little room for copies. One that was is mended.
    fn change_disks(&mut self) -> String {
        if !self.full.is_empty() {
            let mended = format!("the disks of vm{:?} have room", self.full);
            self.free_disks();
            return mended;
        }
        let small: Vec<usize> = self.disks.keys().copied().collect();
        let number = small[self.chance.below(small.len())];
        let left = [0, SCARCE_KIB][self.chance.below(2)];
        self.disks[&number].leave_free(left);
        self.full.insert(number);
        self.was_full = true;
        pass(NOTICED);
        format!("{left} KiB are left on the disk of vm{number}")
    }

    /// All disks have room.
    pub(super) fn free_disks(&mut self) {
        for number in std::mem::take(&mut self.full) {
            self.disks[&number].leave_free(ROOM_KIB);
        }
    }

    /// A member has no part in copies for a moment, so its sources need other keepers.
    fn switch_off(&mut self) -> String {
        let up = self.up();
        let number = up[self.chance.below(up.len())];
        let seconds = self.chance.below(3) as u64;
        for copies in ["copies = 0", "copies = 2"] {
            let daemon = &mut self.fleet[number];
            daemon.settings.logs = vec![copies.to_owned()];
            daemon.write_settings();
            daemon.reload();
            if copies == "copies = 0" && seconds > 0 {
                pass(Duration::from_secs(seconds));
                self.check_dead();
            }
        }
        format!("vm{number} had no part in copies for {seconds} s")
    }
}

/// Whether a member has two keepers, and neither lacks what is older than a moment.
fn is_in_time(daemon: &Daemon) -> bool {
    let page = daemon.ctl(&["metrics"]);
    let page = String::from_utf8_lossy(&page.stdout);
    let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
    let lags: Vec<f64> = page
        .lines()
        .filter(|line| line.starts_with("memberd_copies_lag_seconds{"))
        .filter_map(value)
        .collect();
    let keepers = page.lines().find(|line| line.starts_with("memberd_copies_keepers "));
    let has_two = keepers.and_then(value).is_some_and(|count| count >= 2.0);
    has_two && lags.len() == 2 && lags.iter().all(|lag| *lag < WAITED)
}
