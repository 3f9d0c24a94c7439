//! Puts a fleet through everything, by a seed: crashes, leaves, joins, splits, floods and greps.
//! After each step all lists are the truth.

use super::rest::pass;
use super::siege::{memory_max_kib, wait_until_searched_once};
use crate::chance::Chance;
use crate::flood::{Flood, Payload};
use crate::follow::Noticed;
use crate::wait::{SOON, holds, wait_exactly};
use crate::{Fleet, proc, wait_until};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// The members that are never stopped. What they hold at the end has gathered all along.
const STEADY: usize = 2;

/// The most members that are down at a time, and that go down at once. `max_simultaneous_failures`
/// is as large by default.
const MOST_DOWN: usize = 8;
const MOST_AT_ONCE: usize = 4;

/// How long a flood lasts, and how long a split: longer than a failure timeout.
const FLOOD: Duration = Duration::from_secs(2);
const SPLIT: Duration = Duration::from_secs(4);

/// How many datagrams a second flood a member.
const RATE: u32 = 20_000;

/// The second after which all lists still are the truth.
const QUIET: Duration = Duration::from_secs(1);

/// By how many KiB the memory of a steady member may grow: its history, and what the allocator
/// keeps.
const GROWTH_KIB: u64 = 8 * 1_024;

/// The results.
#[derive(Debug, Default)]
pub struct Soaked {
    /// How often something was done.
    pub steps: usize,
    /// How soon each crash was noticed.
    pub noticed: Vec<Noticed>,
    /// Memory of each steady member at the beginning and at the end, in KiB.
    pub resident_kib: Vec<[u64; 2]>,
    /// Their open descriptors at the beginning and at the end.
    pub descriptors: Vec<[usize; 2]>,
}

/// What is down, and how it went.
#[derive(Debug, Default)]
struct Down {
    crashed: Vec<usize>,
    left: Vec<usize>,
}

impl Down {
    fn count(&self) -> usize {
        self.crashed.len() + self.left.len()
    }
}

/// Puts a whole fleet through everything for this long. The last machine of its network is no
/// member.
///
/// # Panics
/// When a list is not the truth, a live member is reported failed, a crash is not noticed in time,
/// or something is held for good.
pub fn soak(fleet: &mut Fleet, seed: u64, span: Duration) -> Soaked {
    let (mut chance, mut soaked, mut down) =
        (Chance::new(seed), Soaked::default(), Down::default());
    wait_until_searched_once(fleet, 1);
    fleet.wait_until_kept();
    let before: Vec<_> =
        (1..=STEADY).map(|number| held(fleet, number).expect("its metrics")).collect();
    let start = Instant::now();
    while start.elapsed() < span {
        let what = step(fleet, &mut chance, &mut down, &mut soaked);
        check(fleet);
        soaked.steps += 1;
        println!(
            "{:7.1} s  step {}: {what}; {} up",
            start.elapsed().as_secs_f64(),
            soaked.steps,
            fleet.running().count()
        );
    }
    bring_back(fleet, &mut down);
    check(fleet);
    for (number, (kib, open)) in (1..=STEADY).zip(before) {
        let name = format!("vm{number}");
        let (kib_after, open_after) =
            wait_until(&format!("{name} holds no more than before"), SOON, || {
                let after = held(fleet, number)?;
                holds(after.1 <= open && after.0 <= kib + GROWTH_KIB, || {
                    format!("{open} descriptors, {kib} KiB before: {after:?}")
                })?;
                Ok(after)
            });
        soaked.resident_kib.push([kib, kib_after]);
        soaked.descriptors.push([open, open_after]);
        assert!(
            proc::peak_kib(fleet[number].pid()) < memory_max_kib(),
            "{name} took more than it is granted"
        );
    }
    soaked
}

/// What a member holds: memory in KiB, and descriptors, but for those of copies.
fn held(fleet: &Fleet, number: usize) -> Result<(u64, usize), String> {
    let daemon = &fleet[number];
    Ok((proc::resident_kib(daemon.pid()), daemon.descriptors_but_copies()?))
}

/// All lists are the truth, and a quiet second later they still are, without waiting.
fn check(fleet: &Fleet) {
    let before = fleet.wait_until_whole();
    pass(QUIET);
    let after = wait_exactly("all lists are still the truth", Duration::ZERO, || {
        let lists: Result<Vec<_>, _> =
            fleet.running().map(|daemon| daemon.control().alive()).collect();
        let lists = lists.map_err(|error| error.to_string())?;
        holds(lists.windows(2).all(|pair| pair[0] == pair[1]), || format!("{lists:?}"))?;
        lists.into_iter().next().ok_or("nobody runs".to_owned())
    });
    assert_eq!(after, before, "a quiet second changed the lists");
}

