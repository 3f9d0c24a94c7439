//! What the store is asked for, and what it answers.

use crate::content::HolderSet;
use crate::ids::{Epoch, ExtentId, InodeId};
use crate::path::ShareName;
use memberd_membership::Name;

/// Which job an answer belongs to. Whoever asks chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What is asked of the store. What changes something is answered after the next commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Keeps an epoch, which never goes back, and up to [`Job::MAX_MEMO`] bytes beside it.
    Promise {
        /// Of which catalog.
        share: ShareName,
        /// The promised epoch.
        epoch: Epoch,
        /// What the keeper wants to know again after a restart.
        memo: Vec<u8>,
    },
    /// Adds entries to the log of a catalog: at its end, or anywhere if it is empty.
    Append {
        /// Of which catalog.
        share: ShareName,
        /// The index of the first of them. The first index is 1.
        first: u64,
        /// The entries, of at most [`Job::MAX_BYTES`] in all.
        entries: Vec<Vec<u8>>,
    },
    /// Drops the entries from an index on.
    Cut {
        /// Of which catalog.
        share: ShareName,
        /// The first index that is dropped.
        from: u64,
    },
    /// Adds to the next image of a catalog. At offset 0 it begins anew.
    ImagePiece {
        /// Of which catalog.
        share: ShareName,
        /// Where it belongs, in bytes.
        offset: u64,
        /// At most [`Job::MAX_BYTES`].
        bytes: Vec<u8>,
    },
    /// Makes the pieces the image of a catalog. Entries up to its index may go.
    ImageCommit {
        /// Of which catalog.
        share: ShareName,
        /// What it must be.
        head: ImageHead,
    },
    /// Reads entries of a log.
    ReadLog {
        /// Of which catalog.
        share: ShareName,
        /// From which index on.
        from: u64,
        /// At least one entry comes, others while they fit.
        max_bytes: usize,
    },
    /// Reads a part of the image.
    ReadImage {
        /// Of which catalog.
        share: ShareName,
        /// From where.
        offset: u64,
        /// How many bytes, at most.
        bytes: usize,
    },
    /// Drops all of a catalog.
    DropShare {
        /// Which.
        share: ShareName,
    },
    /// Adds to an upload. It begins at offset 0. It does not survive a restart.
    Piece {
        /// Of which extent.
        id: ExtentId,
        /// Where it belongs, in bytes.
        offset: u64,
        /// At most [`Job::MAX_BYTES`].
        bytes: Vec<u8>,
    },
    /// Drops an upload. There may be none.
    DropPieces {
        /// Of which extent.
        id: ExtentId,
    },
    /// Reads of an upload what came so far.
    ReadPieces {
        /// Of which extent.
        id: ExtentId,
        /// From where.
        offset: u64,
        /// How many bytes, at most.
        bytes: usize,
    },
    /// Ends an upload: it becomes a durable extent.
    Seal {
        /// Which.
        id: ExtentId,
        /// What is kept beside it.
        facts: ExtentFacts,
        /// Its length and blake3, if known.
        expect: Option<(u64, [u8; 32])>,
    },
    /// Records another set of holders, of a later version.
    Set {
        /// Of which extent.
        id: ExtentId,
        /// Them.
        set: HolderSet,
    },
    /// Drops an extent. It may be gone already.
    Drop {
        /// Which.
        id: ExtentId,
    },
    /// Reads a part of an extent, and verifies it.
    Read {
        /// Of which extent.
        id: ExtentId,
        /// From where.
        offset: u64,
        /// How many bytes, at most.
        bytes: usize,
    },
    /// Reads what is kept beside an extent.
    Head {
        /// Of which extent.
        id: ExtentId,
    },
    /// Lists extents in the order of their ids.
    List {
        /// Only those that this member holds too.
        with: Option<Name>,
        /// After which id.
        after: Option<ExtentId>,
        /// How many, at most.
        limit: usize,
    },
}

