//! Defines what the clients of each control socket may do. It owns the places for clients that
//! follow events, and those for clients with long requests.

use memberd_control::frame::{REQUEST_CAP, SMALL_REQUEST_CAP};
use memberd_control::socket::Access;
use memberd_transport::Admission;

/// The most clients of one socket that follow events. It is half of all clients, so that the others
/// are always served. One user has at most half of them.
const FOLLOWERS: usize = 64;

/// The most clients with long requests, which are greps with long lists of patterns. While one of
/// them runs, its daemon has the list of up to 4 MiB a few times. One user has at most two.
const LONG_REQUESTS: usize = 3;

/// The policy of one control socket. Each socket has its own limits, so that clients of the
/// read-only socket cannot block others.
#[derive(Debug)]
pub struct ListenerPolicy {
    /// The access of its clients.
    pub access: Access,
    /// A place for each client that follows events.
    pub followers: Admission,
    /// A place for each client with a long request. It is held as long as the request is.
    pub long_requests: Admission,
}

impl ListenerPolicy {
    /// The policy of a socket without clients.
    pub fn new(access: Access) -> Self {
        let following = |count| format!("{count} clients follow events already: end one of them");
        let followers = Admission::new("followers", FOLLOWERS, following).shared(following);
        let long = |count| {
            format!("{count} greps with long lists of patterns run from here already: end one")
        };
        let long_requests = Admission::new("long requests", LONG_REQUESTS, long).shared(long);
        ListenerPolicy { access, followers, long_requests }
    }

    /// The name of the socket in the log.
    pub fn name(&self) -> &'static str {
        match self.access {
            Access::Full => "control",
            Access::ReadOnly => "control-read",
            Access::Search => "control-search",
        }
    }

    /// The longest request of a client, in bytes. Only greps have long ones.
    pub fn request_cap(&self) -> usize {
        match self.access {
            Access::Full | Access::Search => REQUEST_CAP,
            Access::ReadOnly => SMALL_REQUEST_CAP,
        }
    }
}
