//! The jobs of a member at its store, and how those of a holder are said to it: [`Jobs`]. Owns for
//! whom each job is.

use super::operation::ClientId;
use crate::content::HolderSet;
use crate::disk::{ExtentDone, ExtentFault, ExtentJob};
use crate::ids::InodeId;
use crate::path::ShareName;
use crate::store::{Done, ExtentFacts, Job, JobId, Refused};
use memberd_membership::Name;
use std::collections::BTreeMap;

/// For whom a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JobFor {
    /// The holder, under this number.
    Holder(u64),
    /// The keeper of this share, under this number.
    Share(ShareName, u64),
    /// A client that asks what lies here.
    Stored(ClientId),
}

/// The jobs under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Jobs {
    next: u64,
    open: BTreeMap<JobId, JobFor>,
}

impl Jobs {
    pub(super) fn begin(&mut self, whose: JobFor) -> JobId {
        self.next += 1;
        let id = JobId(self.next);
        self.open.insert(id, whose);
        id
    }

    pub(super) fn end(&mut self, id: JobId) -> Option<JobFor> {
        self.open.remove(&id)
    }
}

/// A holder's job for the store. `set` is what is known of the extent's holders; nothing: the
/// store notes version 0, until they are told.
pub(super) fn job(
    job: ExtentJob,
    set: Option<HolderSet>,
    own: &Name,
    (created_ms, hint): (u64, String),
) -> Job {
    match job {
        ExtentJob::Piece { extent, offset, bytes } => {
            Job::Piece { id: extent, offset, bytes: bytes.to_vec() }
        }
        ExtentJob::DropPieces { extent } => Job::DropPieces { id: extent },
        ExtentJob::Seal { extent, share, expect } => {
            let unknown = || HolderSet { version: 0, members: vec![own.clone()] };
            let set = set.unwrap_or_else(unknown);
            let facts = ExtentFacts { share, inode: InodeId(0), set, created_ms, hint };
            Job::Seal { id: extent, facts, expect }
        }
        ExtentJob::Set { extent, set } => Job::Set { id: extent, set },
        ExtentJob::Drop { extent } => Job::Drop { id: extent },
        ExtentJob::Read { extent, offset, bytes } => {
            Job::Read { id: extent, offset, bytes: bytes as usize }
        }
        ExtentJob::ReadPieces { extent, offset, bytes } => {
            Job::ReadPieces { id: extent, offset, bytes: bytes as usize }
        }
    }
}

/// What the store says, for a holder.
pub(super) fn result(result: Result<Done, Refused>) -> Result<ExtentDone, ExtentFault> {
    match result {
        Ok(Done::Sealed { length, root }) => Ok(ExtentDone::Sealed { length, root }),
        Ok(Done::Bytes(bytes)) => Ok(ExtentDone::Bytes(bytes.into())),
        Ok(_) => Ok(ExtentDone::Done),
        Err(Refused::Failed(_)) => Err(ExtentFault::Failed),
        Err(Refused::Full | Refused::TooMany) => Err(ExtentFault::Full),
        Err(Refused::Misplaced { expected }) => Err(ExtentFault::Misplaced(expected)),
        Err(Refused::Bad(_)) => Err(ExtentFault::Bad),
        Err(Refused::Mismatch { .. }) => Err(ExtentFault::Mismatch),
        Err(Refused::Outdated | Refused::Unknown | Refused::Invalid) => Err(ExtentFault::Unknown),
    }
}
