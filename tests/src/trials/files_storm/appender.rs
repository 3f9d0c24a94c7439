//! Appends numbered records to files, one after the other, at one machine. An [`Appender`] has a
//! thread of its own; it owns what was acknowledged.

use super::APPENDED;
use crate::chance::Chance;
use crate::process::Running;
use crate::{Daemon, binaries, process};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long one append may take. A client gives up after 50 s by itself.
const APPEND_LIMIT: Duration = Duration::from_secs(90);

/// The pause between two appends.
const PAUSE: Duration = Duration::from_millis(50);

/// One record of so many is longer than what lies in a catalog.
const LONG_ONE_IN: usize = 20;
const LONG_BYTES: usize = 20_000;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was acknowledged.
    Acknowledged,
    /// It was refused, or nobody answered: it may be there, once.
    Unsure,
}

/// A record that was appended, or tried.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// The number of the file in [`APPENDED`].
    pub(super) file: usize,
    /// The line that it consists of, without its end.
    pub(super) line: String,
    pub(super) fate: Fate,
    /// What memberctl said.
    pub(super) said: String,
}

/// The appender of one machine.
#[derive(Debug)]
pub(super) struct Appender {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Record>>>,
    records: Vec<Record>,
}

impl Appender {
    /// Begins to append at this daemon.
    pub(super) fn start(daemon: &Daemon, seed: u64) -> Appender {
        let desk = Desk {
            machine: daemon.name().to_owned(),
            socket: daemon.settings.socket.clone(),
            chance: Chance::new(seed),
        };
        let ended = Arc::new(AtomicBool::new(false));
        let thread = {
            let ended = Arc::clone(&ended);
            thread::spawn(move || run(desk, &ended))
        };
        Appender { ended, thread: Some(thread), records: Vec::new() }
    }

    /// Nothing more is appended. What is under way ends before this returns.
    pub(super) fn finish(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            self.records = thread.join().expect("the appender has not panicked");
        }
    }

    /// All that it tried, in order, once it has finished.
    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

struct Desk {
    machine: String,
    socket: PathBuf,
    chance: Chance,
}

fn run(mut desk: Desk, ended: &AtomicBool) -> Vec<Record> {
    let mut records = Vec::new();
    while !ended.load(Ordering::SeqCst) {
        records.push(desk.append(records.len()));
        thread::sleep(PAUSE);
    }
    records
}

impl Desk {
    fn append(&mut self, number: usize) -> Record {
        let file = self.chance.below(APPENDED.len());
        let long = self.chance.below(LONG_ONE_IN) == 0;
        let padding = "x".repeat(if long { LONG_BYTES } else { self.chance.below(80) });
        let line = format!("{} {number:06} {padding}", self.machine);
        let mut command = binaries::mortal(&binaries::memberctl(), None);
        command.arg("--socket").arg(&self.socket).args(["file", "append", "-", APPENDED[file]]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running::start(&mut command);
        let stderr = running.child().stderr.take().map(process::collect);
        if let Some(mut stdin) = running.child().stdin.take() {
            // It may have ended before: then its status says so.
            let _ = stdin.write_all(format!("{line}\n").as_bytes());
        }
        let status = running.wait(APPEND_LIMIT);
        let said = stderr.and_then(|thread| thread.join().ok()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let fate = if status.success() { Fate::Acknowledged } else { Fate::Unsure };
        Record { file, line, fate, said }
    }
}
