//! The threads that write to `machine.i.log` and to the console, which is standard error or
//! journald: one each, so that neither waits for the other, and nobody for them.

use super::journal::Journal;
use super::queue::{Batch, Queue};
use super::record::Record;
use super::target::{LogFile, StandardError, Target};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tracing::Level;

/// How long the end of the process waits for the last lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// The way to one thread: its queue, and the form in which its target takes records.
#[derive(Debug, Clone)]
struct Way {
    queue: Arc<Queue>,
    form: fn(&Record) -> String,
}

impl Way {
    fn new(form: fn(&Record) -> String) -> Self {
        Way { queue: Arc::new(Queue::default()), form }
    }

    fn push(&self, record: &Record) {
        self.queue.push(&(self.form)(record));
    }
}

/// What gets all that is logged, beside the file.
pub(super) enum Console {
    /// Lines.
    StandardError,
    /// Entries with fields.
    Journal(Journal),
    /// Nothing.
    #[cfg(test)]
    Nowhere,
}

/// The way to both threads.
#[derive(Debug)]
pub(super) struct Writer {
    file: Way,
    console: Way,
}

impl Writer {
    /// Starts the threads. The file is opened at once, and again whenever it could not be.
    pub(super) fn start(path: PathBuf, console: Console) -> Self {
        let file = Way::new(Record::line);
        let to_console = Way::new(if matches!(console, Console::Journal(_)) {
            Record::journal_entry
        } else {
            Record::line
        });
        // So that the file is there from the start.
        file.queue.reopen();
        spawn("log file", Output::new(LogFile::new(path), &file, &to_console));
        match console {
            Console::StandardError => {
                spawn("log console", Output::new(StandardError, &to_console, &file));
            }
            Console::Journal(journal) => {
                spawn("log journal", Output::new(journal, &to_console, &file));
            }
            #[cfg(test)]
            Console::Nowhere => {
                spawn("log nowhere", Output::new(super::target::Nowhere, &to_console, &file));
            }
        }
        Writer { file, console: to_console }
    }

    /// Hands a record over; never waits.
    pub(super) fn write(&self, record: &Record) {
        self.file.push(record);
        self.console.push(record);
    }

    /// Asks for the file to be opened anew; never waits. Lines until then go to the old file, under
    /// whatever name it has now.
    pub(super) fn reopen(&self) {
        self.file.queue.reopen();
    }

