//! What a client asks of the replicated files, the bytes that it sends, and the answers.
//!
//! A request that writes is answered by [`FileReply::Ready`]. Then the client sends
//! [`FileUpload::Bytes`], as fast as the daemon reads them, and [`FileUpload::End`]. The daemon may
//! refuse at any time. Whoever closes the connection before the end has written nothing.

use crate::frame::Message;
use serde::{Deserialize, Serialize};

/// The most bytes of one [`FileUpload::Bytes`] and of one [`FileReply::Bytes`].
pub const FILE_PIECE_BYTES: usize = 256 * 1024;

/// The most entries, extents or files in one reply.
pub const FILE_ENTRIES_PER_REPLY: usize = 500;

/// A request about replicated files. Paths are absolute: a share, and names below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileRequest {
    /// The bytes that follow become the content of a file. Nobody sees it before it is whole.
    Put(FilePut),
    /// The bytes that follow go to the end of a file, all or none.
    Append(FileAppend),
    /// Send a file's bytes.
    Read(FileRead),
    /// List a directory, or the shares.
    List(FileList),
    /// Tell all about a file or directory.
    Stat(FileStatRequest),
    /// Remove a name.
    Remove {
        /// The name.
        path: String,
        /// Whether all below it goes as well.
        recursive: bool,
    },
    /// Give a file or directory another name.
    Rename {
        /// Its name.
        from: String,
        /// Its new name. If a directory has it, the name goes into that.
        to: String,
        /// Whether a file that has the new name already is replaced.
        replace: bool,
    },
    /// Make a directory and those above it, or a share.
    MakeDirectory {
        /// The name.
        path: String,
    },
    /// Tell what lies on this machine's disk.
    Stored,
    /// Compare all copies of a file, and make those again that differ.
    Merge {
        /// The file.
        path: String,
    },
    /// Look for files with fewer copies than they want.
    Check {
        /// In this share only.
        share: Option<String>,
    },
    /// Tell the state of this machine's part.
    Status,
    /// Tell the least token of a file, and raise it before.
    Token {
        /// The file.
        path: String,
        /// The least token from now on.
        raise_to: Option<u64>,
    },
}

/// A file's new content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePut {
    /// The file.
    pub path: String,
    /// Whether nothing may have the name yet.
    pub only_new: bool,
    /// Whether missing directories above it are made.
    pub parents: bool,
    /// How many copies it wants; none: as many as is usual.
    pub copies: Option<u8>,
    /// The permission bits of a new file. They are shown, and decide nothing.
    pub mode: u16,
    /// The writer's token.
    pub token: u64,
}

/// Bytes for the end of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAppend {
    /// The file. It must exist.
    pub path: String,
    /// Only if it has this many bytes before.
    pub length: Option<u64>,
    /// The writer's token.
    pub token: u64,
}

/// Bytes of a file that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRead {
    /// The file.
    pub path: String,
    /// From which byte on.
    pub offset: u64,
    /// How many at most; none: all to the end.
    pub limit: Option<u64>,
}

/// A directory that is to be listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileList {
    /// The directory, or a file; `/` lists the shares.
    pub path: String,
    /// Whether each file's copies are told.
    pub copies: bool,
}

/// A file or directory of which all is to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatRequest {
    /// Which.
    pub path: String,
    /// Whether the hash of a file's content is told. The daemon may have to read all of it.
    pub hash: bool,
}

/// What a client sends after [`FileReply::Ready`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileUpload {
    /// The next bytes, at most [`FILE_PIECE_BYTES`].
    Bytes(#[serde(with = "crate::bytes")] Vec<u8>),
    /// That was all.
    End,
}

impl Message for FileUpload {
    const CAP: usize = FILE_PIECE_BYTES + 64;
}

/// An answer about replicated files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileReply {
    /// Streamed: now send the bytes.
    Ready,
    /// Final: the bytes are on as many disks as they have to be.
    Written {
        /// The file's bytes now.
        length: u64,
        /// How often its content has changed.
        generation: u64,
    },
    /// Streamed: the bytes follow.
    Length {
        /// How many.
        length: u64,
        /// Whether they are the newest; else as some keeper had them at some time.
        is_newest: bool,
    },
    /// Streamed: the next bytes.
    Bytes(#[serde(with = "crate::bytes")] Vec<u8>),
    /// Streamed: how far a long request is.
    Progress(FileProgress),
    /// Streamed: a part of a directory, at most [`FILE_ENTRIES_PER_REPLY`], ordered by name.
    Entries(Vec<FileEntry>),
    /// Final: that was the directory.
    Listed {
        /// Whether it is the newest; else as some keeper had it at some time.
        is_newest: bool,
    },
    /// Final: the file or directory.
    Stat(Box<FileStat>),
    /// Streamed: a part of what lies here, at most [`FILE_ENTRIES_PER_REPLY`].
    Stored(Vec<StoredExtent>),
    /// Final: all copies are equal.
    Merged(FileMerged),
    /// Streamed: files that lack copies, at most [`FILE_ENTRIES_PER_REPLY`].
    Lacking(Vec<FileLacking>),
    /// Final: all files were looked at.
    Checked(FilesChecked),
    /// Final: the state of this machine's part.
    Status(Box<FilesReport>),
    /// Final: the least token of a file.
    Token {
        /// The token.
        least: u64,
    },
}

