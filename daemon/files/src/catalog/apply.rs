//! How a mutation changes a catalog: first everything is checked, then everything is changed.

mod holders;
mod names;
mod write;

use crate::catalog::Catalog;
use crate::catalog::answer::{Done, Refusal};
use crate::catalog::entry::Entry;
use crate::catalog::inode::Node;
use crate::catalog::mutation::{AttributeChange, Mutation, Version};
use crate::ids::{Generation, InodeId, Token};
use crate::path::FilePath;
use std::sync::Arc;

impl Catalog {
    /// THE RULE that a refused mutation changes nothing: none of these changes anything before its
    /// last check.
    pub(super) fn mutate(&mut self, entry: &Entry) -> Result<Done, Refusal> {
        let wall_ms = entry.wall_ms;
        match &entry.mutation {
            Mutation::Put(put) => self.put(put, wall_ms),
            Mutation::Append(append) => self.append(append, wall_ms),
            Mutation::Fence { path, token } => self.fence(path, *token),
            Mutation::Truncate(cut) => self.truncate(cut, wall_ms),
            Mutation::Concat { target, sources, token } => {
                self.concat(target, sources, *token, wall_ms)
            }
            Mutation::Rename { from, to, how } => self.rename(from, to, *how, wall_ms),
            Mutation::Delete { path, recursive, only } => {
                self.delete(path, *recursive, *only, wall_ms)
            }
            Mutation::MakeDirectory { path, mode } => self.make_directory(path, *mode, wall_ms),
            Mutation::OpenTail { inode, tail, members } => self.open_tail(*inode, *tail, members),
            Mutation::BeginSeal { inode, tail, from, members } => {
                self.begin_seal(*inode, *tail, *from, members)
            }
            Mutation::Seal { inode, tail, version, sealed } => {
                self.seal(*inode, (*tail, *version), sealed.as_ref(), wall_ms)
            }
            Mutation::SetHolders { extent, from, members } => {
                self.set_holders(*extent, *from, members)
            }
            Mutation::SetAttributes { path, change } => self.set_attributes(path, change),
            Mutation::SetQuota { bytes, names } => {
                (self.quota.bytes, self.quota.names) = (*bytes, *names);
                self.done(super::ROOT)
            }
        }
    }

    /// The answer that shows an inode as it is now.
    fn done(&self, inode: InodeId) -> Result<Done, Refusal> {
        let (generation, length) = match &self.inode(inode)?.node {
            Node::Directory(_) => (Generation(0), 0),
            Node::File(file) => (file.generation, file.content.length()),
        };
        Ok(Done { inode, generation, length })
    }

    /// Whether a file is the one that somebody saw.
    fn check_version(&self, inode: InodeId, only: Option<Version>) -> Result<(), Refusal> {
        let generation = match &self.inode(inode)?.node {
            Node::Directory(_) => Generation(0),
            Node::File(file) => file.generation,
        };
        match only {
            Some(only) if only != (Version { inode, generation }) => {
                Err(Refusal::Changed(generation))
            }
            _ => Ok(()),
        }
    }

    /// Whether a token is let through by the file.
    fn check_token(&self, inode: InodeId, token: Token) -> Result<(), Refusal> {
        let least = self.file(inode)?.token;
        if token >= least { Ok(()) } else { Err(Refusal::Fenced(least)) }
    }

    fn fence(&mut self, path: &FilePath, token: Token) -> Result<Done, Refusal> {
        let id = self.find(path)?;
        self.check_token(id, token)?;
        if self.file(id)?.tail.is_some() {
            return Err(Refusal::TailOpen);
        }
        self.file_mut(id)?.token = token;
        self.done(id)
    }

    fn set_attributes(
        &mut self,
        path: &FilePath,
        change: &AttributeChange,
    ) -> Result<Done, Refusal> {
        let id = self.find(path)?;
        let inode = self.inode_mut(id)?;
        let before = inode.totals();
        if let (Some(copies), Node::File(file)) = (change.copies, &mut inode.node) {
            file.copies = copies;
        }
        let attributes = &mut inode.attributes;
        attributes.mode = change.mode.unwrap_or(attributes.mode);
        attributes.modified_ms = change.modified_ms.unwrap_or(attributes.modified_ms);
        attributes.accessed_ms = change.accessed_ms.unwrap_or(attributes.accessed_ms);
        let shared = |text: &String| Arc::from(text.as_str());
        attributes.owner = change.owner.as_ref().map(shared).or(attributes.owner.take());
        attributes.group = change.group.as_ref().map(shared).or(attributes.group.take());
        let (after, parent) = (inode.totals(), inode.parent);
        if before != after {
            self.account(parent, before, after);
        }
        self.done(id)
    }
}