    /// Waits until all lines so far are written and a reopening asked for is done, but not for a
    /// target that hangs.
    pub(super) fn flush(&self) {
        let deadline = Instant::now() + FLUSH_LIMIT;
        // What hangs cannot be helped, and there is nowhere left to say so. The other target is
        // written meanwhile.
        for queue in [&self.file.queue, &self.console.queue] {
            let _ = queue.flush(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// What keeps lines from being written now, in each target where something does.
    pub(super) fn troubles(&self) -> Vec<String> {
        [&self.file, &self.console].into_iter().filter_map(|way| way.queue.trouble()).collect()
    }

    /// How many lines were lost since the start, in both targets together.
    pub(super) fn lost(&self) -> u64 {
        self.file.queue.lost() + self.console.queue.lost()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.file.queue.close();
        self.console.queue.close();
    }
}

fn spawn<T: Target>(name: &str, mut output: Output<T>) {
    // A thread that cannot be started leaves a queue that nobody empties: its lines are then lost
    // and counted.
    let _ = thread::Builder::new().name(name.to_owned()).spawn(move || output.run());
}

/// One target and what is known of its troubles. They are said once, on the other target; how many
/// lines they cost is said on both, when it works again.
struct Output<T> {
    target: T,
    own: Way,
    other: Way,
    trouble: Option<String>,
    /// Lines lost and not yet told of.
    untold: u64,
    /// Whether the last line was written in part.
    torn: bool,
}

impl<T: Target> Output<T> {
    fn new(target: T, own: &Way, other: &Way) -> Self {
        Output {
            target,
            own: own.clone(),
            other: other.clone(),
            trouble: None,
            untold: 0,
            torn: false,
        }
    }

    fn run(&mut self) {
        while let Some(batch) = self.own.queue.take() {
            self.work(&batch);
        }
    }

    fn work(&mut self, batch: &Batch) {
        if batch.reopen
            && let Err(error) = self.target.reopen()
        {
            self.other.push(&Record::notice(
                Level::ERROR,
                &format!("cannot open {}: {error}", self.target.name()),
            ));
        }
        self.untold += batch.lost;
        let lost = self.write(&batch.text);
        self.untold += lost;
        if lost == 0 && !batch.text.is_empty() {
            self.tell_losses();
        }
        self.own.queue.done(batch, lost, self.trouble.as_ref());
    }

    /// Writes lines, and returns how many were lost.
    fn write(&mut self, text: &str) -> u64 {
        let mut rest = text.as_bytes();
        let newline: &[u8] = if self.torn && !rest.is_empty() { b"\n" } else { b"" };
        let mut before = newline;
        while !rest.is_empty() {
            let part = if before.is_empty() { &mut rest } else { &mut before };
            match self.target.write(part) {
                Ok(count) if count > 0 => {
                    self.torn = part.get(count - 1) != Some(&b'\n');
                    *part = part.get(count..).unwrap_or_default();
                }
                Ok(_) => return self.give_up(rest, &std::io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return self.give_up(rest, &error),
            }
        }
        0
    }

    fn give_up(&mut self, rest: &[u8], error: &std::io::Error) -> u64 {
        self.trouble(error);
        // A line written in part is lost as well: its newline is in the rest.
        rest.iter().map(|byte| u64::from(*byte == b'\n')).sum()
    }

    fn trouble(&mut self, error: &std::io::Error) {
        let words = format!(
            "cannot write to {}: {error}; log lines are lost until it works again",
            self.target.name()
        );
        if self.trouble.is_none() {
            self.other.push(&Record::notice(Level::ERROR, &words));
        }
        self.trouble = Some(words);
    }

    fn tell_losses(&mut self) {
        if self.trouble.take().is_some() {
            self.other.push(&Record::notice(
                Level::INFO,
                &format!(
                    "{} is written again, log lines lost: {}",
                    self.target.name(),
                    self.untold
                ),
            ));
        }
        let notice = Record::notice(Level::WARN, &format!("log lines lost here: {}", self.untold));
        if self.untold > 0 && self.write(&(self.own.form)(&notice)) == 0 {
            self.untold = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::MOST_BYTES;
    use super::*;
    use std::fs;
    use std::io;
    use std::path::Path;

    /// A target that takes so many bytes and no more.
    struct Disk {
        room: usize,
        written: String,
    }

    impl Target for Disk {
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

    /// Without the times.
    fn words(lines: &str) -> Vec<&str> {
        lines.lines().map(|line| line.split_once("Z ").map_or(line, |(_, words)| words)).collect()
    }

    fn lines(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn rotation_while_another_thread_writes_at_full_speed_loses_no_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("machine.1.log");
        let writer = Writer::start(path.clone(), Console::Nowhere);
        writer.flush();
        let rotated: Vec<PathBuf> =
            (0..20).map(|round| directory.path().join(format!("machine.1.log.{round}"))).collect();
        let expected: String = (0..50_000).map(|number| format!("line {number}\n")).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                for (index, line) in expected.split_inclusive('\n').enumerate() {
                    writer.file.queue.push(line);
                    if index % 10_000 == 9_999 {
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
        assert!(
            written == expected,
            "every line once and in order, {} bytes of {}",
            written.len(),
            expected.len()
        );
    }

    #[test]
    fn a_full_disk_is_said_once_on_the_other_target_and_its_cost_when_it_works_again() {
        let (own, other) = (Way::new(Record::line), Way::new(Record::line));
        let queue = Arc::clone(&own.queue);
        let mut output = Output::new(Disk { room: 6, written: String::new() }, &own, &other);
        let log = |output: &mut Output<Disk>, line: &str| {
            queue.push(line);
            output.work(&queue.take().unwrap());
        };
        log(&mut output, "one\n");
        log(&mut output, "two\n");
        log(&mut output, "three\n");
        output.target.room = 1_000;
        log(&mut output, "four\n");
        log(&mut output, "five\n");
        assert_eq!(
            words(&output.target.written),
            ["one", "tw", "four", "WARN log lines lost here: 2", "five"]
        );
        assert_eq!(
            words(&other.queue.take().unwrap().text),
            [
                "ERROR cannot write to disk: no storage space; log lines are lost until it works \
                again",
                "INFO disk is written again, log lines lost: 2"
            ]
        );
        assert_eq!(queue.lost(), 2);
    }

    #[test]
    fn the_device_that_is_always_full_costs_lines_and_not_the_daemon() {
        let (own, other) = (Way::new(Record::line), Way::new(Record::line));
        let queue = Arc::clone(&own.queue);
        let mut output = Output::new(LogFile::new("/dev/full".into()), &own, &other);
        output.target.reopen().unwrap();
        for line in ["one\n", "two\n"] {
            queue.push(line);
            output.work(&queue.take().unwrap());
        }
        let said = other.queue.take().unwrap().text;
        let message = "ERROR cannot write to /dev/full: No space left on device (os error 28); log \
        lines are lost until it works again";
        assert_eq!(words(&said), [message]);
        assert_eq!(queue.lost(), 2);
    }

    #[test]
    fn what_a_full_queue_lost_is_said_in_the_log_itself() {
        let (own, other) = (Way::new(Record::line), Way::new(Record::line));
        let queue = Arc::clone(&own.queue);
        let mut output =
            Output::new(Disk { room: usize::MAX, written: String::new() }, &own, &other);
        let line = "x".repeat(MOST_BYTES / 2 - 1) + "\n";
        (0..5).for_each(|_| queue.push(&line));
        output.work(&queue.take().unwrap());
        assert_eq!(words(&output.target.written)[2..], ["WARN log lines lost here: 3"]);
        assert_eq!(other.queue.lost(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_opened_anew_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/machine.1.log");
        let (own, other) = (Way::new(Record::line), Way::new(Record::line));
        let queue = Arc::clone(&own.queue);
        let mut output = Output::new(LogFile::new(path.clone()), &own, &other);
        output.target.reopen().unwrap();
        let moved = directory.path().join("moved");
        fs::rename(path.parent().unwrap(), &moved).unwrap();
        fs::write(path.parent().unwrap(), "in the way").unwrap();
        queue.reopen();
        queue.push("kept\n");
        output.work(&queue.take().unwrap());
        assert_eq!(lines(&moved.join("machine.1.log")), "kept\n");
        assert_eq!(
            words(&other.queue.take().unwrap().text),
            [format!("ERROR cannot open {}: File exists (os error 17)", path.display())]
        );
    }
}
