//! Measures what takes a moment: files large and small are written, read, asked for and renamed. It
//! owns no state.

use super::{LARGE, noise, on_machine_1};
use crate::Bench;
use crate::faces::{Face, Took};
use crate::memberd::SHARE;
use crate::nodes::Nodes;
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::system::{Pace, System, Way};

/// The small files, in bytes.
const SMALL: usize = 100;
const LARGER: usize = 1_024;

/// Something to measure.
struct Operation {
    row: Row,
    what: &'static str,
    /// How often it is done before, so that programs are warm.
    warm: usize,
    /// How often it is measured.
    times: usize,
    ask: fn(&mut dyn Face, &str, usize, &[u8]) -> Took,
}

/// All of it. A name's prefix and a number make a path.
const OPERATIONS: [Operation; 7] = [
    Operation {
        row: Row::Put,
        what: "put of 100 MB",
        warm: 1,
        times: 2,
        ask: |face, path, _, noise| face.put(&format!("{path}/large"), noise),
    },
    Operation {
        row: Row::Get,
        what: "get of 100 MB",
        warm: 1,
        times: 2,
        ask: |face, path, _, noise| face.get(&format!("{path}/large"), noise.len()),
    },
    Operation {
        row: Row::Create,
        what: "create of 1 KiB",
        warm: 30,
        times: 20,
        ask: |face, path, index, noise| face.put(&format!("{path}/k{index}"), &noise[..LARGER]),
    },
    Operation {
        row: Row::Create,
        what: "create of 100 B",
        warm: 5,
        times: 20,
        ask: |face, path, index, noise| face.put(&format!("{path}/b{index}"), &noise[..SMALL]),
    },
    Operation {
        row: Row::Append,
        what: "append of 100 B",
        warm: 20,
        times: 20,
        ask: |face, path, _, noise| face.append(&format!("{path}/k0"), &noise[..SMALL]),
    },
    Operation {
        row: Row::Stat,
        what: "stat",
        warm: 200,
        times: 40,
        ask: |face, path, _, _| face.stat(&format!("{path}/k0")),
    },
    Operation {
        row: Row::Rename,
        what: "rename",
        warm: 5,
        times: 20,
        ask: |face, path, index, _| {
            face.rename(&format!("{path}/b{index}"), &format!("{path}/r{index}"))
        },
    },
];

/// The rows of this file.
pub(crate) const ROWS: [Row; 6] =
    [Row::Put, Row::Get, Row::Create, Row::Append, Row::Stat, Row::Rename];

/// Measures the wanted rows once with a system, by all ways.
pub(crate) fn measure(bench: &mut Bench, system: System) {
    let nodes = system.start(Pace::Default);
    let noise = noise(LARGE);
    for way in system.ways() {
        let column = way.column(system);
        let mut face = way.open(system, &nodes);
        let mut failed = None;
        for operation in &OPERATIONS {
            let of = Subject::new(operation.row, &column);
            // Some use the files of those before.
            let took = run(operation, *way, &nodes, &mut *face, &noise);
            match took {
                Ok(samples) if bench.wants(operation.row) => {
                    bench.results.add(&of, Measure::Seconds, operation.what, &samples);
                }
                Ok(_) => {}
                Err(why) => failed = failed.or(Some((of, format!("{}: {why}", operation.what)))),
            }
        }
        if let Some((of, why)) = failed {
            bench.fail(&of, &why);
        }
    }
}

/// Does it on machine 1, and returns the times in seconds.
fn run(
    operation: &Operation,
    way: Way,
    nodes: &Nodes,
    face: &mut dyn Face,
    noise: &[u8],
) -> Result<Vec<f64>, String> {
    let path = format!("{SHARE}/{way:?}");
    on_machine_1(nodes, face, |face| {
        let mut samples = Vec::new();
        for index in 0..operation.warm + operation.times {
            let took = (operation.ask)(face, &path, index, noise)?;
            if index >= operation.warm {
                samples.push(took.as_secs_f64());
            }
        }
        Ok(samples)
    })
}
