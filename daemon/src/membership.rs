//! The group as the rest of the daemon sees it: a handle to the one task that owns the protocol's
//! [`memberd_membership::Node`], on a thread of its own.

mod address;
mod calls;
/// What the daemon does for a control client: one file a verb, of the same name as memberctl's.
pub mod handlers {
    pub mod events;
    pub mod join;
    pub mod leave;
    pub mod list;
    pub mod ring;
    pub mod status;
}
mod history;
mod measure;
mod member;
mod metrics;
mod service;
mod status;
mod task;
pub mod thread;
mod traffic;

pub use history::{Begin, Past};
pub use measure::{Events, Measured};
pub use member::{ChangeKind, Liveness, Member, MemberChange, Snapshot};
pub use service::{MembershipService, Resources, Running};
pub use status::{NeighbourStatus, Ring, Status};
pub use task::{Membership, Parts};
pub use traffic::{ByKind, Totals};

use memberd_membership::{Identity, JoinError, Tags, WallTime};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};

/// How many commands wait for the task at most.
pub const COMMANDS: usize = 64;

/// How many membership changes a follower may lag behind.
pub const CHANGES: usize = 1_024;

/// A request to the task.
#[derive(Debug)]
pub enum Command {
    /// Join through these introducers.
    Join {
        /// Where to ask.
        introducers: Vec<SocketAddr>,
        /// What became of it.
        reply: oneshot::Sender<Result<Joined, JoinFailure>>,
    },
    /// Leave the group.
    Leave {
        /// Whether it was in the group.
        reply: oneshot::Sender<bool>,
    },
    /// The list; none when not in a group.
    List {
        /// All of it.
        reply: oneshot::Sender<Option<Snapshot>>,
    },
    /// How it is doing.
    Status {
        /// The report.
        reply: oneshot::Sender<Box<Status>>,
    },
    /// The ring; none when not in a group.
    Ring {
        /// All of it.
        reply: oneshot::Sender<Option<Ring>>,
    },
    /// All that is measured.
    Measure {
        /// The figures.
        reply: oneshot::Sender<Box<Measured>>,
    },
    /// Some of the remembered membership changes, and those to come.
    Follow {
        /// Which of the remembered.
        from: Begin,
        /// Which of all changes.
        scope: Scope,
        /// They, and the rest as it happens.
        reply: oneshot::Sender<Followed>,
    },
    /// The members that are up; none when not in a group.
    Up {
        /// Ordered by name.
        reply: oneshot::Sender<Option<Vec<Identity>>>,
    },
    /// Another member's request came over TCP.
    Request {
        /// Its bytes.
        bytes: Vec<u8>,
        /// The bytes of the reply.
        reply: oneshot::Sender<Vec<u8>>,
    },
    /// The introducers of the settings, resolved anew.
    Introducers(Vec<SocketAddr>),
    /// What this member says of itself from now on.
    Tags(Tags),
    /// The daemon ends: the task is to end too.
    End,
}

/// A join that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Under which identity.
    pub id: Identity,
    /// How many members are up.
    pub up: usize,
    /// Whether it was in the group before.
    pub already: bool,
}

/// A join that was not done.
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

/// Which changes a follower wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Of which kinds.
    pub kinds: Kinds,
    /// Those before this moment; without one there is no end.
    pub until: Option<WallTime>,
}

/// Kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// Members that join, fail and leave.
    Liveness,
    /// All.
    All,
}

impl Scope {
    /// Those of these kinds, however long it takes.
    pub fn endless(kinds: Kinds) -> Scope {
        Scope { kinds, until: None }
    }

    /// Whether this change is one of them.
    pub fn includes(self, change: &MemberChange) -> bool {
        let kind = self.kinds == Kinds::All || change.kind == ChangeKind::Liveness;
        kind && self.until.is_none_or(|until| change.at < until)
    }
}

/// Membership changes without a gap between those of the past and those to come.
#[derive(Debug)]
pub struct Followed {
    /// What is remembered of the past.
    pub past: Past,
    /// The changes to come, of all kinds.
    pub coming: broadcast::Receiver<Arc<MemberChange>>,
}

/// The way to the task; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    /// Shared, and so small: room for all of [`CHANGES`] is taken from the start.
    changes: broadcast::Sender<Arc<MemberChange>>,
}

/// The task has ended: the daemon is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("memberd is shutting down")]
pub struct Ended;

impl Handle {
    /// A handle, and the ends that the task needs.
    pub fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (changes, _) = broadcast::channel(CHANGES);
        (Handle { commands, changes }, receiver)
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

    /// Sends a command that has none.
    ///
    /// # Errors
    /// When the task has ended.
    pub async fn tell(&self, command: Command) -> Result<(), Ended> {
        self.commands.send(command).await.map_err(|_| Ended)
    }

    /// Follows the membership changes from now on, of all kinds.
    pub fn follow(&self) -> broadcast::Receiver<Arc<MemberChange>> {
        self.changes.subscribe()
    }

    fn publish(&self, change: Arc<MemberChange>) {
        // Nobody may be following.
        let _ = self.changes.send(change);
    }
}
