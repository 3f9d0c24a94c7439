//! The control sockets: one for all requests, and beside it one to look and one to search.

use crate::message::{FileRequest, LeaderRequest, Request};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the clients of a socket may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Send any request.
    Full,
    /// Read, and change nothing: the list, the status without the patterns of greps, the ring,
    /// events, metrics, the level of the log, the agreed view, and the lease of this machine.
    ReadOnly,
    /// Read as above, and search the logs as far as the daemon's settings allow it.
    Search,
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
            | Request::View(_)
            | Request::Leader(
                LeaderRequest::Show
                | LeaderRequest::Check { .. }
                | LeaderRequest::Wait
                | LeaderRequest::Hold
                | LeaderRequest::Release { .. },
            )
            | Request::File(FileRequest::Status)
            | Request::Log { filter: None } => true,
            Request::Join { .. }
            | Request::Leave
            | Request::Reload
            | Request::Forget(_)
            | Request::Recover(_)
            | Request::Leader(LeaderRequest::HandOver { .. })
            | Request::Claim(_)
            | Request::File(_)
            | Request::Stream(_)
            | Request::Log { filter: Some(_) } => self == Access::Full,
            Request::Grep(_) | Request::Stats(_) | Request::Files(_) => self != Access::ReadOnly,
        }
    }
}

/// The path of the read-only socket beside the other one: `/run/memberd/control-read.sock` for
/// `/run/memberd/control.sock`.
pub fn read_only(socket: &Path) -> PathBuf {
    beside(socket, "-read")
}

/// The path beside the other ones at which memberctl looks for the socket for searches:
/// `/run/memberd/control-search.sock` for `/run/memberd/control.sock`.
pub fn search(socket: &Path) -> PathBuf {
    beside(socket, "-search")
}

fn beside(socket: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = socket.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    if let Some(extension) = socket.extension() {
        name.push(".");
        name.push(extension);
    }
    socket.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FilesRequest;
    use crate::message::{
        ChangeKinds, ClaimRequest, EventsFrom, FileAppend, FileList, FilePut, FileRead,
        FileStatRequest, Follow, Forget, RecoverRequest, ViewRequest,
    };
    use crate::streams::StreamRequest;

    #[test]
    fn the_read_only_socket_lies_beside_the_other() {
        for (socket, beside) in [
            ("/run/memberd/control.sock", "/run/memberd/control-read.sock"),
            ("vm1/control", "vm1/control-read"),
            ("/a.b/vm.1.sock", "/a.b/vm.1-read.sock"),
        ] {
            assert_eq!(read_only(Path::new(socket)), Path::new(beside));
            let searching = beside.replace("-read", "-search");
            assert_eq!(search(Path::new(socket)), Path::new(&searching));
        }
    }

    #[test]
    fn each_socket_allows_what_its_users_may() {
        let of = |request: &Request| {
            [Access::Full, Access::Search, Access::ReadOnly].map(|access| access.allows(request))
        };
        let changes = [
            Request::Join { introducers: Vec::new() },
            Request::Leave,
            Request::Reload,
            Request::Forget(Forget::Failed),
            Request::Log { filter: Some("debug".to_owned()) },
            Request::Recover(RecoverRequest { lost: Vec::new(), plan_only: true }),
            Request::Leader(LeaderRequest::HandOver { to: None }),
            Request::Claim(ClaimRequest { key: "k".to_owned(), retry: false }),
        ];
        for request in &changes {
            assert_eq!(of(request), [true, false, false], "{request:?}");
        }
        let path = String::new;
        let of_files = [
            FileRequest::Put(FilePut::default()),
            FileRequest::Append(FileAppend::default()),
            FileRequest::Read(FileRead::default()),
            FileRequest::List(FileList::default()),
            FileRequest::Stat(FileStatRequest::default()),
            FileRequest::Remove { path: path(), recursive: false },
            FileRequest::Rename { from: path(), to: path(), replace: false },
            FileRequest::MakeDirectory { path: path() },
            FileRequest::Stored,
            FileRequest::Merge { path: path() },
            FileRequest::Check { share: None },
            FileRequest::Token { path: path(), raise_to: None },
        ];
        for request in of_files.map(Request::File) {
            assert_eq!(of(&request), [true, false, false], "{request:?}");
        }
        for request in [
            Request::Grep(Box::default()),
            Request::Stats(Box::default()),
            Request::Files(FilesRequest::default()),
        ] {
            assert_eq!(of(&request), [true, true, false], "{request:?}");
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
            Request::Follow(follow(ChangeKinds::WithViews, None)),
            Request::Metrics,
            Request::Ring,
            Request::Log { filter: None },
            Request::File(FileRequest::Status),
            Request::View(ViewRequest::default()),
            Request::Leader(LeaderRequest::Show),
            Request::Leader(LeaderRequest::Check { for_ms: 1 }),
            Request::Leader(LeaderRequest::Wait),
            Request::Leader(LeaderRequest::Hold),
            Request::Leader(LeaderRequest::Release { hold: 1 }),
        ];
        for request in &looks {
            assert_eq!(of(request), [true; 3], "{request:?}");
        }
    }

    /// A list of jobs shows the patterns of their queries.
    #[test]
    fn jobs_need_the_socket_with_all_rights() {
        let status = StreamRequest::Status { name: String::new() };
        for request in [StreamRequest::Start(Box::default()), StreamRequest::List, status] {
            let request = Request::Stream(request);
            assert!(Access::Full.allows(&request));
            assert!(!Access::Search.allows(&request) && !Access::ReadOnly.allows(&request));
        }
    }
}
