//! Measures the cost of an agent at rest: frames and bytes on its cable, processor time, wake-ups
//! and memory. It owns no state.

use crate::group::{Group, InVain};
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::stage::{Stage, formed};
use crate::{Bench, pass};
use memberd_tests::proc;
use std::time::{Duration, Instant};

/// Updates still spread, and agents compare lists, for a while after the last change.
pub(crate) const CALM: Duration = Duration::from_secs(12);

/// The size of the group that is measured under a key as well.
const SEALED: usize = 10;

pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) -> Result<(), InVain> {
    let (program, span) = (stage.program(), bench.options.rest_span());
    let groups = stage.groups()?;
    pass(CALM);
    let spent = spend(groups, span);
    bench.results.add(of, Measure::PerSecond, "at rest, each: packets sent", &spent.packets);
    bench.results.add(
        of,
        Measure::BytesPerSecond,
        "at rest, each: bytes sent, IP headers included",
        &spent.bytes,
    );
    bench.results.add(
        of,
        Measure::MillisecondsPerSecond,
        "at rest, each: processor time",
        &spent.processor,
    );
    bench.results.add(of, Measure::PerSecond, "at rest, each: wake-ups", &spent.wake_ups);
    bench.results.add(
        of,
        Measure::Mebibytes,
        "at rest, each: memory, proportional (PSS)",
        &spent.proportional,
    );
    bench.results.add(
        of,
        Measure::Mebibytes,
        "at rest, each: memory, resident (RSS)",
        &spent.resident,
    );
    if groups[0].size() == SEALED && program.rows == Row::ALL {
        let network = groups[0].network();
        stage.clear();
        let mut sealed = [formed(Group::new(program, network).sealed())?];
        pass(CALM);
        let spent = spend(&mut sealed, span);
        let what = "at rest under a key, each: bytes sent, IP headers included";
        bench.results.add(of, Measure::BytesPerSecond, what, &spent.bytes);
        let what = "at rest under a key, each: processor time";
        bench.results.add(of, Measure::MillisecondsPerSecond, what, &spent.processor);
    }
    Ok(())
}

/// The costs of each agent of some groups, in no order.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    pub(crate) packets: Vec<f64>,
    pub(crate) bytes: Vec<f64>,
    /// Milliseconds of processor time in each second.
    pub(crate) processor: Vec<f64>,
    /// How many times its threads were switched out in each second.
    pub(crate) wake_ups: Vec<f64>,
    /// Proportional memory in MiB.
    pub(crate) proportional: Vec<f64>,
    pub(crate) resident: Vec<f64>,
}

/// Watches groups at rest for this span.
pub(crate) fn spend(groups: &mut [Group], span: Duration) -> Spent {
    let before: Vec<Counts> = groups.iter().map(Counts::of).collect();
    let start = Instant::now();
    pass(span);
    let seconds = start.elapsed().as_secs_f64();
    let after: Vec<Counts> = groups.iter().map(Counts::of).collect();
    let mut spent = Spent::default();
    let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
    for (before, after) in before.iter().zip(&after) {
        for (before, after) in before.sent.iter().zip(&after.sent) {
            spent.bytes.push(rate(before.0, after.0));
            spent.packets.push(rate(before.1, after.1));
        }
        for (before, after) in before.used.iter().zip(&after.used) {
            spent.processor.push(rate(before.nanoseconds, after.nanoseconds) / 1e6);
            spent.wake_ups.push(rate(before.switches, after.switches));
        }
    }
    for memory in groups.iter().flat_map(Group::pids).map(proc::memory) {
        spent.proportional.push(memory.proportional_kib as f64 / 1_024.0);
        spent.resident.push(memory.resident_kib as f64 / 1_024.0);
    }
    spent
}

/// The total costs of a group's agents until now.
struct Counts {
    /// The bytes and packets that each machine has sent.
    sent: Vec<(u64, u64)>,
    used: Vec<proc::Used>,
}

impl Counts {
    fn of(group: &Group) -> Self {
        let used = group.pids().into_iter().map(proc::used).collect();
        Counts { sent: group.network().sent(), used }
    }
}
