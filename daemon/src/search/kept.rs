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
pub(crate) use find::find;
pub use target::{Keeper, KeptLogs, Target};

use memberd_membership::Name;
use std::path::{Path, PathBuf};

/// Up to when the copies of a member's logs are whole, in milliseconds since the Unix epoch. None
/// if it has not said so.
type WholeUntil = Box<dyn Fn(&Name) -> Option<u64> + Send + Sync>;

/// The copies of other members' logs on this machine.
pub struct KeptCopies {
    directory: PathBuf,
    whole_until: WholeUntil,
}

impl std::fmt::Debug for KeptCopies {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KeptCopies { directory, .. } = self;
        formatter.debug_struct("KeptCopies").field("directory", directory).finish_non_exhaustive()
    }
}

impl KeptCopies {
    /// The copies below `directory`. `whole_until` tells up to when those of a member are whole, in
    /// milliseconds since the Unix epoch. It must not block.
    pub fn new(
        directory: PathBuf,
        whole_until: impl Fn(&Name) -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        KeptCopies { directory, whole_until: Box::new(whole_until) }
    }

    /// Where they lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}
