//! The targets of the log: the log file and standard error. A target owns its open file. Journald
//! has its own source file.

use super::lines::Bytes;
use super::record::Record;
use memberd_control::plain_file::explain_directory;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long after a rename somebody else may create the new file. logrotate does, and would put
/// aside a file that it meets there.
const CREATION: Duration = Duration::from_secs(1);

/// A target of records.
pub(super) trait Target: Send + 'static {
    /// The name in messages.
    fn name(&self) -> String;
    /// Reopens it. After a failure the old one stays in use.
    fn reopen(&mut self) -> io::Result<()>;
    /// Writes records. If that fails, the last of them are lost.
    fn write(&mut self, records: &[Arc<Record>]) -> Result<(), Failed>;
}

/// Records that were not written.
#[derive(Debug)]
pub(super) struct Failed {
    /// The number of records that were not written, or only in part.
    pub(super) lost: u64,
    /// The reason.
    pub(super) error: io::Error,
}

/// `machine.i.log`, or the file of searches. The daemon only appends to it. It is opened anew when
/// its path leads to another file, so that a rotation loses no line if the reload does not come.
pub(super) struct LogFile {
    path: PathBuf,
    /// The permissions with which it is created.
    mode: u32,
    file: Option<File>,
    /// Since when nothing is at the path.
    missing_since: Option<Instant>,
    /// How long to wait then before the file is created.
    creation: Duration,
}

impl LogFile {
    /// A file that is opened at the first write.
    pub(super) fn new(path: PathBuf) -> Self {
        LogFile { path, mode: 0o640, file: None, missing_since: None, creation: CREATION }
    }

    /// The same, which only its owner can read.
    pub(super) fn private(path: PathBuf) -> Self {
        LogFile { mode: 0o600, ..LogFile::new(path) }
    }

    fn open(&self) -> io::Result<File> {
        if let Some(directory) = self.path.parent() {
            let created = fs::create_dir_all(directory);
            created.map_err(|error| explain_directory(directory, error))?;
        }
        // A FIFO that nobody reads is an error, and does not block. The path may lead to standard
        // output, so it need not be a file.
        let mut options = OpenOptions::new().append(true).create(true).mode(self.mode).clone();
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file =
            options.custom_flags(flags.bits()).open(&self.path).map_err(|error| {
                match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::ENXIO) => {
                        io::Error::other("is a FIFO that nobody reads, or a socket")
                    }
                    _ => error,
                }
            })?;
        fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
        Ok(file)
    }

    /// Whether the path does not lead to the open file any more. It costs a stat(2) and a fstat(2).
    fn has_moved(&mut self, open: &File) -> bool {
        let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        let missing_since = self.missing_since.take();
        match (fs::metadata(&self.path), open.metadata()) {
            (Ok(there), Ok(open)) => there.is_file() && identity(&there) != identity(&open),
            (Err(error), Ok(open)) if error.kind() == io::ErrorKind::NotFound => {
                let since = *self.missing_since.insert(missing_since.unwrap_or_else(Instant::now));
                open.nlink() == 0 || since.elapsed() >= self.creation
            }
            _ => false,
        }
    }
}

impl Bytes for LogFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = Some(self.open()?);
        self.missing_since = None;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = match self.file.take() {
            // If no other can be opened, the old one is better than none.
            Some(file) if self.has_moved(&file) => self.open().unwrap_or(file),
            Some(file) => file,
            None => self.open()?,
        };
        let written = file.write(bytes);
        self.file = Some(file);
        written
    }
}

/// Standard error, which cannot be reopened.
pub(super) struct StandardError;

impl Bytes for StandardError {
    fn name(&self) -> String {
        "standard error".to_owned()
    }

    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write(bytes)
    }
}

/// A console that drops everything.
#[cfg(test)]
pub(super) struct Nowhere;

#[cfg(test)]
impl Bytes for Nowhere {
    fn name(&self) -> String {
        "nowhere".to_owned()
    }
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn write(log: &mut LogFile, line: &str) {
        assert_eq!(log.write(line.as_bytes()).unwrap(), line.len());
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_file_that_was_replaced_is_opened_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("log"), directory.path().join("log.1"));
        let mut log = LogFile::new(path.clone());
        write(&mut log, "one\n");
        fs::rename(&path, &old).unwrap();
        fs::write(&path, "").unwrap();
        write(&mut log, "two\n");
        assert_eq!((text(&old), text(&path)), ("one\n".into(), "two\n".into()));
    }

    /// logrotate renames the file, and then creates the new one.
    #[test]
    fn a_file_that_was_renamed_is_written_for_a_while() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("log"), directory.path().join("log.1"));
        let mut log = LogFile { creation: Duration::MAX, ..LogFile::new(path.clone()) };
        write(&mut log, "one\n");
        fs::rename(&path, &old).unwrap();
        write(&mut log, "two\n");
        assert!(!path.exists());
        log.creation = Duration::ZERO;
        write(&mut log, "three\n");
        assert_eq!((text(&old), text(&path)), ("one\ntwo\n".into(), "three\n".into()));
    }

    #[test]
    fn a_file_that_was_removed_is_created_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = LogFile::new(path.clone());
        write(&mut log, "one\n");
        fs::remove_file(&path).unwrap();
        write(&mut log, "two\n");
        assert_eq!(text(&path), "two\n");
    }

    #[test]
    fn a_fifo_that_nobody_reads_is_an_error_and_does_not_block() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = LogFile::new(path).write(b"one\n").unwrap_err();
        assert_eq!(error.to_string(), "is a FIFO that nobody reads, or a socket");
    }

    /// A FIFO would block, and nobody reads a directory as a log.
    #[test]
    fn only_a_regular_file_replaces_the_open_one() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("log"), directory.path().join("log.1"));
        let mut log = LogFile::new(path.clone());
        write(&mut log, "one\n");
        fs::rename(&path, &old).unwrap();
        fs::create_dir(&path).unwrap();
        write(&mut log, "two\n");
        assert_eq!(text(&old), "one\ntwo\n");
    }
}
