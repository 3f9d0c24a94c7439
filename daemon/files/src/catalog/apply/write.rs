//! Mutations of contents: put, append, truncate, concat.

use crate::catalog::Catalog;
use crate::catalog::answer::{Done, Refusal};
use crate::catalog::inode::{Attributes, File, Inode, Node, Totals};
use crate::catalog::mutation::{Append, Appended, Put, PutIf, Truncate};
use crate::content::{Content, ExtentRef};
use crate::ids::{Generation, InodeId, Token};
use crate::path::FilePath;
use std::collections::BTreeSet;

impl Catalog {
    pub(super) fn put(&mut self, put: &Put, wall_ms: u64) -> Result<Done, Refusal> {
        let existing = match self.find(&put.path) {
            Ok(id) => Some(id),
            Err(Refusal::NotFound) => None,
            Err(refusal) => return Err(refusal),
        };
        self.check_new(put.content.extents(), put.age_s)?;
        match (existing, put.condition) {
            (Some(id), PutIf::Absent) => match self.inode(id)?.node {
                Node::Directory(_) => Err(Refusal::IsDirectory),
                Node::File(_) => Err(Refusal::Exists),
            },
            (None, PutIf::Is(_)) => Err(Refusal::NotFound),
            (None, PutIf::Absent | PutIf::Any) => self.create(put, wall_ms),
            (Some(id), PutIf::Any) => self.replace(id, put, wall_ms),
            (Some(id), PutIf::Is(version)) => {
                self.check_version(id, Some(version))?;
                self.replace(id, put, wall_ms)
            }
        }
    }

    fn create(&mut self, put: &Put, wall_ms: u64) -> Result<Done, Refusal> {
        let file = File {
            content: put.content.clone(),
            generation: Generation(1),
            token: put.token,
            copies: put.copies,
            tail: None,
        };
        self.check_bytes(Totals::default(), file.totals())?;
        let (parent, name) = self.make_parents(&put.path, put.parents, wall_ms)?;
        let id = self.new_inode();
        self.own(put.content.extents(), id);
        let attributes = Attributes::new(wall_ms, put.mode);
        let inode = Inode { parent, name: name.clone(), attributes, node: Node::File(file) };
        self.hang_in(parent, &name, id, inode);
        self.touch(parent, wall_ms);
        self.done(id)
    }

    fn replace(&mut self, id: InodeId, put: &Put, wall_ms: u64) -> Result<Done, Refusal> {
        self.check_token(id, put.token)?;
        self.check_sealed(id)?;
        let before = self.file(id)?.totals();
        let mut after = self.file(id)?.clone();
        after.content = put.content.clone();
        after.copies = put.copies;
        self.check_bytes(before, after.totals())?;
        self.set_content(id, after, wall_ms)
    }

    pub(super) fn append(&mut self, append: &Append, wall_ms: u64) -> Result<Done, Refusal> {
        let id = self.find(&append.path)?;
        let file = self.file(id)?;
        self.check_version(id, append.only)?;
        self.check_token(id, append.token)?;
        self.check_sealed(id)?;
        let length = file.content.length();
        if append.length.is_some_and(|needed| needed != length) {
            return Err(Refusal::LengthIs(length));
        }
        let mut after = file.clone();
        match &append.what {
            Appended::Content(content) => {
                self.check_new(content.extents(), append.age_s)?;
                after.content = joined(after.content, content)?;
            }
            Appended::Whole(extents) => {
                self.check_new(extents, append.age_s)?;
                let (mut all, inline) = after.content.into_parts();
                let new_length: u64 = extents.iter().map(|extent| extent.length).sum();
                if new_length < inline.len() as u64 {
                    return Err(Refusal::Misfit);
                }
                all.extend_from_slice(extents);
                after.content = Content::of(all, Vec::new());
            }
        }
        check_size(&after.content)?;
        self.check_bytes(file.totals(), after.totals())?;
        self.set_content(id, after, wall_ms)
    }

    pub(super) fn truncate(&mut self, cut: &Truncate, wall_ms: u64) -> Result<Done, Refusal> {
        let id = self.find(&cut.path)?;
        let file = self.file(id)?;
        self.check_version(id, cut.only)?;
        self.check_token(id, cut.token)?;
        self.check_sealed(id)?;
        if cut.length > file.content.length() {
            return Err(Refusal::LengthIs(file.content.length()));
        }
        self.check_new(cut.last.as_slice(), cut.age_s)?;
        let mut after = file.clone();
        after.content = shortened(&file.content, cut)?;
        self.check_bytes(file.totals(), after.totals())?;
        self.set_content(id, after, wall_ms)
    }

