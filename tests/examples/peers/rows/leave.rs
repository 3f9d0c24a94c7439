//! One leaves (SIGINT, which both take for that), until every list is without it.

use super::phase;
use crate::group::{until, until_whole};
use crate::results::Measure;
use crate::stage::Stage;
use crate::{Bench, pass};
use nix::sys::signal::Signal;
use std::time::Duration;

/// How long lists are whole before the next round.
const QUIET: Duration = Duration::from_secs(1);

pub(crate) fn measure(bench: &mut Bench, stage: &mut Stage) {
    let (program, agents) = (stage.program(), stage.agents());
    let groups = stage.groups();
    let mut times = Vec::new();
    for round in bench.rounds(groups.len()) {
        pass(phase(round));
        let left: Vec<_> = groups
            .iter_mut()
            .enumerate()
            .map(|(index, group)| {
                let leaver = group.any_others(round + index)[0];
                (leaver, group.signal(leaver, Signal::SIGINT))
            })
            .collect();
        until(groups, "those that left are in no list", |index, group| group.noticed(left[index].0, left[index].1).is_some());
        for (group, (leaver, at)) in groups.iter_mut().zip(left) {
            times.extend(group.noticed(leaver, at).map(|(_, every)| every));
            group.wait_for_end(leaver);
            group.start(leaver);
        }
        until_whole(groups, QUIET);
    }
    bench.results.add(Measure::Seconds, "one leaves: every list", agents, program, &times);
}
