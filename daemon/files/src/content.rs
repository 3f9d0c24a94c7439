//! What a file consists of.

use crate::ids::ExtentId;
use memberd_membership::Name;

/// The members that hold an extent, as the catalog records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderSet {
    /// It grows with each change. A change names the version that it replaces.
    pub version: u64,
    /// The holders. The first that is up is responsible for repair.
    pub members: Vec<Name>,
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
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// At most [`Content::MAX_INLINE`] bytes, which lie in the catalog itself.
    Inline(Vec<u8>),
    /// The extents, in their order.
    Extents(Vec<ExtentRef>),
}

impl Content {
    /// The most bytes that lie in the catalog.
    pub const MAX_INLINE: usize = 16 << 10;
}
