//! Measures the cost of a server at rest: frames and bytes on its cable, processor time, wake-ups,
//! memory, and how often it waits for its disk. It owns no state.

use super::Stage;
use crate::group::Group;
use crate::results::{Measure, Subject};
use crate::{Bench, pass};
use memberd_tests::process::Running;
use memberd_tests::{binaries, proc};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Servers still have work for a while after an election.
const CALM: Duration = Duration::from_secs(10);

/// How long a tracer may take to let go.
const LETS_GO: Duration = Duration::from_secs(30);

/// The calls that wait for the disk.
const SYNCS: &str = "trace=fsync,fdatasync,sync,syncfs,sync_file_range,msync";

pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) {
    let span = bench.options.rest_span();
    stage.clear();
    let (group, _) = stage.settled();
    pass(CALM);
    let named = group.named();
    let before = Counts::of(group);
    let start = Instant::now();
    pass(span);
    let seconds = start.elapsed().as_secs_f64();
    let after = Counts::of(group);
    let memory: Vec<f64> = group
        .pids()
        .into_iter()
        .map(|pid| proc::memory(pid).proportional_kib as f64 / 1_024.0)
        .collect();
    let syncs = syncs(group, span);
    let elections = (group.named() - named) as f64;
    let rate = |of: fn(&Counts) -> Vec<u64>| -> Vec<f64> {
        let pairs = of(&before).into_iter().zip(of(&after));
        pairs.map(|(before, after)| after.saturating_sub(before) as f64 / seconds).collect()
    };
    let mut add = |measure: Measure, what: &str, samples: &[f64]| {
        bench.results.add(of, measure, &format!("at rest, each: {what}"), samples);
    };
    add(Measure::PerSecond, "packets sent", &rate(|counts| counts.packets.clone()));
    let bytes = rate(|counts| counts.bytes.clone());
    add(Measure::BytesPerSecond, "bytes sent, IP headers included", &bytes);
    let processor: Vec<f64> =
        rate(|counts| counts.nanoseconds.clone()).into_iter().map(|rate| rate / 1e6).collect();
    add(Measure::MillisecondsPerSecond, "processor time", &processor);
    add(Measure::PerSecond, "wake-ups", &rate(|counts| counts.switches.clone()));
    add(Measure::Mebibytes, "memory, proportional (PSS)", &memory);
    add(Measure::Total, "fsync and the like, of all", &syncs);
    add(Measure::Total, "elections", &[elections]);
}

/// The total costs of a group's servers until now.
struct Counts {
    bytes: Vec<u64>,
    packets: Vec<u64>,
    nanoseconds: Vec<u64>,
    switches: Vec<u64>,
}

impl Counts {
    fn of(group: &Group) -> Self {
        let used: Vec<proc::Used> = group.pids().into_iter().map(proc::used).collect();
        let (bytes, packets) = group.network().sent().into_iter().unzip();
        Counts {
            bytes,
            packets,
            nanoseconds: used.iter().map(|used| used.nanoseconds).collect(),
            switches: used.iter().map(|used| used.switches).collect(),
        }
    }
}

/// How many times each server waits for its disk in this span, as strace(1) sees it.
fn syncs(group: &Group, span: Duration) -> Vec<f64> {
    let directory = tempfile::tempdir().expect("a directory for the traces");
    let traced: Vec<(Running, std::path::PathBuf)> = group
        .pids()
        .into_iter()
        .map(|pid| {
            let output = directory.path().join(pid.to_string());
            (trace(pid, &output), output)
        })
        .collect();
    pass(span);
    let count = |(mut tracer, output): (Running, std::path::PathBuf)| {
        tracer.signal(Signal::SIGINT);
        tracer.wait(LETS_GO);
        let calls = fs::read_to_string(output).expect("a trace");
        // A call that another interrupts has a second line.
        calls.lines().filter(|line| line.contains('(') && !line.contains("resumed>")).count() as f64
    };
    traced.into_iter().map(count).collect()
}

fn trace(pid: Pid, output: &Path) -> Running {
    let mut command = binaries::mortal(Path::new("strace"), None);
    command
        .args(["-f", "-qq", "-e", SYNCS, "-e", "signal=none", "-p", &pid.to_string(), "-o"])
        .arg(output)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    Running::start(&mut command)
}
