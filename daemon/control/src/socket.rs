//! The two sockets: one for everything, and one beside it for looking only.

use crate::message::Request;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What callers of a socket may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// See how the group is, and change nothing: the list, the status without what greps look for,
    /// the ring, events and metrics.
    ReadOnly,
}

impl Access {
    /// Whether this may be asked.
    pub fn allows(self, request: &Request) -> bool {
        match request {
            Request::List { .. }
            | Request::Status
            | Request::Events
            | Request::Follow(_)
            | Request::Metrics
            | Request::Ring => true,
            Request::Join { .. } | Request::Leave | Request::Grep(_) | Request::Log { .. } => {
                self == Access::Full
            }
        }
    }
}

/// The path of the socket for looking only, which lies beside the other:
/// `/run/memberd/control-read.sock` for `/run/memberd/control.sock`.
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
    fn the_socket_for_looking_lies_beside_the_other() {
        for (socket, beside) in [
            ("/run/memberd/control.sock", "/run/memberd/control-read.sock"),
            ("vm1/control", "vm1/control-read"),
            ("/a.b/vm.1.sock", "/a.b/vm.1-read.sock"),
        ] {
            assert_eq!(read_only(Path::new(socket)), Path::new(beside));
        }
    }

    #[test]
    fn looking_changes_nothing_and_reads_no_logs() {
        let changes = [
            Request::Join { introducers: Vec::new() },
            Request::Leave,
            Request::Grep(Box::default()),
            Request::Log { filter: None },
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
            Request::Metrics,
            Request::Ring,
        ];
        for request in &looks {
            assert!(
                Access::Full.allows(request) && Access::ReadOnly.allows(request),
                "{request:?}"
            );
        }
    }
}
