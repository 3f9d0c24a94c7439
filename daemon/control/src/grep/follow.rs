//! From where the files of a member are followed, so that a follow goes on where another one ended.

use crate::bounded::at_most;
use serde::{Deserialize, Serialize};

/// The most positions of one member.
pub const MAX_POSITIONS: usize = 512;

/// Asks for the positions of a follow, and says from where it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepFollow {
    /// Whether it goes on: the files of `positions` are read from there, and others that are new
    /// from their beginnings. If not, all files are followed from their ends.
    pub again: bool,
    /// Since when, in milliseconds since the Unix epoch. What a copy has of other files is new if
    /// it began later.
    #[serde(default)]
    pub since_ms: u64,
    /// Up to where the lines of files are known.
    #[serde(deserialize_with = "at_most::<_, _, MAX_POSITIONS>")]
    pub positions: Vec<GrepPosition>,
}

/// Up to where the lines of a file were searched, and those that matched were shown. A line ends
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct GrepPosition {
    /// The device of the file at its member (`st_dev`).
    pub device: u64,
    /// Its inode there (`st_ino`).
    pub inode: u64,
    /// The position, in bytes.
    pub offset: u64,
    /// A sum of the first bytes up to the position, at most 512. None if they are not known.
    pub head: Option<u64>,
    /// A sum of the last bytes before the position, at most 64. None if they are not known.
    pub before: Option<u64>,
}

/// A position without the names of its fields, since one message may have hundreds.
type Fields = (u64, u64, u64, Option<u64>, Option<u64>);

impl From<Fields> for GrepPosition {
    fn from((device, inode, offset, head, before): Fields) -> GrepPosition {
        GrepPosition { device, inode, offset, head, before }
    }
}

impl From<GrepPosition> for Fields {
    fn from(position: GrepPosition) -> Fields {
        let GrepPosition { device, inode, offset, head, before } = position;
        (device, inode, offset, head, before)
    }
}

impl GrepPosition {
    /// How many bytes at the beginning are summed.
    pub const HEAD_BYTES: usize = 512;

    /// How many bytes before the position are summed.
    pub const BEFORE_BYTES: usize = 64;

    /// Whether it is one of the same file.
    pub fn is_of_same_file(&self, other: &GrepPosition) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// The sum of these bytes: FNV-1a. It tells files from each other, and is no secret.
    pub fn sum(bytes: &[u8]) -> u64 {
        let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
    }
}
