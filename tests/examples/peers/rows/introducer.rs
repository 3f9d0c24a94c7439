//! The introducer crashes, everybody notices, and it is started again: until every list is whole.

use crate::Bench;
use crate::group::{until, until_whole};
use crate::results::Measure;
use crate::stage::Stage;
use std::time::{Duration, Instant};

/// How long lists are whole before that is believed.
const QUIET: Duration = Duration::from_secs(1);

/// Once: all groups at the same time.
pub(crate) fn measure(bench: &mut Bench, stage: &mut Stage) {
    let (program, agents) = (stage.program(), stage.agents());
    let groups = stage.groups();
    let killed: Vec<Instant> = groups.iter_mut().map(|group| group.kill(1)).collect();
    until(groups, "the introducer is in no list", |index, group| group.noticed(1, killed[index]).is_some());
    let started: Vec<Instant> = groups
        .iter_mut()
        .map(|group| {
            let now = Instant::now();
            group.start(1);
            now
        })
        .collect();
    until_whole(groups, QUIET);
    let after = |(group, started): (&crate::group::Group, &Instant)| group.last_change().saturating_duration_since(*started);
    let times: Vec<f64> = groups.iter().zip(&started).map(|pair| after(pair).as_secs_f64()).collect();
    bench.results.add(Measure::Seconds, "the introducer back after a crash: every list", agents, program, &times);
}