fn step(fleet: &mut Fleet, chance: &mut Chance, down: &mut Down, soaked: &mut Soaked) -> String {
    let stoppable: Vec<usize> =
        fleet.running_numbers().into_iter().filter(|number| *number > STEADY).collect();
    let room = (MOST_DOWN - down.count()).min(MOST_AT_ONCE);
    match chance.below(6) {
        0 | 1 if room > 0 => {
            let count = 1 + chance.below(room);
            crash(fleet, chance.pick(&stoppable, count), down, soaked)
        }
        2 if room > 0 => leave(fleet, &chance.pick(&stoppable, 1), down),
        3 => split(fleet, chance),
        4 => flood(fleet, 1 + chance.below(STEADY)),
        5 => grep(fleet),
        _ => bring_back(fleet, down),
    }
}

fn crash(fleet: &mut Fleet, victims: Vec<usize>, down: &mut Down, soaked: &mut Soaked) -> String {
    let mut followers = fleet.follow();
    let crashes = fleet.crash(&victims);
    let dead: Vec<&str> = crashes.iter().map(|crash| crash.name.as_str()).collect();
    let noticed: Vec<Noticed> =
        crashes.iter().map(|crash| followers.time_crash(&crash.id, crash.at, &dead)).collect();
    noticed.iter().for_each(Noticed::assert_in_time);
    followers
        .assert_none_failed_but(&crashes.iter().map(|crash| crash.id.as_str()).collect::<Vec<_>>());
    let words = format!(
        "vm{victims:?} crashed, in some list after {:.2?}",
        noticed.iter().map(|crash| crash.first).collect::<Vec<_>>()
    );
    down.crashed.extend(victims);
    soaked.noticed.extend(noticed);
    words
}

fn leave(fleet: &mut Fleet, leavers: &[usize], down: &mut Down) -> String {
    let mut followers = fleet.follow();
    for number in leavers {
        fleet[*number].signal(Signal::SIGTERM);
        fleet[*number].wait_for_end(SOON);
    }
    fleet.wait_until_whole();
    followers.assert_none_failed_but(&[]);
    down.left.extend(leavers);
    format!("vm{leavers:?} left")
}

fn bring_back(fleet: &mut Fleet, down: &mut Down) -> String {
    let mut followers = fleet.follow();
    let Down { crashed, left } = std::mem::take(down);
    crashed.iter().chain(&left).for_each(|number| fleet[*number].launch());
    crashed.iter().chain(&left).for_each(|number| fleet[*number].wait_until_it_answers());
    for number in &left {
        fleet[*number]
            .control()
            .join()
            .unwrap_or_else(|error| panic!("vm{number} could not join: {error}"));
    }
    fleet.wait_until_whole();
    followers.assert_none_failed_but(&[]);
    format!("vm{crashed:?} rejoined, vm{left:?} joined")
}

fn split(fleet: &Fleet, chance: &mut Chance) -> String {
    let all = fleet.running_numbers();
    let some = chance.pick(&all, all.len() / 2);
    let others: Vec<usize> = all.into_iter().filter(|number| !some.contains(number)).collect();
    fleet.network().cut(&some, &others);
    pass(SPLIT);
    fleet.network().heal();
    let healed = Instant::now();
    fleet.wait_until_whole();
    format!("split in halves and healed, all lists whole {:.2?} later", healed.elapsed())
}

fn flood(fleet: &Fleet, number: usize) -> String {
    let mut followers = fleet.follow();
    let network = fleet.network();
    let stranger = network.namespace(network.machines());
    let flood =
        Flood::start(&stranger, fleet[number].settings.address, Payload::Garbage, 100, RATE);
    pass(FLOOD);
    let sent = flood.sent();
    drop(flood);
    followers.assert_none_failed_but(&[]);
    format!("vm{number} was sent {sent} garbage datagrams")
}

fn grep(fleet: &Fleet) -> String {
    let members = fleet.running().count();
    let output = fleet[1].ctl(&["grep", "--no-copies", "-c", "memberd starting", "machine.*.log"]);
    let answers = String::from_utf8_lossy(&output.stdout).lines().count();
    assert_eq!(answers, members, "{output:?}");
    format!("a grep was answered by {answers}")
}
