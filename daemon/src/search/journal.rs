//! Searches the machine's journal through journalctl(1), with fixed arguments, no shell and an
//! empty environment. It owns that process.

mod arguments;
mod boot;
mod complaints;
mod export;
mod lines;
mod order;
mod order_file;
mod start;

use arguments::arguments;
use boot::Boot;
use lines::{Lines, Span};
use memberd_control::grep::{GrepFiles, GrepJournal};
use memberd_search::{Output, Search, Stopped, Totals};
use order::Files;
pub use order::JournalOrder;
use start::Start;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

/// The program. Its path is fixed, so that the environment cannot replace it by another program.
pub const JOURNALCTL: &str = "/usr/bin/journalctl";

/// The name of the journal, in the place of a file's name.
const NAME: &str = "journal";

/// How often a waiting search checks whether it was cancelled.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// How much a clock may be set while a search begins, and how much earlier than journald a sender
/// may see the time, in microseconds.
const SLACK_US: u64 = 60_000_000;

/// What members may search of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOffer {
    /// The program that prints the journal.
    pub program: PathBuf,
    /// The namespaces that they may search beside the default one. `*` stands for all of them.
    pub namespaces: Vec<String>,
}

impl JournalOffer {
    /// Refuses a namespace that is not offered. Services whose logs are kept from others write to a
    /// namespace, so that the offer of the journal does not include it.
    pub(super) fn check(&self, asked: &GrepJournal) -> Result<(), String> {
        let Some(asked) = &asked.namespace else { return Ok(()) };
        let name = asked.strip_prefix('+').unwrap_or(asked);
        match self.namespaces.iter().any(|offered| offered == "*" || offered == name) {
            true => Ok(()),
            false => Err(format!(
                "its settings do not offer the journal of namespace {name}: set \
                logs.journal_namespaces there"
            )),
        }
    }
}

/// The journal of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Journal<'j> {
    /// journalctl.
    pub(super) program: &'j Path,
    pub(super) order: &'j JournalOrder,
}

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
    journal: Journal<'_>,
    machine: &str,
    search: &Search,
    asked: Asked<'_>,
    output: &mut (dyn Output + Send),
    cancel: &AtomicBool,
) -> Result<Totals, String> {
    let follow = asked.files.follow;
    // A wrong option is refused before the journal's files are looked at.
    let boot = Boot::of_this_machine();
    arguments(asked.journal, &boot, None, follow)?;
    let start = follow.then(|| Start::now(&boot));
    let Bounds { span, since_us } = match follow {
        true => Bounds { span: Span::ALL, since_us: recently_us() },
        false => bounds(asked, journal.order, cancel),
    };
    let mut command = Command::new(journal.program);
    command.args(arguments(asked.journal, &boot, since_us, follow)?).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        format!("the journal cannot be read: {}: {error}", journal.program.display())
    })?;
    let pipes = child.stdout.take().zip(child.stderr.take());
    let (pipe, stderr) = pipes.ok_or("the journal cannot be read: journalctl has no output")?;
    let running = Running { child: Mutex::new(child), over: AtomicBool::new(false) };
    let output = SharedOutput(Mutex::new(output));
    let unseen = unseen(asked.journal, journal.order);
    unseen.iter().for_each(|text| output.say(text));
    let mut lines = Lines::new(pipe, span, start);
    let (mut totals, complaints) = thread::scope(|scope| {
        let watch = scope.spawn(|| running.end_when(cancel));
        let complaints = scope.spawn(|| tell(stderr, &output));
        let mut to = &output;
        let totals = match follow {
            false if asked.by_time => {
                search.run_stream_by_time(machine, NAME, &mut lines, &mut to, cancel)
            }
            false => search.run_stream(machine, NAME, &mut lines, &mut to, cancel),
            true => search.follow_stream(machine, NAME, &mut lines, &mut to, cancel),
        };
        if !lines.at_end {
            // The rest of its output is not needed.
            running.end();
        }
        running.over.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        (totals, complaints.join().unwrap_or_default())
    });
    let failed = lines.at_end && running.wait().is_ok_and(|status| !status.success());
    if !lines.at_end {
        // The process was killed and has no status. It must not stay as a zombie.
        let _ = running.wait();
    }
    if !totals.interrupted {
        totals.errors += u64::from(unseen.is_some()) + complaints;
        if failed && complaints == 0 {
            output.say("journalctl failed");
            totals.errors += 1;
        }
        if lines.cut_messages > 0 {
            let (count, most) = (lines.cut_messages, export::MAX_MESSAGE_BYTES);
            output.say(&format!("of {count} longer messages only {most} bytes were searched"));
            totals.errors += 1;
        }
    }
    Ok(totals)
}

