//! Defines what the clients of each control socket may do. It owns the places for clients that
//! follow events.

use crate::admission::Admission;
use memberd_control::socket::Access;

/// The most clients of one socket that follow events. It is half of all clients, so that the others
/// are always served.
const FOLLOWERS: usize = 32;

/// The policy of one control socket. Each socket has its own limits, so that clients of the
/// read-only socket cannot block others.
#[derive(Debug)]
pub struct ListenerPolicy {
    /// The access of its clients.
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
