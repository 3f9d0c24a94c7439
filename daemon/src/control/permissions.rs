//! What the clients of each control socket may do, and how many of them may follow events.

use crate::admission::Admission;
use memberd_control::socket::Access;

/// How many clients of one socket follow events at the same time: half of all, so that the others
/// are always served.
const FOLLOWERS: usize = 32;

/// The policy of one control socket. Each socket has limits of its own, so that clients of the
/// read-only one keep nobody else out.
#[derive(Debug)]
pub struct ListenerPolicy {
    /// What its clients may do.
    pub access: Access,
    /// A place for each client that follows events.
    pub followers: Admission,
}

impl ListenerPolicy {
    /// The policy of a socket without clients.
    pub fn new(access: Access) -> Self {
        let answer = |limit| format!("{limit} clients follow events already: end one of them");
        ListenerPolicy { access, followers: Admission::new("followers", FOLLOWERS, answer) }
    }
}
