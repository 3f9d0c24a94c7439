//! Commands under `run --leader`, one on each machine of a fleet, of which never two run at once,
//! whatever becomes of the leader's machine.

use crate::chance::Chance;
use crate::process::Running;
use crate::wait::{SOON, holds};
use crate::{Fleet, Network, proc, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// The machines of a fleet. Each leads until something becomes of it. After a second failure a
/// member must be up for a while before a view has it again, so a fleet has as many rounds.
pub const MEMBERS: u8 = 5;

/// How long a machine may stand still: for less than a lease, about one, and far longer.
const STANDSTILLS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(8)];

/// A command writes more often than this, unless it stands still.
const FRESH_HUNDREDTHS: u64 = 50;

/// What becomes of the machine of the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is alone in the network until another one leads.
    Partition,
    /// Its daemon is stopped (SIGSTOP).
    StoppedDaemon,
    /// Its `memberctl run` is stopped.
    StoppedControl,
    /// Both are.
    StoppedBoth,
    /// All that runs there is, its command and the guard of it too, as in a suspend.
    Suspend,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 5] = [
        Fault::Partition,
        Fault::StoppedDaemon,
        Fault::StoppedControl,
        Fault::StoppedBoth,
        Fault::Suspend,
    ];
}

/// What came of some rounds.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many rounds of each fault.
    pub rounds: BTreeMap<Fault, usize>,
    /// How often a command was followed by that of another leader.
    pub changes: usize,
    /// What was written by a command while a later one had begun, unless its machine was suspended
    /// when its lease ended. And which command began while another one was alive.
    pub overlaps: Vec<String>,
    /// How long suspended commands ran on after they woke, where a later one had begun: the time
    /// that it takes to kill them.
    pub woken: Vec<Duration>,
}

impl Outcome {
    /// Takes in what came of other rounds.
    pub fn add(&mut self, other: Outcome) {
        for (fault, rounds) in other.rounds {
            *self.rounds.entry(fault).or_default() += rounds;
        }
        self.changes += other.changes;
        self.overlaps.extend(other.overlaps);
        self.woken.extend(other.woken);
    }
}

/// Puts a new fleet through a round for each of these faults.
///
/// # Panics
/// When the fleet does not agree again after a fault, or no command runs.
pub fn rounds(network: Network, faults: &[Fault], chance: &mut Chance) -> Outcome {
    let mut fleet = Fleet::within(network, MEMBERS);
    for daemon in fleet.daemons_mut() {
        daemon.settings.set_agreement(&["vm1", "vm2", "vm3"], &[]);
    }
    fleet.form();
    fleet.wait_until_agreed();
    let mut led = Led::new(fleet);
    let mut outcome = Outcome::default();
    for fault in faults {
        let span = STANDSTILLS[chance.below(STANDSTILLS.len())];
        led.round(*fault, span);
        *outcome.rounds.entry(*fault).or_default() += 1;
    }
    led.judge(&mut outcome);
    outcome
}

/// A fleet with its commands. All write into one file, in true time: the kernel appends one line
/// after another.
struct Led {
    fleet: Fleet,
    directory: tempfile::TempDir,
    jobs: BTreeMap<usize, Running>,
    /// Whose machine woke from a suspend under which token, and when, in hundredths of a second
    /// since the boot.
    woken: Vec<(usize, u64, u64)>,
}

/// A line of the file.
#[derive(Debug, Clone, Copy)]
struct Line {
    number: usize,
    term: u64,
    /// Hundredths of a second since the boot; none if another command was alive at the beginning.
    at: Option<u64>,
}

impl Led {
    fn new(fleet: Fleet) -> Led {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut led = Led { fleet, directory, jobs: BTreeMap::new(), woken: Vec::new() };
        led.start_missing();
        led
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("lines")
    }

    /// Starts `memberctl run` wherever there is none, since it ends with the leadership.
    fn start_missing(&mut self) {
        for number in self.fleet.running_numbers() {
            if self.jobs.get_mut(&number).is_none_or(|job| job.ended().is_some()) {
                let script = script(number, &self.file(), &self.directory.path().join("lock"));
                let run = ["run", "--leader", "--", "sh", "-c", &script];
                let mut command = self.fleet[number].memberctl(&run);
                self.jobs.insert(number, Running::start(command.stderr(Stdio::null())));
            }
        }
    }

    fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        text.lines().filter_map(parse).collect()
    }

    /// Waits until a command runs under a token that is larger, and returns its machine and token.
    fn wait_until_after(&mut self, term: u64) -> (usize, u64) {
        wait_until("a command runs", SOON, || {
            self.start_missing();
            let newest = self.lines().iter().rev().find_map(|line| Some((*line, line.at?)));
            let (line, at) = newest.ok_or("none ever ran")?;
            let fresh = now().saturating_sub(at) < FRESH_HUNDREDTHS;
            holds(fresh && line.term > term, || format!("the last was {line:?}, after {term}"))?;
            Ok((line.number, line.term))
        })
    }

    fn round(&mut self, fault: Fault, span: Duration) {
        let (leader, term) = self.wait_until_after(0);
        let control = self.jobs[&leader].pid();
        let daemon = self.fleet[leader].pid();
        match fault {
            Fault::Partition => {
                let all = self.fleet.running_numbers();
                let others: Vec<usize> =
                    all.into_iter().filter(|number| *number != leader).collect();
                self.fleet.network().cut(&[leader], &others);
                self.wait_until_after(term);
                self.fleet.network().heal();
            }
            Fault::StoppedDaemon => stand_still(&[daemon], span),
            Fault::StoppedControl => stand_still(&[control], span),
            Fault::StoppedBoth => stand_still(&[daemon, control], span),
            Fault::Suspend => {
                // The command wakes first, which gives it the most time.
                let mut all = proc::descendants(control);
                all.extend([control, daemon]);
                stand_still(&all, span);
                self.woken.push((leader, term, now()));
            }
        }
        self.fleet.wait_until_agreed();
        self.wait_until_after(0);
    }

    /// Looks through all lines in the order in which they were written.
    fn judge(&self, outcome: &mut Outcome) {
        let woke = |who: (usize, u64)| self.woken.iter().find(|woke| (woke.0, woke.1) == who);
        let (mut newest, mut before) = (0, (0, 0));
        let mut late: BTreeMap<(usize, u64), Duration> = BTreeMap::new();
        for line in self.lines() {
            let Line { number, term, at } = line;
            match (at, woke((number, term))) {
                (None, _) if woke(before).is_some() => {}
                (None, _) => outcome.overlaps.push(format!("{line:?}, after {before:?}")),
                (Some(at), Some(woke)) if term < newest && at + 1 >= woke.2 => {
                    let ran = Duration::from_millis(at.saturating_sub(woke.2) * 10);
                    let longest = late.entry((number, term)).or_default();
                    *longest = ran.max(*longest);
                }
                _ if term < newest => outcome.overlaps.push(format!("{line:?}, after {newest}")),
                _ => {
                    outcome.changes += usize::from(term > newest && newest > 0);
                    (newest, before) = (term, (number, term));
                }
            }
        }
        outcome.woken.extend(late.into_values());
    }
}

/// Writes who runs and when, again and again. A lock ends with the process, so whoever does not get
/// it was begun while another command was alive.
fn script(number: usize, file: &std::path::Path, lock: &std::path::Path) -> String {
    let (file, lock) = (file.display(), lock.display());
    format!(
        "exec 8>>{file} 9>>{lock}; flock -n 9 || echo {number} $MEMBERD_TERM alive >&8; \
         while read up rest </proc/uptime; do echo {number} $MEMBERD_TERM $up >&8; \
         sleep 0.01 9>&-; done"
    )
}

fn parse(line: &str) -> Option<Line> {
    let mut fields = line.split(' ');
    let (number, term) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let at = match fields.next()? {
        "alive" => None,
        at => Some(at.replace('.', "").parse().ok()?),
    };
    Some(Line { number, term, at })
}

/// Stops these processes for this long.
fn stand_still(processes: &[Pid], span: Duration) {
    for signal in [Signal::SIGSTOP, Signal::SIGCONT] {
        for process in processes {
            // One that has ended meanwhile needs no signal.
            let _ = kill(*process, signal);
        }
        if signal == Signal::SIGSTOP {
            thread::sleep(span);
        }
    }
}

/// Hundredths of a second since the boot, by the clock of the commands.
fn now() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").expect("there is /proc");
    let first = uptime.split(' ').next().unwrap_or_default();
    first.replace('.', "").parse().expect("seconds with two digits after the point")
}

/// One line about the outcome.
pub fn summary(outcome: &Outcome) -> String {
    let mut text = String::new();
    for (fault, rounds) in &outcome.rounds {
        let _ = write!(text, "{rounds} of {fault:?}, ");
    }
    let worst = outcome.woken.iter().max();
    let _ = write!(
        text,
        "{} changes of the leader, {} overlaps; {} suspended commands woke after their successor \
         began, and the longest ran on for {:?}",
        outcome.changes,
        outcome.overlaps.len(),
        outcome.woken.len(),
        worst.copied().unwrap_or_default()
    );
    text
}
