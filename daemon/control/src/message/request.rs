//! What a client asks of the daemon, and the fixed form in which it is sent.

use crate::bounded::at_most;
use crate::files::FilesRequest;
use crate::grep::GrepRequest;
use crate::message::agreement::{ClaimRequest, LeaderRequest, RecoverRequest, ViewRequest};
use crate::message::file::FileRequest;
use crate::stats::StatsRequest;
use crate::streams::StreamRequest;
use serde::{Deserialize, Serialize};

/// The most introducers of one request.
const MAX_INTRODUCERS: usize = 1024;

/// The most names of one request to forget.
const MAX_FORGOTTEN_NAMES: usize = 1024;

/// The one request of a connection. On the socket it has the form of `Encoded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Encoded", into = "Encoded")]
pub enum Request {
    /// Join the group through these introducers (`host:port`); none means the configured ones.
    Join {
        /// The introducers, each of which is tried in turn.
        introducers: Vec<String>,
    },
    /// Leave the group.
    Leave,
    /// Get the list of the members.
    List {
        /// Whether the list has failed and left members too.
        all: bool,
    },
    /// Get the state of this daemon.
    Status,
    /// Follow joins, failures and leaves until the client closes the connection. No change of the
    /// past is sent, and a gap ends the stream. Older clients send this.
    Events,
    /// Search the logs of all alive members.
    Grep(Box<GrepRequest>),
    /// Get or set the level of the daemon's log.
    Log {
        /// A level, or `PART=LEVEL`, or several with commas between; none changes nothing.
        filter: Option<String>,
    },
    /// Follow membership changes: first those of the past, and then the others as they happen.
    Follow(Follow),
    /// Get the daemon's metrics in Prometheus' text format.
    Metrics,
    /// Get the ring, failed and left members included.
    Ring,
    /// List the files of all alive members that can be searched.
    Files(FilesRequest),
    /// Forget members that failed or left, on all machines.
    Forget(Forget),
    /// Reload the settings, and say what has changed.
    Reload,
    /// Get the agreed view.
    View(ViewRequest),
    /// Go on without a majority of the council.
    Recover(RecoverRequest),
    /// Ask about the leader, be it, or hand over.
    Leader(LeaderRequest),
    /// Claim a key, so that one machine of all does the work.
    Claim(ClaimRequest),
    /// Read or change the replicated files.
    File(FileRequest),
    /// Count lines of the logs of all alive members.
    Stats(Box<StatsRequest>),
    /// Begin, end or look at durable jobs.
    Stream(StreamRequest),
}

/// Which members to forget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forget {
    /// Those of these names. All have to be gone.
    Named(#[serde(deserialize_with = "at_most::<_, _, MAX_FORGOTTEN_NAMES>")] Vec<String>),
    /// All that failed.
    Failed,
    /// All that left.
    Left,
}

/// Which membership changes a client follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    /// Which of the remembered changes come first.
    pub from: EventsFrom,
    /// Which kinds of change are wanted.
    pub kinds: ChangeKinds,
    /// The stream has only changes before this moment, in milliseconds since the Unix epoch by the
    /// daemon's clock. The final reply is [`Reply::Done`](super::Reply::Done), once it has come.
    /// With none the client ends the stream.
    pub until: Option<u64>,
}

/// The remembered membership changes with which a stream starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventsFrom {
    /// All from this moment on, in milliseconds since the Unix epoch. The daemon says when it does
    /// not remember some of them.
    Since(u64),
    /// This many of the newest, or as many as the daemon remembers.
    Last(u64),
}

/// Which kinds of membership change are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKinds {
    /// Only changes of the status: joined, failed, left.
    Liveness,
    /// Changes of tags as well.
    All,
    /// Forgotten members as well.
    WithForgotten,
    /// What happens to the agreed views as well:
    /// [`Reply::ViewEvent`](super::Reply::ViewEvent).
    WithViews,
}

impl Follow {
    /// The same request for a daemon that has refused this one as
    /// [`Usage`](super::RefusalKind::Usage), since it does not know events of views, forgotten
    /// members or changes of tags. None when an older daemon has nothing like it.
    pub fn for_older_daemon(self) -> Option<Follow> {
        let Follow { from, kinds, until } = self;
        if kinds == ChangeKinds::WithViews {
            return Some(Follow { kinds: ChangeKinds::WithForgotten, ..self });
        }
        if kinds == ChangeKinds::WithForgotten {
            return Some(Follow { kinds: ChangeKinds::All, ..self });
        }
        (kinds == ChangeKinds::All && until.is_none()).then_some(Follow {
            from,
            kinds: ChangeKinds::Liveness,
            until: None,
        })
    }
}

