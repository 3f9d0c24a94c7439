//! What is written to: the log file, and standard error; journald has a file of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where lines go.
pub(super) trait Target: Send + 'static {
    /// What it is called in messages.
    fn name(&self) -> String;
    /// Opens it anew. If that fails it goes on as it was.
    fn reopen(&mut self) -> io::Result<()>;
    /// Writes some bytes, as write(2).
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// `machine.i.log`: appended to, never cut.
pub(super) struct LogFile {
    path: PathBuf,
    file: Option<File>,
}

impl LogFile {
    /// Not opened yet.
    pub(super) fn new(path: PathBuf) -> Self {
        LogFile { path, file: None }
    }
}

impl Target for LogFile {
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

/// Standard error, which is as it is.
pub(super) struct StandardError;

impl Target for StandardError {
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

/// No console.
#[cfg(test)]
pub(super) struct Nowhere;

#[cfg(test)]
impl Target for Nowhere {
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
