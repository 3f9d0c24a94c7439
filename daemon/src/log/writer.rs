//! Owns the threads that write to `machine.i.log`, to the file of searches, and to the console,
//! which is standard error or journald. Each target has its own thread, so that no target delays
//! another or the caller.

use super::journal::Journal;
use super::lines::Lines;
use super::queue::{Batch, Queue};
use super::record::Record;
use super::target::{Failed, LogFile, StandardError, Target};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use tracing::Level;

/// How long the process waits for the last lines at its end.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// The second target of the log, in addition to the file.
pub(super) enum Console {
    /// Standard error, which gets lines.
    StandardError,
    /// journald, which gets entries with fields.
    Journal(Journal),
    /// No second target.
    #[cfg(test)]
    Nowhere,
}

/// The files of the log.
#[derive(Debug, Clone)]
pub struct LogPaths {
    /// `machine.i.log`
    pub own: PathBuf,
    /// `searches.i.log`, which is created once there is a search to log.
    pub searches: PathBuf,
}

/// The queues of the threads.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<Queue>,
    console: Arc<Queue>,
    /// The queue of the file of searches, whose thread starts with the first of them.
    searches: OnceLock<Arc<Queue>>,
    searches_path: PathBuf,
}

impl Writer {
    /// Starts the threads. They open the file at once, and retry after a failure.
    pub(super) fn start(paths: LogPaths, console: Console) -> Self {
        let (file, other) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
        // The file should exist from the start.
        file.reopen();
        spawn("log file", Output::new(Lines::new(LogFile::new(paths.own)), &file, &other));
        match console {
            Console::StandardError => {
                spawn("log console", Output::new(Lines::new(StandardError), &other, &file));
            }
            Console::Journal(journal) => {
                spawn("log journal", Output::new(journal, &other, &file));
            }
            #[cfg(test)]
            Console::Nowhere => {
                let nowhere = Lines::new(super::target::Nowhere);
                spawn("log nowhere", Output::new(nowhere, &other, &file));
            }
        }
        let searches_path = paths.searches;
        Writer { file, console: other, searches: OnceLock::new(), searches_path }
    }

    /// Passes a record to the threads. It never waits.
    pub(super) fn write(&self, record: Record) {
        let record = Arc::new(record);
        let file = if record.is_of_search() { self.searches() } else { &self.file };
        file.push(Arc::clone(&record));
        self.console.push(record);
    }

    /// The queue of the file of searches.
    fn searches(&self) -> &Arc<Queue> {
        self.searches.get_or_init(|| {
            let queue = Arc::new(Queue::default());
            let lines = Lines::of_searches(LogFile::private(self.searches_path.clone()));
            spawn("log searches", Output::new(lines, &queue, &self.console));
            queue
        })
    }

    fn queues(&self) -> impl Iterator<Item = &Arc<Queue>> {
        [&self.file, &self.console].into_iter().chain(self.searches.get())
    }

    /// Requests that the file be reopened. It never waits. Lines until then go to the old file,
    /// even if it was renamed, unless another file has taken its place.
    pub(super) fn reopen(&self) {
        self.file.reopen();
        self.searches.get().into_iter().for_each(|searches| searches.reopen());
    }

