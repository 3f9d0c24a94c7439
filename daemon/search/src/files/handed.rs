//! Files that another process has opened and handed over. It owns their descriptors.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::open::{FileIdentity, Opened, milliseconds};

/// A file that was handed over open, for one search. It is not opened again, whatever happens to
/// its name.
#[derive(Debug)]
pub struct HandedFile {
    path: PathBuf,
    file: File,
    size: u64,
    modified: i64,
}

impl HandedFile {
    /// The open file, of which nothing was read yet. `path` is its name, whose end tells how it is
    /// compressed.
    ///
    /// # Errors
    /// When the system does not tell what it is, or it is no regular file.
    pub fn new(path: PathBuf, file: File) -> io::Result<HandedFile> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
        }
        let modified = milliseconds(metadata.mtime(), metadata.mtime_nsec());
        Ok(HandedFile { path, file, size: metadata.len(), modified })
    }

    /// Its path, as who handed it over knows it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was last written, in milliseconds since the Unix epoch.
    pub fn modified(&self) -> i64 {
        self.modified
    }

    /// The file for its search.
    pub(crate) fn opened(&self) -> io::Result<Opened> {
        let file = self.file.try_clone()?;
        let identity = FileIdentity::of(&file.metadata()?);
        let HandedFile { size, modified, .. } = *self;
        Ok(Opened { file, size, modified, born: None, identity })
    }
}
