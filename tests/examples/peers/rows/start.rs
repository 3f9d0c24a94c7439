//! Measures a simultaneous start of all agents: the time until every list is whole. It owns no
//! state.

use crate::agent::Program;
use crate::group::{Group, until_whole};
use crate::results::{Measure, Subject};
use crate::{Bench, rounds};
use memberd_tests::Network;
use std::time::{Duration, Instant};

/// Measures one group at a time, because it takes the whole machine.
pub(crate) fn measure(bench: &mut Bench, of: &Subject, network: &Network, program: Program) {
    for _ in rounds(bench, 1) {
        let mut group = Group::new(program, network);
        let start = Instant::now();
        group.start_all();
        let outcome = until_whole(std::slice::from_mut(&mut group), Duration::ZERO);
        bench.results.add(
            of,
            Measure::Seconds,
            "all start at once: every list",
            &[group.whole_after(start)],
        );
        if outcome.is_err() {
            // One failure is enough, and other rows are still to be measured.
            return;
        }
    }
}