    /// Waits until all lines so far are written and a requested reopening is done. It does not wait
    /// for a target that hangs.
    pub(super) fn flush(&self) {
        let deadline = Instant::now() + FLUSH_LIMIT;
        // A hanging target cannot be helped, and no place is left to report it. The other target is
        // written meanwhile.
        for queue in self.queues() {
            let _ = queue.flush(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// The problem that prevents writing now, for each target that has one.
    pub(super) fn troubles(&self) -> Vec<String> {
        self.queues().filter_map(|queue| queue.trouble()).collect()
    }

    /// How many lines all targets together lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.queues().map(|queue| queue.lost()).sum()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queues().for_each(|queue| queue.close());
    }
}

fn spawn<T: Target>(name: &str, mut output: Output<T>) {
    // If a thread cannot be started, nobody empties its queue. Its lines are then lost and counted.
    let _ = thread::Builder::new().name(name.to_owned()).spawn(move || output.run());
}

/// One target and its problems. The other target reports a problem once. When the target works
/// again, both report how many lines were lost.
struct Output<T> {
    target: T,
    own: Arc<Queue>,
    other: Arc<Queue>,
    trouble: Option<String>,
    /// How many lost lines the log has not reported yet.
    unreported: u64,
}

impl<T: Target> Output<T> {
    fn new(target: T, own: &Arc<Queue>, other: &Arc<Queue>) -> Self {
        let (own, other) = (Arc::clone(own), Arc::clone(other));
        Output { target, own, other, trouble: None, unreported: 0 }
    }

    fn run(&mut self) {
        while let Some(batch) = self.own.take() {
            self.work(&batch);
        }
    }

    fn work(&mut self, batch: &Batch) {
        if batch.reopen
            && let Err(error) = self.target.reopen()
        {
            let text = format!("cannot open {}: {error}", self.target.name());
            self.say_elsewhere(Level::ERROR, &text);
        }
        self.unreported += batch.lost;
        let lost = self.write(&batch.records);
        self.unreported += lost;
        if lost == 0 && !batch.records.is_empty() {
            self.report_losses();
        }
        self.own.done(batch, lost, self.trouble.as_ref());
    }

    /// Writes records, and returns how many were lost.
    fn write(&mut self, records: &[Arc<Record>]) -> u64 {
        match self.target.write(records) {
            Ok(()) => 0,
            Err(Failed { lost, error }) => {
                self.note_trouble(&error);
                lost
            }
        }
    }

    fn note_trouble(&mut self, error: &io::Error) {
        let text = format!(
            "cannot write to {}: {error}; log lines are lost until it works again",
            self.target.name()
        );
        if self.trouble.is_none() {
            self.say_elsewhere(Level::ERROR, &text);
        }
        self.trouble = Some(text);
    }

    fn report_losses(&mut self) {
        let lost = self.unreported;
        if self.trouble.take().is_some() {
            let text = format!("{} is written again, log lines lost: {lost}", self.target.name());
            self.say_elsewhere(Level::INFO, &text);
        }
        let notice = Record::notice(Level::WARN, &format!("log lines lost here: {lost}"));
        if lost > 0 && self.write(&[Arc::new(notice)]) == 0 {
            self.unreported = 0;
        }
    }

    /// Reports a problem of this target on the other one.
    fn say_elsewhere(&self, level: Level, text: &str) {
        self.other.push(Arc::new(Record::notice(level, text)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::Bytes;
    use super::super::queue::MOST_BYTES;
    use super::*;
    use std::fs;
    use std::path::Path;

    /// A target that takes a fixed number of bytes and no more.
    struct Disk {
        room: usize,
        written: String,
    }

    impl Bytes for Disk {
        fn name(&self) -> String {
            "disk".to_owned()
        }
        fn reopen(&mut self) -> io::Result<()> {
            Ok(())
        }
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.written.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            if count > 0 { Ok(count) } else { Err(io::ErrorKind::StorageFull.into()) }
        }
    }

    fn paths(directory: &Path) -> LogPaths {
        let [own, searches] = ["machine.1.log", "searches.1.log"].map(|name| directory.join(name));
        LogPaths { own, searches }
    }

    /// The lines without their times.
    fn words(lines: &str) -> Vec<&str> {
        lines.lines().map(|line| line.split_once("Z ").map_or(line, |(_, words)| words)).collect()
    }

    fn record(message: &str) -> Arc<Record> {
        Arc::new(Record::notice(Level::INFO, message))
    }

    /// The lines of the records that wait in a queue.
    fn waiting(queue: &Queue) -> String {
        queue.take().unwrap().records.iter().map(|record| record.line()).collect()
    }

    fn queues() -> (Arc<Queue>, Arc<Queue>) {
        (Arc::new(Queue::default()), Arc::new(Queue::default()))
    }

    fn lines(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn rotation_under_full_speed_loses_no_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("machine.1.log");
        let writer = Writer::start(paths(directory.path()), Console::Nowhere);
        writer.flush();
        let rotated: Vec<PathBuf> =
            (0..20).map(|round| directory.path().join(format!("machine.1.log.{round}"))).collect();
        let expected: Vec<String> =
            (0..50_000).map(|number| format!("INFO line {number}")).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..50_000 {
                    writer.file.push(record(&format!("line {number}")));
                    if number % 10_000 == 9_999 {
                        writer.flush(); // Full speed, but within the queue's bound.
                    }
                }
            });
            for old in &rotated {
                fs::rename(&path, old).unwrap();
                writer.reopen();
                writer.flush();
            }
        });
        writer.flush();
        let written: String = rotated.iter().chain([&path]).map(|part| lines(part)).collect();
        assert_eq!(writer.lost(), 0);
        let written = words(&written);
        assert!(
            written == expected,
            "every line once and in order, {} lines of {}",
            written.len(),
            expected.len()
        );
    }

