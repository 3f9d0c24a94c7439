//! Measures an agent that is stopped (SIGSTOP) for 1, 3 and 8 s: who reports it failed, and whom
//! it reports. It owns no state.

use crate::group::{Group, InVain, until_whole};
use crate::results::{Measure, Subject};
use crate::stage::Stage;
use crate::{Bench, pass, rounds};
use memberd_tests::bench::phase;
use nix::sys::signal::Signal;
use std::time::Duration;

/// How long lists must stay whole before the row counts them as whole. Until then a suspicion may
/// still arrive.
const QUIET: Duration = Duration::from_secs(4);

pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) -> Result<(), InVain> {
    let groups = stage.groups()?;
    for seconds in [1, 3, 8] {
        for round in rounds(bench, groups.len()) {
            pass(phase(round));
            let stopped: Vec<usize> =
                (0..groups.len()).map(|index| groups[index].any_others(round + index)[0]).collect();
            let signal = |groups: &mut [Group], signal| -> Vec<_> {
                groups
                    .iter_mut()
                    .zip(&stopped)
                    .map(|(group, number)| group.signal(*number, signal))
                    .collect()
            };
            signal(groups, Signal::SIGSTOP);
            pass(Duration::from_secs(seconds));
            let resumed = signal(groups, Signal::SIGCONT);
            let outcome = until_whole(groups, QUIET);
            let (mut reported, mut accused, mut back) = (Vec::new(), 0.0, Vec::new());
            for ((group, number), resumed) in groups.iter_mut().zip(&stopped).zip(resumed) {
                let wrong = group.false_failures();
                let of_it = wrong.iter().filter(|wrong| wrong.subject == *number).count();
                accused += wrong.iter().filter(|wrong| wrong.subject != *number).count() as f64;
                reported.push(f64::from(u8::from(of_it > 0)));
                if of_it > 0 {
                    back.push(group.whole_after(resumed));
                }
            }
            let what = format!("one stopped for {seconds} s");
            bench.results.add(of, Measure::Share, &format!("{what}: reported failed"), &reported);
            bench.results.add(
                of,
                Measure::Total,
                &format!("{what}: reports that others failed"),
                &[accused],
            );
            bench.results.add(
                of,
                Measure::Seconds,
                &format!("{what}: if reported, back in every list after its end"),
                &back,
            );
            outcome?;
        }
    }
    Ok(())
}
