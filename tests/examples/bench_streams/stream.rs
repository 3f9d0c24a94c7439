//! What streams have in common: lines are written, and after a while their rows are there.

use memberd_tests::wait_until;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// How often rows are looked for.
const LOOK: Duration = Duration::from_millis(5);

/// How long a row is waited for.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// How often each key is in the rows, and what else they say of it is right.
pub(crate) type Rows = BTreeMap<String, usize>;

/// A stream.
pub(crate) trait Stream {
    /// Writes a line for each key, all at once.
    fn write(&mut self, keys: &[String]);

    /// Reads the rows that have come since. Whoever serves them may be dead.
    fn read(&mut self);

    /// All rows so far.
    fn rows(&self) -> &Rows;
}

/// Whether all these keys have rows.
pub(crate) fn has(stream: &dyn Stream, keys: &[String]) -> bool {
    keys.iter().all(|key| stream.rows().contains_key(key))
}

/// How long it takes from `since` until all these keys have rows, in seconds.
pub(crate) fn seconds_until_rows(stream: &mut dyn Stream, since: Instant, keys: &[String]) -> f64 {
    loop {
        stream.read();
        let took = since.elapsed();
        if has(stream, keys) {
            return took.as_secs_f64();
        }
        assert!(took < LIMIT, "no rows came in {LIMIT:?}");
        thread::sleep(LOOK);
    }
}

/// Writes lines until a row shows that the stream runs. They are no marks.
pub(crate) fn wait_until_it_runs(stream: &mut dyn Stream) {
    let mut number = 0;
    wait_until("the first row is there", LIMIT, || {
        if number % 100 == 0 {
            stream.write(&[format!("ready-{number}")]);
        }
        number += 1;
        stream.read();
        if stream.rows().is_empty() { Err("there is none".to_owned()) } else { Ok(()) }
    });
}

/// The times of so many lines, written one after the other at all phases of the programs' timers.
pub(crate) fn time_lines(stream: &mut dyn Stream, count: u16) -> Vec<f64> {
    let time = |number: u16| {
        thread::sleep(memberd_tests::bench::phase(usize::from(number)));
        let keys = [format!("line-{number}")];
        let since = Instant::now();
        stream.write(&keys);
        seconds_until_rows(stream, since, &keys)
    };
    (0..count).map(time).collect()
}

/// Rows that a reader finds twice or more often, and keys that have none.
pub(crate) fn doubled_and_lost(rows: &Rows, keys: &[String]) -> (usize, usize) {
    let doubled = rows.values().map(|count| count - 1).sum();
    (doubled, keys.iter().filter(|key| !rows.contains_key(*key)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_rows_and_lost_lines_are_counted() {
        let rows = [("a", 1), ("b", 3), ("c", 1)].map(|(key, count)| (key.to_owned(), count));
        let keys = ["a", "b", "c", "d"].map(str::to_owned);
        assert_eq!(doubled_and_lost(&rows.into(), &keys), (2, 1));
    }
}
