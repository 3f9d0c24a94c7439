//! Mutations of who holds what: tails begin and are sealed, copies move.

use crate::catalog::Catalog;
use crate::catalog::answer::{Done, Refusal};
use crate::catalog::apply::write::check_size;
use crate::catalog::inode::Tail;
use crate::content::{Content, ExtentRef, HolderSet};
use crate::ids::{ExtentId, InodeId};
use memberd_membership::Name;

impl Catalog {
    pub(super) fn open_tail(
        &mut self,
        inode: InodeId,
        id: ExtentId,
        members: &[Name],
    ) -> Result<Done, Refusal> {
        let file = self.file(inode)?;
        if file.tail.is_some() {
            return Err(Refusal::TailOpen);
        }
        if self.owners.contains_key(&id) {
            return Err(Refusal::ExtentKnown);
        }
        if !file.content.inline().is_empty() {
            return Err(Refusal::NeedsExtent);
        }
        if file.content.extents().len() >= Content::MAX_EXTENTS {
            return Err(Refusal::TooManyExtents);
        }
        let set = HolderSet::new(members.to_vec());
        self.file_mut(inode)?.tail = Some(Tail { id, set, is_sealing: false });
        self.owners.insert(id, inode);
        self.done(inode)
    }

    /// It may begin again: the new version tells everybody apart from who began before.
    pub(super) fn begin_seal(
        &mut self,
        inode: InodeId,
        id: ExtentId,
        from: u64,
        members: &[Name],
    ) -> Result<Done, Refusal> {
        let tail = self.tail_mut(inode, id)?;
        if tail.set.version != from {
            return Err(Refusal::SetIs(tail.set.version));
        }
        tail.set = HolderSet { version: from + 1, members: members.to_vec() };
        tail.is_sealing = true;
        self.done(inode)
    }

    pub(super) fn seal(
        &mut self,
        inode: InodeId,
        (id, version): (ExtentId, u64),
        sealed: Option<&ExtentRef>,
        wall_ms: u64,
    ) -> Result<Done, Refusal> {
        let tail = self.tail_mut(inode, id)?;
        if tail.set.version != version || !tail.is_sealing {
            return Err(Refusal::SetIs(tail.set.version));
        }
        let mut after = self.file(inode)?.clone();
        if let Some(sealed) = sealed {
            let owner = self.owners.get(&sealed.id);
            if sealed.id != id && owner.is_some() {
                return Err(Refusal::ExtentKnown);
            }
            let mut extents = after.content.extents().to_vec();
            extents.push(sealed.clone());
            after.content = Content::Extents(extents);
            check_size(&after.content)?;
        }
        after.tail = None;
        // What was acknowledged in the tail counts against the quota now, and is never refused.
        self.owners.remove(&id);
        self.set_content(inode, after, wall_ms)
    }

    fn tail_mut(&mut self, inode: InodeId, id: ExtentId) -> Result<&mut Tail, Refusal> {
        let tail = self.file_mut(inode)?.tail.as_mut();
        tail.filter(|tail| tail.id == id).ok_or(Refusal::NoTail)
    }

    pub(super) fn set_holders(
        &mut self,
        id: ExtentId,
        from: u64,
        members: &[Name],
    ) -> Result<Done, Refusal> {
        let owner = *self.owners.get(&id).ok_or(Refusal::ExtentUnknown)?;
        let extents = match &mut self.file_mut(owner)?.content {
            Content::Extents(extents) | Content::Both { extents, .. } => extents,
            Content::Inline(_) => return Err(Refusal::ExtentUnknown),
        };
        // A tail is in the index too, but changes its holders only by being sealed.
        let extent =
            extents.iter_mut().find(|extent| extent.id == id).ok_or(Refusal::ExtentUnknown)?;
        if extent.set.version != from {
            return Err(Refusal::SetIs(extent.set.version));
        }
        extent.set = HolderSet { version: from + 1, members: members.to_vec() };
        self.done(owner)
    }
}
