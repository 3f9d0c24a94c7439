//! Names and the tree that they make: finding, hanging in, taking out, and the sums on the way up.

use crate::catalog::answer::Refusal;
use crate::catalog::inode::{Attributes, Directory, File, Inode, Node, Totals};
use crate::catalog::{Catalog, ROOT};
use crate::ids::InodeId;
use crate::path::FilePath;
use std::sync::Arc;

/// What the share itself is.
pub(super) fn root() -> Inode {
    Inode {
        parent: ROOT,
        name: "".into(),
        attributes: Attributes::new(0, 0o755),
        node: Node::Directory(Directory::default()),
    }
}

impl Catalog {
    /// The inode of a name.
    pub(super) fn find(&self, path: &FilePath) -> Result<InodeId, Refusal> {
        self.check_share(path)?;
        self.walk(path.names())
    }

    fn walk(&self, names: &[Arc<str>]) -> Result<InodeId, Refusal> {
        let mut at = ROOT;
        for name in names {
            at = *self.directory(at)?.entries.get(name).ok_or(Refusal::NotFound)?;
        }
        Ok(at)
    }

    /// The directory in which a name lies or would lie, and its last part.
    pub(super) fn find_parent(&self, path: &FilePath) -> Result<(InodeId, Arc<str>), Refusal> {
        self.check_share(path)?;
        let (name, above) = path.names().split_last().ok_or(Refusal::IsShare)?;
        let parent = self.walk(above).map_err(|refusal| match refusal {
            Refusal::NotFound => Refusal::NoParent,
            other => other,
        })?;
        self.directory(parent)?;
        Ok((parent, name.clone()))
    }

    pub(super) fn check_share(&self, path: &FilePath) -> Result<(), Refusal> {
        if path.share() == &self.share { Ok(()) } else { Err(Refusal::OtherShare) }
    }

    pub(super) fn inode(&self, id: InodeId) -> Result<&Inode, Refusal> {
        self.inodes.get(&id).ok_or(Refusal::NotFound)
    }

    pub(super) fn inode_mut(&mut self, id: InodeId) -> Result<&mut Inode, Refusal> {
        self.inodes.get_mut(&id).ok_or(Refusal::NotFound)
    }

    pub(super) fn directory(&self, id: InodeId) -> Result<&Directory, Refusal> {
        match &self.inode(id)?.node {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) => Err(Refusal::NotDirectory),
        }
    }

    pub(super) fn file(&self, id: InodeId) -> Result<&File, Refusal> {
        match &self.inode(id)?.node {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(Refusal::IsDirectory),
        }
    }

    pub(super) fn file_mut(&mut self, id: InodeId) -> Result<&mut File, Refusal> {
        match &mut self.inode_mut(id)?.node {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(Refusal::IsDirectory),
        }
    }

    fn directory_mut(&mut self, id: InodeId) -> Option<&mut Directory> {
        match &mut self.inodes.get_mut(&id)?.node {
            Node::Directory(directory) => Some(directory),
            Node::File(_) => None,
        }
    }

    /// What has this name in a directory.
    pub(super) fn entry(&self, parent: InodeId, name: &str) -> Option<InodeId> {
        self.directory(parent).ok()?.entries.get(name).copied()
    }

    /// Whether one more entry has a place in a directory, and this many more names in the share.
    pub(super) fn check_room(&self, parent: InodeId, names: u64) -> Result<(), Refusal> {
        if self.directory(parent)?.entries.len() >= Self::MAX_ENTRIES {
            return Err(Refusal::DirectoryFull);
        }
        let most = self.quota.names.unwrap_or(Self::MAX_NAMES).min(Self::MAX_NAMES);
        if names > 0 && self.totals().names() + names > most {
            return Err(Refusal::QuotaNames(most));
        }
        Ok(())
    }

    /// Whether a file may take the place of one with these sums.
    pub(super) fn check_bytes(&self, before: Totals, after: Totals) -> Result<(), Refusal> {
        let share = self.totals().minus(before).plus(after);
        let grows = after.bytes > before.bytes;
        if let Some(most) = self.quota.bytes.filter(|most| grows && share.bytes > *most) {
            return Err(Refusal::QuotaBytes(most));
        }
        let inline_grows = after.inline_bytes > before.inline_bytes;
        if inline_grows && share.inline_bytes > Self::MAX_INLINE_BYTES {
            return Err(Refusal::InlineFull);
        }
        Ok(())
    }

    /// Gives a new inode its place. The caller has checked that the name is free and has room.
    pub(super) fn hang_in(&mut self, parent: InodeId, name: &Arc<str>, id: InodeId, inode: Inode) {
        let totals = inode.totals();
        self.inodes.insert(id, Inode { parent, name: name.clone(), ..inode });
        if let Some(directory) = self.directory_mut(parent) {
            directory.entries.insert(name.clone(), id);
        }
        self.account(parent, Totals::default(), totals);
    }

    /// Takes an inode out of its place, with what is below it still below it.
    pub(super) fn take_out(&mut self, id: InodeId) -> Option<Inode> {
        let inode = self.inodes.remove(&id)?;
        if let Some(directory) = self.directory_mut(inode.parent) {
            directory.entries.remove(&inode.name);
        }
        self.account(inode.parent, inode.totals(), Totals::default());
        Some(inode)
    }

    /// Ends an inode that was taken out, and all below it.
    pub(super) fn end(&mut self, inode: Inode) {
        let mut ending = vec![inode];
        while let Some(inode) = ending.pop() {
            match inode.node {
                Node::Directory(directory) => {
                    let below = directory.entries.values();
                    ending.extend(below.filter_map(|id| self.inodes.remove(id)));
                }
                Node::File(file) => {
                    for extent in file.content.extents() {
                        self.owners.remove(&extent.id);
                    }
                    if let Some(tail) = file.tail {
                        self.owners.remove(&tail.id);
                    }
                }
            }
        }
    }

    /// Corrects the sums of a directory and of all above it.
    pub(super) fn account(&mut self, from: InodeId, before: Totals, after: Totals) {
        let mut at = from;
        while let Some(inode) = self.inodes.get_mut(&at) {
            if let Node::Directory(directory) = &mut inode.node {
                directory.totals = directory.totals.minus(before).plus(after);
            }
            if at == ROOT {
                return;
            }
            at = inode.parent;
        }
    }

    /// Whether one inode is the other or lies below it.
    pub(super) fn is_below(&self, id: InodeId, top: InodeId) -> bool {
        let mut at = id;
        while at != top {
            match self.inodes.get(&at) {
                Some(inode) if at != ROOT => at = inode.parent,
                _ => return false,
            }
        }
        true
    }

    /// Shows on a directory that its names have changed.
    pub(super) fn touch(&mut self, id: InodeId, wall_ms: u64) {
        if let Some(inode) = self.inodes.get_mut(&id) {
            inode.attributes.modified_ms = wall_ms;
        }
    }

    pub(super) fn new_inode(&mut self) -> InodeId {
        let id = InodeId(self.next_inode);
        self.next_inode += 1;
        id
    }
}
