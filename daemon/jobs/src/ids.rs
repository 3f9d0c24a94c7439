//! Names and counters of the protocol. Plain values.

use crate::forms;
use memberd_membership::{Incarnation, Name};
use serde::{Deserialize, Serialize};

/// Under which a stage is owned. It only grows: a leader of a later term is above all of before.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Epoch {
    /// The term of the leader that gave it.
    pub term: u32,
    /// How many that leader had given. Zero is the leader's own.
    pub number: u32,
}

impl Epoch {
    /// Its fencing token. The store refuses smaller ones.
    #[must_use]
    pub fn token(self) -> u64 {
        u64::from(self.term) << 32 | u64::from(self.number)
    }
}

/// A job. It is the token of an epoch that was given to nothing else, so no state of a former job
/// of the same name is ever taken for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// One part of the keys of a job: 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition(pub u16);

/// What has an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// The sums of one part of the keys.
    Partition(Partition),
    /// The file of rows.
    Sink,
}

/// A file of one member: a hash of its identity, which a rename keeps and which no other file ever
/// has. The host makes it of the file system, inode, generation and first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileKey(pub u128);

/// A file of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// On whose disk it is.
    #[serde(with = "forms::name")]
    pub member: Name,
    /// Which.
    pub key: FileKey,
}

/// A member, as it is in the group now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId {
    /// Its name.
    #[serde(with = "forms::name")]
    pub name: Name,
    /// Which of its stays in the group this is.
    #[serde(with = "forms::incarnation")]
    pub incarnation: Incarnation,
}

/// The clocks of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds that the machine is up. It never goes back.
    pub boot_ms: u64,
    /// Milliseconds since 1970. It may jump.
    pub wall_ms: i64,
}
