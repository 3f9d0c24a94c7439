//! The ways in: what callers by each may do, and how many may stay.

use memberd_control::socket::Access;
use tokio::sync::Semaphore;

/// How many clients of one socket follow events at the same time: half of all, so that the others
/// are always served.
pub const FOLLOWERS: usize = 32;

/// One way in. Each has limits of its own, so that whoever may only look keeps nobody else out.
#[derive(Debug)]
pub struct Door {
    /// What callers may do.
    pub access: Access,
    /// One for each client that may follow events at the same time.
    pub followers: Semaphore,
}

impl Door {
    /// A door with nobody in it.
    pub fn new(access: Access) -> Self {
        Door { access, followers: Semaphore::new(FOLLOWERS) }
    }
}
