//! What a client asks of a member, and what it gets. Plain values.

use crate::catalog::{Done, Found, Mutation, PutIf, Query, Refusal, Version};
use crate::ids::{Generation, OperationId, Token};
use crate::path::{FilePath, ShareName};
use crate::store::ListedExtent;
use memberd_membership::Name;

/// One operation of a client under way. The owner draws it, and never twice while the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// An operation of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A question to the catalog of a share: [`Outcome::Found`].
    Ask {
        /// Of which share.
        share: ShareName,
        /// What.
        query: Query,
        /// Whether any keeper's state will do, when no primary answers: the answer says so.
        stale: bool,
    },
    /// A change of a catalog that needs no upload: [`Outcome::Changed`].
    Change {
        /// Of which share.
        share: ShareName,
        /// Under the same id it happens once, however often it is asked.
        operation: OperationId,
        /// What.
        mutation: Mutation,
    },
    /// A file's new content, or an append of any size, all or nothing: [`Outcome::Changed`]. The
    /// bytes follow by [`Member::push`](super::Member) and [`Member::end`](super::Member).
    Write(Write),
    /// A file's bytes: [`MemberOutput::Length`](super::MemberOutput::Length), then the bytes, then
    /// [`Outcome::Read`].
    Read {
        /// The file.
        path: FilePath,
        /// From which byte on.
        offset: u64,
        /// How many, at most; nothing: to the end.
        limit: Option<u64>,
    },
    /// All copies of a file are compared, and made again where they differ: [`Outcome::Merged`].
    Merge {
        /// The file.
        path: FilePath,
    },
    /// What lies on this member's disk: [`Outcome::Stored`].
    Stored(StoredPage),
}

/// Bytes that are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The file.
    pub path: FilePath,
    /// Under the same id it happens once.
    pub operation: OperationId,
    /// The writer's token.
    pub token: Token,
    /// Where the bytes go.
    pub to: WriteTo,
}

/// Where written bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteTo {
    /// They become the content.
    Put {
        /// When.
        condition: PutIf,
        /// How many copies the file wants: 1 to 5.
        copies: u8,
        /// The permission bits of a new file.
        mode: u16,
        /// Whether missing directories above it are made.
        parents: bool,
    },
    /// They go to the end.
    Append {
        /// Only if it is this file, and its content has not changed.
        only: Option<Version>,
        /// Only if the file has this length before, in bytes.
        length: Option<u64>,
    },
}

/// A page of what lies on a member's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPage {
    /// After which extent.
    pub after: Option<crate::ids::ExtentId>,
    /// How many, at most.
    pub limit: usize,
}

/// What an operation led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What a question found.
    Found {
        /// It.
        found: Found,
        /// Whether it is the newest; else it is as some keeper had it at some time.
        is_newest: bool,
    },
    /// The file or directory as the change left it.
    Changed(Done),
    /// All bytes were handed over.
    Read {
        /// Of which content.
        generation: Generation,
        /// Whether it was the newest when the read began.
        is_newest: bool,
    },
    /// All copies are equal now.
    Merged {
        /// The file's bytes.
        length: u64,
        /// The least number of equal copies that each of its extents has.
        copies: usize,
        /// The copies that were made again.
        repaired: usize,
    },
    /// Extents here.
    Stored(Vec<ListedExtent>),
}

/// Why an operation did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The catalog does not want it.
    #[error("{0}")]
    Refused(Refusal),
    /// No view has come since the start: the members do not agree, or this one is none of them.
    #[error("this member has no agreed view yet: look at `memberctl view`, then try again")]
    NoView,
    /// Nobody has made the share.
    #[error("there is no share /{0}: make it with `memberctl file mkdir /{0}`")]
    NoShare(ShareName),
    /// No keeper of the share answers.
    #[error("the share /{share} is closed: none of its keepers answers ({keepers:?})")]
    Closed {
        /// Which.
        share: ShareName,
        /// Who keeps it.
        keepers: Vec<Name>,
    },
    /// It may have happened.
    #[error("no answer in time: it may have happened, so look before you try again")]
    Ambiguous,
    /// There are too few members with room. Nothing happened.
    #[error("fewer than {0} members can take it now: try again, or make room")]
    TooFew(usize),
    /// Nothing happened.
    #[error("the members were too slow: try again")]
    TooSlow,
    /// The file went away or changed while it was read.
    #[error("the file was replaced while it was read: read it again")]
    Changed,
    /// No copy could be read.
    #[error("no copy can be read from byte {0} on: try again")]
    Unreadable(u64),
    /// As many operations are under way as may be. Nothing happened.
    #[error("too many operations are under way here: try again")]
    Busy,
    /// It exceeds a bound. Nothing happened.
    #[error("it exceeds a bound of files")]
    OutOfBounds,
    /// The disk of this member has failed.
    #[error("the storage of this member has failed: look after the disk, then restart memberd")]
    StorageFailed,
}
