//! Durable jobs (`memberctl stream`, and the crate `memberd-jobs`) as the rest of the daemon sees
//! them. A [`Handle`] asks the task that owns this machine's [`engine::Engine`], on a thread of its
//! own. Unless `[streams] jobs` is set, nothing of it runs.

pub mod calls;
mod describe;
mod engine;
mod group;
/// The requests of control clients.
pub(crate) mod handlers;
pub mod incoming;
mod links;
mod metrics;
mod notes;
mod readers;
mod service;
mod source;
mod source_files;
mod spec;
pub mod store;
#[cfg(test)]
mod strangers;
mod sums;
mod task;
#[cfg(test)]
mod testing;
mod without;

pub use service::{JobsService, Resources};

use crate::files::members::Peers;
use crate::membership::Ended;
use describe::Here;
use engine::{Change, ChangeError, Changed};
use group::Group;
use memberd_jobs::{JobId, JobStatus, Name, Table};
use memberd_transport::Caller;
use source::Sources;
use std::sync::Arc;
use store::JobStore;
use tokio::sync::{mpsc, oneshot, watch};

/// The most commands that wait for the task.
const COMMANDS: usize = 64;

/// What is asked of the task.
#[derive(Debug)]
enum Command {
    /// A change of the job table, which the leader makes. The reply comes once the table has it.
    Change(Change, oneshot::Sender<Result<Changed, ChangeError>>),
    /// There is a job table.
    TableThere,
    /// There was one, and it is not there any more.
    TableMissed,
    /// How far a job is here.
    Status(JobId, oneshot::Sender<Here>),
    /// What is known now.
    Tell(oneshot::Sender<Box<Told>>),
}

/// What the task says of itself.
#[derive(Debug)]
struct Told {
    /// The newest table that this machine has seen.
    table: Arc<Table>,
    /// How far each of its jobs is here.
    statuses: Vec<JobStatus>,
    /// Whether this machine leads the jobs.
    leads: bool,
    /// Connections to other members.
    links: usize,
    /// Messages that were dropped since there was no room.
    dropped: u64,
}

/// A handle to the task, and to those of other members. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    own: Name,
    commands: mpsc::Sender<Command>,
    group: watch::Receiver<Group>,
    peers: watch::Receiver<Peers>,
    caller: Caller,
    store: JobStore,
    sources: Sources,
}

impl Handle {
    /// Sends a command, and waits for its reply.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }
}
