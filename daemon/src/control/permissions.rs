//! The ways in: what callers by each may do, and how many may stay.

use crate::admission::Admission;
use memberd_control::socket::Access;

/// How many clients of one socket follow events at the same time: half of all, so that the others
/// are always served.
const FOLLOWERS: usize = 32;

/// One way in. Each has limits of its own, so that whoever may only look keeps nobody else out.
#[derive(Debug)]
pub struct Door {
    /// What callers may do.
    pub access: Access,
    /// One for each client that may follow events at the same time.
    pub followers: Admission,
}

impl Door {
    /// A door with nobody in it.
    pub fn new(access: Access) -> Self {
        let answer = |limit| format!("{limit} clients follow events already: end one of them");
        Door { access, followers: Admission::new("followers", FOLLOWERS, answer) }
    }
}
