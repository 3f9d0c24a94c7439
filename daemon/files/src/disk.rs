//! What a holder asks of its disk. The store does it, and a simulated one in tests. Owns no state.

use crate::content::HolderSet;
use crate::ids::ExtentId;
use crate::path::ShareName;
use crate::transfer::Piece;

/// A job for the disk. Jobs of one extent are done in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtentJob {
    /// Append to an upload, and hash it while it passes.
    Piece {
        /// Which.
        extent: ExtentId,
        /// Where: the bytes that are there.
        offset: u64,
        /// What.
        bytes: Piece,
    },
    /// Forget an upload that was not sealed. Done also if there is none.
    DropPieces {
        /// Which.
        extent: ExtentId,
    },
    /// Make an upload durable, with its hashes.
    Seal {
        /// Which.
        extent: ExtentId,
        /// Of which share.
        share: ShareName,
        /// What it must be, if that is known.
        expect: Option<(u64, [u8; 32])>,
    },
    /// Note the recorded holders.
    Set {
        /// Of which extent.
        extent: ExtentId,
        /// They.
        set: HolderSet,
    },
    /// Remove a sealed extent. Done also if there is none.
    Drop {
        /// Which.
        extent: ExtentId,
    },
    /// Read, and verify each group.
    Read {
        /// Which.
        extent: ExtentId,
        /// From where.
        offset: u64,
        /// How much; less at the end.
        bytes: u32,
    },
    /// Read of an upload that is not sealed.
    ReadPieces {
        /// Which.
        extent: ExtentId,
        /// From where.
        offset: u64,
        /// How much; less at the end.
        bytes: u32,
    },
}

/// What the disk did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtentDone {
    /// It is done.
    Done,
    /// It is durable, and is this.
    Sealed {
        /// Its bytes.
        length: u64,
        /// blake3 of them.
        root: [u8; 32],
    },
    /// What was read.
    Bytes(Piece),
}

/// Why the disk did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExtentFault {
    /// The store is dead until the machine is looked after.
    #[error("the storage has failed")]
    Failed,
    /// There is no room.
    #[error("the space is used up")]
    Full,
    /// An upload has another number of bytes.
    #[error("the upload has {0} bytes")]
    Misplaced(u64),
    /// It is not there.
    #[error("it is not there")]
    Unknown,
    /// It is not what was written.
    #[error("it is damaged")]
    Bad,
    /// It is not what was announced. The upload is gone.
    #[error("it is not what was announced")]
    Mismatch,
}

/// A sealed extent that the disk has when the machine starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredExtent {
    /// Which.
    pub extent: ExtentId,
    /// Of which share.
    pub share: ShareName,
    /// Its bytes.
    pub length: u64,
    /// blake3 of them.
    pub root: [u8; 32],
    /// The recorded holders, once they were heard.
    pub set: Option<HolderSet>,
}
