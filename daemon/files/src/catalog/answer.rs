//! What an operation led to: [`Answer`]. It is remembered, so it is short.

use crate::ids::{Generation, InodeId, Token};
use serde::{Deserialize, Serialize};

/// What an operation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It happened.
    Done(Done),
    /// Nothing happened, and never will under its operation id.
    Refused(Refusal),
}

/// The file or directory as the operation left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Which.
    pub inode: InodeId,
    /// Its content's generation; 0 of a directory.
    pub generation: Generation,
    /// Its bytes; 0 of a directory.
    pub length: u64,
}

/// Why an operation did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Nothing has the name.
    #[error("no such file or directory")]
    NotFound,
    /// The directory in which it would lie is missing.
    #[error("the directory above it does not exist: make it first")]
    NoParent,
    /// A file stands where a directory is needed.
    #[error("a file stands where a directory is needed")]
    NotDirectory,
    /// It is a directory, and a file is needed.
    #[error("is a directory")]
    IsDirectory,
    /// Something has the name.
    #[error("exists already")]
    Exists,
    /// A directory has something in it.
    #[error("the directory is not empty")]
    NotEmpty,
    /// The file is another, or its content has changed.
    #[error("the file has changed: it has generation {}", .0.0)]
    Changed(Generation),
    /// The file has another length.
    #[error("the file has {0} bytes")]
    LengthIs(u64),
    /// The file was fenced with a larger token.
    #[error("fenced: the least token is {}", .0.0)]
    Fenced(Token),
    /// The bytes do not fit in the catalog: they need an extent.
    #[error("needs an extent: the file's bytes do not lie in the catalog, or would be too many")]
    NeedsExtent,
    /// The file has a tail: seal it first.
    #[error("the file has an open tail: seal it first")]
    TailOpen,
    /// The file has no such tail.
    #[error("the file has no such tail")]
    NoTail,
    /// A directory cannot go into itself.
    #[error("a directory cannot go into itself")]
    IntoItself,
    /// Names of two shares, or not of this one.
    #[error("not within this share")]
    OtherShare,
    /// The share itself cannot be removed or renamed so.
    #[error("this is the share itself")]
    IsShare,
    /// The share's quota of bytes is used up.
    #[error("the share's quota of {0} bytes is used up")]
    QuotaBytes(u64),
    /// The share's quota of names is used up.
    #[error("the share's quota of {0} names is used up")]
    QuotaNames(u64),
    /// A directory has as many entries as it may.
    #[error("the directory has as many entries as it may: 100,000")]
    DirectoryFull,
    /// A file has as many extents as it may.
    #[error("the file has as many extents as it may: 65,536")]
    TooManyExtents,
    /// A file has as many bytes as it may.
    #[error("the file has as many bytes as it may: 1 TiB")]
    TooLong,
    /// The catalog holds as many bytes of contents as it may: use an extent.
    #[error("the catalog holds as many bytes of small files as it may: use an extent")]
    InlineFull,
    /// The upload took too long, and its extents may be garbage.
    #[error("the upload took longer than 30 minutes: begin it anew")]
    TooOld,
    /// An extent belongs to a file already.
    #[error("an extent of it belongs to a file already")]
    ExtentKnown,
    /// No file has this extent.
    #[error("no file has this extent")]
    ExtentUnknown,
    /// The set has another version.
    #[error("the set has version {0}")]
    SetIs(u64),
    /// The extents are not what the mutation needs.
    #[error("the extents do not have the length that the file needs")]
    Misfit,
}

impl Answer {
    /// What happened.
    ///
    /// # Errors
    /// When nothing did.
    pub fn result(self) -> Result<Done, Refusal> {
        match self {
            Answer::Done(done) => Ok(done),
            Answer::Refused(refusal) => Err(refusal),
        }
    }
}

impl From<Result<Done, Refusal>> for Answer {
    fn from(result: Result<Done, Refusal>) -> Answer {
        result.map_or_else(Answer::Refused, Answer::Done)
    }
}
