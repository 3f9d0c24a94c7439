//! Measures a leave (SIGINT, for both programs): the time until no list has the agent. It owns no
//! state.

use crate::group::{InVain, until, until_whole};
use crate::results::{Measure, Subject};
use crate::stage::Stage;
use crate::{Bench, pass, rounds};
use memberd_tests::bench::phase;
use nix::sys::signal::Signal;
use std::time::Duration;

/// How long lists must be whole before the next round.
const QUIET: Duration = Duration::from_secs(1);

pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) -> Result<(), InVain> {
    let groups = stage.groups()?;
    for round in rounds(bench, groups.len()) {
        pass(phase(round));
        let left: Vec<_> = groups
            .iter_mut()
            .enumerate()
            .map(|(index, group)| {
                let leaver = group.any_others(round + index)[0];
                (leaver, group.signal(leaver, Signal::SIGINT))
            })
            .collect();
        // The results count an agent that has not noticed by then as one that never did.
        let _ = until(groups, |index, group| group.all_noticed(left[index].0));
        let mut times = Vec::new();
        for (group, (leaver, at)) in groups.iter_mut().zip(left) {
            times.push(group.noticed(leaver, at).1);
            group.wait_for_end(leaver);
            group.start(leaver);
        }
        bench.results.add(of, Measure::Seconds, "one leaves: every list", &times);
        until_whole(groups, QUIET)?;
    }
    Ok(())
}
