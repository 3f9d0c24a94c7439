//! Measures what a fleet costs while nothing happens.

use crate::wait::{SOON, holds};
use crate::{Daemon, Fleet, proc, wait_until};
use std::time::{Duration, Instant};

/// For ten seconds after the last change heartbeats carry updates, and members compare lists.
const CALM: Duration = Duration::from_secs(12);

/// The headers of IPv4 and UDP, in bytes.
const HEADERS: f64 = 28.0;

/// The cost of one member: the mean of all, and where said the worst.
#[derive(Debug, Default)]
pub struct Rest {
    /// Datagrams that it sends in a second.
    pub datagrams: f64,
    /// Bytes that it sends in a second, with IPv4 and UDP headers.
    pub bytes: f64,
    /// The part of one processor that it uses.
    pub processor: f64,
    /// The same, of the member that uses most.
    pub processor_worst: f64,
    /// The most memory that any of them ever had resident, in KiB.
    pub peak_kib: u64,
}

/// Lets a fleet come to rest.
pub fn calm() {
    pass(CALM);
}

/// Measures the cost of a fleet over this time.
///
/// # Panics
/// When a daemon does not answer.
pub fn cost(fleet: &Fleet, span: Duration) -> Rest {
    let start = Instant::now();
    let before: Vec<Counts> = fleet.running().map(Counts::of).collect();
    pass(span);
    let seconds = start.elapsed().as_secs_f64();
    let after: Vec<Counts> = fleet.running().map(Counts::of).collect();
    let spent = |what: fn(&Counts) -> f64| {
        before.iter().zip(&after).map(move |(before, after)| (what(after) - what(before)) / seconds)
    };
    let mean = |what| spent(what).sum::<f64>() / before.len() as f64;
    let datagrams = mean(|counts| counts.datagrams);
    Rest {
        datagrams,
        bytes: mean(|counts| counts.bytes) + HEADERS * datagrams,
        processor: mean(|counts| counts.processor),
        processor_worst: spent(|counts| counts.processor).fold(0.0, f64::max),
        peak_kib: fleet
            .running()
            .map(|daemon| proc::peak_kib(daemon.pid()))
            .max()
            .unwrap_or_default(),
    }
}

/// What a daemon has sent and used since it started.
struct Counts {
    datagrams: f64,
    bytes: f64,
    /// In seconds.
    processor: f64,
}

impl Counts {
    fn of(daemon: &Daemon) -> Self {
        let status = daemon.control().status().expect("a status");
        let count = |name: &str| {
            let found = status.counters.iter().find(|(counter, _)| counter == name);
            found.map_or(0, |(_, count)| *count) as f64
        };
        let (datagrams, bytes) = (count("datagrams_sent"), count("bytes_sent"));
        Counts { datagrams, bytes, processor: proc::cpu_ticks(daemon.pid()) as f64 / 100.0 }
    }
}

/// Lets time pass. Here the time itself is what is measured or set up.
pub(super) fn pass(span: Duration) {
    let start = Instant::now();
    wait_until("the time is over", span + SOON, || {
        holds(start.elapsed() >= span, || format!("{:?} so far", start.elapsed()))
    });
}
