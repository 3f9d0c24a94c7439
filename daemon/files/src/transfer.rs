//! What coordinators, holders and repairers say to each other about extents. Owns no state.

mod wire;

pub use wire::TransferError;

use crate::content::HolderSet;
use crate::forms;
use crate::ids::ExtentId;
use crate::path::ShareName;
use memberd_membership::Name;
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

/// Bytes of an extent on their way. They go to several members, and are copied for none.
pub type Piece = Arc<[u8]>;

/// A message about extents. Whoever sent it is known from the connection. Each may be lost or come
/// twice; those that wait for an answer send it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transfer {
    /// An upload begins, or goes on after a change: to a new holder.
    Begin {
        /// Which.
        extent: ExtentId,
        /// In which share it will be.
        share: ShareName,
        /// To whom the holder hands on each piece: the next of a chain.
        #[serde(with = "wire::next")]
        next: Option<Name>,
        /// From whom it first takes what the coordinator no longer has.
        copy: Option<CopyOrder>,
        /// The path and the place, for people who look for bytes by hand: at most
        /// [`Transfer::MAX_HINT`] bytes.
        #[serde(deserialize_with = "wire::hint")]
        hint: Arc<str>,
    },
    /// Bytes of an upload. What is not next in order is left out.
    Piece {
        /// Which.
        extent: ExtentId,
        /// Their place.
        offset: u64,
        /// They.
        #[serde(with = "wire::piece")]
        bytes: Piece,
    },
    /// The upload has this many bytes: make it durable.
    Finish {
        /// Which.
        extent: ExtentId,
        /// All its bytes.
        length: u64,
    },
    /// Nobody will publish it.
    Abandon {
        /// Which.
        extent: ExtentId,
    },
    /// Fetch a sealed extent from one of its holders.
    Pull(PullOrder),
    /// These members are recorded now.
    SetIs {
        /// Of which extent.
        extent: ExtentId,
        /// They.
        set: HolderSet,
    },
    /// Bytes, please.
    Read(ReadOrder),
    /// Which of these extents are not here with this length?
    Verify {
        /// The number of the question.
        request: u64,
        /// At most [`Transfer::MAX_VERIFY`].
        #[serde(deserialize_with = "verified")]
        extents: Vec<(ExtentId, u64)>,
    },
    /// To the coordinator: the holder has all bytes of an upload up to here.
    Got {
        /// Which.
        extent: ExtentId,
        /// How many.
        upto: u64,
    },
    /// To who asked: the extent is durable here.
    Sealed {
        /// Which.
        extent: ExtentId,
        /// Its bytes.
        length: u64,
        /// blake3 of them.
        #[serde(with = "forms::hash")]
        root: [u8; 32],
    },
    /// To who asked: the holder does not take this extent.
    Refused {
        /// Which.
        extent: ExtentId,
        /// Why.
        why: RefusalReason,
    },
    /// The answer to a read.
    Data {
        /// The question.
        request: u64,
        /// The bytes asked for; fewer only at the end. Nothing if the holder cannot say them.
        #[serde(with = "wire::read")]
        bytes: Result<Piece, ReadError>,
    },
    /// The answer to [`Transfer::Verify`].
    Lacks {
        /// The question.
        request: u64,
        /// Those that are not here.
        #[serde(deserialize_with = "verified")]
        extents: Vec<ExtentId>,
    },
}

impl Transfer {
    /// The most bytes of a hint.
    pub const MAX_HINT: usize = 4_096;
    /// The most extents of one [`Transfer::Verify`].
    pub const MAX_VERIFY: usize = 1_000;
}

fn verified<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    forms::bounded::<_, _, { Transfer::MAX_VERIFY }>(from)
}

/// From whom a new holder of an upload takes the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyOrder {
    /// A holder that has it.
    pub from: Name,
    /// The bytes to take. The coordinator sends what follows.
    pub upto: u64,
}

/// What a member is to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullOrder {
    /// Which.
    pub extent: ExtentId,
    /// Of which share.
    pub share: ShareName,
    /// Its bytes.
    pub length: u64,
    /// blake3 of them.
    #[serde(with = "forms::hash")]
    pub root: [u8; 32],
    /// Who holds it.
    #[serde(with = "forms::names")]
    pub from: Vec<Name>,
    /// Whether only one copy is left: it goes at four times the rate.
    pub urgent: bool,
}

/// A read of one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOrder {
    /// The number of the question, which its answer names.
    pub request: u64,
    /// Of which extent.
    pub extent: ExtentId,
    /// From where.
    pub offset: u64,
    /// At most [`crate::PIECE_BYTES`].
    pub bytes: u32,
    /// For whom.
    pub purpose: ReadPurpose,
}

/// For whom a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadPurpose {
    /// A client waits.
    Client,
    /// An upload goes on: read also what is not sealed.
    Upload,
    /// Repair: it waits for its turn.
    Repair {
        /// Whether only one copy is left.
        urgent: bool,
    },
}

/// Why a holder takes no extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum RefusalReason {
    /// Its space is used to 95 %.
    #[error("its space is used up")]
    Full,
    /// Its disk has failed.
    #[error("its storage has failed")]
    Failed,
    /// It knows nothing of the upload: it has restarted.
    #[error("it has restarted")]
    Unknown,
    /// It takes as many as it can.
    #[error("it is busy")]
    Busy,
    /// What came is not what was announced.
    #[error("its bytes differ")]
    Mismatch,
}

/// Why a holder does not say bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ReadError {
    /// It does not have them.
    #[error("it has no copy")]
    Unknown,
    /// They are not those that were written. It repairs its copy.
    #[error("its copy is damaged")]
    Bad,
    /// Its disk has failed, or too many wait.
    #[error("it cannot read now")]
    Busy,
}
