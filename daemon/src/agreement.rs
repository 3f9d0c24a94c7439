//! The agreed views as the rest of the daemon sees them. A [`Handle`] sends commands to the task
//! that owns the protocol's [`memberd_council::Council`], on a thread of its own. Unless
//! `[agreement] enabled` is set, nothing of it runs.

mod changes;
mod convert;
mod file;
/// The requests of control clients.
pub mod handlers {
    pub mod claim;
    pub mod hold;
    pub mod leader;
    pub mod recover;
    pub mod view;
}
mod history;
mod holds;
pub mod incoming;
mod links;
mod list;
mod metrics;
mod service;
mod task;
mod writer;

pub use file::AgreementFile;
pub use service::{AgreementService, Resources};

pub(crate) use changes::Followed;

use crate::membership::Ended;
use history::PastView;
use holds::Held;
use memberd_council::{
    BootTime, Claim, ClaimError, Confirmation, HandOverError, Name, Now, RecoveryError, Share,
    ShareChange, ShareError, Status, Term, View, Voter,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use writer::Told as Written;

/// The most commands that wait for the task.
const COMMANDS: usize = 64;

/// How long a planned stop waits for the view without this machine.
pub const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// A request to the task.
#[derive(Debug)]
pub(crate) enum Command {
    /// What is known now.
    Tell(oneshot::Sender<Box<Told>>),
    /// Ask the council whether the view here is the newest.
    Confirm(oneshot::Sender<Confirmation>),
    /// Claim a key.
    Claim {
        /// The key.
        key: String,
        /// Whether a claim counts no more whose holder is no member any more.
        retry: bool,
        /// Receives who has the key. A receiver that is dropped abandons the claim.
        reply: oneshot::Sender<Result<Settled, ClaimError>>,
    },
    /// Change the shares of replicated files.
    ChangeShare {
        /// How.
        change: ShareChange,
        /// Receives the share, and none of one that was removed. A receiver that is dropped
        /// abandons the change.
        reply: oneshot::Sender<Result<Option<Share>, ShareError>>,
    },
    /// Hand over to this voter, or to the next.
    HandOver {
        /// To whom.
        to: Option<Name>,
        /// Receives the end.
        reply: oneshot::Sender<Result<(), HandOverFailure>>,
    },
    /// Promise that this machine stays exclusive for this long. Nothing is promised for no time.
    Grant {
        /// How long.
        span: Duration,
        /// Receives the term and the end of the lease; nothing if it is not exclusive for so long.
        reply: oneshot::Sender<Option<(Term, BootTime)>>,
    },
    /// Follow what happens to the views.
    Follow(oneshot::Sender<Followed>),
    /// Follow the lease of this machine.
    Hold(oneshot::Sender<Holding>),
    /// The work under a hold has ended.
    ReleaseHold {
        /// Which.
        hold: u64,
        /// Receives that it is noted.
        reply: oneshot::Sender<()>,
    },
    /// Recover from the loss of these voters.
    Recover {
        /// Whom the operator names.
        lost: Vec<Name>,
        /// Receives the end.
        reply: oneshot::Sender<Result<(), RecoveryError>>,
    },
    /// This machine is about to leave the group or to stop.
    Release(oneshot::Sender<()>),
}

/// A claim that is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Whether this very request got it.
    pub by_us: bool,
    /// Who has the key.
    pub claim: Claim,
    /// The term of the view that granted it.
    pub term: Term,
}

/// Why there was no hand-over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandOverFailure {
    /// This machine does not lead.
    #[error("{0} leads: run it there")]
    LedBy(Name),
    /// The council says why not.
    #[error(transparent)]
    Council(#[from] HandOverError),
}

/// A hold of a client.
#[derive(Debug)]
pub(crate) struct Holding {
    /// Its number, which only its client knows.
    pub hold: u64,
    /// What it is told. Only the newest counts.
    pub held: watch::Receiver<Held>,
}

/// What is known at a moment.
#[derive(Debug)]
pub(crate) struct Told {
    /// The moment.
    pub now: Now,
    /// What the council says of itself.
    pub status: Status,
    /// The lease of the settings.
    pub lease: Duration,
    /// The last views, the oldest first.
    pub history: Vec<PastView>,
    /// Since when the leader leads, as far as this daemon saw it.
    pub leader_since: BootTime,
    /// Whether the leader is exclusive, as far as is known here.
    pub exclusive: bool,
    /// How many voters confirmed the view when they were last asked from here.
    pub confirmed_by: usize,
    /// When the voters were last heard.
    pub heard: BTreeMap<Name, BootTime>,
    /// How the agreement file is written.
    pub written: Written,
    /// Connections to other members.
    pub links: usize,
    /// Messages that were dropped since a queue was full.
    pub dropped: u64,
    /// How many views were installed since the start.
    pub installed: u64,
    /// How often the name of a leader was installed.
    pub elected: u64,
}

/// What all who wait for something look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The newest view.
    pub view: Arc<View>,
    /// The leader, as far as it is known to lead still.
    pub leader: Option<Voter>,
    /// Whether it is exclusive, as far as is known here.
    pub exclusive: bool,
}

/// A handle that sends commands to the task. It is cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    commands: mpsc::Sender<Command>,
    shown: watch::Receiver<Shown>,
}

impl Handle {
    /// A handle to a task of a test.
    #[cfg(test)]
    pub(crate) fn of(commands: mpsc::Sender<Command>, shown: watch::Receiver<Shown>) -> Handle {
        Handle { commands, shown }
    }

    /// Sends a command, and waits for its reply.
    ///
    /// # Errors
    /// When the task has ended.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// What is shown, and when it changes.
    pub(crate) fn shown(&self) -> &watch::Receiver<Shown> {
        &self.shown
    }

    /// Waits until this holds of what is shown.
    ///
    /// # Errors
    /// When the task has ended.
    pub(crate) async fn wait_for(&self, holds: impl FnMut(&Shown) -> bool) -> Result<(), Ended> {
        self.shown.clone().wait_for(holds).await.map(drop).map_err(|_| Ended)
    }
}
