//! Runs the detectors in the simulator, as a command that prints each figure as a line of JSON. It
//! owns no state.

use crate::agent::RING;
use crate::group::InVain;
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::{Bench, attempt};
use memberd_tests::binaries;
use serde::Deserialize;
use std::process::Command;

/// How long all members together are watched at rest, at each loss, in hours.
const MEMBER_HOURS: usize = 25;

/// The longest and the shortest time to watch a fleet, in seconds. Large fleets take long to
/// simulate.
const WATCHED: (usize, usize) = (30, 9_000);

/// The rounds of crashes of each kind have about this many members together.
const CRASHING: usize = 2_000;

/// One line of the command.
#[derive(Deserialize)]
struct Figure {
    column: String,
    what: String,
    measure: Measure,
    samples: Vec<Option<f64>>,
}

pub(crate) fn measure(bench: &mut Bench) {
    for members in bench.options.simulated.clone() {
        attempt(bench, &Subject::new(Row::Simulated, members, &RING), |bench, _| {
            for Figure { column, what, measure, samples } in run(members) {
                let of = Subject { row: Row::Simulated, agents: members, program: column };
                let samples: Vec<f64> =
                    samples.into_iter().map(|sample| sample.unwrap_or(f64::INFINITY)).collect();
                bench.results.add(&of, measure, &what, &samples);
            }
            Ok::<(), InVain>(())
        });
    }
}

/// Runs the command.
///
/// # Panics
/// When it fails, with its words.
fn run(members: usize) -> Vec<Figure> {
    let rounds = (CRASHING / members).clamp(1, 20);
    let idle = (3_600 * MEMBER_HOURS / members).clamp(WATCHED.0, WATCHED.1);
    let output = Command::new(binaries::trade())
        .args(["--detectors", "--members", &members.to_string()])
        .args(["--rounds", &rounds.to_string(), "--idle", &idle.to_string()])
        .output()
        .expect("the simulator runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a figure")).collect()
}
