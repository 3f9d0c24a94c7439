//! The group as the rest of the daemon sees it. A handle sends commands to the task that owns the
//! protocol's [`memberd_membership::Node`], on a thread of its own.

mod address;
mod calls;
mod elsewhere;
/// The requests of control clients. Each file has the name of the `memberctl` command that it
/// answers.
pub mod handlers {
    pub mod events;
    pub mod forget;
    pub mod join;
    pub mod leave;
    pub mod list;
    pub mod ring;
    pub mod status;
}
mod history;
mod join_words;
mod list_watch;
mod lookup;
mod measure;
mod member;
mod metrics;
mod service;
mod status;
mod task;
pub mod thread;
mod traffic;

pub use history::{Begin, Past};
pub use list_watch::{Looks, watch_list};
pub use measure::{Events, Measured};
pub use member::{ChangeKind, Liveness, Member, MemberChange, Snapshot};
pub use service::{MembershipService, Resources, Running};
pub use status::{NeighbourStatus, Ring, Status};
pub use task::{Membership, Parts};
pub use traffic::{ByKind, Totals};

pub(crate) use calls::beside_if_large;

use crate::resolve::Resolved;
use memberd_membership::wire::DecodeError;
use memberd_membership::{
    CallReply, CallRequest, Forget, ForgetError, ForgetReport, Identity, Inquiry, Introducers,
    JoinError, Name, Tags, ViewNews, WallTime,
};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};

/// The most commands that wait for the task.
pub const COMMANDS: usize = 64;

/// The most membership changes that a follower may lag behind.
pub const CHANGES: usize = 1_024;

/// The most news of agreed views that a follower may lag behind.
const VIEWS: usize = 16;

/// A request to the task.
#[derive(Debug)]
pub enum Command {
    /// Joins through these introducers.
    Join {
        /// The introducers to ask. If there are none, remembered members are asked.
        introducers: Introducers,
        /// Receives the result.
        reply: oneshot::Sender<Result<Joined, JoinFailure>>,
    },
    /// Requests the question whether members of this group are at these addresses.
    Inquire {
        /// The addresses.
        addresses: Vec<SocketAddr>,
        /// Receives the question; `None` if one is in the list, or when not in a group.
        reply: oneshot::Sender<Option<Inquiry>>,
    },
    /// Leaves the group.
    Leave {
        /// Receives whether this member was in the group.
        reply: oneshot::Sender<bool>,
    },
    /// Forgets members that are gone.
    Forget {
        /// Which.
        which: Forget,
        /// The user who asked for it, for the log.
        uid: Option<u32>,
        /// Receives what became of it.
        reply: oneshot::Sender<Result<Forgot, ForgetError>>,
    },
    /// Requests the list.
    List {
        /// Receives the list; `None` when not in a group.
        reply: oneshot::Sender<Option<Snapshot>>,
    },
    /// Requests the status.
    Status {
        /// Receives the report.
        reply: oneshot::Sender<Box<Status>>,
    },
    /// Requests the ring.
    Ring {
        /// Receives the ring; `None` when not in a group.
        reply: oneshot::Sender<Option<Ring>>,
    },
    /// Requests all measurements.
    Measure {
        /// Receives the figures.
        reply: oneshot::Sender<Box<Measured>>,
    },
    /// Requests remembered membership changes, and those to come.
    Follow {
        /// Where to begin.
        from: Begin,
        /// The scope of the changes.
        scope: Scope,
        /// Receives them, and further changes as they happen.
        reply: oneshot::Sender<Followed>,
    },
    /// Requests the members that are up.
    Up {
        /// Receives them, ordered by name; `None` when not in a group.
        reply: oneshot::Sender<Option<Vec<Identity>>>,
    },
    /// Handles the request of another member over TCP.
    Request {
        /// The request, decoded: the task has no time for that.
        request: Result<CallRequest, DecodeError>,
        /// Receives the reply.
        reply: oneshot::Sender<CallReply>,
    },
    /// Replaces what is known of the introducers of the settings.
    Introducers(Resolved),
    /// Replaces this member's tags.
    Tags(Tags),
    /// Tells the group of this machine's newest agreed view.
    SpreadView(ViewNews),
    /// Ends the task, at the daemon's end.
    End,
}

