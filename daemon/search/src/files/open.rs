//! Opens exposed files below a trusted directory, by names that cannot lead out of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::directory::{self, Kind};
use super::root::Root;

/// An exposed file that was found and is not open yet.
#[derive(Debug, Clone)]
pub struct ExposedFile {
    root: Arc<Root>,
    below: PathBuf,
    path: PathBuf,
    /// The file that it was rotated away from, or the file itself.
    origin: PathBuf,
}

/// An exposed file, open for reading.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    /// Its size in bytes when it was opened.
    pub(crate) size: u64,
    /// When it was last written, in milliseconds since the Unix epoch.
    pub(crate) modified: i64,
    /// Its device and inode, which do not depend on its name.
    pub(crate) identity: (u64, u64),
}

impl ExposedFile {
    pub(crate) fn new(root: Arc<Root>, below: PathBuf) -> ExposedFile {
        let path = root.path().join(&below);
        ExposedFile { root, below, origin: path.clone(), path }
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the file that it was rotated away from, or its own. It is the same for all files
    /// of a chain.
    pub(crate) fn origin(&self) -> &Path {
        &self.origin
    }

    /// The directory in which it lies.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// This file, as one that was rotated away from `origin`.
    pub(crate) fn rotated_from(&self, origin: &Path) -> ExposedFile {
        ExposedFile { origin: origin.to_owned(), ..self.clone() }
    }

    /// The regular files in the same directory, with this file. It asks `may_go_on` before each
    /// directory entry.
    pub(crate) fn siblings(&self, may_go_on: impl FnMut() -> bool) -> io::Result<Vec<ExposedFile>> {
        let directory = self.below.parent().unwrap_or(Path::new(""));
        let entries = directory::entries(&self.root, directory, may_go_on)?;
        let files = entries.into_iter().filter(|(_, kind)| *kind == Kind::File);
        Ok(files
            .map(|(name, _)| ExposedFile::new(Arc::clone(&self.root), directory.join(name)))
            .collect())
    }

    /// Its device and inode, which do not depend on its name. None when it is gone or is no regular
    /// file any more.
    pub(crate) fn identity(&self) -> io::Result<Option<(u64, u64)>> {
        match self.root.open_below(&self.below, OFlag::O_PATH) {
            Ok(descriptor) => {
                let metadata = File::from(descriptor).metadata()?;
                Ok(metadata.is_file().then_some((metadata.dev(), metadata.ino())))
            }
            Err(error) if is_not_exposed(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens it for reading. None when it is gone, is no regular file, or has become a link: what
    /// was put in its place is not exposed.
    ///
    /// Never blocks on a FIFO or a device, and never makes a terminal the controlling one.
    pub(crate) fn open(&self) -> io::Result<Option<Opened>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match self.root.open_below(&self.below, flags) {
            Ok(descriptor) => File::from(descriptor),
            Err(error) if is_not_exposed(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        let modified =
            metadata.mtime().saturating_mul(1000).saturating_add(metadata.mtime_nsec() / 1_000_000);
        let identity = (metadata.dev(), metadata.ino());
        Ok(metadata.is_file().then_some(Opened { file, size: metadata.len(), modified, identity }))
    }
}

/// Whether an error means that nothing at the path could be exposed: there is nothing, a link or a
/// socket.
fn is_not_exposed(error: &io::Error) -> bool {
    let missing = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP, Errno::EXDEV, Errno::ENXIO];
    error.raw_os_error().is_some_and(|number| missing.contains(&Errno::from_raw(number)))
}

/// What is wrong with a file that is exposed by its literal name. Whether the file is there, if
/// nothing is wrong.
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
            Some(Errno::ELOOP) => {
                Err("is, or lies behind, a symbolic link, which is not followed".to_owned())
            }
            _ => Err(reason(&error)),
        },
    }
}

/// The system's text for an error, without the number, as GNU grep prints it.
pub(crate) fn reason(error: &io::Error) -> String {
    let words = error.to_string();
    match words.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => words,
    }
}

/// Whether a directory entry is hidden: its name begins with a dot.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
