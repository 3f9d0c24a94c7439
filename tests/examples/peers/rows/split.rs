//! A group is split in halves for 20 s, and heals: until every list is whole.

use crate::group::until_whole;
use crate::results::Measure;
use crate::stage::Stage;
use crate::{Bench, pass};
use std::time::{Duration, Instant};

/// How long it is split.
const SPAN: Duration = Duration::from_secs(20);

/// How long lists are whole before that is believed.
const QUIET: Duration = Duration::from_secs(2);

/// Once: all groups at the same time.
pub(crate) fn measure(bench: &mut Bench, stage: &mut Stage) {
    let (program, agents) = (stage.program(), stage.agents());
    let groups = stage.groups();
    for group in groups.iter() {
        let numbers = group.numbers();
        let (one, other) = numbers.split_at(numbers.len() / 2);
        group.network().cut(one, other);
    }
    pass(SPAN);
    groups.iter().for_each(|group| group.network().heal());
    let healed = Instant::now();
    until_whole(groups, QUIET);
    let times: Vec<f64> =
        groups.iter().map(|group| group.last_change().saturating_duration_since(healed).as_secs_f64()).collect();
    groups.iter_mut().for_each(|group| drop(group.false_failures()));
    bench.results.add(Measure::Seconds, "split in halves for 20 s: every list after the heal", agents, program, &times);
}
