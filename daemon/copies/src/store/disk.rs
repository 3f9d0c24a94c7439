//! What the store asks of the file system, so that tests can have it fail at any point.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// All that the store changes on disk goes through this.
pub(super) trait Disk: fmt::Debug + Send {
    /// Creates a directory that only its owner may enter. It may be there already.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Creates an empty file that only its owner can read, in the place of one that is there.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<File>;
    fn write_at(&self, file: &File, bytes: &[u8], place: u64) -> io::Result<()>;
    fn truncate(&self, file: &File, length: u64) -> io::Result<()>;
    /// Begins to write a file to the disk, so that syncs of many files need not wait for each one.
    fn begin_sync(&self, file: &File) {
        // To forget it, the kernel begins to write it: posix_fadvise(2).
        forget_cached(file);
    }
    /// Makes the bytes of a file durable.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// How many bytes of the file system are free for this user.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// The file system.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            created => created,
        }
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
        file.write_all_at(bytes, place)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let system = nix::sys::statvfs::statvfs(path)?;
        Ok(system.blocks_available().saturating_mul(system.fragment_size()))
    }
}

/// Whether a write failed for lack of space. Nothing of it is in doubt then, unlike after a failed
/// fsync.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Forgets what the page cache has of a file and is on disk already, so that the disk is read next.
pub(super) fn forget_cached(file: &File) {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    // Where it cannot be forgotten, the cache is read.
    let _ = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

/// Removes what may be missing already.
pub(super) fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
