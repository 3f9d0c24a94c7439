//! What a file consists of: [`Content`], of [`ExtentRef`]s or of bytes in the catalog itself.

use crate::forms;
use crate::ids::ExtentId;
use memberd_membership::Name;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The members that hold an extent, as the catalog records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderSet {
    /// It grows with each change. A change names the version that it replaces.
    pub version: u64,
    /// The holders, none of them twice. The first that is up is responsible for repair.
    #[serde(with = "forms::names")]
    pub members: Vec<Name>,
}

impl HolderSet {
    /// The most holders of an extent.
    pub const MAX_MEMBERS: usize = 5;

    /// A first set.
    #[must_use]
    pub fn new(members: Vec<Name>) -> HolderSet {
        HolderSet { version: 1, members }
    }

    /// Whether it has 1 to [`HolderSet::MAX_MEMBERS`] members, none of them twice.
    #[must_use]
    pub fn is_in_bounds(&self) -> bool {
        let members = &self.members;
        (1..=Self::MAX_MEMBERS).contains(&members.len())
            && (1..members.len()).all(|at| !members[..at].contains(&members[at]))
    }
}

/// A sealed extent, as the catalog records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtentRef {
    /// Which it is.
    pub id: ExtentId,
    /// Its bytes: 1 to [`ExtentRef::MAX_BYTES`].
    pub length: u64,
    /// blake3 of its content.
    pub root: [u8; 32],
    /// Who holds it.
    pub set: HolderSet,
}

impl ExtentRef {
    /// The most bytes of an extent.
    pub const MAX_BYTES: u64 = 64 << 20;

    /// Whether length and set are within their bounds.
    #[must_use]
    pub fn is_in_bounds(&self) -> bool {
        (1..=Self::MAX_BYTES).contains(&self.length) && self.set.is_in_bounds()
    }
}

/// An extent as an array: there are many of them in an image.
#[derive(Serialize, Deserialize)]
struct ExtentForm(
    ExtentId,
    u64,
    #[serde(with = "forms::hash")] [u8; 32],
    u64,
    #[serde(with = "forms::names")] Vec<Name>,
);

impl Serialize for ExtentRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let HolderSet { version, members } = self.set.clone();
        ExtentForm(self.id, self.length, self.root, version, members).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExtentRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExtentRef, D::Error> {
        let ExtentForm(id, length, root, version, members) =
            Deserialize::deserialize(deserializer)?;
        let extent = ExtentRef { id, length, root, set: HolderSet { version, members } };
        if extent.is_in_bounds() {
            Ok(extent)
        } else {
            Err(D::Error::custom("an extent has 1 to 64 MiB on 1 to 5 members"))
        }
    }
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// At most [`Content::MAX_INLINE`] bytes, which lie in the catalog itself.
    #[serde(with = "inline")]
    Inline(Vec<u8>),
    /// The extents, in their order.
    #[serde(deserialize_with = "extents")]
    Extents(Vec<ExtentRef>),
    /// Extents, and the bytes behind them that lie in the catalog: what small appends have added. A
    /// file has both, or is one of the above; a part of a file may have none of the extents.
    Both {
        /// The extents, in their order.
        #[serde(deserialize_with = "extents")]
        extents: Vec<ExtentRef>,
        /// At most [`Content::MAX_INLINE`] bytes.
        #[serde(with = "inline")]
        bytes: Vec<u8>,
    },
}

impl Content {
    /// The most bytes that lie in the catalog.
    pub const MAX_INLINE: usize = 16 << 10;
    /// The most extents of one file.
    pub const MAX_EXTENTS: usize = 1 << 16;
    /// The most bytes of one file.
    pub const MAX_BYTES: u64 = 1 << 40;

    /// No bytes.
    #[must_use]
    pub fn empty() -> Content {
        Content::Inline(Vec::new())
    }

