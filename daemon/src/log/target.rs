//! What is written to: the log file, standard error, and journald.

use super::record::FIELD_END;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
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

/// Where journald takes entries, one a datagram (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).
const JOURNAL: &str = "/run/systemd/journal/socket";

/// journald.
pub(super) struct Journal {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Journal {
    /// This machine's.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn connect() -> io::Result<Self> {
        Journal::at(Path::new(JOURNAL))
    }

    fn at(path: &Path) -> io::Result<Self> {
        Ok(Journal { path: path.to_owned(), socket: Some(connect(path)?) })
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

impl Target for Journal {
    fn name(&self) -> String {
        "journald".to_owned()
    }

    /// journald itself takes care of its files.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Sends one entry, which ends with the first newline.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        let fields = bytes.get(..length).unwrap_or_default().strip_suffix(b"\n").unwrap_or_default();
        let entry: Vec<u8> = fields.iter().map(|byte| if *byte == FIELD_END { b'\n' } else { *byte }).collect();
        // Kept only if it works: a new journald has a new socket.
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(&self.path)?,
        };
        if !entry.is_empty() {
            socket.send(&entry)?;
        }
        self.socket = Some(socket);
        Ok(length)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journald_gets_each_entry_as_a_datagram_and_a_new_journald_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let received = |journald: &UnixDatagram| {
            let mut buffer = [0; 100];
            let length = journald.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        let journald = UnixDatagram::bind(&path).unwrap();
        let mut journal = Journal::at(&path).unwrap();
        let entries = b"MESSAGE=one\x1fPRIORITY=6\x1f\nMESSAGE=two\x1f\n";
        let first = journal.write(entries).unwrap();
        assert_eq!(journal.write(&entries[first..]).unwrap(), entries.len() - first);
        assert_eq!([received(&journald), received(&journald)], ["MESSAGE=one\nPRIORITY=6\n", "MESSAGE=two\n"]);

        drop(journald);
        fs::remove_file(&path).unwrap();
        journal.write(entries).unwrap_err();
        let journald = UnixDatagram::bind(&path).unwrap();
        journal.write(entries).unwrap();
        assert_eq!(received(&journald), "MESSAGE=one\nPRIORITY=6\n");
    }
}
