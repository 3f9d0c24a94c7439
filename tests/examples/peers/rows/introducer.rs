//! Measures the return of a crashed introducer: the time from its start until every list is whole.
//! It owns no state.

use crate::group::{InVain, until, until_whole};
use crate::results::{Measure, Subject};
use crate::stage::Stage;
use crate::{Bench, rounds};
use std::time::{Duration, Instant};

/// How long lists must be whole before the row counts them as whole.
const QUIET: Duration = Duration::from_secs(1);

/// Each round crashes the introducers of all groups at the same time.
pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) -> Result<(), InVain> {
    for _ in rounds(bench, stage.side_by_side()) {
        let groups = stage.groups()?;
        for group in groups.iter_mut() {
            group.kill(1);
        }
        // Another row measures whether all have noticed.
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
