//! Measures how soon a leader that is killed, stopped or without power has a successor. It owns no
//! state.

use super::{Stage, phase, seconds};
use crate::group::Group;
use crate::results::{Measure, Subject};
use crate::system::System;
use crate::{Bench, pass};
use std::time::Instant;

/// Ends the leader, and returns the moment just before.
type Ending = fn(&mut Group, usize) -> Instant;

pub(crate) fn killed(bench: &mut Bench, of: &Subject, stage: &mut Stage) {
    measure(bench, of, stage, "leader killed", kill);
}

fn kill(group: &mut Group, leader: usize) -> Instant {
    group.kill(leader)
}

/// The cable is cut first, so that no connection is closed. The kernel of a machine without power
/// closes none either.
pub(crate) fn without_power(bench: &mut Bench, of: &Subject, stage: &mut Stage) {
    measure(bench, of, stage, "leader's machine without power", |group, leader| {
        let others: Vec<usize> =
            group.running().into_iter().filter(|number| *number != leader).collect();
        let at = Instant::now();
        group.network().cut(&[leader], &others);
        group.kill(leader);
        at
    });
}

pub(crate) fn stopped(bench: &mut Bench, of: &Subject, stage: &mut Stage) {
    measure(bench, of, stage, "leader stopped by SIGTERM", stop);
}

fn stop(group: &mut Group, leader: usize) -> Instant {
    group.stop(leader)
}

fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage, event: &str, end: Ending) {
    for round in bench.rounds(bench.options.rounds) {
        let (group, leader) = stage.settled();
        pass(phase(round));
        let at = end(group, leader);
        let is_memberd = group.system() == System::Memberd;
        let mut exclusive = None;
        let named = group.until(|group| {
            if is_memberd && exclusive.is_none() {
                let found = group.some_leader_since(at).filter(|found| group.is_exclusive(*found));
                exclusive = found.map(|_| Instant::now());
            }
            group.leader_since(Some(at)).filter(|_| exclusive.is_some() || !is_memberd)
        });
        let [first, last] = named.map_or([None; 2], |(_, times)| times.map(Some));
        let mut add = |what: &str, until: Option<Instant>| {
            let what = format!("{event}: {what}");
            bench.results.add(of, Measure::Seconds, &what, &[seconds(at, until)]);
        };
        add("a survivor names the next", first);
        add("every survivor names it", last);
        if is_memberd {
            add("it is exclusive", exclusive);
            // A member that failed twice must be up for a while before a view has it again.
            stage.clear();
        } else {
            group.network().heal();
            group.start_one(leader);
        }
    }
    // The next row begins without the connections and the logs of this one.
    stage.clear();
}
