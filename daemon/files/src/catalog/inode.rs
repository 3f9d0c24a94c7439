//! Files and directories: [`Inode`], and the sums of what is below a directory. Plain values.

use crate::content::{Content, HolderSet};
use crate::ids::{ExtentId, Generation, InodeId, Token};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inode {
    /// The directory in which it lies; of the share, itself.
    pub(crate) parent: InodeId,
    /// Its name there.
    pub(crate) name: Arc<str>,
    pub(crate) attributes: Attributes,
    pub(crate) node: Node,
}

/// What is shown of a file or directory, and decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Milliseconds since 1970, by the clock of the primary.
    pub modified_ms: u64,
    /// Milliseconds since 1970. Only a change of attributes sets it.
    pub accessed_ms: u64,
    /// Permission bits.
    pub mode: u16,
    /// The owner.
    pub owner: Option<Arc<str>>,
    /// The group.
    pub group: Option<Arc<str>>,
}

impl Attributes {
    pub(crate) fn new(wall_ms: u64, mode: u16) -> Attributes {
        Attributes { modified_ms: wall_ms, accessed_ms: wall_ms, mode, owner: None, group: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Directory(Directory),
    File(File),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Directory {
    pub(crate) entries: BTreeMap<Arc<str>, InodeId>,
    /// All below it, without itself.
    pub(crate) totals: Totals,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) content: Content,
    pub(crate) generation: Generation,
    pub(crate) token: Token,
    pub(crate) copies: u8,
    pub(crate) tail: Option<Tail>,
}

/// An open extent: its holders append to it, and know its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// The extent.
    pub id: ExtentId,
    /// Its holders. The first orders the appends.
    pub set: HolderSet,
    /// Whether it takes no more appends.
    pub is_sealing: bool,
}

/// The sums over files and directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Bytes of content, each counted once, without open tails.
    pub bytes: u64,
    /// Those of them that lie in the catalog.
    pub inline_bytes: u64,
    /// Bytes of content times the copies that the files want.
    pub copied_bytes: u64,
    /// Files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
}

impl Totals {
    /// Files and directories.
    #[must_use]
    pub fn names(self) -> u64 {
        self.files + self.directories
    }

    pub(crate) fn plus(self, other: Totals) -> Totals {
        Totals {
            bytes: self.bytes + other.bytes,
            inline_bytes: self.inline_bytes + other.inline_bytes,
            copied_bytes: self.copied_bytes + other.copied_bytes,
            files: self.files + other.files,
            directories: self.directories + other.directories,
        }
    }

    /// Without what is in it.
    pub(crate) fn minus(self, part: Totals) -> Totals {
        Totals {
            bytes: self.bytes.saturating_sub(part.bytes),
            inline_bytes: self.inline_bytes.saturating_sub(part.inline_bytes),
            copied_bytes: self.copied_bytes.saturating_sub(part.copied_bytes),
            files: self.files.saturating_sub(part.files),
            directories: self.directories.saturating_sub(part.directories),
        }
    }
}

impl File {
    pub(crate) fn totals(&self) -> Totals {
        let bytes = self.content.length();
        let inline_bytes = self.content.inline().len() as u64;
        let copied_bytes = bytes * u64::from(self.copies);
        Totals { bytes, inline_bytes, copied_bytes, files: 1, directories: 0 }
    }
}

impl Inode {
    /// It and all below it.
    pub(crate) fn totals(&self) -> Totals {
        match &self.node {
            Node::File(file) => file.totals(),
            Node::Directory(directory) => {
                directory.totals.plus(Totals { directories: 1, ..Totals::default() })
            }
        }
    }
}
