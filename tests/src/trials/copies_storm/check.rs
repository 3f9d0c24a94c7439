//! Searches for what is kept of machines that are gone, and compares it with what they wrote.

use super::answer::Answer;
use super::line::Log;
use super::{Death, Storm, stores};
use crate::wait::stretched;
use std::time::{Duration, Instant};

/// What a killed member wrote is in its copies, but for this much. Sending has the lowest priority,
/// and a storm takes all that the machine has. So it takes longer here than the 2 s that are
/// promised.
const LACKS_WHERE_BUSY: Duration = Duration::from_secs(20);

/// What no search may say: text that is there and cannot be read.
const FAULTS: [&str; 2] = ["damaged", "cannot be read"];

/// What a search says of a member that its own member has never seen.
const UNKNOWN: &str = "no member has such a name";

impl Storm {
    /// Searches at a member that is up for all that are gone.
    pub(super) fn check_dead(&mut self) {
        let (dead, up) = (self.dead.clone(), self.up());
        for (number, death) in dead {
            let at = up[self.chance.below(up.len())];
            // Later, its keepers may have failed too, or dropped it.
            self.check_one(number, at, Some(death));
        }
    }

    /// Searches at these members for one that is gone, or hidden from them.
    pub(super) fn check_hidden(&mut self, number: usize, from: &[usize]) {
        let at = from[self.chance.below(from.len())];
        self.check_one(number, at, self.dead.get(&number).copied());
    }

    fn check_one(&mut self, number: usize, at: usize, death: Option<Death>) {
        let mut words = Vec::new();
        for with_rotated in [false, true] {
            let answer = self.search(number, at, with_rotated);
            let in_order = if with_rotated { answer.is_in_order() } else { answer.is_live() };
            in_order.unwrap_or_else(|fault| self.fail(number, at, &fault));
            self.weathered.searches += 1;
            self.weathered.lines += answer.lines();
            words.push(format!("{} lines", answer.lines()));
            let holes = answer.holes(&self.writer(number).truth());
            if with_rotated && !holes.is_empty() {
                words.push(format!("lines are missing at the ends of {holes:?}"));
            }
            if let Some(death) = death.filter(|_| with_rotated) {
                let lacks = self.worst(number, &answer, death.at).1;
                words.push(format!("lacks the last {:.1} s", lacks.as_secs_f64()));
            }
            if with_rotated {
                words.push(answer.said.trim().to_owned());
            }
        }
        self.say(&format!("  vm{number} as searched at vm{at}: {}", words.join(", ")));
    }

    /// A member was just killed whose copies were not late: they lack little.
    pub(super) fn check_whole(&mut self, number: usize, from: &[usize]) {
        let Some(Death { at: killed, .. }) = self.dead.get(&number).copied() else { return };
        let at = from[self.chance.below(from.len())];
        let answer = self.search(number, at, true);
        let (log, lacks) = self.worst(number, &answer, killed);
        if lacks > stretched(LACKS_WHERE_BUSY) {
            let said = &answer.said;
            self.fail(number, at, &format!("{log:?} lacks the last {lacks:?}: {said}"));
        }
        self.weathered.lacked.push(lacks);
    }

    /// The log that lacks most, and how much.
    fn worst(&self, number: usize, answer: &Answer, until: Instant) -> (Log, Duration) {
        let truth = self.writer(number).truth();
        let lacks = Log::ALL.map(|log| (answer.lacks(&truth, log, until), log));
        let (most, log) = lacks.into_iter().max().unwrap_or((Duration::ZERO, Log::Steady));
        (log, most)
    }

    fn search(&self, number: usize, at: usize, with_rotated: bool) -> Answer {
        let on = format!("--on=vm{number}");
        let mut arguments = vec!["grep", "-b", on.as_str(), ""];
        if with_rotated {
            arguments.push("--rotated");
        }
        let output = self.fleet[at].ctl(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let knows = self.dead.get(&number).is_none_or(|death| self.started[&at] < death.at);
        if FAULTS.iter().any(|fault| said.contains(fault)) || (knows && said.contains(UNKNOWN)) {
            self.fail(number, at, &said);
        }
        let read = Answer::read(&self.writer(number).truth(), &output.stdout, said);
        read.unwrap_or_else(|fault| {
            let said = String::from_utf8_lossy(&output.stderr);
            self.fail(number, at, &format!("with_rotated {with_rotated}: {fault}\n{said}"))
        })
    }

    /// Tells what is wrong, and what there is.
    pub(super) fn fail(&self, number: usize, at: usize, fault: &str) -> ! {
        let machine = &self.fleet[number];
        for path in stores::files(machine.directory(), true) {
            let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
            println!("{}: {length} bytes", path.display());
        }
        for daemon in self.fleet.daemons() {
            let told = stores::told(daemon, machine.name());
            if !told.is_empty() {
                println!("{} keeps:\n{told}", daemon.name());
            }
        }
        panic!("vm{number} as searched at vm{at}: {fault}");
    }
}
