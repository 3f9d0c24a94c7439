//! Measures searches of a window of time. It owns the file's time of writing.

use crate::programs::run;
use crate::results::WindowRow;
use crate::{ROUNDS, in_turn};
use memberd_tests::Fleet;
use std::cell::Cell;
use std::fs::File;
use std::time::{Duration, SystemTime};

/// One search: what, its window, and the rest of its command line.
const CASES: [(&str, &[&str], &[&str]); 4] = [
    ("an hour, 1 % literal, `-c`", &HOUR, &["-c", "-F", "ERROR"]),
    ("an hour, 30 %, printed", &HOUR, &["-F", "GET /api/"]),
    ("all but an hour, 1 % literal, `-c`", &LATER, &["-c", "-F", "ERROR"]),
    ("all but an hour, 30 %, printed", &LATER, &["-F", "GET /api/"]),
];

const HOUR: [&str; 4] = ["--since", "2026-11-01T10:00Z", "--until", "2026-11-01T11:00Z"];
const LATER: [&str; 2] = ["--since", "2026-11-01T01:00Z"];

/// 2026-11-30 00:00:00 UTC, in seconds since the Unix epoch: after all lines of the logs.
const WRITTEN: u64 = 1_795_996_800;

/// Measures the rows whose names contain a text: one member, which searches on one thread.
pub(crate) fn measure(fleet: &Fleet, only: Option<&str>) -> Vec<WindowRow> {
    let log = File::options().write(true).open(fleet[1].directory().join("bench.log"));
    let log = log.expect("the log");
    let round = Cell::new(0);
    // A file that was written without growing is read as a whole, as if it was never searched.
    let write = || {
        round.set(round.get() + 1);
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(WRITTEN + round.get());
        log.set_modified(written).expect("the time can be set");
    };
    let chosen = CASES.iter().filter(|(what, ..)| only.is_none_or(|only| what.contains(only)));
    chosen
        .map(|(what, window, words)| {
            let all = [&["grep", "-h"], *words, &["bench.log"]].concat();
            let within = [&["grep", "-h"], *window, *words, &["bench.log"]].concat();
            let [without, first, later] = in_turn(
                what,
                ROUNDS,
                &mut [
                    &mut || run(&mut fleet[1].memberctl(&all)),
                    &mut || {
                        write();
                        run(&mut fleet[1].memberctl(&within))
                    },
                    &mut || run(&mut fleet[1].memberctl(&within)),
                ],
            );
            WindowRow { what: (*what).to_owned(), without, first, later }
        })
        .collect()
}