/// A request as it is sent. ONLY APPEND TO THIS LIST: a name or field that changes breaks every
/// client or daemon of another version. A daemon refuses a name that it does not know.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Encoded {
    /// 1.
    Join {
        #[serde(deserialize_with = "at_most::<_, _, MAX_INTRODUCERS>")]
        introducers: Vec<String>,
    },
    /// 2.
    Leave,
    /// 3.
    List { all: bool },
    /// 4.
    Status,
    /// 5.
    Events,
    /// 6.
    Grep(Box<GrepRequest>),
    /// 7.
    Log { filter: Option<String> },
    /// 8: follow changes of the status.
    EventsFrom(EventsFrom),
    /// 9.
    Metrics,
    /// 10.
    Ring,
    /// 11: follow changes of all kinds.
    Changes(EventsFrom),
    /// 12: follow changes of all kinds, up to a moment.
    ChangesUntil { from: EventsFrom, until: u64 },
    /// 13: requests that 8, 11 and 12 cannot express.
    Follow(Follow),
    /// 14: a grep with an option that older daemons would leave out.
    NarrowedGrep(Box<GrepRequest>),
    /// 15.
    Forget(Forget),
    /// 16.
    Reload,
    /// 17.
    Files(FilesRequest),
    /// 18.
    View(ViewRequest),
    /// 19.
    Recover(RecoverRequest),
    /// 20.
    Leader(LeaderRequest),
    /// 21.
    Claim(ClaimRequest),
    /// 22.
    File(FileRequest),
    /// 23.
    Stats(Box<StatsRequest>),
    /// 24.
    Stream(StreamRequest),
}

impl From<Request> for Encoded {
    fn from(request: Request) -> Encoded {
        match request {
            Request::Join { introducers } => Encoded::Join { introducers },
            Request::Leave => Encoded::Leave,
            Request::List { all } => Encoded::List { all },
            Request::Status => Encoded::Status,
            Request::Events => Encoded::Events,
            Request::Grep(request) if request.narrowing_option().is_some() => {
                Encoded::NarrowedGrep(request)
            }
            Request::Grep(request) => Encoded::Grep(request),
            Request::Log { filter } => Encoded::Log { filter },
            Request::Follow(follow) => follow.into(),
            Request::Metrics => Encoded::Metrics,
            Request::Ring => Encoded::Ring,
            Request::Forget(forget) => Encoded::Forget(forget),
            Request::Reload => Encoded::Reload,
            Request::Files(request) => Encoded::Files(request),
            Request::View(request) => Encoded::View(request),
            Request::Recover(request) => Encoded::Recover(request),
            Request::Leader(request) => Encoded::Leader(request),
            Request::Claim(request) => Encoded::Claim(request),
            Request::File(request) => Encoded::File(request),
            Request::Stats(request) => Encoded::Stats(request),
            Request::Stream(request) => Encoded::Stream(request),
        }
    }
}

impl From<Follow> for Encoded {
    /// The oldest form that says it, so that as many daemons as possible understand it.
    fn from(follow: Follow) -> Encoded {
        let Follow { from, kinds, until } = follow;
        match (kinds, until) {
            (ChangeKinds::Liveness, None) => Encoded::EventsFrom(from),
            (ChangeKinds::All, None) => Encoded::Changes(from),
            (ChangeKinds::All, Some(until)) => Encoded::ChangesUntil { from, until },
            (ChangeKinds::Liveness, Some(_))
            | (ChangeKinds::WithForgotten | ChangeKinds::WithViews, _) => Encoded::Follow(follow),
        }
    }
}

impl From<Encoded> for Request {
    fn from(encoded: Encoded) -> Request {
        let follow = |from, kinds, until| Request::Follow(Follow { from, kinds, until });
        match encoded {
            Encoded::Join { introducers } => Request::Join { introducers },
            Encoded::Leave => Request::Leave,
            Encoded::List { all } => Request::List { all },
            Encoded::Status => Request::Status,
            Encoded::Events => Request::Events,
            Encoded::Grep(request) | Encoded::NarrowedGrep(request) => Request::Grep(request),
            Encoded::Log { filter } => Request::Log { filter },
            Encoded::EventsFrom(from) => follow(from, ChangeKinds::Liveness, None),
            Encoded::Metrics => Request::Metrics,
            Encoded::Ring => Request::Ring,
            Encoded::Reload => Request::Reload,
            Encoded::Files(request) => Request::Files(request),
            Encoded::Changes(from) => follow(from, ChangeKinds::All, None),
            Encoded::ChangesUntil { from, until } => follow(from, ChangeKinds::All, Some(until)),
            Encoded::Follow(follow) => Request::Follow(follow),
            Encoded::Forget(forget) => Request::Forget(forget),
            Encoded::View(request) => Request::View(request),
            Encoded::Recover(request) => Request::Recover(request),
            Encoded::Leader(request) => Request::Leader(request),
            Encoded::Claim(request) => Request::Claim(request),
            Encoded::File(request) => Request::File(request),
            Encoded::Stats(request) => Request::Stats(request),
            Encoded::Stream(request) => Request::Stream(request),
        }
    }
}