/// How far a long request is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProgress {
    /// Bytes, or with a check files, that are done.
    pub done: u64,
    /// How many there are in all, if it is known.
    pub total: Option<u64>,
}

/// What has a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A file.
    #[default]
    File,
    /// A directory, or a share.
    Directory,
}

/// A file or directory in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the directory.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Its bytes; of a directory, how many entries it has.
    pub length: u64,
    /// When it was changed, in milliseconds since the Unix epoch, by a clock of its share.
    pub modified: u64,
    /// Its permission bits.
    pub mode: u16,
    /// The copies, if they were asked for and it is a file.
    pub copies: Option<FileCopies>,
    /// Why nothing more is known of it, such as a share that is closed.
    pub problem: Option<String>,
}

/// The copies of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCopies {
    /// How many copies there are of the part with the fewest.
    pub copies: u64,
    /// How many there are to be.
    pub wanted: u64,
    /// The names of the members that have them.
    pub members: Vec<String>,
}

/// All about a file or directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStat {
    /// The path, as the daemon writes it.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Its bytes; of a directory, those of all files below it.
    pub length: u64,
    /// When it was changed, as in [`FileEntry`].
    pub modified: u64,
    /// Its permission bits.
    pub mode: u16,
    /// How often a file's content has changed.
    pub generation: u64,
    /// The least token with which a file may be changed.
    pub token: u64,
    /// The extents of a file; none if its bytes lie in the catalog.
    pub extents: u64,
    /// The files below a directory.
    pub files: u64,
    /// The directories below a directory.
    pub directories: u64,
    /// blake3 of a file's content, in hexadecimal, if it was asked for.
    pub blake3: Option<String>,
    /// A file's copies.
    pub copies: Option<FileCopies>,
    /// Whether it is the newest; else as some keeper had it at some time.
    pub is_newest: bool,
}

/// An extent on this machine's disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredExtent {
    /// Its id, in hexadecimal, which is its file's name too.
    pub id: String,
    /// Its bytes.
    pub length: u64,
    /// Its share.
    pub share: String,
    /// The path of the file to which it belongs; none if that is not known, or it is garbage.
    pub path: Option<String>,
    /// The names of the members that hold it.
    pub members: Vec<String>,
    /// When it came, in milliseconds since the Unix epoch.
    pub created: u64,
    /// Whether it is damaged.
    pub damaged: bool,
}

/// What a merge found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMerged {
    /// The file's bytes.
    pub length: u64,
    /// How many equal copies each part of it has at least.
    pub copies: u64,
    /// How many copies were made again.
    pub repaired: u64,
    /// blake3 of the content, in hexadecimal.
    pub blake3: String,
}

/// A file with fewer copies than it wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLacking {
    /// The file, or a share of which nothing is known.
    pub path: String,
    /// Its copies; none if nothing is known.
    pub copies: Option<FileCopies>,
    /// What is wrong, if it is not only that copies lack.
    pub problem: Option<String>,
}

/// What a check looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesChecked {
    /// Shares.
    pub shares: u64,
    /// Files in them.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that lack copies, and shares of which nothing is known.
    pub lacking: u64,
}

/// The state of a machine's part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesReport {
    /// The bytes that are in use on its disk.
    pub used: u64,
    /// The bytes that may be.
    pub space: u64,
    /// How full it is: `plenty`, `crowded` or `full`.
    pub room: String,
    /// What is wrong with the storage, if it takes nothing any more.
    pub failed: Option<String>,
    /// The extents on its disk.
    pub extents: u64,
    /// Repairs that run here.
    pub repairs: u64,
    /// Repairs that wait here.
    pub waiting: u64,
    /// Requests of clients that are under way.
    pub operations: u64,
    /// The shares of the group.
    pub shares: Vec<ShareReport>,
}

/// A share, as a machine sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareReport {
    /// Its name.
    pub name: String,
    /// The names of its keepers.
    pub keepers: Vec<String>,
    /// What this machine is to it, such as `primary`; empty if it is no keeper.
    pub role: String,
    /// The number of the last change that is applied here, if it is a keeper.
    pub applied: Option<u64>,
}
