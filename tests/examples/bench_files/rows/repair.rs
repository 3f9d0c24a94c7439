//! Measures how soon all files have three copies again when a machine is killed, what that moves,
//! and how long a client waits meanwhile. It owns no state.

use super::{fill, on_machine_1};
use crate::Bench;
use crate::faces::Face;
use crate::memberd::SHARE;
use crate::nodes::{Nodes, VICTIM};
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::system::{Pace, System, wait};
use memberd_tests::bench::{LIMIT, pass};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client is watched before the machine is killed.
const CALM: Duration = Duration::from_secs(10);

/// How long all copies may take after the last file was written.
const WHOLE: Duration = Duration::from_secs(60);

/// The pause of a client between two requests, and of whom looks for copies.
const PAUSE: Duration = Duration::from_millis(20);
const LOOKS: Duration = Duration::from_millis(100);

/// How many files the client replaces in turn. They are few, so that the repair is one of large
/// files: HDFS copies so many blocks a second, however small they are.
const NAMES: usize = 10;

/// What the client writes.
const CONTENT: [u8; 1_024] = [b'x'; 1_024];

/// Measures one crash with a system.
pub(crate) fn measure(bench: &mut Bench, system: System) {
    let mut nodes = system.start(Pace::Quick);
    let files = fill(&nodes, system, bench.options.lost_bytes());
    wait(WHOLE, &mut nodes, |nodes| system.is_whole(nodes, &files, None));
    let lost = nodes.stored_bytes(VICTIM);
    let mut face = system.ways()[0].open(system, &nodes);
    let before = nodes.sent_bytes();
    let calm = watch(&nodes, &mut *face, |_| pass(CALM));
    let rate = (nodes.sent_bytes() - before) as f64 / CALM.as_secs_f64();
    let before = nodes.sent_bytes();
    let at = nodes.kill(VICTIM);
    let (mut whole, mut moved) = (None, 0.0);
    let after = watch(&nodes, &mut *face, |nodes| {
        while whole.is_none() && at.elapsed() < LIMIT {
            let looked = Instant::now();
            if system.is_whole(nodes, &files, Some(VICTIM)).is_ok() {
                whole = Some(looked);
            }
            pass(LOOKS);
        }
        let others = rate * at.elapsed().as_secs_f64();
        moved = ((nodes.sent_bytes() - before) as f64 - others).max(0.0);
    });
    let seconds = whole.map_or(f64::INFINITY, |whole| whole.duration_since(at).as_secs_f64());
    let of = Subject::new(Row::Repair, system.name());
    let mut add = |measure: Measure, what: &str, samples: &[f64]| {
        bench.results.add(&of, measure, &format!("machine killed: {what}"), samples);
    };
    add(Measure::Seconds, "until all files have three copies", &[seconds]);
    add(Measure::Megabytes, "on its disk", &[lost as f64 / 1e6]);
    add(Measure::Megabytes, "moved", &[moved / 1e6]);
    add(Measure::Seconds, "write of 1 KiB before, 99th percentile", &[calm.percentile(99)]);
    add(Measure::Seconds, "write of 1 KiB meanwhile, 99th percentile", &[after.percentile(99)]);
    add(Measure::Seconds, "write of 1 KiB meanwhile, longest", &[after.percentile(100)]);
    add(Measure::Total, "requests that failed", &[after.failures as f64]);
    if let Some(why) = after.why {
        bench.results.note(format!("a request to {} failed: {why}", system.name()));
    }
}

/// What a client saw.
#[derive(Debug, Default)]
struct Seen {
    times: Vec<Duration>,
    failures: usize,
    /// Why the first one failed.
    why: Option<String>,
}

impl Seen {
    /// The time that so many of a hundred requests took at most, in seconds.
    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let count = (sorted.len() * percent).div_ceil(100);
        let found = sorted.get(count.saturating_sub(1));
        found.map_or(f64::INFINITY, Duration::as_secs_f64)
    }
}

/// A client replaces small files for as long as something else lasts.
fn watch(nodes: &Nodes, face: &mut dyn Face, work: impl FnOnce(&Nodes)) -> Seen {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            on_machine_1(nodes, face, |face| {
                let mut seen = Seen::default();
                for index in 0_usize.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let path = format!("{SHARE}/small/{}", index % NAMES);
                    match face.put(&path, &CONTENT) {
                        Ok(took) => seen.times.push(took),
                        Err(why) => {
                            seen.failures += 1;
                            seen.why.get_or_insert(why);
                        }
                    }
                    pass(PAUSE);
                }
                seen
            })
        });
        work(nodes);
        is_over.store(true, Ordering::Relaxed);
        client.join().expect("the client ends well")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_hundred_requests_may_take_longer() {
        let times = (1..=100).map(Duration::from_secs).collect();
        let seen = Seen { times, ..Seen::default() };
        assert_eq!([seen.percentile(99), seen.percentile(100)], [99.0, 100.0]);
        assert!(Seen::default().percentile(99).is_infinite());
    }
}
