//! What this crate needs of a file system. It is typed, and has no word of HTTP.

use crate::checksum::FileChecksum;
use crate::error::FileError;
use crate::path::HdfsPath;
use bytes::Bytes;
use std::net::IpAddr;
use std::ops::Range;
use std::pin::Pin;

/// The result of a call, later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, FileError>> + Send + 'a>>;

/// A file system. A call that changes something is carried out wholly or not at all, also when
/// nobody waits for its answer any more.
///
/// Each call fails with [`FileError::NotFound`] if its path does not exist, unless it says
/// otherwise.
pub trait FileSystem: Send + Sync + 'static {
    /// What is there.
    fn status<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Status>;

    /// At most `limit` entries of a directory whose names come after `after`, in the order of their
    /// bytes. A file has one entry, with an empty name. Entries of the root are shares.
    fn list<'a>(
        &'a self,
        path: &'a HdfsPath,
        after: Option<&'a str>,
        limit: usize,
    ) -> Later<'a, Page>;

    /// Begins to read a part of a file, as the file is now. [`Span::within`] says which bytes.
    fn open<'a>(&'a self, path: &'a HdfsPath, span: Span) -> Later<'a, Box<dyn Reader>>;

    /// Begins to write a file. Nothing is visible before [`Writer::commit`], which checks the
    /// conditions again. It fails with [`FileError::Exists`] if the file exists and may not be
    /// replaced, or is a directory.
    fn create<'a>(&'a self, path: &'a HdfsPath, how: Create) -> Later<'a, Box<dyn Writer>>;

    /// Begins to append to a file. [`Writer::commit`] appends all that was written at once.
    fn append<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Box<dyn Writer>>;

    /// Renames a file or directory. `false` is the answer of [`RenameMode::Plain`] alone, where
    /// other modes fail.
    fn rename<'a>(
        &'a self,
        from: &'a HdfsPath,
        to: &'a HdfsPath,
        mode: RenameMode,
    ) -> Later<'a, bool>;

    /// Deletes a file or directory. It says false if there is none. It fails with
    /// [`FileError::NotEmpty`] if there is something in it and it is not recursive.
    fn delete<'a>(&'a self, path: &'a HdfsPath, recursive: bool) -> Later<'a, bool>;

    /// Makes a directory and those above it, unless they exist.
    fn make_directories<'a>(&'a self, path: &'a HdfsPath, user: &'a str) -> Later<'a, ()>;

    /// Appends the contents of other files of the same directory to a file, and deletes those.
    fn concat<'a>(&'a self, path: &'a HdfsPath, sources: &'a [HdfsPath]) -> Later<'a, ()>;

    /// Cuts a file to this length in bytes, at most its own.
    fn truncate<'a>(&'a self, path: &'a HdfsPath, length: u64) -> Later<'a, ()>;

    /// Changes an attribute.
    fn change<'a>(&'a self, path: &'a HdfsPath, change: &'a Change) -> Later<'a, ()>;

    /// Counts what is below a path, the path included.
    fn summary<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Summary>;

    /// The checksum of a file, as HDFS has it. [`Checksummer`](crate::Checksummer) computes it.
    fn checksum<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, FileChecksum>;

    /// Where the blocks of a file lie, in the order of their offsets. A file that is not empty has
    /// at least one. It fails with [`FileError::NotFound`] for a directory.
    fn blocks<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Vec<Block>>;

    /// How full it is.
    fn space(&self) -> Later<'_, Space>;

    /// What new files get.
    fn defaults(&self) -> Defaults;
}

/// Reads a part of a file. If it is dropped, reading ends.
pub trait Reader: Send {
    /// How many bytes it gives in all.
    fn length(&self) -> u64;

    /// The next piece, at most a few MiB. `None` is the end, after exactly
    /// [`length`](Reader::length) bytes.
    fn next(&mut self) -> Later<'_, Option<Bytes>>;
}

/// Takes the content of a file. If it is dropped before it is committed, nothing has happened.
pub trait Writer: Send {
    /// Takes a piece. It waits as long as there is no room for it.
    fn write(&mut self, piece: Bytes) -> Later<'_, ()>;

