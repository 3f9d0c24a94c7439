//! All start at once, until every list is whole.

use crate::Bench;
use crate::agent::Program;
use crate::group::{Group, until_whole};
use crate::results::Measure;
use memberd_tests::Network;
use std::time::{Duration, Instant};

/// One group at a time: it takes all that the machine has.
pub(crate) fn measure(bench: &mut Bench, networks: &[Network]) {
    let network = networks.first().expect("a network");
    for program in bench.options.programs.clone().into_iter().filter(|program| *program != Program::SerfLocal) {
        let mut times = Vec::new();
        for _ in bench.rounds(1) {
            let mut group = Group::new(program, network);
            let start = Instant::now();
            group.start_all();
            until_whole(std::slice::from_mut(&mut group), Duration::ZERO);
            times.push(group.last_change().saturating_duration_since(start).as_secs_f64());
        }
        bench.results.add(Measure::Seconds, "all start at once: every list", network.machines(), program, &times);
    }
}
