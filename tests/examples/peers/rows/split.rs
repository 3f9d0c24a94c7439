//! Measures a split in halves for 20 s: the time from the heal until every list is whole. It owns
//! no state.

use crate::group::{InVain, until_whole};
use crate::results::{Measure, Subject};
use crate::stage::Stage;
use crate::{Bench, pass, rounds};
use std::time::{Duration, Instant};

/// How long a group is split.
const SPAN: Duration = Duration::from_secs(20);

/// How long lists must be whole before the row counts them as whole.
const QUIET: Duration = Duration::from_secs(2);

/// Each round splits all groups at the same time.
pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) -> Result<(), InVain> {
    for _ in rounds(bench, stage.side_by_side()) {
        let groups = stage.groups()?;
        for group in groups.iter() {
            let numbers = group.numbers();
            let (one, other) = numbers.split_at(numbers.len() / 2);
            group.network().cut(one, other);
        }
        pass(SPAN);
        groups.iter().for_each(|group| group.network().heal());
        let healed = Instant::now();
        let outcome = until_whole(groups, QUIET);
        let times: Vec<f64> = groups.iter().map(|group| group.whole_after(healed)).collect();
        groups.iter_mut().for_each(|group| drop(group.false_failures()));
        bench.results.add(
            of,
            Measure::Seconds,
            "split in halves for 20 s: every list after the heal",
            &times,
        );
        if outcome.is_err() {
            stage.clear();
        }
    }
    Ok(())
}
