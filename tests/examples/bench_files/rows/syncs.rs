//! Counts how often all nodes together wait for their disks when small files are made and grow. It
//! owns no state.

use super::{noise, on_machine_1};
use crate::Bench;
use crate::memberd::SHARE;
use crate::nodes::Nodes;
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::system::{Pace, System};
use memberd_tests::bench::pass;
use memberd_tests::binaries;
use memberd_tests::process::Running;
use nix::sys::signal::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How many files are made, and how often one grows.
const TIMES: usize = 20;

/// How long a tracer needs until it holds all threads, and may take to let go.
const HOLDS: Duration = Duration::from_secs(3);
const LETS_GO: Duration = Duration::from_secs(30);

/// The calls that wait for the disk.
const SYNCS: &str = "trace=fsync,fdatasync,sync,syncfs,sync_file_range,msync";

/// Counts with a system once, by all ways.
pub(crate) fn measure(bench: &mut Bench, system: System) {
    let nodes = system.start(Pace::Default);
    let noise = noise(1_000);
    for way in system.ways() {
        let mut face = way.open(system, &nodes);
        let path = format!("{SHARE}/{way:?}");
        let of = Subject::new(Row::Syncs, &way.column(system));
        let mut count = |what: &str, append: bool| {
            let tracers = Tracers::start(&nodes);
            let outcome: Result<(), String> = on_machine_1(&nodes, &mut *face, |face| {
                (0..TIMES).try_for_each(|index| {
                    let content = &noise[..100];
                    let took = match append {
                        true => face.append(&format!("{path}/0"), content),
                        false => face.put(&format!("{path}/{index}"), content),
                    };
                    took.map(drop)
                })
            });
            let calls = tracers.end() as f64 / TIMES as f64;
            outcome.expect("the files are written");
            bench.results.add(&of, Measure::Ratio, what, &[calls]);
        };
        count("fsync and the like for a create of 100 B, all nodes", false);
        count("fsync and the like for an append of 100 B, all nodes", true);
    }
}

/// One strace for each process.
struct Tracers {
    directory: tempfile::TempDir,
    running: Vec<(Running, PathBuf)>,
}

impl Tracers {
    fn start(nodes: &Nodes) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the traces");
        let running = nodes.all_pids().into_iter().map(|pid| {
            let output = directory.path().join(pid.to_string());
            let mut command = binaries::mortal(Path::new("strace"), None);
            command
                .args(["-f", "-qq", "-e", SYNCS, "-e", "signal=none", "-p", &pid.to_string(), "-o"])
                .arg(&output)
                .stdin(Stdio::null())
                .stderr(Stdio::null());
            (Running::start(&mut command), output)
        });
        let running = running.collect();
        pass(HOLDS);
        Tracers { directory, running }
    }

    /// How many calls there were.
    fn end(self) -> usize {
        let counted = self.running.into_iter().map(|(mut tracer, output)| {
            tracer.signal(Signal::SIGINT);
            tracer.wait(LETS_GO);
            let calls = fs::read_to_string(output).expect("a trace");
            // A call that another interrupts has a second line.
            calls.lines().filter(|line| line.contains('(') && !line.contains("resumed>")).count()
        });
        let sum = counted.sum();
        drop(self.directory);
        sum
    }
}
