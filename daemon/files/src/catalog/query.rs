//! What can be asked of a catalog: status, pages of a directory, contents, sums, extents in use.

use crate::catalog::answer::{Answer, Refusal};
use crate::catalog::inode::{Attributes, Inode, Node, Tail, Totals};
use crate::catalog::mutation::Mutation;
use crate::catalog::{Catalog, Quota};
use crate::content::{Content, ExtentRef, HolderSet};
use crate::forms;
use crate::ids::{ExtentId, Generation, InodeId, OperationId, Token};
use crate::path::FilePath;
use serde::{Deserialize, Deserializer, Serialize};
use std::ops::Bound;
use std::sync::Arc;

/// A question. It changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// [`Catalog::status`].
    Status(FilePath),
    /// [`Catalog::list`].
    List {
        /// The directory.
        path: FilePath,
        /// The last name of the page before.
        after: Option<String>,
        /// The most entries: at most [`Query::MAX_PAGE`] are answered.
        limit: u32,
    },
    /// [`Catalog::contents`].
    Contents {
        /// The file.
        path: FilePath,
        /// From which byte on.
        from: u64,
    },
    /// [`Catalog::summary`].
    Summary(FilePath),
    /// [`Catalog::in_use`].
    InUse(#[serde(deserialize_with = "ids")] Vec<ExtentId>),
    /// [`Catalog::path_of`].
    PathOf(InodeId),
    /// [`Catalog::operation`].
    Operation(OperationId),
    /// [`Catalog::usage`].
    Usage,
}

impl Query {
    /// The most entries of one page, and the most extents of one answer.
    pub const MAX_PAGE: usize = 1000;
    /// The most extents of one question.
    pub const MAX_IDS: usize = 1000;
}

fn ids<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ExtentId>, D::Error> {
    forms::bounded::<_, _, { Query::MAX_IDS }>(from)
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// The file or directory.
    Status(Box<Status>),
    /// A page of a directory.
    Listing(Listing),
    /// What a file consists of.
    Contents(Box<Contents>),
    /// The sums of it and all below it.
    Summary(Totals),
    /// The files of the extents and who holds them, in the order of the question; nothing: in use
    /// by none.
    InUse(Vec<Option<(InodeId, HolderSet)>>),
    /// Its path.
    Path(FilePath),
    /// What the operation led to; nothing: it is not remembered.
    Operation(Option<Answer>),
    /// What the share has.
    Usage(Usage),
    /// There is no such thing.
    Refused(Refusal),
}

/// A file or directory, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Which.
    pub inode: InodeId,
    /// What it is.
    pub kind: StatusKind,
    /// What decides nothing.
    pub attributes: Attributes,
}

/// What a file or directory is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusKind {
    /// A directory.
    Directory {
        /// Its entries.
        entries: u64,
    },
    /// A file.
    File {
        /// Its bytes, without an open tail's.
        length: u64,
        /// Its content's generation.
        generation: Generation,
        /// The least token that is let through.
        token: Token,
        /// How many copies it wants.
        copies: u8,
        /// Its open extent, whose holders know how long it is.
        tail: Option<Tail>,
    },
}

/// A page of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Listing {
    /// Its entries by name, in the order of their bytes.
    pub entries: Vec<Listed>,
    /// How many follow.
    pub remaining: u64,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name in it.
    pub name: Arc<str>,
    /// What it is.
    pub status: Status,
}

/// What a file consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The file.
    pub status: Status,
    /// The place of the first extent here in the file, in bytes.
    pub starts: u64,
    /// All that lies in the catalog, if there are no extents; else those from the asked byte on.
    pub content: Content,
    /// Whether the last extent is among them, and what is behind it.
    pub is_all: bool,
}

/// What a share has, and how much it may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The sums, without the share itself.
    pub totals: Totals,
    /// Its quota.
    pub quota: Quota,
    /// The extents in use, open tails among them.
    pub extents: u64,
    /// The operations that are remembered.
    pub operations: u64,
}

impl Catalog {
    /// Answers a question.
    #[must_use]
    pub fn ask(&self, query: &Query) -> Found {
        let found = match query {
            Query::Status(path) => self.status(path).map(Box::new).map(Found::Status),
            Query::List { path, after, limit } => {
                self.list(path, after.as_deref(), *limit as usize).map(Found::Listing)
            }
            Query::Contents { path, from } => {
                self.contents(path, *from).map(Box::new).map(Found::Contents)
            }
            Query::Summary(path) => self.summary(path).map(Found::Summary),
            Query::InUse(ids) => Ok(Found::InUse(self.in_use(ids))),
            Query::PathOf(inode) => self.path_of(*inode).map(Found::Path),
            Query::Operation(id) => Ok(Found::Operation(self.operation(*id))),
            Query::Usage => Ok(Found::Usage(self.usage())),
        };
        found.unwrap_or_else(Found::Refused)
    }

    /// What has a name.
    ///
    /// # Errors
    /// When nothing has it.
    pub fn status(&self, path: &FilePath) -> Result<Status, Refusal> {
        let id = self.find(path)?;
        self.inode(id).map(|inode| status(id, inode))
    }

