//! The catalog of one share: names, files and their extents. [`Catalog`] owns them all, and changes
//! by the entries of its log alone, so the same log makes the same catalog everywhere.

mod answer;
mod apply;
mod entry;
mod image;
mod inode;
mod mutation;
mod operations;
mod query;
#[cfg(test)]
mod tests;
mod tree;

pub use answer::{Answer, Done, Refusal};
pub use entry::{Ballot, Entry, Position};
pub use image::ImageError;
pub use inode::{Attributes, Tail, Totals};
pub use mutation::{
    Append, Appended, AttributeChange, Mutation, Put, PutIf, RenameHow, Truncate, Version,
};
pub use query::{Contents, Found, Listed, Listing, Query, Status, StatusKind, Usage};

use crate::ids::{ExtentId, InodeId, OperationId};
use crate::path::ShareName;
use inode::{Inode, Node};
use operations::Operations;
use std::collections::BTreeMap;

/// The share itself.
const ROOT: InodeId = InodeId(1);

/// All names of one share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    share: ShareName,
    /// The last entry that was applied.
    applied: Position,
    /// The time of that entry.
    time_ms: u64,
    next_inode: u64,
    quota: Quota,
    inodes: BTreeMap<InodeId, Inode>,
    /// To which file each extent belongs, tails among them.
    owners: BTreeMap<ExtentId, InodeId>,
    operations: Operations,
}

/// How much a share may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Quota {
    /// Bytes of content, each counted once.
    pub bytes: Option<u64>,
    /// Files and directories.
    pub names: Option<u64>,
}

impl Catalog {
    /// The most files and directories of a share.
    pub const MAX_NAMES: u64 = 1_000_000;
    /// The most entries of a directory.
    pub const MAX_ENTRIES: usize = 100_000;
    /// The most bytes of content that lie in a catalog.
    pub const MAX_INLINE_BYTES: u64 = 32 << 20;
    /// The greatest age of an upload when it is published, in seconds. Holders keep extents that no
    /// catalog knows for twice as long, so neither overtakes the other.
    pub const MAX_AGE_S: u32 = 30 * 60;

    /// A catalog without names.
    #[must_use]
    pub fn new(share: ShareName) -> Catalog {
        Catalog {
            share,
            applied: Position::START,
            time_ms: 0,
            next_inode: ROOT.0 + 1,
            quota: Quota::default(),
            inodes: BTreeMap::from([(ROOT, tree::root())]),
            owners: BTreeMap::new(),
            operations: Operations::default(),
        }
    }

    /// Whose names it has.
    #[must_use]
    pub fn share(&self) -> &ShareName {
        &self.share
    }

    /// The last entry that was applied.
    #[must_use]
    pub fn applied(&self) -> Position {
        self.applied
    }

    /// The time of that entry, in milliseconds of the catalog's own time.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// What the operation of this id led to, if it is remembered.
    #[must_use]
    pub fn operation(&self, id: OperationId) -> Option<Answer> {
        self.operations.get(id)
    }

    /// Whether no more operations are taken at this time, because so many must be remembered.
    #[must_use]
    pub fn is_busy(&self, time_ms: u64) -> bool {
        self.operations.is_full(time_ms)
    }

    /// Applies the next entry. An operation that is remembered changes nothing, and gets the answer
    /// that it got.
    pub fn apply(&mut self, entry: &Entry) -> Answer {
        debug_assert_eq!(entry.position.index, self.applied.index + 1, "entries have an order");
        self.applied = entry.position;
        self.time_ms = self.time_ms.max(entry.time_ms);
        if let Some(answer) = self.operations.get(entry.operation) {
            return answer;
        }
        let answer = Answer::from(self.mutate(entry));
        self.operations.remember(self.time_ms, entry.operation, answer);
        answer
    }

    /// The sums over the whole share, without the share itself.
    #[must_use]
    pub fn totals(&self) -> Totals {
        match self.inodes.get(&ROOT).map(|root| &root.node) {
            Some(Node::Directory(root)) => root.totals,
            Some(Node::File(_)) | None => Totals::default(),
        }
    }
}
