//! Opening below a trusted directory, by names that cannot lead out of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::beneath::open_beneath;

/// A directory that a glob of the offer begins with, kept open while its files are listed and read.
#[derive(Debug)]
pub(crate) struct Root {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens the directory as the administrator wrote it: links in its path are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Root> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Root { descriptor: open(path, flags, Mode::empty())?, path: path.to_owned() })
    }

    /// Opens what lies at `below`: no component of it may be a link, `..` or absolute.
    pub(crate) fn open_below(&self, below: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        open_beneath(self.descriptor.as_fd(), below, flags)
    }

    /// The directory's path as written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that the machine offers, found but not open yet.
#[derive(Debug, Clone)]
pub struct OfferedFile {
    root: Arc<Root>,
    below: PathBuf,
    path: PathBuf,
}

impl OfferedFile {
    pub(crate) fn new(root: Arc<Root>, below: PathBuf) -> OfferedFile {
        let path = root.path().join(&below);
        OfferedFile { root, below, path }
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading, and tells its size in bytes. None when it is gone or is no regular file, or has become a link:
    /// whatever was put in its place is not offered.
    ///
    /// Never blocks on a FIFO or a device, and never makes a terminal the controlling one.
    pub(crate) fn open(&self) -> io::Result<Option<(File, u64)>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match self.root.open_below(&self.below, flags) {
            Ok(descriptor) => File::from(descriptor),
            Err(error) if is_not_offered(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        Ok(metadata.is_file().then_some((file, metadata.len())))
    }
}

/// Whether an error means that at the path there is nothing that could be offered: nothing at all, a link, a socket.
fn is_not_offered(error: &io::Error) -> bool {
    let missing = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP, Errno::EXDEV, Errno::ENXIO];
    error.raw_os_error().is_some_and(|number| missing.contains(&Errno::from_raw(number)))
}

/// What is the matter with a file that the offer names literally; none when it is fine, or not there.
pub(crate) fn literal_problem(root: &Root, below: &Path) -> Result<bool, String> {
    match root.open_below(below, OFlag::O_PATH) {
        Ok(descriptor) => {
            let metadata = File::from(descriptor).metadata().map_err(|error| reason(&error))?;
            let kind = metadata.file_type();
            if kind.is_file() {
                Ok(true)
            } else if kind.is_dir() {
                Err("Is a directory".to_owned())
            } else if kind.is_fifo() {
                Err("is a FIFO, which is not read".to_owned())
            } else {
                Err("is not a regular file".to_owned())
            }
        }
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
            Some(Errno::ELOOP) => Err("is, or lies behind, a symbolic link, which is not followed".to_owned()),
            _ => Err(reason(&error)),
        },
    }
}

/// The system's words for an error, as grep has them: without the number.
pub(crate) fn reason(error: &io::Error) -> String {
    let words = error.to_string();
    match words.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => words,
    }
}

/// Whether a directory entry's name is hidden: it begins with a dot.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
