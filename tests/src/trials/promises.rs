//! Council members that are killed at random moments, and what their files have of what they
//! promised.

use crate::chance::Chance;
use crate::control::{Control, reply};
use crate::wait::SOON;
use crate::{Daemon, Fleet, Network};
use memberd_control::message::{ClaimRequest, Request};
use memberd_council::{Durable, Term, ViewNumber};
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// A member is killed this long after its start at the latest, in milliseconds. By then it is in
/// the list again, and votes.
const LATEST_MS: usize = 1_500;

/// What came of the kills.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// How many there were.
    pub kills: u32,
    /// How many views the victims had confirmed, by the logs of who counted them.
    pub confirmed: usize,
    /// How often a victim's file had a promise, or something accepted, that was newer than its
    /// view: it was killed in the middle of a change.
    pub in_the_middle: usize,
    /// The largest term.
    pub term: u64,
    /// The number of the newest view.
    pub number: u64,
}

/// What a file had.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    promised: Term,
    /// The newest view, installed or accepted.
    number: ViewNumber,
    installed: ViewNumber,
}

/// Kills members of a council of three, while others claim keys and leaders hand over.
///
/// # Panics
/// When a file has less than it had before, or than what its voter had confirmed.
pub fn kill(network: Network, kills: u32, chance: &mut Chance) -> Outcome {
    let mut fleet = Fleet::within(network, 3);
    for daemon in fleet.daemons_mut() {
        daemon.settings.set_agreement(&["vm1", "vm2", "vm3"], &[]);
    }
    fleet.form();
    fleet.wait_until_agreed();
    let ends = AtomicBool::new(false);
    let keys = AtomicU64::new(0);
    let controls: Vec<Control> = fleet.daemons().iter().map(Daemon::control).collect();
    thread::scope(|scope| {
        for control in &controls {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let number = keys.fetch_add(1, Ordering::Relaxed);
                    change(control, number);
                }
            });
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            kill_all(&mut fleet, kills, chance)
        }));
        ends.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Claims a key, and now and then hands over. A daemon that is down, or not the leader, refuses.
fn change(control: &Control, number: u64) {
    let claim = Request::Claim(ClaimRequest { key: format!("key-{number}"), retry: false });
    let patience = Some(Duration::from_secs(2));
    let claimed = control.ask(&claim, patience).and_then(|mut stream| reply(&mut stream));
    if number.is_multiple_of(5) {
        let _ = control.hand_over(None);
    }
    if claimed.is_err() {
        thread::sleep(Duration::from_millis(20));
    }
}

fn kill_all(fleet: &mut Fleet, kills: u32, chance: &mut Chance) -> Outcome {
    let mut outcome = Outcome::default();
    let mut kept: BTreeMap<usize, Kept> = BTreeMap::new();
    let mut confirmed = Confirmed::default();
    for round in 0..kills {
        let victim = chance.below(3) + 1;
        thread::sleep(Duration::from_millis(chance.below(LATEST_MS) as u64));
        fleet[victim].kill();
        confirmed.read(fleet);
        let now = read(&fleet[victim]);
        let before = kept.insert(victim, now).unwrap_or_default();
        assert!(
            now.promised >= before.promised
                && now.number >= before.number
                && now.installed >= before.installed,
            "kill {round} of vm{victim}: {now:?} after {before:?}"
        );
        let counted = confirmed.of(victim);
        assert!(
            now.number >= counted.0 && now.promised >= counted.1,
            "kill {round} of vm{victim}: the others counted {counted:?}, and it has {now:?}"
        );
        outcome.in_the_middle += usize::from(now.number > now.installed);
        outcome.term = outcome.term.max(now.promised.0);
        outcome.number = outcome.number.max(now.number.0);
        fleet[victim].start();
    }
    outcome.kills = kills;
    outcome.confirmed = confirmed.lines;
    // They go on afterwards.
    fleet.wait_until_whole_within(SOON);
    outcome
}

/// What a machine that is down has in its file.
fn read(daemon: &Daemon) -> Kept {
    let path = daemon.settings.state_dir.join("agreement.cbor");
    let bytes = fs::read(&path).expect("the file is there");
    let file = Durable::decode(&bytes).expect("the file is whole");
    assert!(!path.with_extension("cbor.corrupt").exists(), "{} is a new voter", daemon.name());
    let installed = file.view.number;
    let accepted = file.accepted.map_or(installed, |accepted| accepted.proposal.number);
    // Who installs a view promises its term.
    let promised = file.promised.map_or(file.view.term, |promised| promised.term);
    Kept { promised, number: installed.max(accepted), installed }
}

/// Whose confirmations leaders counted, by their logs.
#[derive(Debug, Default)]
struct Confirmed {
    /// How far each log was read, in bytes.
    read: BTreeMap<usize, usize>,
    /// The newest view that each has confirmed, and the largest term of those.
    newest: BTreeMap<String, (ViewNumber, Term)>,
    lines: usize,
}

impl Confirmed {
    fn read(&mut self, fleet: &Fleet) {
        for number in 1..=fleet.daemons().len() {
            let text = fleet[number].log().text();
            let read = self.read.get(&number).copied().unwrap_or_default();
            // A log that was rotated begins anew.
            let new = text.get(read..).unwrap_or(&text);
            let whole = new.rfind('\n').map_or(0, |end| end + 1);
            let lines: Vec<&str> = new.get(..whole).unwrap_or_default().lines().collect();
            for line in lines {
                self.take(line);
            }
            self.read.insert(number, text.len() - new.len() + whole);
        }
    }

    fn take(&mut self, line: &str) {
        let Some((_, fields)) = line.split_once(" view installed ") else { return };
        let field = |key: &str| fields.split(' ').find_map(|field| field.strip_prefix(key));
        let (Some(number), Some(term), Some(by)) =
            (field("number="), field("term="), field("confirmed_by="))
        else {
            return;
        };
        let number = ViewNumber(number.parse().expect("a number"));
        let term = Term(term.parse().expect("a term"));
        for name in by.split(',') {
            let newest = self.newest.entry(name.to_owned()).or_default();
            *newest = (newest.0.max(number), newest.1.max(term));
            self.lines += 1;
        }
    }

    fn of(&self, victim: usize) -> (ViewNumber, Term) {
        self.newest.get(&format!("vm{victim}")).copied().unwrap_or_default()
    }
}
