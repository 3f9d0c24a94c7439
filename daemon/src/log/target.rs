//! The targets of the log: the log file and standard error. A target owns its open file. Journald
//! has its own source file.

use super::lines::Bytes;
use super::record::Record;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// `machine.i.log`. The daemon only appends to it.
pub(super) struct LogFile {
    path: PathBuf,
    file: Option<File>,
}

impl LogFile {
    /// A file that is opened at the first write.
    pub(super) fn new(path: PathBuf) -> Self {
        LogFile { path, file: None }
    }
}

impl Bytes for LogFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = Some(open(&self.path)?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => self.file.insert(open(&self.path)?).write(bytes),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
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
