//! What a member hands to its owner: [`MemberOutput`], and what members say to each other:
//! [`FilesMessage`]. Plain values.

use super::operation::{ClientError, ClientId, Outcome};
use crate::catalog::{Done, Mutation, Query};
use crate::ids::{Epoch, ExtentId, OperationId};
use crate::keeper::{Message, Reply};
use crate::path::ShareName;
use crate::store::{Job, JobId};
use crate::transfer::{Piece, Transfer};
use memberd_membership::Name;
use serde::{Deserialize, Serialize};

/// What the owner is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberOutput {
    /// Send this. It may be lost. Messages to this member itself do not come out.
    Send {
        /// To whom.
        to: Name,
        /// What.
        message: FilesMessage,
    },
    /// Have the store do this, and hand in what it says. Jobs are done in their order.
    Job {
        /// Which.
        id: JobId,
        /// What.
        job: Job,
    },
    /// A read has found its file: this many bytes follow.
    Length {
        /// Of whom.
        client: ClientId,
        /// The file, with all its bytes, as it is read.
        file: Done,
        /// Bytes.
        length: u64,
        /// Whether the file is the newest; else it is as some keeper had it at some time.
        is_newest: bool,
    },
    /// The next bytes of a read. Call [`Member::taken`](super::Member::taken) once they are on
    /// their way: at most four pieces come before that.
    Data {
        /// Of whom.
        client: ClientId,
        /// They.
        bytes: Piece,
    },
    /// The end of an operation.
    Done {
        /// Of whom.
        client: ClientId,
        /// What it led to.
        result: Result<Outcome, ClientError>,
    },
    /// This keeper is whole: propose that to the council until a view says so. Said once in a
    /// reign. It holds for a keeper that the newest view has since `epoch` or an older view.
    Fill {
        /// Of which share.
        share: ShareName,
        /// Who.
        keeper: Name,
        /// In which view it is known.
        epoch: Epoch,
    },
    /// This keeper has lost its disk, or that has failed: propose that to the council until a view
    /// says so. Said again and again. It holds for a keeper that the newest view has since `epoch`
    /// or an older view.
    Lose {
        /// Of which share.
        share: ShareName,
        /// Who.
        keeper: Name,
        /// In which view it is known.
        epoch: Epoch,
    },
    /// Something to log.
    Note(MemberNote),
}

/// What people want to know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberNote {
    /// A copy here is damaged. It is fetched again.
    BadCopy(ExtentId),
    /// The disk has failed: nothing more is taken here.
    StorageFailed,
    /// What was kept of a share is damaged: this member begins anew as its keeper.
    BadCatalog(ShareName),
}

/// A message between members. Who sent it is known from its connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilesMessage {
    /// Between keepers.
    Keeper {
        /// Of which share.
        share: ShareName,
        /// What.
        message: Message,
    },
    /// About extents.
    Transfer(Transfer),
    /// To a keeper: do this.
    Propose {
        /// The asker's number.
        request: u64,
        /// Which share.
        share: ShareName,
        /// Under the same id it happens once.
        operation: OperationId,
        /// In which view it was made.
        epoch: Epoch,
        /// What.
        mutation: Mutation,
    },
    /// To a keeper: answer this.
    Ask {
        /// The asker's number.
        request: u64,
        /// Which share.
        share: ShareName,
        /// What.
        query: Query,
        /// Nothing: as primary. Else whoever has applied this.
        at_least: Option<u64>,
    },
    /// A keeper's answer.
    Reply {
        /// The asker's number.
        request: u64,
        /// Its view.
        epoch: Epoch,
        /// What.
        reply: Reply,
    },
}
