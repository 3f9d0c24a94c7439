//! Strangers press one member of a group for a while, and other members crash meanwhile.

use super::rest::pass;
use crate::follow::Noticed;
use crate::wait::{SOON, holds};
use crate::{Daemon, Fleet, Network, proc, wait_until};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many members there are. Four watch each, so some do not watch the pressed one.
pub const MEMBERS: u8 = 8;

/// The machine beside them, that is no member.
pub const STRANGER: u8 = MEMBERS + 1;

/// The pressed member.
pub const PRESSED: usize = 1;

/// How long the traces of a siege may last. Searches give way to all other work of a machine, even
/// when they end.
const RECOVERED: Duration = Duration::from_secs(60);

/// The results.
#[derive(Debug)]
pub struct Withstood {
    /// How soon two crashes were noticed: that of the pressed member's neighbour on the ring, and
    /// that of a member far from it.
    pub noticed: [Noticed; 2],
    /// The most memory that the pressed member ever had resident, in KiB.
    pub peak_kib: u64,
    /// The part of one processor that it used.
    pub processor: f64,
    /// Datagrams for it that the kernel had no room for.
    pub dropped: u64,
    /// Descriptors that it had open before, and at the end of the siege.
    pub descriptors: [usize; 2],
    /// From the end of the siege until everything was as before.
    pub recovered: Duration,
}

/// A fleet with a stranger beside it, each daemon prepared before it starts. There is none without
/// network namespaces.
pub fn fleet(prepare: impl FnMut(&mut Daemon)) -> Option<Fleet> {
    let mut fleet = Fleet::within(Network::if_possible(STRANGER)?, MEMBERS);
    fleet.daemons_mut().iter_mut().for_each(prepare);
    fleet.form();
    Some(fleet)
}

/// The memory that systemd grants the daemon, in KiB: `MemoryMax=` of the unit.
///
/// # Panics
/// When the unit has none.
pub fn memory_max_kib() -> u64 {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/memberd.service");
    let unit = fs::read_to_string(unit).expect("the unit");
    let mebibytes =
        unit.lines().find_map(|line| line.strip_prefix("MemoryMax=")?.strip_suffix('M'));
    mebibytes.and_then(|number| number.parse::<u64>().ok()).expect("MemoryMax= in MiB") * 1_024
}

/// Presses the member for this long, and lets two others crash meanwhile. `press` begins, and what
/// it returns goes on until it is dropped. `look` sees that at the end.
///
/// # Panics
/// When a live member is reported failed, a crash is not noticed in time, memory grows beyond what
/// the service is granted, or something does not recover by itself.
pub fn withstand<T>(
    fleet: &mut Fleet,
    span: Duration,
    press: impl FnOnce(&Fleet) -> T,
    look: impl FnOnce(&Fleet, &T),
) -> Withstood {
    let victims = victims(fleet);
    let mut followers = fleet.follow();
    wait_until_searched_once(fleet, PRESSED);
    fleet.wait_until_kept();
    let but_copies = fleet[PRESSED].descriptors_but_copies().expect("its metrics");
    let before = Usage::of(&fleet[PRESSED]);
    let start = Instant::now();
    let pressure = press(fleet);
    let (mut dead, mut ids) = (Vec::new(), Vec::new());
    let noticed = [(victims[0], span / 3), (victims[1], span * 2 / 3)].map(|(victim, at)| {
        pass(at.saturating_sub(start.elapsed()));
        let crash = fleet.crash(&[victim]).remove(0);
        dead.push(crash.name);
        ids.push(crash.id.clone());
        let dead: Vec<&str> = dead.iter().map(String::as_str).collect();
        followers.time_crash(&crash.id, crash.at, &dead)
    });
    pass(span.saturating_sub(start.elapsed()));
    let (after, seconds) = (Usage::of(&fleet[PRESSED]), start.elapsed().as_secs_f64());
    look(fleet, &pressure);
    drop(pressure);
    let ended = Instant::now();
    wait_until_recovered(fleet, but_copies);
    let recovered = ended.elapsed();
    fleet.restart(&victims);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    followers.assert_none_failed_but(&ids);
    noticed.iter().for_each(Noticed::assert_in_time);
    let peak_kib = proc::peak_kib(fleet[PRESSED].pid());
    assert!(
        peak_kib < memory_max_kib(),
        "{peak_kib} KiB, of {} that it is granted",
        memory_max_kib()
    );
    Withstood {
        noticed,
        peak_kib,
        processor: after.ticks.saturating_sub(before.ticks) as f64 / 100.0 / seconds,
        dropped: after.dropped - before.dropped,
        descriptors: [before.descriptors, after.descriptors],
        recovered,
    }
}

/// The pressed member's neighbour on the ring, and the one that is farthest from it.
fn victims(fleet: &Fleet) -> [usize; 2] {
    let mut ring = fleet.ring();
    let place = ring.iter().position(|number| *number == PRESSED).expect("it is on the ring");
    ring.rotate_left(place);
    [ring[1], ring[ring.len() / 2]]
}

/// Waits until lists are whole, all running members answer a grep, and no more descriptors are open
/// than before. Those of copies do not count: others choose it instead of the dead.
fn wait_until_recovered(fleet: &Fleet, descriptors: usize) {
    fleet.wait_until_whole();
    wait_until_all_answer(fleet, PRESSED);
    wait_until("all descriptors are closed", RECOVERED, || {
        let open = fleet[PRESSED].descriptors_but_copies()?;
        holds(open <= descriptors, || {
            format!("{descriptors} before: {open} of {:?}", proc::open_files(fleet[PRESSED].pid()))
        })
    });
}

/// Waits until the grep of a member is answered by all running members.
fn wait_until_all_answer(fleet: &Fleet, asker: usize) {
    let members = fleet.running().count();
    wait_until("a grep is answered by all", SOON, || {
        let output =
            fleet[asker].ctl(&["grep", "--no-copies", "-c", "memberd starting", "machine.*.log"]);
        let answers = String::from_utf8_lossy(&output.stdout).lines().count();
        holds(answers == members, || format!("{output:?}"))
    });
}

/// Lets a member search, and waits until its file of searches is open, which stays open from then
/// on. A thread of its own opens it, and may do so after the answer.
pub(super) fn wait_until_searched_once(fleet: &Fleet, asker: usize) {
    wait_until_all_answer(fleet, asker);
    for daemon in fleet.running() {
        let file = daemon.searches_path();
        wait_until("the file of searches is open", SOON, || {
            let open = proc::open_files(daemon.pid());
            holds(open.contains(&file), || format!("{open:?}"))
        });
    }
}

/// What a daemon has used so far.
struct Usage {
    descriptors: usize,
    /// A hundredth of a second each.
    ticks: u64,
    dropped: u64,
}

impl Usage {
    fn of(daemon: &Daemon) -> Self {
        let pid = daemon.pid();
        let (descriptors, ticks) = (proc::open_files(pid).len(), proc::cpu_ticks(pid));
        Usage { descriptors, ticks, dropped: proc::datagrams_dropped(pid) }
    }
}
