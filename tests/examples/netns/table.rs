//! Prints the rows of the table. It owns no state.

use memberd_tests::trials::rest::Rest;
use std::time::Duration;

pub(crate) fn head() {
    row("", "real", "simulated");
    row("---", "---", "---");
}

pub(crate) fn row(what: &str, real: &str, simulated: &str) {
    println!("| {what} | {real} | {simulated} |");
}

/// The median and the worst of some times.
pub(crate) fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let seconds = |index: usize| times.get(index).map_or(f64::NAN, Duration::as_secs_f64);
    self::seconds(seconds(times.len() / 2), seconds(times.len().saturating_sub(1)))
}

pub(crate) fn seconds(median: f64, worst: f64) -> String {
    format!("{median:.3} s, {worst:.3} s")
}

/// The datagrams and bytes that a member sends each second.
pub(crate) fn cost(rest: &Rest) -> String {
    format!("{:.2}, {:.0}", rest.datagrams, rest.bytes)
}
