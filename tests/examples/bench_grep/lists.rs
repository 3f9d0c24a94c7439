//! Measures searches for lists of addresses, and for one long string. It owns the lists' files.

use crate::logs::{addresses, long_line, long_string, write_addresses};
use crate::programs::run;
use crate::results::ListRow;
use crate::{ROUNDS, in_turn};
use memberd_tests::{Daemon, Fleet};
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How many addresses the lists have.
const COUNTS: [u64; 4] = [100, 1_000, 2_500, 20_000];

/// The options of each list.
const OPTIONS: [Option<&str>; 3] = [None, Some("-i"), Some("-w")];

/// A program that takes longer than this is measured once.
const SLOW: Duration = Duration::from_secs(4);
/// After how many seconds a program is stopped. ripgrep takes minutes for some lists.
const STOPPED_AFTER: &str = "30";

const ADDRESS_LOG: &str = "addresses.log";
const LONG_LOG: &str = "long.log";

/// One search for a list.
struct ListCase {
    what: String,
    option: Option<&'static str>,
    list: PathBuf,
    log: &'static str,
}

/// Offers the logs of these searches.
pub(crate) fn offer(daemon: &mut Daemon) {
    write_addresses(BufWriter::new(daemon.offer(ADDRESS_LOG)));
    daemon.offer(LONG_LOG).write_all(&long_line()).expect("room on the disk");
}

/// Measures the rows whose names contain a text: one member, which searches on one thread.
pub(crate) fn measure(fleet: &Fleet, only: Option<&str>) -> Vec<ListRow> {
    let directory = fleet[1].directory();
    let chosen = |case: &ListCase| only.is_none_or(|only| case.what.contains(only));
    cases(directory).iter().filter(|case| chosen(case)).map(|case| row(fleet, case)).collect()
}

fn cases(directory: &Path) -> Vec<ListCase> {
    let written = |name: String, text: &[u8]| {
        let path = directory.join(name);
        fs::write(&path, text).expect("room on the disk");
        path
    };
    let mut cases = Vec::new();
    for count in COUNTS {
        let list = written(format!("{count}.list"), addresses(count).as_bytes());
        for option in OPTIONS {
            let what = match option {
                Some(option) => format!("{count} addresses, `{option}`"),
                None => format!("{count} addresses"),
            };
            cases.push(ListCase { what, option, list: list.clone(), log: ADDRESS_LOG });
        }
    }
    let list = written("long.list".to_owned(), &long_string());
    let what = "10,000 bytes in a line of 260,000".to_owned();
    cases.push(ListCase { what, option: None, list, log: LONG_LOG });
    cases
}

/// The time until a command has ended, or was stopped.
fn run_stopped(command: &mut Command) -> Duration {
    let started = Instant::now();
    let output = command.stderr(Stdio::inherit()).output().expect("it starts");
    let is_stopped = output.status.code() == Some(124);
    assert!(output.status.success() || is_stopped, "{command:?}: {}", output.status);
    started.elapsed()
}

fn row(fleet: &Fleet, case: &ListCase) -> ListRow {
    let log = fleet[1].directory().join(case.log);
    let list = case.list.to_str().expect("a path of text");
    let other = |program: &str, options: &[&str]| {
        let mut command = Command::new("timeout");
        command.args([STOPPED_AFTER, program]).args(options).args(case.option);
        command.args(["-F", "-f", list]).arg(&log).env("LC_ALL", "C.UTF-8");
        run_stopped(&mut command)
    };
    let mut ours = vec!["grep", "-h"];
    ours.extend(case.option);
    ours.extend(["-F", "-f", list, case.log]);
    let mut slow = None;
    let [grep, rg, memberctl] = in_turn(
        &case.what,
        ROUNDS,
        &mut [
            &mut || other("grep", &["-h"]),
            &mut || {
                let rg = || other("rg", &["--no-config", "--no-heading", "-N", "-I", "-j1"]);
                let time = slow.unwrap_or_else(rg);
                slow = Some(time).filter(|time| *time > SLOW);
                time
            },
            &mut || run(&mut fleet[1].memberctl(&ours)),
        ],
    );
    ListRow { what: case.what.clone(), grep, rg, memberctl }
}
