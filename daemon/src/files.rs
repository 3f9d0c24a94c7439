//! Replicated files as the rest of the daemon sees them. A [`Handle`] sends operations to the task
//! that owns this machine's [`memberd_files::Member`], on a thread of its own. Unless
//! `[files] enabled` is set, nothing of it runs.

mod clients;
mod convert;
mod disk;
mod fills;
#[cfg(test)]
pub(crate) mod group;
mod handle;
/// The requests of control clients.
pub(crate) mod handlers;
pub mod incoming;
mod links;
pub(crate) mod members;
mod metrics;
mod operations;
mod service;
mod task;
mod views;
mod webhdfs;

pub use handle::{FilesError, Handle};
pub use operations::{Merged, Reading, Writing};
pub use service::{FilesService, Resources};

use disk::DiskFigures;
use memberd_files::{ClientError, ClientId, Done, FilesStatus, Operation, Outcome, Piece};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// Where files lie in the state directory.
pub const DIRECTORY: &str = "files";

/// The most commands that wait for the task.
const COMMANDS: usize = 64;

/// The most operations of clients at once.
const OPERATIONS: usize = 64;

/// What the task tells a client at most before it has taken it. A read has a window of less.
const TOLD: usize = 64;

/// What is asked of the task.
#[derive(Debug)]
enum Command {
    /// An operation begins.
    Begin(Box<Begin>),
    /// Bytes of a write.
    Push {
        /// Of whom.
        client: ClientId,
        /// They.
        bytes: Vec<u8>,
        /// Receives that they are taken. Nothing comes if the operation has ended.
        taken: oneshot::Sender<()>,
    },
    /// All bytes of a write were pushed.
    End(ClientId),
    /// What was read last is on its way to the client.
    Taken(ClientId),
    /// Figures.
    Tell(oneshot::Sender<Box<Figures>>),
    /// How long files with two copies left wait after a member failed.
    RepairAfter(Duration),
    /// The daemon is about to end.
    Stop(oneshot::Sender<()>),
}

/// What the task says of itself.
#[derive(Debug)]
struct Figures {
    /// What the member says.
    status: FilesStatus,
    /// The disk.
    disk: DiskFigures,
    /// Operations of clients.
    operations: usize,
    /// Connections to other members.
    links: usize,
    /// Messages that were dropped since a queue was full.
    dropped: u64,
    /// Whether a view was confirmed since the start.
    has_view: bool,
}

/// An operation of a client, as it begins.
#[derive(Debug)]
struct Begin {
    client: ClientId,
    operation: Operation,
    /// Takes what the client is told.
    told: mpsc::Sender<Told>,
    /// Its place among all operations.
    place: OwnedSemaphorePermit,
}

/// What a client is told of its operation.
#[derive(Debug)]
enum Told {
    /// So many bytes follow.
    Length {
        /// The file, with all its bytes, as it is read.
        file: Done,
        /// How many.
        length: u64,
        /// Whether they are the newest.
        is_newest: bool,
    },
    /// The next of them.
    Data(Piece),
    /// The end.
    Done(Result<Outcome, ClientError>),
}
