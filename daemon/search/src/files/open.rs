//! Opens exposed files below a trusted directory, by names that cannot lead out of it.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::compressed::Compression;
use super::directory::{self, Entry, Kind, Listed};
use super::file_error::FileError;
use super::fixed::is_trusted;
use super::links::is_link;
use super::moved::{self, Chain};
use super::root::Root;

/// A file under any name: its device and its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIdentity {
    /// The device (`st_dev`).
    pub device: u64,
    /// The inode (`st_ino`).
    pub inode: u64,
}

impl FileIdentity {
    /// That of a file with this metadata.
    pub fn of(metadata: &Metadata) -> FileIdentity {
        FileIdentity { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// An exposed file that was found and is not open yet.
#[derive(Debug, Clone)]
pub struct ExposedFile {
    root: Arc<Root>,
    below: PathBuf,
    path: PathBuf,
    /// The file that it was rotated away from, or the file itself.
    origin: PathBuf,
    /// Which file it is, under any name.
    pub(super) listed: Listed,
    /// With `--rotated`: what was listed with it.
    pub(super) chain: Option<Arc<Chain>>,
    /// The path at which it was opened, if it was renamed meanwhile.
    moved: OnceLock<PathBuf>,
}

/// An exposed file, open for reading.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    /// Its size in bytes when it was opened.
    pub(crate) size: u64,
    /// When it was last written, in milliseconds since the Unix epoch.
    pub(crate) modified: i64,
    /// When it was created, if the file system tells it.
    pub(crate) born: Option<SystemTime>,
    /// Its device and inode, which do not depend on its name.
    pub(crate) identity: FileIdentity,
}

/// An exposed file, open for a reader that is no search. Times are in milliseconds since the Unix
/// epoch.
#[derive(Debug)]
pub struct ReadableFile {
    /// The file. Whoever reads it uses positions, since others may read it too.
    pub file: File,
    /// Its size in bytes when it was opened.
    pub size: u64,
    /// When it was last written.
    pub modified: i64,
    /// Which file it is, under any name.
    pub identity: FileIdentity,
    /// Whether it is compressed or encrypted, by its first bytes or by its name.
    pub is_compressed: bool,
}

/// What is at the place of a file.
#[derive(Debug)]
pub(super) enum Found {
    File(Opened),
    /// Nothing.
    Missing,
    /// A link, a socket, a directory and the like, which is not exposed.
    Other,
}

impl ExposedFile {
    /// The file that was listed at `below`.
    pub(crate) fn new(root: Arc<Root>, below: PathBuf, listed: Listed) -> ExposedFile {
        let path = root.path().join(&below);
        let origin = path.clone();
        ExposedFile { root, below, path, origin, listed, chain: None, moved: OnceLock::new() }
    }

    /// Its absolute path: where it was opened, or before that where it was listed.
    pub fn path(&self) -> &Path {
        self.moved.get().unwrap_or(&self.path)
    }

    /// The path of the file that it was rotated away from, or its own. It is the same for all files
    /// of a chain.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// The directory in which it lies.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Its base name when it was listed.
    pub(super) fn name(&self) -> &OsStr {
        self.below.file_name().unwrap_or_default()
    }

    /// The directory above whose names it is opened.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// This file, as one that was rotated away from `origin`.
    pub(crate) fn rotated_from(&self, origin: &Path) -> ExposedFile {
        ExposedFile { origin: origin.to_owned(), ..self.clone() }
    }

    /// This file, as one that was listed with the others of `chain`.
    pub(crate) fn in_chain(self, chain: &Arc<Chain>) -> ExposedFile {
        ExposedFile { chain: Some(Arc::clone(chain)), ..self }
    }

    /// The entries of the directory in which it lies. It asks `may_go_on` before each entry.
    pub(super) fn entries(&self, may_go_on: impl FnMut() -> bool) -> io::Result<Vec<Entry>> {
        directory::entries(&self.root, self.parent(), may_go_on)
    }

    /// The regular files in the same directory, with this file. It asks `may_go_on` before each
    /// directory entry.
    pub(crate) fn siblings(&self, may_go_on: impl FnMut() -> bool) -> io::Result<Vec<ExposedFile>> {
        let files = self.entries(may_go_on)?.into_iter().filter(|entry| entry.kind == Kind::File);
        let file = |entry: Entry| {
            ExposedFile::new(Arc::clone(&self.root), self.parent().join(entry.name), entry.listed)
        };
        Ok(files.map(file).collect())
    }

    fn parent(&self) -> &Path {
        self.below.parent().unwrap_or(Path::new(""))
    }

    /// What it is, under any name, and its size. None when it is gone or is no regular file any
    /// more.
    ///
    /// # Errors
    /// When the system does not tell it.
    pub fn look(&self) -> io::Result<Option<(FileIdentity, u64)>> {
        match self.root.open_file(&self.below, OFlag::O_PATH) {
            Ok(descriptor) => {
                let metadata = File::from(descriptor).metadata()?;
                Ok(metadata.is_file().then(|| (FileIdentity::of(&metadata), metadata.len())))
            }
            Err(error) if is_not_exposed(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens it for reading, also if rotation has renamed it since it was listed. None when it is
    /// gone, is no regular file, or has become a link: what was put in its place is not exposed.
    ///
    /// Never blocks on a FIFO or a device, and never makes a terminal the controlling one.
    ///
    /// # Errors
    /// When it cannot be opened. With `--rotated`, also when it was rotated away and is not found.
    pub(crate) fn open(&self) -> io::Result<Option<Opened>> {
        match self.open_as(self.name())? {
            Found::File(opened) if self.is_listed(&opened) => Ok(Some(opened)),
            found => moved::find(self, found),
        }
    }

    /// Opens it for a reader that is no search, under the same rules: what a search may not open is
    /// not opened. None as for a search.
    ///
    /// # Errors
    /// When it cannot be opened, or is never searched.
    pub fn open_to_read(&self) -> io::Result<Option<ReadableFile>> {
        let Some(Opened { file, size, modified, identity, .. }) = self.open()? else {
            return Ok(None);
        };
        let is_compressed = Compression::of(&file, self.path())?.is_some();
        Ok(Some(ReadableFile { file, size, modified, identity, is_compressed }))
    }

    /// Opens it for a search by another process, under the same rules. None as for a search. After
    /// it, [`ExposedFile::path`] tells where it was opened.
    ///
    /// # Errors
    /// When it cannot be opened: the message that a search would give.
    pub fn open_to_hand(&self) -> Result<Option<File>, String> {
        match self.open() {
            Ok(opened) => Ok(opened.map(|opened| opened.file)),
            Err(error) => Err(format!("{}: {}", self.path().display(), reason(&error))),
        }
    }

    /// Whether this is the file that was listed, as far as that can be told.
    pub(super) fn is_listed(&self, opened: &Opened) -> bool {
        self.listed.is(opened.identity.inode, opened.born) || self.root.has_other_numbers()
    }

    /// Opens what has this name in its directory.
    pub(super) fn open_as(&self, name: &OsStr) -> io::Result<Found> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match self.root.open_file(&self.parent().join(name), flags) {
            Ok(descriptor) => File::from(descriptor),
            Err(error) if is_missing(&error) => return Ok(Found::Missing),
            Err(error) if is_not_exposed(&error) => return Ok(Found::Other),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Found::Other);
        }
        match self.root.never().reason(&metadata) {
            None => {}
            Some(Ok(())) => return Ok(Found::Other),
            Some(Err(error)) => return Err(error.into()),
        }
        if self.is_foreign_hard_link(&metadata)? {
            return Err(FileError::HardLink.into());
        }
        let modified = milliseconds(metadata.mtime(), metadata.mtime_nsec());
        let (size, born) = (metadata.len(), metadata.created().ok());
        let identity = FileIdentity::of(&metadata);
        Ok(Found::File(Opened { file, size, modified, born, identity }))
    }

    /// Whether it is one of the files that are never searched, as far as its inode's number tells.
    /// `Ok` means that nothing is told of it. Opening it looks again.
    pub(super) fn never_searched(&self) -> Option<Result<(), FileError>> {
        let never = self.root.never();
        if never.is_below(&self.path) {
            return Some(Ok(()));
        }
        if !never.may_be(self.listed.number) {
            return None;
        }
        let there = self.root.open_file(&self.below, OFlag::O_PATH).ok()?;
        never.reason(&File::from(there).metadata().ok()?)
    }

    /// Whether another user may have given the file a name in this directory that it did not have.
    /// The kernel prevents it where fs.protected_hardlinks is set (proc_sys_fs(5)).
    fn is_foreign_hard_link(&self, file: &Metadata) -> io::Result<bool> {
        if file.nlink() < 2 || are_hard_links_protected() {
            return Ok(false);
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let directory = File::from(self.root.open_below(self.parent(), flags)?).metadata()?;
        let others_write = directory.mode() & 0o022 != 0;
        let is_owners = directory.uid() == file.uid() || is_trusted(&directory);
        Ok(others_write || !is_owners)
    }

    /// It was opened under this name.
    pub(super) fn note_moved(&self, name: &OsStr) {
        // Whoever opens it a second time keeps the first name.
        let _ = self.moved.set(self.path.with_file_name(name));
    }
}

/// A time of a file, in milliseconds since the Unix epoch.
pub(crate) fn milliseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}

/// Whether the kernel lets users link only to files that they own, or may read and write. It is
/// asked once.
fn are_hard_links_protected() -> bool {
    static PROTECTED: LazyLock<bool> = LazyLock::new(|| {
        std::fs::read("/proc/sys/fs/protected_hardlinks").is_ok_and(|text| text.starts_with(b"1"))
    });
    *PROTECTED
}

fn is_missing(error: &io::Error) -> bool {
    let missing = [Errno::ENOENT, Errno::ENOTDIR];
    error.raw_os_error().is_some_and(|number| missing.contains(&Errno::from_raw(number)))
}

/// Whether an error means that nothing at the path could be exposed: there is nothing, a link or a
/// socket.
fn is_not_exposed(error: &io::Error) -> bool {
    let missing = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP, Errno::EXDEV, Errno::ENXIO];
    error.raw_os_error().is_some_and(|number| missing.contains(&Errno::from_raw(number)))
}

/// What is wrong with a file that is exposed by its literal name. If nothing is wrong, which
/// file it is, or none where there is no such file.
pub(crate) fn literal_problem(root: &Root, below: &Path) -> Result<Option<Listed>, String> {
    let (opened, by_name) = match root.open_below(below, OFlag::O_PATH) {
        Err(error) if is_link(&error) && root.follows_links() => {
            (root.open_file(below, OFlag::O_PATH), true)
        }
        opened => (opened, false),
    };
    match opened {
        Ok(descriptor) => {
            let metadata = File::from(descriptor).metadata().map_err(|error| reason(&error))?;
            let kind = metadata.file_type();
            if kind.is_file() {
                let listed = Listed { number: metadata.ino(), at: SystemTime::now() };
                Ok(Some(if by_name { Listed::BY_NAME } else { listed }))
            } else if kind.is_dir() {
                Err("Is a directory".to_owned())
            } else if kind.is_fifo() {
                Err("is a FIFO, which is not read".to_owned())
            } else {
                Err("is not a regular file".to_owned())
            }
        }
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
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