    /// Makes all that was written visible at once, and durable.
    fn commit(self: Box<Self>) -> Later<'static, ()>;
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// File or directory.
    pub kind: Kind,
    /// Bytes of a file.
    pub length: u64,
    /// Milliseconds since the Unix epoch.
    pub modified: u64,
    /// Milliseconds since the Unix epoch.
    pub accessed: u64,
    /// Bytes of a block, for a file.
    pub block_bytes: u64,
    /// Copies of a file.
    pub copies: u16,
    /// Whose it is; it is only shown.
    pub owner: String,
    /// Of which group; it is only shown.
    pub group: String,
    /// Bits of permission; they are only shown.
    pub permission: u16,
    /// Its number, which it keeps under another name.
    pub id: u64,
    /// Entries of a directory.
    pub children: u64,
}

/// File or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// Some entries of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The entries, by name.
    pub entries: Vec<(String, Status)>,
    /// How many come after them.
    pub remaining: u64,
}

/// A part of a file that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Its first byte.
    pub offset: u64,
    /// The most bytes of it; without, all up to the end.
    pub length: Option<u64>,
}

impl Span {
    /// The bytes that it means in a file of this length. As in HDFS, a span that begins at the end
    /// is none, except in an empty file.
    ///
    /// # Errors
    /// If it begins at the end of the file or after it.
    pub fn within(self, file_length: u64) -> Result<Range<u64>, FileError> {
        let Span { offset, length } = self;
        if offset > file_length || (offset == file_length && file_length > 0) {
            return Err(FileError::OutOfRange { offset, file_length });
        }
        let end = length.map_or(file_length, |length| offset.saturating_add(length));
        Ok(offset..end.min(file_length))
    }
}

/// How a file is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Whether a file that exists is replaced.
    pub overwrite: bool,
    /// Whether the directories above it are made. If not, they must exist.
    pub make_parents: bool,
    /// Who creates it, as the client says.
    pub user: String,
}

/// How a rename treats what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RenameMode {
    /// Into the target if that is a directory. It says false where the other modes fail.
    Plain,
    /// The target must not exist.
    Exclusive,
    /// A file, or an empty directory, at the target is replaced.
    Overwrite,
}

/// A change of attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The bits of permission.
    Permission(u16),
    /// The owner, the group, or both.
    Owner {
        /// The new owner.
        owner: Option<String>,
        /// The new group.
        group: Option<String>,
    },
    /// Times in milliseconds since the Unix epoch.
    Times {
        /// Of the last change.
        modified: Option<u64>,
        /// Of the last access.
        accessed: Option<u64>,
    },
    /// How many copies a file should have.
    Copies(u16),
}

/// What is below a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Directories, the path itself included.
    pub directories: u64,
    /// Files.
    pub files: u64,
    /// Bytes of all files.
    pub length: u64,
    /// Bytes of all copies.
    pub stored: u64,
    /// The most names, if that is limited.
    pub names_quota: Option<u64>,
    /// The most stored bytes, if that is limited.
    pub bytes_quota: Option<u64>,
}

/// A block of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its first byte in the file.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
    /// Its number, which no other block has.
    pub id: u64,
    /// Who holds it.
    pub holders: Vec<Holder>,
}

/// A machine that holds a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name, as schedulers know it.
    pub host: String,
    /// Its address.
    pub address: IpAddr,
}

/// How full a file system is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub capacity: u64,
    /// What is used.
    pub used: u64,
    /// What is left.
    pub remaining: u64,
}

/// What new files get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Copies.
    pub copies: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_cut_at_the_end_and_none_begins_there() {
        let span = |offset, length| Span { offset, length };
        let beyond = |offset, file_length| Err(FileError::OutOfRange { offset, file_length });
        assert_eq!(span(0, None).within(0), Ok(0..0));
        assert_eq!(span(0, Some(5)).within(0), Ok(0..0));
        assert_eq!(span(1, None).within(0), beyond(1, 0));
        assert_eq!(span(2, Some(u64::MAX)).within(10), Ok(2..10));
        assert_eq!(span(9, Some(1)).within(10), Ok(9..10));
        assert_eq!(span(3, Some(0)).within(10), Ok(3..3));
        assert_eq!(span(10, None).within(10), beyond(10, 10));
    }
}
