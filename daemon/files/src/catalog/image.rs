//! A catalog as bytes and back. What is read is checked: one tree, and no extent in two files.

use crate::catalog::entry::Position;
use crate::catalog::inode::{Attributes, Directory, File, Inode, Node, Totals};
use crate::catalog::operations::{Operations, Remembered};
use crate::catalog::{Catalog, Quota, ROOT, tree};
use crate::forms;
use crate::ids::{ExtentId, InodeId};
use crate::path::ShareName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The version of the form.
const VERSION: u8 = 1;

/// Why bytes are no image of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// They have another form.
    #[error("the image of the catalog is malformed: take it from another keeper")]
    Malformed,
    /// A later version wrote them.
    #[error("version {0} of the catalog's image is unknown here: update memberd")]
    Version(u8),
    /// They are of another share.
    #[error("the image is of another share")]
    OtherShare,
    /// Names make no tree, or an extent is in two files.
    #[error("the image of the catalog contradicts itself: take it from another keeper")]
    Inconsistent,
}

/// All but what follows from it.
#[derive(Serialize, Deserialize)]
struct Form(u8, ShareName, Position, u64, u64, Quota, Attributes, Vec<InodeForm>, Vec<Remembered>);

#[derive(Serialize, Deserialize)]
struct InodeForm(InodeId, InodeId, Arc<str>, Attributes, Option<File>);

impl Catalog {
    /// The whole catalog as bytes. Equal catalogs have equal bytes.
    #[must_use]
    pub fn to_image(&self) -> Vec<u8> {
        let form = |(id, inode): (&InodeId, &Inode)| {
            let file = match &inode.node {
                Node::File(file) => Some(file.clone()),
                Node::Directory(_) => None,
            };
            InodeForm(*id, inode.parent, inode.name.clone(), inode.attributes.clone(), file)
        };
        let below = self.inodes.iter().filter(|(id, _)| **id != ROOT);
        let attributes = self
            .inodes
            .get(&ROOT)
            .map_or_else(|| tree::root().attributes, |root| root.attributes.clone());
        forms::encode(&Form(
            VERSION,
            self.share.clone(),
            self.applied,
            self.time_ms,
            self.next_inode,
            self.quota,
            attributes,
            below.map(form).collect(),
            self.operations.to_list().collect(),
        ))
    }

    /// The catalog of an image.
    ///
    /// # Errors
    /// When the bytes are none of this share.
    pub fn from_image(share: &ShareName, bytes: &[u8]) -> Result<Catalog, ImageError> {
        match bytes {
            [0x89, VERSION, ..] => {}
            [0x80..=0x97, version @ 0..=0x17, ..] if *version != VERSION => {
                return Err(ImageError::Version(*version));
            }
            _ => return Err(ImageError::Malformed),
        }
        let Form(_, of, applied, time_ms, next_inode, quota, attributes, inodes, operations) =
            forms::decode(bytes).ok_or(ImageError::Malformed)?;
        if of != *share {
            return Err(ImageError::OtherShare);
        }
        let operations = Operations::from_list(operations).ok_or(ImageError::Inconsistent)?;
        let mut catalog = Catalog {
            applied,
            time_ms,
            next_inode,
            quota,
            operations,
            ..Catalog::new(share.clone())
        };
        if let Some(root) = catalog.inodes.get_mut(&ROOT) {
            root.attributes = attributes;
        }
        catalog.fill(inodes).ok_or(ImageError::Inconsistent)?;
        Ok(catalog)
    }

    /// Puts all inodes in, and computes what follows from them.
    fn fill(&mut self, forms: Vec<InodeForm>) -> Option<()> {
        let mut order = Vec::with_capacity(forms.len());
        for InodeForm(id, parent, name, attributes, file) in forms {
            let node = file.map_or_else(|| Node::Directory(Directory::default()), Node::File);
            if let Node::File(file) = &node {
                self.index(id, file)?;
            }
            let inode = Inode { parent, name, attributes, node };
            let is_new = id.0 < self.next_inode && self.inodes.insert(id, inode).is_none();
            is_new.then_some(())?;
            order.push(id);
        }
        for id in &order {
            let inode = self.inodes.get(id)?;
            let (parent, name) = (inode.parent, inode.name.clone());
            match &mut self.inodes.get_mut(&parent)?.node {
                Node::Directory(directory) => {
                    directory.entries.insert(name, *id).is_none().then_some(())?;
                }
                Node::File(_) => return None,
            }
        }
        (self.sum_up() == order.len()).then_some(())
    }

    fn index(&mut self, id: InodeId, file: &File) -> Option<()> {
        let tail = file.tail.iter().map(|tail| tail.id);
        let extents: Vec<ExtentId> =
            file.content.extents().iter().map(|extent| extent.id).chain(tail).collect();
        file.content.is_in_bounds().then_some(())?;
        for extent in extents {
            self.owners.insert(extent, id).is_none().then_some(())?;
        }
        Some(())
    }

    /// Computes the sums of all directories, the deepest first. Returns how many inodes hang below
    /// the share: fewer than there are if some make a circle.
    fn sum_up(&mut self) -> usize {
        let mut reached = vec![ROOT];
        let mut at = 0;
        while let Some(id) = reached.get(at).copied() {
            if let Ok(directory) = self.directory(id) {
                reached.extend(directory.entries.values());
            }
            at += 1;
        }
        let mut sums: BTreeMap<InodeId, Totals> = BTreeMap::new();
        for id in reached.iter().rev() {
            let below = sums.remove(id).unwrap_or_default();
            let Some(inode) = self.inodes.get_mut(id) else { continue };
            if let Node::Directory(directory) = &mut inode.node {
                directory.totals = below;
            }
            if *id != ROOT {
                let sum = sums.entry(inode.parent).or_default();
                *sum = sum.plus(inode.totals());
            }
        }
        reached.len() - 1
    }
}
