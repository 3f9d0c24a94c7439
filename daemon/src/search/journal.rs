//! Searches the machine's journal through journalctl(1), with fixed arguments, no shell and an
//! empty environment. It owns that process.

use memberd_control::grep::{GrepFiles, GrepJournal};
use memberd_search::{Output, Search, Totals};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The program. Its path is fixed, so that the environment cannot replace it by another program.
pub const JOURNALCTL: &str = "/usr/bin/journalctl";

/// The name of the journal, in the place of a file's name.
const NAME: &str = "journal";

/// The most units of one search, and the longest name of a unit in systemd, in bytes.
const UNITS: (usize, usize) = (256, 256);

/// How often a waiting search checks whether it was cancelled.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// How many bytes of journalctl's standard error are kept.
const MAX_COMPLAINT_BYTES: u64 = 4 * 1024;

/// A request to search the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'r> {
    pub(super) journal: &'r GrepJournal,
    pub(super) files: &'r GrepFiles,
    /// Whether the client wants the time of each line.
    pub(super) by_time: bool,
}

/// Searches the journal until it ends or, when it is followed, until the search is cancelled.
///
/// # Errors
/// When journalctl cannot run, or when it does not support the request. The error is one line.
pub(super) fn search(
    program: &Path,
    machine: &str,
    search: &Search,
    Asked { journal, files, by_time }: Asked<'_>,
    output: &mut dyn Output,
    cancel: &AtomicBool,
) -> Result<Totals, String> {
    let mut command = Command::new(program);
    command.args(arguments(journal, files)?).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("the journal cannot be read: {}: {error}", program.display()))?;
    let pipes = child.stdout.take().zip(child.stderr.take());
    let (pipe, complaints) = pipes.ok_or("the journal cannot be read: journalctl has no output")?;
    let mut lines = Lines { pipe, at_end: false };
    let running = Running { child: Mutex::new(child), over: AtomicBool::new(false) };
    let (mut totals, complaint) = thread::scope(|scope| {
        let watch = scope.spawn(|| running.end_when(cancel));
        let complaint = scope.spawn(|| complaint(complaints));
        let totals = match files.follow {
            false if by_time => {
                search.run_stream_by_time(machine, NAME, &mut lines, output, cancel)
            }
            false => search.run_stream(machine, NAME, &mut lines, output, cancel),
            true => search.follow_stream(machine, NAME, &mut lines, output, cancel),
        };
        if !lines.at_end {
            // The rest of its output is not needed.
            running.end();
        }
        running.over.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        (totals, complaint.join().unwrap_or_default())
    });
    let failed = running.wait().is_ok_and(|status| status.code().is_some_and(|code| code != 0));
    if failed && !totals.interrupted {
        totals.errors += 1;
        // If nobody receives it, the search is over anyway.
        let _ = output
            .message(format!("{NAME}: {}", complaint.as_deref().unwrap_or("journalctl failed")));
    }
    Ok(totals)
}

/// The arguments of journalctl. Every value stands behind the name of its option, so that it cannot
/// be an option itself.
fn arguments(journal: &GrepJournal, files: &GrepFiles) -> Result<Vec<String>, String> {
    let mut arguments: Vec<String> =
        ["--no-pager", "--quiet", "--utc", "--output=short-iso-precise"]
            .map(str::to_owned)
            .to_vec();
    let (most, longest) = UNITS;
    if journal.units.len() > most {
        return Err(format!("-u: more than {most} units: give fewer"));
    }
    let values = journal.units.iter().chain(&journal.priority);
    if let Some(bad) =
        values.into_iter().find(|value| value.len() > longest || value.contains(char::is_control))
    {
        return Err(format!("{bad:?}: neither a unit nor a priority"));
    }
    arguments.extend(journal.units.iter().map(|unit| format!("--unit={unit}")));
    arguments.extend(journal.priority.iter().map(|priority| format!("--priority={priority}")));
    arguments.extend(files.since.map(|since| format!("--since={}", moment(since, 0))));
    // journalctl expects the last microsecond that it prints, not the first that it leaves out.
    arguments.extend(
        files.until.map(|until| format!("--until={}", moment(until.saturating_sub(1), 999))),
    );
    if files.follow {
        arguments.extend(["--follow", "--lines=0"].map(str::to_owned));
    }
    Ok(arguments)
}

/// A moment in the format of systemd.time(7): seconds since the epoch. No journal is older than the
/// epoch.
fn moment(milliseconds: i64, microseconds: u32) -> String {
    let milliseconds = milliseconds.max(0);
    format!("@{}.{:03}{microseconds:03}", milliseconds / 1_000, milliseconds % 1_000)
}

/// The first line of journalctl's standard error. The rest is read and dropped.
fn complaint(mut from: impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    // An unreadable message is ignored.
    let _ = from.by_ref().take(MAX_COMPLAINT_BYTES).read_to_end(&mut bytes);
    let _ = io::copy(&mut from, &mut io::sink());
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find(|line| !line.trim().is_empty()).map(str::to_owned)
}

/// The process of journalctl. It is killed as soon as its output is not needed.
struct Running {
    child: Mutex<Child>,
    over: AtomicBool,
}

impl Running {
    /// Kills it when the search is over or cancelled.
    fn end_when(&self, cancel: &AtomicBool) {
        while !self.over.load(Ordering::Relaxed) && !cancel.load(Ordering::Relaxed) {
            thread::park_timeout(CHECK_INTERVAL);
        }
        if cancel.load(Ordering::Relaxed) {
            self.end();
        }
    }

    fn end(&self) {
        // An error means that the process has ended.
        let _ = self.child().kill();
    }

    /// Waits for the end of the process.
    fn wait(&self) -> io::Result<ExitStatus> {
        self.child().wait()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        // No code under the lock can panic.
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The output of journalctl.
struct Lines {
    pipe: ChildStdout,
    /// Whether the output has ended.
    at_end: bool,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.pipe.read(buffer)?;
        self.at_end |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
