//! Measures what moves when a machine is killed and starts again after 20 s. It owns no state.

use super::fill;
use crate::Bench;
use crate::nodes::VICTIM;
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::system::{Pace, System, wait};
use memberd_tests::bench::pass;
use std::time::Duration;

/// How long the machine is away.
const AWAY: Duration = Duration::from_secs(20);

/// How long all copies may take after the last file was written.
const WHOLE: Duration = Duration::from_secs(60);

/// Measures one crash with a system, by its defaults.
pub(crate) fn measure(bench: &mut Bench, system: System) {
    let span = bench.options.watch_span();
    let mut nodes = system.start(Pace::Default);
    let files = fill(&nodes, system, bench.options.lost_bytes());
    wait(WHOLE, &mut nodes, |nodes| system.is_whole(nodes, &files, None));
    let before = nodes.sent_bytes();
    pass(AWAY);
    let rate = (nodes.sent_bytes() - before) as f64 / AWAY.as_secs_f64();
    let before = nodes.sent_bytes();
    nodes.kill(VICTIM);
    pass(AWAY);
    nodes.restart(VICTIM);
    pass(span);
    let sent = (nodes.sent_bytes() - before) as f64;
    let moved = (sent - rate * (AWAY + span).as_secs_f64()).max(0.0);
    let whole = system.is_whole(&nodes, &files, None);
    let of = Subject::new(Row::Back, system.name());
    let what = "machine back after 20 s: moved, beyond what is sent at rest";
    bench.results.add(&of, Measure::Megabytes, what, &[moved / 1e6]);
    let what = "machine back after 20 s: rounds in which files lack copies then";
    bench.results.add(&of, Measure::Total, what, &[f64::from(u8::from(whole.is_err()))]);
}