impl Job {
    /// The most bytes that one job carries.
    pub const MAX_BYTES: usize = 1 << 20;
    /// The most bytes of a memo.
    pub const MAX_MEMO: usize = 4096;
}

/// The answer to a job that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is durable.
    Durable,
    /// A piece is taken. It is not durable.
    Taken,
    /// An extent is durable.
    Sealed {
        /// Its bytes.
        length: u64,
        /// blake3 of them.
        root: [u8; 32],
    },
    /// Entries of a log: none if it ends before.
    Entries {
        /// The index of the first.
        first: u64,
        /// Them.
        entries: Vec<Vec<u8>>,
    },
    /// Bytes: fewer than asked at the end.
    Bytes(Vec<u8>),
    /// What is kept beside an extent.
    Head(Box<ExtentHead>),
    /// Extents: fewer than asked at the end.
    Extents(Vec<ListedExtent>),
}

/// Why a job was not done. Nothing of it is kept then, except after `Failed`: it is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The disk failed, now or before. Another member must do it.
    #[error("the storage failed: {0}; look after the disk, then restart memberd")]
    Failed(String),
    /// There is no room for it.
    #[error("the disk is full")]
    Full,
    /// It belongs elsewhere.
    #[error("it must go on at {expected}")]
    Misplaced {
        /// The next index or byte.
        expected: u64,
    },
    /// A later epoch or version is recorded.
    #[error("it is older than what is recorded")]
    Outdated,
    /// There is no such extent, upload, image or catalog.
    #[error("it is not here")]
    Unknown,
    /// What is here is damaged. Another member may have it whole.
    #[error("it is damaged: {0}")]
    Bad(String),
    /// What came is not what was expected.
    #[error("what came has {length} bytes and another hash or length than expected")]
    Mismatch {
        /// Its bytes.
        length: u64,
        /// blake3 of them.
        root: [u8; 32],
    },
    /// Too many uploads or catalogs are open.
    #[error("too many are open")]
    TooMany,
    /// It breaks a bound of [`Job`].
    #[error("it is too long, or empty")]
    Invalid,
}

/// What is kept beside an extent, apart from what follows from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtentFacts {
    /// Whose it is.
    pub share: ShareName,
    /// The file that it was written for.
    pub inode: InodeId,
    /// Its holders.
    pub set: HolderSet,
    /// When it came, by this machine's clock, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// For people who look for bytes by hand: the path when it was written. At most 4 KiB.
    pub hint: String,
}

/// All that is kept beside an extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtentHead {
    /// What was said of it.
    pub facts: ExtentFacts,
    /// Its bytes.
    pub length: u64,
    /// blake3 of them.
    pub root: [u8; 32],
    /// blake3 of each 64 KiB of them.
    pub groups: Vec<[u8; 32]>,
}

/// An extent in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedExtent {
    /// Which.
    pub id: ExtentId,
    /// Its bytes.
    pub length: u64,
    /// Whose it is.
    pub share: ShareName,
    /// Its holders.
    pub set: HolderSet,
    /// When it came, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// Whether it is damaged here, as far as it is known.
    pub is_bad: bool,
}

/// The image of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageHead {
    /// The last entry that is in it.
    pub applied: u64,
    /// The epoch in which it was made.
    pub epoch: Epoch,
    /// Its bytes.
    pub length: u64,
    /// blake3 of them.
    pub root: [u8; 32],
}

/// What is here of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareStanding {
    /// Which.
    pub share: ShareName,
    /// The promised epoch.
    pub epoch: Epoch,
    /// What was kept beside it.
    pub memo: Vec<u8>,
    /// The image, if there is one.
    pub image: Option<ImageHead>,
    /// The first index of the log.
    pub first: u64,
    /// The index after its last one.
    pub end: u64,
    /// What is wrong with it: then only [`Job::DropShare`] is done.
    pub damaged: Option<String>,
}
