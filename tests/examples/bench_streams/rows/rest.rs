//! Measures what streams cost while nothing is written. It owns no state.

use crate::Bench;
use crate::job::{self, DEFAULT_MS, Job};
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::spark::Spark;
use crate::spark_stream::{Kind, SparkStream};
use crate::stream::{Stream as _, wait_until_it_runs};
use crate::system::System;
use crate::usage;
use memberd_tests::Fleet;
use memberd_tests::bench::pass;
use nix::unistd::Pid;

/// The names of the rows.
pub(crate) const AT_REST: &str = "processor time";
const MEMORY: &str = "memory, resident";

/// The columns of memberd.
pub(crate) const EACH: &str = "memberd, each of five";
const ALL: &str = "memberd, all five";
const WITHOUT: &str = "memberd without a job, each of five";

/// The triggers of Spark, behind its name.
pub(crate) const SECOND: &str = "1 s trigger";
pub(crate) const SOONEST: &str = "default trigger";

/// How many members there are.
const MEMBERS: u8 = 5;

/// All columns.
pub(crate) fn columns() -> Vec<String> {
    let spark = |system: System| [SECOND, SOONEST].map(|kind| format!("{}, {kind}", system.name()));
    let own = [EACH, ALL, WITHOUT].map(str::to_owned);
    [&own[..], &spark(System::Spark43), &spark(System::Spark35)].concat()
}

/// Measures all programs that have streams.
pub(crate) fn measure(bench: &mut Bench) {
    if !bench.wants(Row::Rest) {
        return;
    }
    if bench.options.has(System::Memberd) {
        let of = Subject::new(Row::Rest, EACH);
        bench.attempt(&of, |bench| {
            let mut job = Job::start(MEMBERS, DEFAULT_MS);
            wait_until_it_runs(&mut job);
            job.read();
            watch(bench, &members(&job.fleet), EACH, Some(ALL));
        });
        let of = Subject::new(Row::Rest, WITHOUT);
        bench.attempt(&of, |bench| {
            let fleet = job::fleet(MEMBERS);
            watch(bench, &members(&fleet), WITHOUT, None);
        });
    }
    for system in bench.options.systems.clone() {
        let Some(name) = system.spark() else { continue };
        for (trigger, column) in [("1 second", SECOND), ("default", SOONEST)] {
            let column = format!("{}, {column}", system.name());
            let of = Subject::new(Row::Rest, &column);
            bench.attempt(&of, |bench| {
                let spark = Spark::find(name).expect("Spark was installed before");
                let mut stream = SparkStream::start(spark, Kind::Rows, trigger);
                wait_until_it_runs(&mut stream);
                watch(bench, &[stream.pids()], &column, None);
            });
        }
    }
}

/// The processes of each member.
fn members(fleet: &Fleet) -> Vec<Vec<Pid>> {
    fleet.running().map(|daemon| vec![daemon.pid(), daemon.worker_pid()]).collect()
}

/// Watches groups of processes. Each is a sample of the column, and their sum one of another.
fn watch(bench: &mut Bench, groups: &[Vec<Pid>], column: &str, sum: Option<&str>) {
    pass(bench.options.calm_span());
    let before: Vec<f64> = groups.iter().map(|pids| usage::processor_seconds(pids)).collect();
    let span = bench.options.rest_span();
    pass(span);
    let used = groups
        .iter()
        .zip(before)
        .map(|(pids, before)| (usage::processor_seconds(pids) - before) * 1e3 / span.as_secs_f64());
    let used: Vec<f64> = used.collect();
    let memory: Vec<f64> = groups.iter().map(|pids| usage::resident_mib(pids)).collect();
    let mut add = |column: &str, used: &[f64], memory: &[f64]| {
        let of = Subject::new(Row::Rest, column);
        bench.results.add(&of, Measure::MillisecondsPerSecond, AT_REST, used);
        bench.results.add(&of, Measure::Mebibytes, MEMORY, memory);
    };
    if let Some(all) = sum {
        add(all, &[used.iter().sum()], &[memory.iter().sum()]);
    }
    add(column, &used, &memory);
}
