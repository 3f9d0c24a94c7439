//! The thread that writes lines to `machine.i.log` and standard error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How many lines wait at most; further ones are lost, and counted.
const QUEUE: usize = 8_192;

/// How long the end of the process waits for the last lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

enum Work {
    Line(String),
    Reopen,
    Flush(SyncSender<()>),
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: SyncSender<Work>,
    lost: AtomicU64,
}

impl Writer {
    /// Starts the thread. The file is opened at once, and again whenever it could not be.
    pub(super) fn start(path: PathBuf, to_stderr: bool) -> Self {
        let (queue, work) = sync_channel(QUEUE);
        // A thread that cannot be started leaves a queue without an end: every line is then lost and counted.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&work, LogFile::new(path), to_stderr));
        Writer { queue, lost: AtomicU64::new(0) }
    }

    /// Hands a line over; never waits.
    pub(super) fn write(&self, line: String) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let line = format!("memberd: {lost} log lines were lost, since they could not be written as fast as they came\n");
            self.offer(line, lost);
        }
        self.offer(line, 1);
    }

    fn offer(&self, line: String, worth: u64) {
        if self.queue.try_send(Work::Line(line)).is_err() {
            self.lost.fetch_add(worth, Ordering::Relaxed);
        }
    }

    pub(super) fn reopen(&self) {
        // Lines that wait go to the old file, which is still there under its new name. Waiting here is fine: it is asked for by hand.
        let _ = self.queue.send(Work::Reopen);
    }

    pub(super) fn flush(&self) {
        let (done, flushed) = sync_channel(1);
        if self.queue.send(Work::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(FLUSH_LIMIT);
        }
    }
}

fn write_all(work: &Receiver<Work>, mut file: LogFile, to_stderr: bool) {
    while let Ok(work) = work.recv() {
        match work {
            Work::Line(line) => {
                file.write(&line);
                if to_stderr {
                    say(&line);
                }
            }
            Work::Reopen => file.open(),
            Work::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// Standard error is the last resort: if it is closed there is nowhere to say so.
fn say(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

/// `machine.i.log`. What goes wrong with it is said once on standard error, and how many lines that cost when it works again.
struct LogFile {
    path: PathBuf,
    file: Option<File>,
    lost: u64,
    /// Whether the last line was written in part.
    torn: bool,
}

impl LogFile {
    fn new(path: PathBuf) -> Self {
        let mut file = LogFile { path, file: None, lost: 0, torn: false };
        file.open();
        file
    }

    fn open(&mut self) {
        match open(&self.path) {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                self.file = None;
                self.trouble(&error);
            }
        }
    }

    fn write(&mut self, line: &str) {
        if self.file.is_none()
            && let Ok(file) = open(&self.path)
        {
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else {
            self.lost += 1;
            return;
        };
        let torn = std::mem::take(&mut self.torn);
        let text = if torn { format!("\n{line}") } else { line.to_owned() };
        match write_whole(file, text.as_bytes()) {
            Ok(()) => self.healed(),
            Err((error, written)) => {
                self.torn = torn && written == 0 || written > usize::from(torn);
                self.trouble(&error);
                self.lost += 1;
            }
        }
    }

    fn trouble(&mut self, error: &io::Error) {
        if self.lost == 0 {
            say(&format!("memberd: {}: {error}: lines are lost until it can be written again\n", self.path.display()));
        }
    }

    fn healed(&mut self) {
        if self.lost > 0 {
            say(&format!("memberd: {}: written again; {} lines were lost\n", self.path.display(), self.lost));
            self.lost = 0;
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Writes all of it, or tells how much was written.
fn write_whole(file: &mut File, bytes: &[u8]) -> Result<(), (io::Error, usize)> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(bytes.get(written..).unwrap_or_default()) {
            Ok(0) => return Err((io::ErrorKind::WriteZero.into(), written)),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((error, written)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_while_lines_are_written_loses_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("machine.1.log");
        let writer = Writer::start(path.clone(), false);
        let mut expected = String::new();
        for number in 0..2_000 {
            let line = format!("line {number}\n");
            expected.push_str(&line);
            writer.write(line);
            if number % 500 == 499 {
                writer.flush();
                fs::rename(&path, directory.path().join(format!("machine.1.log.{}", number / 500))).unwrap();
                writer.write("between\n".to_owned());
                expected.push_str("between\n");
                writer.reopen();
            }
        }
        writer.flush();
        let parts = (0..4).map(|i| directory.path().join(format!("machine.1.log.{i}"))).chain([path]);
        let written: String = parts.map(|part| fs::read_to_string(part).unwrap()).collect();
        assert_eq!(written, expected);
        assert_eq!(writer.lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_full_disk_loses_lines_and_not_the_daemon() {
        let mut file = LogFile::new(PathBuf::from("/dev/full"));
        file.write("one\n");
        file.write("two\n");
        assert_eq!(file.lost, 2);
        let directory = tempfile::tempdir().unwrap();
        file.path = directory.path().join("machine.1.log");
        file.open();
        file.write("three\n");
        assert_eq!(file.lost, 0);
        assert_eq!(fs::read_to_string(&file.path).unwrap(), "three\n");
    }

    #[test]
    fn a_queue_that_is_full_counts_what_it_loses() {
        let (queue, work) = sync_channel(1);
        let writer = Writer { queue, lost: AtomicU64::new(0) };
        for number in 0..5 {
            writer.write(format!("{number}\n"));
        }
        assert_eq!(writer.lost.load(Ordering::Relaxed), 4);
        drop(work.recv());
        writer.write("5\n".to_owned());
        let Ok(Work::Line(said)) = work.recv() else { panic!("a line") };
        assert!(said.contains("4 log lines were lost"), "{said}");
    }
}
