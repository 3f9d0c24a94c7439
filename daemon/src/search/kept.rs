//! Searches what this machine keeps of other members' logs, and finds who keeps those of members
//! that are gone. It owns where the copies lie.
//!
//! The daemon that greps for a client asks all members that are up what they keep of the members
//! that failed (`find`). Of each it takes the copy that goes farthest, and asks its keeper as it
//! would have asked the member itself. So exactly one copy answers.

mod answer;
mod find;
mod search;
mod target;

pub use answer::{KEPT_REQUEST_CAP, answer};
pub(crate) use find::{Found, find};
pub use target::{Keeper, KeptLogs, Target};

use memberd_membership::Name;
use std::path::{Path, PathBuf};

/// How far the copies of a member's logs go, by what it said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It has said nothing since this daemon started.
    Unknown,
    /// It had more to send.
    Behind,
    /// It had sent all, up to this time in milliseconds since the Unix epoch.
    Whole(u64),
}

type ReachOf = Box<dyn Fn(&Name) -> Reach + Send + Sync>;

/// The copies of other members' logs on this machine.
pub struct KeptCopies {
    directory: PathBuf,
    reach: ReachOf,
}

impl std::fmt::Debug for KeptCopies {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KeptCopies { directory, .. } = self;
        formatter.debug_struct("KeptCopies").field("directory", directory).finish_non_exhaustive()
    }
}

impl KeptCopies {
    /// The copies below `directory`. `reach` tells how far those of a member go. It must not block.
    pub fn new(directory: PathBuf, reach: impl Fn(&Name) -> Reach + Send + Sync + 'static) -> Self {
        KeptCopies { directory, reach: Box::new(reach) }
    }

    /// Where they lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}
