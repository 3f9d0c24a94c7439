//! All that can change a catalog: [`Mutation`], with its conditions and bounds. Plain values.

use crate::content::{Content, ExtentRef, HolderSet};
use crate::forms;
use crate::ids::{ExtentId, Generation, InodeId, Token};
use crate::path::FilePath;
use memberd_membership::Name;
use serde::{Deserialize, Deserializer, Serialize};

/// A change of a catalog. It happens wholly or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mutation {
    /// Creates a file or replaces its content.
    Put(Put),
    /// Adds to the end of a file.
    Append(Append),
    /// From now on, changes of this file with a smaller token fail.
    Fence {
        /// The file.
        path: FilePath,
        /// The least token that is let through.
        token: Token,
    },
    /// Cuts a file off.
    Truncate(Truncate),
    /// Moves the extents of files to the end of another. The sources end.
    Concat {
        /// To which they go.
        target: FilePath,
        /// Whose content it is, in this order: 1 to [`Mutation::MAX_SOURCES`].
        #[serde(deserialize_with = "sources")]
        sources: Vec<FilePath>,
        /// The appender's token.
        token: Token,
    },
    /// Gives a file or directory another name.
    Rename {
        /// Its name.
        from: FilePath,
        /// Its new name.
        to: FilePath,
        /// What may be there already.
        how: RenameHow,
    },
    /// Removes a name, and what is under it.
    Delete {
        /// The name.
        path: FilePath,
        /// Whether a directory may have something in it.
        recursive: bool,
        /// Only if it is still this.
        only: Option<Version>,
    },
    /// Makes a directory and those above it. It succeeds if it exists.
    MakeDirectory {
        /// The name.
        path: FilePath,
        /// Its permission bits.
        mode: u16,
    },
    /// Begins a tail: an open extent, to which its holders append.
    OpenTail {
        /// The file.
        inode: InodeId,
        /// The extent.
        tail: ExtentId,
        /// Its holders. The first orders the appends.
        #[serde(with = "forms::names")]
        members: Vec<Name>,
    },
    /// The tail takes no more appends: those who refuse it its older version know so.
    BeginSeal {
        /// The file.
        inode: InodeId,
        /// The extent.
        tail: ExtentId,
        /// The version of its set that this replaces.
        from: u64,
        /// The holders that are left.
        #[serde(with = "forms::names")]
        members: Vec<Name>,
    },
    /// The tail becomes the last extent.
    Seal {
        /// The file.
        inode: InodeId,
        /// The extent.
        tail: ExtentId,
        /// The version of its set.
        version: u64,
        /// What it became; nothing if it got no bytes.
        sealed: Option<ExtentRef>,
    },
    /// Other members hold an extent now.
    SetHolders {
        /// The extent.
        extent: ExtentId,
        /// The version of the set that this replaces.
        from: u64,
        /// The holders now.
        #[serde(with = "forms::names")]
        members: Vec<Name>,
    },
    /// Changes what is shown of a file or directory.
    SetAttributes {
        /// Its name.
        path: FilePath,
        /// What changes.
        change: AttributeChange,
    },
    /// How much the share may have. Nothing: only the bounds of every share.
    SetQuota {
        /// Bytes of content, each counted once.
        bytes: Option<u64>,
        /// Files and directories.
        names: Option<u64>,
    },
}

/// Creates a file or replaces its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// The file.
    pub path: FilePath,
    /// When it may happen.
    pub condition: PutIf,
    /// The writer's token.
    pub token: Token,
    /// The content.
    pub content: Content,
    /// How many copies it wants: 1 to [`HolderSet::MAX_MEMBERS`].
    pub copies: u8,
    /// The permission bits of a new file.
    pub mode: u16,
    /// Whether missing directories above it are made.
    pub parents: bool,
    /// How long ago, in seconds, the oldest of its extents was begun.
    pub age_s: u32,
}

/// When a file may be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PutIf {
    /// Nothing has the name.
    Absent,
    /// A file may have it, whatever is in it.
    Any,
    /// This file has it, and has not changed.
    Is(Version),
}

/// A file as somebody saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Which file.
    pub inode: InodeId,
    /// Its content.
    pub generation: Generation,
}

/// Adds to the end of a file, all or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// The file. It must exist.
    pub path: FilePath,
    /// Only if it is this file in this state.
    pub only: Option<Version>,
    /// Only if it has this length, in bytes.
    pub length: Option<u64>,
    /// The appender's token.
    pub token: Token,
    /// What is added.
    pub what: Appended,
    /// How long ago, in seconds, the oldest of its extents was begun.
    pub age_s: u32,
}

/// What an append adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Appended {
    /// This.
    Content(Content),
    /// These extents replace the bytes that lie in the catalog, and begin with them; the extents
    /// before those stay. The append names the version in which they are the same.
    Whole(#[serde(deserialize_with = "extents")] Vec<ExtentRef>),
}

/// Cuts a file off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncate {
    /// The file.
    pub path: FilePath,
    /// Only if it is this file in this state. Needed with `last`.
    pub only: Option<Version>,
    /// Its bytes then; no more than it has.
    pub length: u64,
    /// The writer's token.
    pub token: Token,
    /// The begin of the extent that the cut goes through, as an extent of its own.
    pub last: Option<ExtentRef>,
    /// How long ago, in seconds, that extent was begun.
    pub age_s: u32,
}

/// What a rename does with what has the new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RenameHow {
    /// Refuses; but goes into a directory.
    Plain,
    /// Refuses.
    Exclusive,
    /// Replaces a file by a file, and an empty directory by a directory.
    Overwrite,
}

