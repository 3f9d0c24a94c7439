//! Replicated files as the rest of the daemon sees them. A [`Handle`] sends operations to the task
//! that owns this machine's [`memberd_files::Member`], on a thread of its own. Unless
//! `[files] enabled` is set, nothing of it runs.

mod convert;
mod handle;
mod operations;
mod service;

pub use handle::{FilesError, Handle};
pub use operations::{Merged, Reading, Writing};
pub use service::FilesService;

use memberd_files::{ClientError, ClientId, FilesStatus, Operation, Outcome, Piece};
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
    Begin(Begin),
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
    Tell(oneshot::Sender<Box<FilesStatus>>),
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
