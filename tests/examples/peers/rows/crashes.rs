//! Measures one crash, and three and four at the same moment: the times until the first and until
//! every list shows it. It owns no state.

use crate::group::{Group, InVain, until, until_whole};
use crate::results::{Measure, Subject};
use crate::stage::Stage;
use crate::{Bench, pass, rounds};
use memberd_tests::bench::phase;
use std::time::{Duration, Instant};

/// How long lists must be whole before the next round.
const QUIET: Duration = Duration::from_secs(1);

/// How many agents crash at once.
const COUNTS: [(usize, &str); 3] =
    [(1, "one crash"), (3, "three crashes at once"), (4, "four crashes at once")];

pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) -> Result<(), InVain> {
    let groups = stage.groups()?;
    for (count, what) in COUNTS {
        for round in rounds(bench, groups.len()) {
            let crashed = crash(groups, round, count);
            let (mut first, mut every, mut wrong) = (Vec::new(), Vec::new(), 0.0);
            for (group, (at, victims)) in groups.iter_mut().zip(&crashed) {
                for (one, all) in victims.iter().map(|victim| group.noticed(*victim, *at)) {
                    first.push(one);
                    every.push(all);
                }
                wrong += group.false_failures().len() as f64;
                victims.iter().for_each(|victim| group.start(*victim));
            }
            bench.results.add(of, Measure::Seconds, &format!("{what}: first list"), &first);
            bench.results.add(of, Measure::Seconds, &format!("{what}: every list"), &every);
            bench.results.add(
                of,
                Measure::Total,
                &format!("{what}: reports that a live agent failed"),
                &[wrong],
            );
            until_whole(groups, QUIET)?;
        }
    }
    Ok(())
}

/// Kills `count` agents in each group, and waits for a limited time until all others have noticed.
/// Returns the time and the victims for each group.
fn crash(groups: &mut [Group], round: usize, count: usize) -> Vec<(Instant, Vec<usize>)> {
    let mut order: Vec<(Duration, usize)> =
        (0..groups.len()).map(|index| (phase(round * groups.len() + index), index)).collect();
    order.sort_unstable();
    let start = Instant::now();
    let mut crashed = vec![(start, Vec::new()); groups.len()];
    for (offset, index) in order {
        pass(offset.saturating_sub(start.elapsed()));
        let victims = victims(&groups[index], round + index, count);
        let at = Instant::now();
        for victim in &victims {
            groups[index].kill(*victim);
        }
        crashed[index] = (at, victims);
    }
    // The results count an agent that has not noticed by then as one that never did.
    let _ = until(groups, |index, group| {
        crashed[index].1.iter().all(|victim| group.all_noticed(*victim))
    });
    crashed
}

/// The victims. For memberd, every second turn takes neighbours on the ring, its hardest case. Serf
/// chooses at random whom it probes, so any agents will do.
fn victims(group: &Group, turn: usize, count: usize) -> Vec<usize> {
    let mut numbers = group.any_others(turn);
    if group.program().is_memberd() && turn.is_multiple_of(2) {
        numbers = group.ring();
        let middle = turn * 3 % numbers.len();
        numbers.rotate_left(middle);
    }
    numbers.truncate(count);
    numbers
}