/// What changes of attributes; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AttributeChange {
    /// Permission bits.
    pub mode: Option<u16>,
    /// The owner that is shown: at most [`AttributeChange::MAX_OWNER`] bytes.
    pub owner: Option<String>,
    /// The group that is shown.
    pub group: Option<String>,
    /// Milliseconds since 1970.
    pub modified_ms: Option<u64>,
    /// Milliseconds since 1970.
    pub accessed_ms: Option<u64>,
    /// How many copies a file wants.
    pub copies: Option<u8>,
}

impl AttributeChange {
    /// The most bytes of an owner or group.
    pub const MAX_OWNER: usize = 64;

    fn fits(&self) -> bool {
        let short =
            |text: &Option<String>| text.as_ref().is_none_or(|it| it.len() <= Self::MAX_OWNER);
        short(&self.owner)
            && short(&self.group)
            && self.mode.is_none_or(|mode| mode <= MAX_MODE)
            && self.copies.is_none_or(copies_fit)
    }
}

/// The largest permission bits.
const MAX_MODE: u16 = 0o7777;

fn copies_fit(copies: u8) -> bool {
    (1..=HolderSet::MAX_MEMBERS).contains(&usize::from(copies))
}

impl Mutation {
    /// The most files that are put together at once.
    pub const MAX_SOURCES: usize = 1024;
    /// The most extents in one mutation. A larger file takes several appends.
    pub const MAX_EXTENTS: usize = 1024;

    /// Whether all in it is within its bounds. What is not never comes into a log.
    #[must_use]
    pub fn fits(&self) -> bool {
        let members_fit = |members: &[Name]| HolderSet::new(members.to_vec()).is_in_bounds();
        let extents_fit = |extents: &[ExtentRef]| {
            extents.len() <= Self::MAX_EXTENTS && extents.iter().all(ExtentRef::is_in_bounds)
        };
        let content_fits =
            |content: &Content| content.is_in_bounds() && extents_fit(content.extents());
        match self {
            Mutation::Put(put) => {
                content_fits(&put.content) && copies_fit(put.copies) && put.mode <= MAX_MODE
            }
            Mutation::Append(append) => match &append.what {
                Appended::Content(content) => content_fits(content),
                Appended::Whole(extents) => extents_fit(extents) && append.only.is_some(),
            },
            Mutation::Truncate(cut) => {
                cut.last.as_ref().is_none_or(|it| it.is_in_bounds() && cut.only.is_some())
            }
            Mutation::Concat { sources, .. } => (1..=Self::MAX_SOURCES).contains(&sources.len()),
            Mutation::MakeDirectory { mode, .. } => *mode <= MAX_MODE,
            Mutation::OpenTail { members, .. }
            | Mutation::BeginSeal { members, .. }
            | Mutation::SetHolders { members, .. } => members_fit(members),
            Mutation::Seal { sealed, .. } => sealed.as_ref().is_none_or(ExtentRef::is_in_bounds),
            Mutation::SetAttributes { change, .. } => change.fits(),
            Mutation::Fence { .. }
            | Mutation::Rename { .. }
            | Mutation::Delete { .. }
            | Mutation::SetQuota { .. } => true,
        }
    }

    /// About how many bytes it has in a log or a message: never less.
    #[must_use]
    pub fn weight(&self) -> usize {
        const FIXED: usize = 256;
        const EXTENT: usize = 72 + HolderSet::MAX_MEMBERS * (Name::MAX_LENGTH + 2);
        let path = FilePath::bytes;
        let inline = |content: &Content| content.inline().len();
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let own = match self {
            Mutation::Put(put) => path(&put.path) + inline(&put.content),
            Mutation::Append(append) => {
                let bytes = match &append.what {
                    Appended::Content(content) => inline(content),
                    Appended::Whole(_) => 0,
                };
                path(&append.path) + bytes
            }
            Mutation::Truncate(cut) => path(&cut.path),
            Mutation::Concat { target, sources, .. } => {
                path(target) + sources.iter().map(path).sum::<usize>()
            }
            Mutation::Rename { from, to, .. } => path(from) + path(to),
            Mutation::Fence { path: one, .. }
            | Mutation::Delete { path: one, .. }
            | Mutation::MakeDirectory { path: one, .. } => path(one),
            Mutation::SetAttributes { path: one, change } => {
                path(one) + text(&change.owner) + text(&change.group)
            }
            Mutation::OpenTail { .. }
            | Mutation::BeginSeal { .. }
            | Mutation::SetHolders { .. } => EXTENT,
            Mutation::Seal { .. } | Mutation::SetQuota { .. } => 0,
        };
        FIXED + own + EXTENT * self.new_extents().len()
    }

    /// The extents that it brings in, whose copies the primary compares with the view.
    #[must_use]
    pub fn new_extents(&self) -> &[ExtentRef] {
        match self {
            Mutation::Put(put) => put.content.extents(),
            Mutation::Append(append) => match &append.what {
                Appended::Content(content) => content.extents(),
                Appended::Whole(extents) => extents,
            },
            Mutation::Truncate(cut) => cut.last.as_slice(),
            Mutation::Seal { sealed, .. } => sealed.as_slice(),
            _ => &[],
        }
    }
}

fn sources<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<FilePath>, D::Error> {
    forms::bounded::<_, _, { Mutation::MAX_SOURCES }>(from)
}

fn extents<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ExtentRef>, D::Error> {
    forms::bounded::<_, _, { Mutation::MAX_EXTENTS }>(from)
}
