//! What a keeper hands to its owner: [`Output`]. Plain values.

use crate::catalog::{Answer, Found};
use crate::keeper::message::Message;
use crate::keeper::record::Record;
use memberd_membership::Name;
use serde::{Deserialize, Serialize};

/// A request of the owner. The reply bears the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A write. [`crate::Keeper::handle_written`] says that it, and all before it, is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DiskId(pub u64);

/// What the owner is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this. It may be lost.
    Send {
        /// To whom.
        to: Name,
        /// What.
        message: Message,
    },
    /// Write these records in their order, durably.
    Write {
        /// Which write.
        id: DiskId,
        /// What.
        records: Vec<Record>,
    },
    /// This keeper has the whole catalog on disk. Said by the primary, of each and of itself.
    Whole(Name),
    /// This keeper has not the whole catalog, although the view says so: it lost its disk. Said
    /// again as long as it is so.
    Lost(Name),
    /// The answer to a request.
    Reply {
        /// Which request.
        request: RequestId,
        /// What.
        reply: Reply,
    },
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// All keepers have the mutation on disk, and this is what it led to.
    Answer {
        /// It.
        answer: Answer,
        /// Up to which entry the catalog was applied then.
        index: u64,
    },
    /// What a query found.
    Found {
        /// It.
        found: Found,
        /// Up to which entry the catalog was applied.
        index: u64,
        /// Whether it was the newest; else it is as some keeper had it at some time.
        is_newest: bool,
    },
    /// This keeper is not primary, or not yet.
    NotPrimary {
        /// Who may be.
        // With this, the field cannot be left out.
        #[serde(deserialize_with = "Option::deserialize")]
        primary: Option<Name>,
    },
    /// The mutation may happen, have happened, or not: ask again under the same operation id.
    Unknown,
    /// Nothing happened here, since too much waits. Try again under the same operation id.
    Busy,
    /// Nothing happened here: the view is newer than the one by which the holders of its extents
    /// were chosen.
    OldEpoch,
    /// Nothing happened here: an extent has too few copies, or on members that are in no view.
    TooFewCopies,
    /// The mutation exceeds a bound: nothing will happen.
    OutOfBounds,
}

/// How a keeper stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeeperStatus {
    /// What it does.
    pub role: KeeperRole,
    /// Whom it takes for primary.
    pub primary: Option<Name>,
    /// Up to which entry its catalog was applied; nothing: it has no whole catalog.
    pub applied: Option<u64>,
    /// The end of its log.
    pub end: u64,
    /// Keepers that are not known to be whole, as the primary sees it.
    pub filling: Vec<Name>,
}

/// What a keeper does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeeperRole {
    /// It is no keeper in the newest view.
    Former,
    /// No primary has claimed yet.
    Waiting,
    /// It claims.
    Claiming,
    /// It claims, but nobody has the whole catalog: the share is closed until somebody comes back.
    Closed,
    /// It is primary.
    Primary,
    /// It follows a primary.
    Backup,
    /// Its disk has failed: it does nothing more.
    Failed,
}
