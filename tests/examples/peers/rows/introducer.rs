//! The introducer crashes, everybody notices, and it is started again: until every list is whole.

use crate::Bench;
use crate::group::{InVain, until, until_whole};
use crate::results::{Measure, Subject};
use crate::stage::Stage;
use std::time::{Duration, Instant};

/// How long lists are whole before that is believed.
const QUIET: Duration = Duration::from_secs(1);

/// In each round all groups at the same time.
pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) -> Result<(), InVain> {
    for _ in bench.rounds(stage.side_by_side()) {
        let groups = stage.groups()?;
        for group in groups.iter_mut() {
            group.kill(1);
        }
        // Whether all have noticed is another row's matter.
        let _ = until(groups, |_, group| group.all_noticed(1));
        let started: Vec<Instant> = groups
            .iter_mut()
            .map(|group| {
                let now = Instant::now();
                group.start(1);
                now
            })
            .collect();
        let outcome = until_whole(groups, QUIET);
        let times: Vec<f64> = groups
            .iter()
            .zip(&started)
            .map(|(group, started)| group.whole_after(*started))
            .collect();
        bench.results.add(
            of,
            Measure::Seconds,
            "the introducer back after a crash: every list",
            &times,
        );
        if outcome.is_err() {
            stage.clear();
        }
    }
    Ok(())
}
