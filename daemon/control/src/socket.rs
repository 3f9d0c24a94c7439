//! The two control sockets: one for all requests, and a read-only one beside it.

use crate::message::Request;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the clients of a socket may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Send any request.
    Full,
    /// Read, and change nothing: the list, the status without the patterns of greps, the ring,
    /// events, metrics and the level of the log.
    ReadOnly,
}

impl Access {
    /// Whether this request is allowed.
    pub fn allows(self, request: &Request) -> bool {
        match request {
            Request::List { .. }
            | Request::Status
            | Request::Events
            | Request::Follow(_)
            | Request::Metrics
            | Request::Ring
            | Request::Log { filter: None } => true,
            Request::Join { .. }
            | Request::Leave
            | Request::Reload
            | Request::Forget(_)
            | Request::Grep(_)
            | Request::Files(_)
            | Request::Log { filter: Some(_) } => self == Access::Full,
        }
    }
}

/// The path of the read-only socket beside the other one: `/run/memberd/control-read.sock` for
/// `/run/memberd/control.sock`.
pub fn read_only(socket: &Path) -> PathBuf {
    let mut name: OsString = socket.file_stem().unwrap_or_default().to_owned();
    name.push("-read");
    if let Some(extension) = socket.extension() {
        name.push(".");
        name.push(extension);
    }
    socket.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ChangeKinds, EventsFrom, Follow};

    #[test]
    fn the_read_only_socket_lies_beside_the_other() {
        for (socket, beside) in [
            ("/run/memberd/control.sock", "/run/memberd/control-read.sock"),
            ("vm1/control", "vm1/control-read"),
            ("/a.b/vm.1.sock", "/a.b/vm.1-read.sock"),
        ] {
            assert_eq!(read_only(Path::new(socket)), Path::new(beside));
        }
    }

    #[test]
    fn read_only_clients_change_nothing_and_read_no_logs() {
        let changes = [
            Request::Join { introducers: Vec::new() },
            Request::Leave,
            Request::Reload,
            Request::Grep(Box::default()),
            Request::Log { filter: Some("debug".to_owned()) },
        ];
        for request in &changes {
            assert!(
                Access::Full.allows(request) && !Access::ReadOnly.allows(request),
                "{request:?}"
            );
        }
        let follow = |kinds, until| Follow { from: EventsFrom::Last(1), kinds, until };
        let looks = [
            Request::List { all: true },
            Request::Status,
            Request::Events,
            Request::Follow(follow(ChangeKinds::Liveness, None)),
            Request::Follow(follow(ChangeKinds::All, None)),
            Request::Follow(follow(ChangeKinds::All, Some(1))),
            Request::Follow(follow(ChangeKinds::WithForgotten, None)),
            Request::Metrics,
            Request::Ring,
            Request::Log { filter: None },
        ];
        for request in &looks {
            assert!(
                Access::Full.allows(request) && Access::ReadOnly.allows(request),
                "{request:?}"
            );
        }
    }
}
