//! Measures the time from a line until its row is there. It owns no state.

use crate::Bench;
use crate::follow::Follow;
use crate::job::{Job, SOONEST_MS};
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::spark::Spark;
use crate::spark_stream::{Kind, SparkStream};
use crate::stream::{Stream, time_lines, wait_until_it_runs};
use crate::system::System;

/// The name of the row.
pub(crate) const LATENCY: &str = "from a line to its row";

/// The columns of memberd.
pub(crate) const JOB: &str = "memberd, job";
pub(crate) const FOLLOW: &str = "memberd, stats --follow";

/// The columns of Spark, behind its name.
pub(crate) const ROWS: &str = "rows";
pub(crate) const COUNTS: &str = "counts";

/// How many members there are.
const MEMBERS: u8 = 5;

/// All columns.
pub(crate) fn columns() -> Vec<String> {
    let spark = |system: System| [ROWS, COUNTS].map(|kind| format!("{}, {kind}", system.name()));
    let own = [JOB, FOLLOW].map(str::to_owned);
    [&own[..], &spark(System::Spark43), &spark(System::Spark35)].concat()
}

/// Measures all programs that have streams.
pub(crate) fn measure(bench: &mut Bench) {
    if !bench.wants(Row::Latency) {
        return;
    }
    for round in 1..=bench.options.rounds {
        println!("round {round}");
        measure_each(bench);
    }
}

/// One round. How soon a row comes depends on how timers began, so each starts all anew.
fn measure_each(bench: &mut Bench) {
    if bench.options.has(System::Memberd) {
        one(bench, JOB, || Job::start(MEMBERS, SOONEST_MS));
        one(bench, FOLLOW, || Follow::start(MEMBERS));
    }
    for system in bench.options.systems.clone() {
        let Some(name) = system.spark() else { continue };
        for (kind, column) in [(Kind::Rows, ROWS), (Kind::Counts, COUNTS)] {
            let column = format!("{}, {column}", system.name());
            one(bench, &column, || {
                let spark = Spark::find(name).expect("Spark was installed before");
                SparkStream::start(spark, kind, "default")
            });
        }
    }
}

fn one<S: Stream>(bench: &mut Bench, column: &str, start: impl FnOnce() -> S) {
    let of = Subject::new(Row::Latency, column);
    bench.attempt(&of, |bench| {
        let mut stream = start();
        wait_until_it_runs(&mut stream);
        let seconds = time_lines(&mut stream, bench.options.marks);
        bench.results.add(&of, Measure::Seconds, LATENCY, &seconds);
    });
}