    /// A page of a directory: the entries after a name, at most `limit` and [`Query::MAX_PAGE`].
    ///
    /// # Errors
    /// When it is no directory.
    pub fn list(
        &self,
        path: &FilePath,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing, Refusal> {
        let directory = self.directory(self.find(path)?)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = directory.entries.range::<str, _>((from, Bound::Unbounded));
        let limit = limit.clamp(1, Query::MAX_PAGE);
        let mut entries = Vec::new();
        for (name, id) in rest.by_ref().take(limit) {
            let status = status(*id, self.inode(*id)?);
            entries.push(Listed { name: name.clone(), status });
        }
        Ok(Listing { entries, remaining: rest.count() as u64 })
    }

    /// What a file consists of, from a byte on: at most [`Query::MAX_PAGE`] extents. Behind the
    /// last of them come all bytes that lie in the catalog.
    ///
    /// # Errors
    /// When it is no file.
    pub fn contents(&self, path: &FilePath, from: u64) -> Result<Contents, Refusal> {
        let id = self.find(path)?;
        let (inode, file) = (self.inode(id)?, self.file(id)?);
        let status = status(id, inode);
        if let Content::Inline(bytes) = &file.content {
            let content = Content::Inline(bytes.clone());
            return Ok(Contents { status, starts: 0, content, is_all: true });
        }
        let (extents, bytes) = (file.content.extents(), file.content.inline());
        let mut starts = 0;
        let mut first = 0;
        while let Some(extent) = extents.get(first)
            && starts + extent.length <= from
        {
            starts += extent.length;
            first += 1;
        }
        let end = extents.len().min(first + Query::MAX_PAGE);
        let page: Vec<ExtentRef> = extents[first..end].to_vec();
        let is_all = end == extents.len();
        let content = match is_all && !bytes.is_empty() {
            true => Content::Both { extents: page, bytes: bytes.to_vec() },
            false => Content::Extents(page),
        };
        Ok(Contents { status, starts, content, is_all })
    }

    /// The sums of a file, or of a directory and all below it.
    ///
    /// # Errors
    /// When nothing has the name.
    pub fn summary(&self, path: &FilePath) -> Result<Totals, Refusal> {
        let id = self.find(path)?;
        self.inode(id).map(Inode::totals)
    }

    /// To which files extents belong, and who holds them. What belongs to none, and is old, is
    /// garbage.
    #[must_use]
    pub fn in_use(&self, ids: &[ExtentId]) -> Vec<Option<(InodeId, HolderSet)>> {
        ids.iter().map(|id| self.use_of(*id)).collect()
    }

    fn use_of(&self, id: ExtentId) -> Option<(InodeId, HolderSet)> {
        let owner = *self.owners.get(&id)?;
        let file = self.file(owner).ok()?;
        let tail = file.tail.as_ref().filter(|tail| tail.id == id).map(|tail| &tail.set);
        let extent = || file.content.extents().iter().find(|extent| extent.id == id);
        let set = tail.or_else(|| extent().map(|extent| &extent.set))?;
        Some((owner, set.clone()))
    }

    /// The path of a file or directory.
    ///
    /// # Errors
    /// When there is none of this id, or its path is longer than a path may be.
    pub fn path_of(&self, inode: InodeId) -> Result<FilePath, Refusal> {
        let mut names = Vec::new();
        let mut at = inode;
        while at != super::ROOT {
            let inode = self.inode(at)?;
            names.push(inode.name.clone());
            at = inode.parent;
        }
        names.reverse();
        let path = format!("/{}/{}", self.share, names.join("/"));
        FilePath::parse(&path).map_err(|_| Refusal::NotFound)
    }

    /// How many copies the extents of a mutation are to have: as many as the file wants.
    #[must_use]
    pub fn wanted_copies(&self, mutation: &Mutation) -> usize {
        let file = match mutation {
            Mutation::Put(put) => return usize::from(put.copies),
            Mutation::Append(append) => self.find(&append.path),
            Mutation::Truncate(cut) => self.find(&cut.path),
            Mutation::Seal { inode, .. } => Ok(*inode),
            _ => return 0,
        };
        file.and_then(|id| self.file(id)).map_or(0, |file| usize::from(file.copies))
    }

    /// What the share has, and how much it may have.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            totals: self.totals(),
            quota: self.quota,
            extents: self.owners.len() as u64,
            operations: self.operations.len() as u64,
        }
    }
}

fn status(id: InodeId, inode: &Inode) -> Status {
    let kind = match &inode.node {
        Node::Directory(directory) => {
            StatusKind::Directory { entries: directory.entries.len() as u64 }
        }
        Node::File(file) => StatusKind::File {
            length: file.content.length(),
            generation: file.generation,
            token: file.token,
            copies: file.copies,
            tail: file.tail.clone(),
        },
    };
    Status { inode: id, kind, attributes: inode.attributes.clone() }
}
