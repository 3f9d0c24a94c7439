//! `memberctl stats --follow`, as a stream. [`Follow`] owns the process and its rows.

use crate::job::{append, fleet, log};
use crate::stream::{Rows, Stream};
use memberd_tests::Fleet;
use memberd_tests::process::Running;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A question over a fleet that goes on.
pub(crate) struct Follow {
    fleet: Fleet,
    printed: Receiver<String>,
    rows: Rows,
    _memberctl: Running,
}

impl Follow {
    /// Asks a fleet.
    pub(crate) fn start(members: u8) -> Self {
        let fleet = fleet(members);
        let query = ["stats", "--follow", "--every=100ms", "| logfmt | count by k", "app.log"];
        let mut command = fleet[1].memberctl(&query);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut memberctl = Running::start(&mut command);
        let output = BufReader::new(memberctl.child().stdout.take().expect("a pipe"));
        let (sender, printed) = channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        Follow { fleet, printed, rows: Rows::new(), _memberctl: memberctl }
    }
}

impl Stream for Follow {
    fn write(&mut self, keys: &[String]) {
        let lines: String = keys.iter().map(|key| format!("k={key}\n")).collect();
        append(&log(&self.fleet[1]), &lines);
    }

    fn read(&mut self) {
        for row in self.printed.try_iter() {
            let key = row.split('\t').next().unwrap_or_default();
            *self.rows.entry(key.to_owned()).or_default() += 1;
        }
    }

    fn rows(&self) -> &Rows {
        &self.rows
    }
}