/// A successful join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The identity of this member in the group.
    pub id: Identity,
    /// The number of members that are up.
    pub up: usize,
    /// Whether this member was in the group before.
    pub already: bool,
    /// Why this member has founded the group just now, if it has.
    pub founded: Option<Founded>,
}

/// Why a member has founded a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Founded {
    /// It knows no introducers.
    NoIntroducers,
    /// It is an introducer itself, and no other answered.
    NobodyAnswered,
}

/// Members that were forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgot {
    /// The members, ordered by name.
    pub members: Vec<Identity>,
    /// What the others said.
    pub report: ForgetReport,
}

/// A failed join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinFailure {
    /// The introducers could not help.
    #[error(transparent)]
    Refused(#[from] JoinError),
    /// Another join, or a leave, is under way.
    #[error("this daemon is already joining or leaving: try again in a few seconds")]
    Busy,
    /// Another machine took this one's name.
    #[error(
        "the name is taken by the newer live member {0}: give each machine its own [node] name"
    )]
    Superseded(String),
}

/// The changes that a follower wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The kinds of the changes.
    pub kinds: Kinds,
    /// The end of the scope; `None` if it has no end.
    pub until: Option<WallTime>,
}

/// Kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// Members that join, fail and leave.
    Liveness,
    /// Those, and changed tags. Older clients ask for this.
    LivenessAndTags,
    /// All changes.
    All,
}

impl Scope {
    /// A scope of these kinds without an end.
    pub fn endless(kinds: Kinds) -> Scope {
        Scope { kinds, until: None }
    }

    /// Whether this change is in the scope.
    pub fn includes(self, change: &MemberChange) -> bool {
        let kind = match change.kind {
            ChangeKind::Liveness => true,
            ChangeKind::Tags => self.kinds != Kinds::Liveness,
            ChangeKind::Forgotten => self.kinds == Kinds::All,
        };
        kind && self.until.is_none_or(|until| change.at < until)
    }
}

/// Past and coming membership changes, without a gap between them.
#[derive(Debug)]
pub struct Followed {
    /// The remembered changes.
    pub past: Past,
    /// The changes to come, of all kinds.
    pub coming: broadcast::Receiver<Arc<MemberChange>>,
}

/// A handle that sends commands to the task. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    /// The queue takes room for all [`CHANGES`] at the start, so it holds small shared pointers.
    changes: broadcast::Sender<Arc<MemberChange>>,
    views: broadcast::Sender<(Name, ViewNews)>,
}

/// The task has ended: the daemon is shutting down, or the task had a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("memberd is shutting down, or has a fault: look at its log")]
pub struct Ended;

impl Handle {
    /// Creates a handle, and the receiver for the task.
    pub fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (changes, _) = broadcast::channel(CHANGES);
        let (views, _) = broadcast::channel(VIEWS);
        (Handle { commands, changes, views }, receiver)
    }

    /// Sends a command that has a reply, and waits for it.
    ///
    /// # Errors
    /// When the task has ended.
    pub async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// Sends a command without a reply.
    ///
    /// # Errors
    /// When the task has ended.
    pub async fn tell(&self, command: Command) -> Result<(), Ended> {
        self.commands.send(command).await.map_err(|_| Ended)
    }

    /// Receives the membership changes of all kinds from now on.
    pub fn follow(&self) -> broadcast::Receiver<Arc<MemberChange>> {
        self.changes.subscribe()
    }

    /// Receives which agreed views other members have, from now on.
    pub fn follow_views(&self) -> broadcast::Receiver<(Name, ViewNews)> {
        self.views.subscribe()
    }

    fn publish_view(&self, from: Name, news: ViewNews) {
        // An error only means that nobody follows them.
        let _ = self.views.send((from, news));
    }

    fn publish(&self, change: Arc<MemberChange>) {
        // An error only means that nobody follows the changes.
        let _ = self.changes.send(change);
    }
}
