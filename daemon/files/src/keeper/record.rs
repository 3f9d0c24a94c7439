//! What a keeper has on disk: [`Mark`], log and image; and what it writes: [`Record`]s. All are
//! plain values.

use crate::catalog::{Ballot, Entry, Position};
use crate::forms;
use crate::ids::Epoch;
use memberd_membership::Name;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a keeper must not forget beside log and image. It is written whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which share of this name: the number of the view that added it.
    pub added: Epoch,
    /// The newest ballot that it has promised. It refuses what is of an older one.
    pub promised: Ballot,
    /// Whose that is.
    // With this, the field cannot be left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub primary: Option<Name>,
    /// The newest ballot whose primary has brought its log level. None: its log counts for nothing.
    pub level: Ballot,
    /// The position before the first entry that it ever got. An image from there on makes it whole.
    pub before: Position,
}

impl Mark {
    /// That of a keeper which has nothing.
    #[must_use]
    pub fn blank(added: Epoch) -> Mark {
        Mark {
            added,
            promised: Ballot::NONE,
            primary: None,
            level: Ballot::NONE,
            before: Position::START,
        }
    }

    /// The bytes of the mark.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        forms::encode(self)
    }

    /// Reads a mark; nothing if the bytes are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Mark> {
        forms::decode(bytes)
    }
}

/// What a keeper writes. Records become durable in their order; a crash leaves the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// In place of the mark before.
    Mark(Mark),
    /// At the end of the log.
    Entries(Vec<Arc<Entry>>),
    /// The log ends before this index.
    Cut(u64),
    /// In place of the image before. Entries up to it may go.
    Image(ImageAt),
    /// Mark, log and image go.
    Forget,
}

/// An image and the last entry that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageAt {
    /// The last entry that is in it.
    pub at: Position,
    /// [`crate::Catalog::to_image`].
    pub bytes: Arc<Vec<u8>>,
}

/// What was on disk when the process began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Durable {
    /// The mark. None: this member was no keeper of the share, or has lost its disk.
    pub mark: Option<Mark>,
    /// The image.
    pub image: Option<ImageAt>,
    /// The log, with or without entries that are in the image.
    pub entries: Vec<Arc<Entry>>,
}