    pub(super) fn concat(
        &mut self,
        target: &FilePath,
        sources: &[FilePath],
        token: Token,
        wall_ms: u64,
    ) -> Result<Done, Refusal> {
        let id = self.find(target)?;
        self.check_token(id, token)?;
        self.check_sealed(id)?;
        let mut after = self.file(id)?.clone();
        let mut moved = vec![id];
        let mut before = after.totals();
        for source in sources {
            let source = self.find(source)?;
            if moved.contains(&source) {
                return Err(Refusal::Exists);
            }
            self.check_sealed(source)?;
            let file = self.file(source)?;
            after.content = joined(after.content, &file.content)?;
            before = before.plus(file.totals());
            moved.push(source);
        }
        check_size(&after.content)?;
        // Nothing grows but what lies in the catalog, which may come out of several files.
        self.check_bytes(before, after.totals())?;
        for source in moved.into_iter().skip(1) {
            if let Some(inode) = self.take_out(source) {
                self.touch(inode.parent, wall_ms);
                self.end(inode);
            }
        }
        self.set_content(id, after, wall_ms)
    }

    /// Gives a file its new content; extents that it had and has no more belong to nobody.
    pub(super) fn set_content(
        &mut self,
        id: InodeId,
        after: File,
        wall_ms: u64,
    ) -> Result<Done, Refusal> {
        let before = self.file(id)?;
        let (old, totals) = (before.content.clone(), before.totals());
        for extent in old.extents() {
            self.owners.remove(&extent.id);
        }
        self.own(after.content.extents(), id);
        let new_totals = after.totals();
        let file = self.file_mut(id)?;
        *file = after;
        file.generation = file.generation.next();
        let inode = self.inode_mut(id)?;
        inode.attributes.modified_ms = wall_ms;
        let parent = inode.parent;
        self.account(parent, totals, new_totals);
        self.done(id)
    }

    fn own(&mut self, extents: &[ExtentRef], id: InodeId) {
        self.owners.extend(extents.iter().map(|extent| (extent.id, id)));
    }

    /// Whether new extents are young enough and belong to nobody.
    fn check_new(&self, extents: &[ExtentRef], age_s: u32) -> Result<(), Refusal> {
        if !extents.is_empty() && age_s > Self::MAX_AGE_S {
            return Err(Refusal::TooOld);
        }
        let ids: BTreeSet<_> = extents.iter().map(|extent| extent.id).collect();
        if ids.len() < extents.len() || ids.iter().any(|id| self.owners.contains_key(id)) {
            return Err(Refusal::ExtentKnown);
        }
        Ok(())
    }

    fn check_sealed(&self, id: InodeId) -> Result<(), Refusal> {
        if self.file(id)?.tail.is_some() { Err(Refusal::TailOpen) } else { Ok(()) }
    }
}

/// The bytes of one content behind those of another.
fn joined(first: Content, second: &Content) -> Result<Content, Refusal> {
    if second.length() == 0 {
        return Ok(first);
    }
    let (mut extents, mut bytes) = first.into_parts();
    let between = !bytes.is_empty() && !second.extents().is_empty();
    bytes.extend_from_slice(second.inline());
    if between || bytes.len() > Content::MAX_INLINE {
        return Err(Refusal::NeedsExtent);
    }
    extents.extend_from_slice(second.extents());
    Ok(Content::of(extents, bytes))
}

pub(super) fn check_size(content: &Content) -> Result<(), Refusal> {
    if content.extents().len() > Content::MAX_EXTENTS {
        Err(Refusal::TooManyExtents)
    } else if content.length() > Content::MAX_BYTES {
        Err(Refusal::TooLong)
    } else {
        Ok(())
    }
}

/// The content up to the cut. An extent is cut by another that takes its place.
fn shortened(content: &Content, cut: &Truncate) -> Result<Content, Refusal> {
    let (extents, bytes) = (content.extents(), content.inline());
    let before = content.length() - bytes.len() as u64;
    if let Some(rest) = cut.length.checked_sub(before) {
        let rest = usize::try_from(rest).unwrap_or(usize::MAX).min(bytes.len());
        let whole = || Content::of(extents.to_vec(), bytes[..rest].to_vec());
        return cut.last.is_none().then(whole).ok_or(Refusal::Misfit);
    }
    let mut kept = Vec::new();
    let mut left = cut.length;
    for extent in extents {
        if left < extent.length {
            break;
        }
        left -= extent.length;
        kept.push(extent.clone());
    }
    match (left, &cut.last) {
        (0, None) => {}
        (0, Some(_)) => return Err(Refusal::Misfit),
        (_, None) => return Err(Refusal::NeedsExtent),
        (left, Some(last)) if last.length == left => kept.push(last.clone()),
        (_, Some(_)) => return Err(Refusal::Misfit),
    }
    Ok(if kept.is_empty() { Content::empty() } else { Content::Extents(kept) })
}