    /// Nothing is created before the first search, and members may search none of its lines.
    #[test]
    fn searches_have_a_file_of_their_own_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let paths = paths(directory.path());
        let writer = Writer::start(paths.clone(), Console::Nowhere);
        writer.write(Record::notice(Level::INFO, "one"));
        writer.reopen();
        writer.flush();
        assert!(!paths.searches.exists());
        let hidden = [("memberd_pattern", "secret".to_owned())];
        writer.write(Record::of_search("logs searched", &[], &hidden));
        writer.flush();
        assert_eq!(words(&lines(&paths.own)), ["INFO one"]);
        assert_eq!(words(&lines(&paths.searches)), ["INFO logs searched pattern=secret"]);
        assert_eq!(fs::metadata(&paths.searches).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// The number of lost lines is reported when it works again.
    #[test]
    fn a_full_disk_is_said_once_on_the_other_target() {
        let (queue, other) = queues();
        // Room for one line, and for all of the next but its last letter and its newline.
        let room = record("one").line().len() * 2 - 2;
        let mut output =
            Output::new(Lines::new(Disk { room, written: String::new() }), &queue, &other);
        let log = |output: &mut Output<Lines<Disk>>, message: &str| {
            queue.push(record(message));
            output.work(&queue.take().unwrap());
        };
        log(&mut output, "one");
        log(&mut output, "two");
        log(&mut output, "three");
        output.target.bytes.room = 1_000;
        log(&mut output, "four");
        log(&mut output, "five");
        assert_eq!(
            words(&output.target.bytes.written),
            ["INFO one", "INFO tw", "INFO four", "WARN log lines lost here: 2", "INFO five"]
        );
        assert_eq!(
            words(&waiting(&other)),
            [
                "ERROR cannot write to disk: no storage space; log lines are lost until it works \
                again",
                "INFO disk is written again, log lines lost: 2"
            ]
        );
        assert_eq!(queue.lost(), 2);
    }

    #[test]
    fn a_device_that_is_always_full_costs_only_lines() {
        let (queue, other) = queues();
        let mut output = Output::new(Lines::new(LogFile::new("/dev/full".into())), &queue, &other);
        output.target.reopen().unwrap();
        for message in ["one", "two"] {
            queue.push(record(message));
            output.work(&queue.take().unwrap());
        }
        let said = waiting(&other);
        let message = "ERROR cannot write to /dev/full: No space left on device (os error 28); log \
        lines are lost until it works again";
        assert_eq!(words(&said), [message]);
        assert_eq!(queue.lost(), 2);
    }

    #[test]
    fn the_log_says_what_a_full_queue_lost() {
        let (queue, other) = queues();
        let mut output = Output::new(
            Lines::new(Disk { room: usize::MAX, written: String::new() }),
            &queue,
            &other,
        );
        let half = record(&"x".repeat(MOST_BYTES / 2 - record("").size()));
        (0..5).for_each(|_| queue.push(Arc::clone(&half)));
        output.work(&queue.take().unwrap());
        assert_eq!(words(&output.target.bytes.written)[2..], ["WARN log lines lost here: 3"]);
        assert_eq!(other.lost(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_opened_anew_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/machine.1.log");
        let (queue, other) = queues();
        let mut output = Output::new(Lines::new(LogFile::new(path.clone())), &queue, &other);
        output.target.reopen().unwrap();
        let moved = directory.path().join("moved");
        fs::rename(path.parent().unwrap(), &moved).unwrap();
        fs::write(path.parent().unwrap(), "in the way").unwrap();
        queue.reopen();
        queue.push(record("kept"));
        output.work(&queue.take().unwrap());
        assert_eq!(words(&lines(&moved.join("machine.1.log"))), ["INFO kept"]);
        assert_eq!(
            words(&waiting(&other)),
            [format!(
                "ERROR cannot open {}: {} is not a directory: remove it, or set another path",
                path.display(),
                path.parent().unwrap().display()
            )]
        );
    }
}
