//! Kills what streams run in, and measures how soon rows come again, and whether each is there
//! once. It owns no state.

use crate::Bench;
use crate::job::{Job, SOONEST_MS};
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::spark::Spark;
use crate::spark_stream::{Kind, SparkStream};
use crate::stream::{Stream, doubled_and_lost, has, seconds_until_rows, wait_until_it_runs};
use crate::system::System;
use std::thread;
use std::time::{Duration, Instant};

/// The names of the rows.
pub(crate) const WORKER: &str = "the worker killed that reads the lines, until the next rows";
pub(crate) const DAEMON: &str =
    "the daemon and worker killed that write the sink, until the next rows";
pub(crate) const FOUR: &str = "the leader's and three other machines killed, until the next rows";
pub(crate) const DRIVER: &str = "the driver killed and started again, until the next rows";
const KILLED: &str = "kills in the midst of rows";
const WRITTEN: &str = "lines written";
pub(crate) const DOUBLED: &str = "rows doubled for cat";
pub(crate) const LOST: &str = "lines without a row";

/// How many members there are: four may be gone, and a majority is left.
const MEMBERS: u8 = 9;

/// How many lines are written after a kill. They are in all partitions.
const KEYS: usize = 32;

/// How often lines are written while rows are counted, and how many at once.
const PACE: Duration = Duration::from_millis(100);
const AT_ONCE: usize = 10;

/// How often rows are looked for then. A kill is meant to come soon after them.
const LOOK: Duration = Duration::from_millis(1);

/// A row, and which machines are killed for it.
type Choice = (&'static str, fn(&Job) -> Vec<usize>);

/// All columns.
pub(crate) fn columns() -> Vec<String> {
    [System::Memberd, System::Spark43, System::Spark35].map(|it| it.name().to_owned()).to_vec()
}

/// Measures all programs that have streams.
pub(crate) fn measure(bench: &mut Bench) {
    if !bench.options.run.wants_any(&[Row::Kills, Row::Doubles]) {
        return;
    }
    for system in bench.options.systems.clone() {
        let of = Subject::new(Row::Kills, system.name());
        if system == System::Memberd {
            bench.attempt(&of, of_memberd);
        }
        if let Some(name) = system.spark() {
            bench.attempt(&of, |bench| {
                of_spark(bench, system, &Spark::find(name).expect("Spark was installed before"));
            });
        }
    }
}

/// The keys of lines that are written at once.
fn keys(what: &str, round: usize, count: usize) -> Vec<String> {
    let what = what.replace([' ', ','], "");
    (0..count).map(|number| format!("{what}-{round}-{number}")).collect()
}

/// Kills, writes lines, starts again what was killed, and notes when all rows are there.
fn time<S: Stream>(
    bench: &mut Bench,
    (row, column): (&str, &str),
    stream: &mut S,
    kill: impl FnOnce(&mut S),
    start: impl FnOnce(&mut S),
) {
    let round = bench.results.records.iter().map(|record| record.samples.len()).sum();
    let written = keys(row, round, KEYS);
    let since = Instant::now();
    kill(stream);
    stream.write(&written);
    start(stream);
    let seconds = seconds_until_rows(stream, since, &written);
    bench.results.add(&Subject::new(Row::Kills, column), Measure::Seconds, row, &[seconds]);
}

fn of_memberd(bench: &mut Bench) {
    let mut job = Job::start(MEMBERS, SOONEST_MS);
    wait_until_it_runs(&mut job);
    let own = System::Memberd.name();
    let rounds = if bench.wants(Row::Kills) { bench.options.kills } else { 0 };
    for _ in 0..rounds {
        time(bench, (WORKER, own), &mut job, Job::kill_worker, Job::start_worker);
        let choices: [Choice; 2] =
            [(DAEMON, |job| vec![job.sink_owner()]), (FOUR, Job::leader_and_three)];
        for (what, choose) in choices {
            let machines = choose(&job);
            time(bench, (what, own), &mut job, |job| job.kill_machines(&machines), |_| ());
            job.restart_machines(&machines);
        }
    }
    if bench.wants(Row::Doubles) {
        let of = Subject::new(Row::Doubles, System::Memberd.name());
        let kills = bench.options.kills;
        let written = write_and_kill(&mut job, kills, |job, round| {
            let killed =
                if round % 2 == 0 { vec![job.sink_owner()] } else { job.leader_and_three() };
            job.kill_machines(&killed);
            job.restart_machines(&killed);
        });
        note(bench, &of, &job, &written, kills);
    }
}

fn of_spark(bench: &mut Bench, system: System, spark: &Spark) {
    let mut stream = SparkStream::start(spark.clone(), Kind::Rows, "default");
    wait_until_it_runs(&mut stream);
    let kills = bench.options.kills;
    let rounds = if bench.wants(Row::Kills) { kills } else { 0 };
    for _ in 0..rounds {
        let of = (DRIVER, system.name());
        time(bench, of, &mut stream, SparkStream::kill, SparkStream::start_driver);
    }
    if bench.wants(Row::Doubles) {
        let of = Subject::new(Row::Doubles, system.name());
        let written = write_and_kill(&mut stream, kills, |stream, _| {
            stream.kill();
            stream.start_driver();
        });
        note(bench, &of, &stream, &written, kills);
    }
}

/// Writes lines, and kills as soon as rows of them are there, so many times. Returns the keys of
/// all lines, whose rows are there in the end.
fn write_and_kill<S: Stream>(
    stream: &mut S,
    kills: usize,
    kill: impl Fn(&mut S, usize),
) -> Vec<String> {
    let mut written = Vec::new();
    for round in 0..kills {
        let before = written.len();
        for batch in 0.. {
            let new = keys(&format!("{round}-{batch}"), 0, AT_ONCE);
            stream.write(&new);
            written.extend(new);
            if a_row_comes(stream, &written[before..]) {
                break;
            }
        }
        kill(stream, round);
    }
    seconds_until_rows(stream, Instant::now(), &written);
    written
}

/// Whether one of these lines has a row before the next lines are due.
fn a_row_comes(stream: &mut dyn Stream, keys: &[String]) -> bool {
    let since = Instant::now();
    loop {
        stream.read();
        if keys.iter().any(|key| has(stream, std::slice::from_ref(key))) {
            return true;
        }
        if since.elapsed() >= PACE {
            return false;
        }
        thread::sleep(LOOK);
    }
}

/// Notes how many rows there are too many and too few.
fn note(bench: &mut Bench, of: &Subject, stream: &dyn Stream, written: &[String], kills: usize) {
    let (doubled, lost) = doubled_and_lost(stream.rows(), written);
    for (what, count) in
        [(KILLED, kills), (WRITTEN, written.len()), (DOUBLED, doubled), (LOST, lost)]
    {
        bench.results.add(of, Measure::Total, what, &[count as f64]);
    }
}