/// Says what journalctl does not see. It is silent about that with --output=export.
fn unseen(asked: &GrepJournal, order: &JournalOrder) -> Option<String> {
    let Files { readable, denied } = order.files(asked.namespace.as_deref());
    match (readable, denied) {
        (0, 0) => Some("No journal files were found.".to_owned()),
        // If it may read none, journalctl fails and says why.
        (0, _) | (_, 0) => None,
        _ => Some(format!(
            "memberd may not read {denied} of the journal's files: its user needs the group \
            systemd-journal"
        )),
    }
}

/// A time shortly before now, in microseconds since the Unix epoch. The clock may be set back
/// before the first new entry.
fn recently_us() -> Option<u64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(u64::try_from(now.as_micros()).ok()?.saturating_sub(SLACK_US))
}

/// Which part of the journal is searched.
#[derive(Debug, PartialEq, Eq)]
struct Bounds {
    span: Span,
    /// Where journalctl may begin, in microseconds since the Unix epoch.
    since_us: Option<u64>,
}

/// The bounds of a request. journalctl would leave out entries of the window where the clock was
/// set back: it bisects each file for its `--since`, and ends at the first entry after `--until`.
/// So each entry is judged here, and journalctl gets only what leaves out none of the window.
fn bounds(asked: Asked<'_>, order: &JournalOrder, cancel: &AtomicBool) -> Bounds {
    // No journal is older than the epoch.
    let micros = |time: i64| u64::try_from(time).unwrap_or(0).saturating_mul(1_000);
    let (since_us, until_us) = (asked.files.since.map(micros), asked.files.until.map(micros));
    if since_us.is_none() && until_us.is_none() {
        return Bounds { span: Span::ALL, since_us: None };
    }
    let disorder = order.look(asked.journal.namespace.as_deref(), cancel);
    let overall_us = disorder.and_then(|disorder| disorder.overall_us);
    let last_received_us = until_us.zip(overall_us).map_or(u64::MAX, |(until_us, overall_us)| {
        until_us.saturating_add(overall_us).saturating_add(SLACK_US)
    });
    let span = Span {
        since_us: since_us.unwrap_or(0),
        until_us: until_us.unwrap_or(u64::MAX),
        last_received_us,
    };
    let since_us = since_us.zip(disorder).map(|(since_us, disorder)| {
        since_us.saturating_sub(disorder.within_files_us).saturating_sub(SLACK_US)
    });
    Bounds { span, since_us }
}

/// Tells what journalctl says on its standard error, and returns how many lines it said.
fn tell(stderr: ChildStderr, output: &SharedOutput<'_>) -> u64 {
    complaints::tell(stderr, |text| output.say(text))
}

/// An output that two threads use: one for what is found, and one for what journalctl complains of.
struct SharedOutput<'o>(Mutex<&'o mut (dyn Output + Send)>);

impl SharedOutput<'_> {
    fn with<T>(&self, work: impl FnOnce(&mut dyn Output) -> T) -> T {
        // Each use of the output is one call.
        work(&mut **self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a message about the journal. If nobody receives it, the search is over anyway.
    fn say(&self, text: &str) {
        let _ = self.with(|output| output.message(format!("{NAME}: {text}")));
    }
}

impl Output for &SharedOutput<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.with(|output| output.lines(bytes))
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.with(|output| output.line_part(bytes))
    }

    fn timed(&mut self, milliseconds: i64, bytes: &[u8]) -> Result<(), Stopped> {
        self.with(|output| output.timed(milliseconds, bytes))
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.with(|output| output.read(bytes))
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.with(|output| output.message(text))
    }
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

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
