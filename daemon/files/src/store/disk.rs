//! What the store asks of a file system. Names are relative to the store's directory, and made of
//! ids and names of shares only.

mod real;

pub use real::RealDisk;

use std::fmt;
use std::io;

/// The file system below the store. Everything that it reads and changes goes through this.
pub trait Disk: fmt::Debug + Send {
    /// An open file.
    type File: fmt::Debug + Send;

    /// Creates a directory that only its owner may enter. It may be there already.
    ///
    /// # Errors
    /// As the file system does. So do all others.
    fn create_directory(&self, path: &str) -> io::Result<()>;
    /// The names in a directory, in no order.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
    /// Creates an empty file that only its owner can read, or empties the one that is there.
    fn create(&self, path: &str) -> io::Result<Self::File>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &str) -> io::Result<Self::File>;
    /// The bytes of a file.
    fn length(&self, file: &Self::File) -> io::Result<u64>;
    /// Reads exactly so many bytes.
    fn read_at(&self, file: &Self::File, bytes: &mut [u8], place: u64) -> io::Result<()>;
    /// Reads exactly so many bytes from the disk, and not from the page cache. `place` is a
    /// multiple of 64 KiB, and the file is durable.
    fn read_uncached(&self, path: &str, bytes: &mut [u8], place: u64) -> io::Result<()>;
    /// Writes all bytes.
    fn write_at(&self, file: &Self::File, bytes: &[u8], place: u64) -> io::Result<()>;
    /// Sets the length.
    fn truncate(&self, file: &Self::File, length: u64) -> io::Result<()>;
    /// Allocates space, so that no later write there fails for the lack of it. The length stays.
    fn allocate(&self, file: &Self::File, place: u64, bytes: u64) -> io::Result<()>;
    /// Makes the bytes and the length of a file durable.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &str) -> io::Result<()>;
    /// Gives a file another name, in the place of one that is there.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_directory(&self, path: &str) -> io::Result<()>;
    /// What this user may still write to the file system, in bytes.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// Whether a write failed for lack of space. Nothing is in doubt then, unlike after a failed fsync.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Reads a whole file of at most `most` bytes.
pub(super) fn read_file<D: Disk>(disk: &D, path: &str, most: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let length = disk.length(&file)?;
    if length > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    disk.read_at(&file, &mut bytes, 0)?;
    Ok(bytes)
}
