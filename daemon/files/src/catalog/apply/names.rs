//! Mutations of names: make a directory, rename, delete.

use crate::catalog::answer::{Done, Refusal};
use crate::catalog::inode::{Attributes, Directory, Inode, Node};
use crate::catalog::mutation::{RenameHow, Version};
use crate::catalog::{Catalog, ROOT};
use crate::ids::InodeId;
use crate::path::FilePath;
use std::sync::Arc;

/// The permission bits of directories that are made on the way.
const MODE: u16 = 0o755;

impl Catalog {
    pub(super) fn make_directory(
        &mut self,
        path: &FilePath,
        mode: u16,
        wall_ms: u64,
    ) -> Result<Done, Refusal> {
        match self.find(path) {
            Ok(id) => {
                self.directory(id).map_err(|_| Refusal::Exists)?;
                return self.done(id);
            }
            Err(Refusal::NotFound) => {}
            Err(refusal) => return Err(refusal),
        }
        let (parent, name) = self.make_parents(path, true, wall_ms)?;
        let id = self.make_one(parent, &name, mode, wall_ms);
        self.done(id)
    }

    /// The directory of a name that nothing has, and its last part. Missing directories above it
    /// are made if they may be. It checks first that all of them and one more have room.
    pub(super) fn make_parents(
        &mut self,
        path: &FilePath,
        may_make: bool,
        wall_ms: u64,
    ) -> Result<(InodeId, Arc<str>), Refusal> {
        let (name, above) = path.names().split_last().ok_or(Refusal::IsShare)?;
        let mut at = ROOT;
        let mut missing = above;
        while let Some((first, rest)) = missing.split_first() {
            let Some(next) = self.directory(at)?.entries.get(first) else { break };
            (at, missing) = (*next, rest);
        }
        self.directory(at)?;
        if !missing.is_empty() && !may_make {
            return Err(Refusal::NoParent);
        }
        self.check_room(at, missing.len() as u64 + 1)?;
        for part in missing {
            at = self.make_one(at, part, MODE, wall_ms);
        }
        Ok((at, name.clone()))
    }

    fn make_one(&mut self, parent: InodeId, name: &Arc<str>, mode: u16, wall_ms: u64) -> InodeId {
        let id = self.new_inode();
        let attributes = Attributes::new(wall_ms, mode);
        let node = Node::Directory(Directory::default());
        let inode = Inode { parent, name: name.clone(), attributes, node };
        self.hang_in(parent, name, id, inode);
        self.touch(parent, wall_ms);
        id
    }

    pub(super) fn rename(
        &mut self,
        from: &FilePath,
        to: &FilePath,
        how: RenameHow,
        wall_ms: u64,
    ) -> Result<Done, Refusal> {
        let id = self.find(from)?;
        if id == ROOT {
            return Err(Refusal::IsShare);
        }
        let (parent, name) = self.target(id, to, how)?;
        if self.is_below(parent, id) {
            return Err(Refusal::IntoItself);
        }
        let there = self.entry(parent, &name);
        match there {
            // Its own name: a plain rename of a file succeeds, as Hadoop's does.
            Some(same) if same == id => {
                return match (how, &self.inode(id)?.node) {
                    (RenameHow::Plain, Node::File(_)) => self.done(id),
                    _ => Err(Refusal::Exists),
                };
            }
            Some(there) if how == RenameHow::Overwrite => self.check_overwrite(id, there)?,
            Some(_) => return Err(Refusal::Exists),
            None if self.inode(id)?.parent == parent => {}
            None => self.check_room(parent, 0)?,
        }
        if let Some(inode) = there.and_then(|there| self.take_out(there)) {
            self.end(inode);
        }
        if let Some(inode) = self.take_out(id) {
            self.touch(inode.parent, wall_ms);
            self.hang_in(parent, &name, id, inode);
            self.touch(parent, wall_ms);
        }
        self.done(id)
    }

    /// Where a rename goes: a plain one goes into a directory that has the name.
    fn target(
        &self,
        id: InodeId,
        to: &FilePath,
        how: RenameHow,
    ) -> Result<(InodeId, Arc<str>), Refusal> {
        match self.find(to) {
            Ok(there) if how == RenameHow::Plain && self.directory(there).is_ok() => {
                Ok((there, self.inode(id)?.name.clone()))
            }
            _ => self.find_parent(to),
        }
    }

    fn check_overwrite(&self, id: InodeId, there: InodeId) -> Result<(), Refusal> {
        match (&self.inode(id)?.node, &self.inode(there)?.node) {
            (Node::File(_), Node::File(_)) => Ok(()),
            (Node::File(_), Node::Directory(_)) => Err(Refusal::IsDirectory),
            (Node::Directory(_), Node::File(_)) => Err(Refusal::NotDirectory),
            (Node::Directory(_), Node::Directory(there)) if there.entries.is_empty() => Ok(()),
            (Node::Directory(_), Node::Directory(_)) => Err(Refusal::NotEmpty),
        }
    }

    pub(super) fn delete(
        &mut self,
        path: &FilePath,
        recursive: bool,
        only: Option<Version>,
        wall_ms: u64,
    ) -> Result<Done, Refusal> {
        let id = self.find(path)?;
        if id == ROOT {
            return Err(Refusal::IsShare);
        }
        self.check_version(id, only)?;
        let is_empty = self.directory(id).map_or(true, |directory| directory.entries.is_empty());
        if !is_empty && !recursive {
            return Err(Refusal::NotEmpty);
        }
        let done = self.done(id)?;
        if let Some(inode) = self.take_out(id) {
            self.touch(inode.parent, wall_ms);
            self.end(inode);
        }
        Ok(done)
    }
}