    /// Extents and the bytes behind them. Without extents it lies in the catalog.
    #[must_use]
    pub fn of(extents: Vec<ExtentRef>, bytes: Vec<u8>) -> Content {
        match (extents.is_empty(), bytes.is_empty()) {
            (true, _) => Content::Inline(bytes),
            (false, true) => Content::Extents(extents),
            (false, false) => Content::Both { extents, bytes },
        }
    }

    /// Its extents, and the bytes behind them.
    #[must_use]
    pub fn into_parts(self) -> (Vec<ExtentRef>, Vec<u8>) {
        match self {
            Content::Inline(bytes) => (Vec::new(), bytes),
            Content::Extents(extents) => (extents, Vec::new()),
            Content::Both { extents, bytes } => (extents, bytes),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        let extents = self.extents().iter().map(|extent| extent.length);
        extents.sum::<u64>() + self.inline().len() as u64
    }

    /// Its extents: none if it lies in the catalog.
    #[must_use]
    pub fn extents(&self) -> &[ExtentRef] {
        match self {
            Content::Inline(_) => &[],
            Content::Extents(extents) | Content::Both { extents, .. } => extents,
        }
    }

    /// Its last bytes, which lie in the catalog.
    #[must_use]
    pub fn inline(&self) -> &[u8] {
        match self {
            Content::Extents(_) => &[],
            Content::Inline(bytes) | Content::Both { bytes, .. } => bytes,
        }
    }

    /// Whether all of it is within its bounds.
    #[must_use]
    pub fn is_in_bounds(&self) -> bool {
        self.inline().len() <= Self::MAX_INLINE
            && self.extents().len() <= Self::MAX_EXTENTS
            && self.extents().iter().all(ExtentRef::is_in_bounds)
    }
}

mod inline {
    use super::{Content, Deserialize, Deserializer, Serializer};
    use crate::forms::Bytes;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Bytes::<{ Content::MAX_INLINE }>::deserialize(from).map(|bytes| bytes.0)
    }
}

fn extents<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ExtentRef>, D::Error> {
    forms::bounded::<_, _, { Content::MAX_EXTENTS }>(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(length: u64, members: &[&str]) -> ExtentRef {
        let members = members.iter().map(|name| Name::new(name).unwrap()).collect();
        ExtentRef { id: ExtentId(7), length, root: [9; 32], set: HolderSet::new(members) }
    }

    fn read(content: &Content) -> Option<Content> {
        forms::decode(&forms::encode(content))
    }

    #[test]
    fn content_is_read_as_it_was_written() {
        let inline = Content::Inline(vec![7; Content::MAX_INLINE]);
        let extents = Content::Extents(vec![extent(1, &["a"]), extent(64 << 20, &["b", "c", "d"])]);
        let both = Content::of(extents.extents().to_vec(), vec![8; Content::MAX_INLINE]);
        assert_eq!(read(&inline), Some(inline.clone()));
        assert_eq!(read(&both), Some(both.clone()));
        assert_eq!(both.length(), (64 << 20) + 1 + (16 << 10));
        assert_eq!(read(&extents), Some(extents.clone()));
        assert_eq!((inline.length(), extents.length()), (16 << 10, (64 << 20) + 1));
    }

    #[test]
    fn content_out_of_bounds_is_refused() {
        for bad in [
            Content::Inline(vec![0; Content::MAX_INLINE + 1]),
            Content::Extents(vec![extent(0, &["a"])]),
            Content::Extents(vec![extent((64 << 20) + 1, &["a"])]),
            Content::Extents(vec![extent(1, &[])]),
            Content::Extents(vec![extent(1, &["a", "b", "a"])]),
            Content::Extents(vec![extent(1, &["a", "b", "c", "d", "e", "f"])]),
            Content::of(vec![extent(1, &["a"])], vec![0; Content::MAX_INLINE + 1]),
            Content::of(vec![extent(0, &["a"])], vec![0]),
        ] {
            assert!(!bad.is_in_bounds());
            assert_eq!(read(&bad), None);
        }
    }
}
