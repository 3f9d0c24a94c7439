//! What the handlers of clients and WebHDFS call: [`Handle`]. It owns the numbers of operations and
//! their places.

use super::convert;
use super::operations::{Merged, Reading, Running, Writing};
use super::{Begin, COMMANDS, Command, Figures, OPERATIONS, TOLD, Told};
use crate::agreement;
use crate::membership::Ended;
use memberd_council::{KeeperCount, ShareChange, ShareError};
use memberd_files::store::ListedExtent;
use memberd_files::{
    ClientError, ClientId, Done, FilePath, FilesStatus, Found, Mutation, Operation, OperationId,
    Outcome, Query, ShareKeepers, ShareName, StoredPage, Token, Write, WriteTo,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

/// How long an operation waits for a place.
const PLACE_LIMIT: Duration = Duration::from_secs(2);

/// How long a new share may take until it is open.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// How long a change of the shares may take.
const AGREE_LIMIT: Duration = Duration::from_secs(10);

/// The pause between looks whether a share is open.
const LOOK: Duration = Duration::from_millis(50);

/// Why files did not do what they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// They are switched off here.
    #[error("files are switched off here: set [files] enabled = true on all machines")]
    Off,
    /// The agreed views do not answer.
    #[error("no majority of the council agrees on it: see memberctl view, then try again")]
    NoAgreement,
    /// This machine is not in the agreed view.
    #[error("this machine is in no agreed view: join the group, then try again")]
    NotInView,
    /// The task has ended.
    #[error("files have ended on this machine: look at its log, and start memberd again")]
    Ended,
    /// What members and catalogs say.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What the council says of a change of the shares.
    #[error("{0}")]
    Share(ShareError),
}

/// A handle to the task. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    cancelled: mpsc::UnboundedSender<ClientId>,
    agreement: agreement::Handle,
    places: Arc<Semaphore>,
    next_client: Arc<AtomicU64>,
}

/// The ends of the channels, for the task.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) commands: mpsc::Receiver<Command>,
    /// Operations whose client is gone: one for each place at most.
    pub(super) cancelled: mpsc::UnboundedReceiver<ClientId>,
}

impl Handle {
    /// A handle, and what the task receives.
    pub(super) fn new(agreement: agreement::Handle) -> (Handle, Channels) {
        let (commands, received) = mpsc::channel(COMMANDS);
        let (cancelled, told) = mpsc::unbounded_channel();
        let handle = Handle {
            commands,
            cancelled,
            agreement,
            places: Arc::new(Semaphore::new(OPERATIONS)),
            next_client: Arc::default(),
        };
        (handle, Channels { commands: received, cancelled: told })
    }

    /// The same task for another part of the daemon, which has so many operations at once. So it
    /// neither waits for the clients of this machine, nor do they wait for it. All parts together
    /// have at most [`Member::MAX_CLIENTS`](memberd_files::Member::MAX_CLIENTS).
    #[must_use]
    pub fn with_places(&self, places: usize) -> Handle {
        Handle { places: Arc::new(Semaphore::new(places)), ..self.clone() }
    }

    /// Asks the catalog of a share. With `stale`, any keeper's state will do when no primary
    /// answers. Also says whether the answer is the newest.
    ///
    /// # Errors
    /// When nobody can answer.
    pub async fn ask(
        &self,
        share: ShareName,
        query: Query,
        stale: bool,
    ) -> Result<(Found, bool), FilesError> {
        match self.outcome(Operation::Ask { share, query, stale }).await? {
            Outcome::Found { found, is_newest } => Ok((found, is_newest)),
            _ => Err(FilesError::Ended),
        }
    }

    /// Changes the catalog of a share, once.
    ///
    /// # Errors
    /// When it did not happen, or may not have: [`ClientError::Ambiguous`].
    pub async fn change(&self, share: ShareName, mutation: Mutation) -> Result<Done, FilesError> {
        let operation = operation_id()?;
        match self.outcome(Operation::Change { share, operation, mutation }).await? {
            Outcome::Changed(done) => Ok(done),
            _ => Err(FilesError::Ended),
        }
    }

    /// Begins to write a file, or to append to it: all or nothing, at [`Writing::finish`].
    ///
    /// # Errors
    /// When too many operations are under way.
    pub async fn write(
        &self,
        path: FilePath,
        token: Token,
        to: WriteTo,
    ) -> Result<Writing, FilesError> {
        let operation = operation_id()?;
        let write = Write { path, operation, token, to };
        Ok(Writing::new(self.begin(Operation::Write(write)).await?))
    }

    /// Begins to read a file as it is now.
    ///
    /// # Errors
    /// When there is no such file, or nobody can answer.
    pub async fn read(
        &self,
        path: FilePath,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Reading, FilesError> {
        Reading::begin(self.begin(Operation::Read { path, offset, limit }).await?).await
    }

    /// Compares all copies of a file, and makes them equal.
    ///
    /// # Errors
    /// When that cannot be done now.
    pub async fn merge(&self, path: FilePath) -> Result<Merged, FilesError> {
        match self.outcome(Operation::Merge { path }).await? {
            Outcome::Merged { length, copies, repaired } => Ok(Merged { length, copies, repaired }),
            _ => Err(FilesError::Ended),
        }
    }

    /// A page of what lies on this machine's disk.
    ///
    /// # Errors
    /// When the disk has failed.
    pub async fn stored(&self, page: StoredPage) -> Result<Vec<ListedExtent>, FilesError> {
        match self.outcome(Operation::Stored(page)).await? {
            Outcome::Stored(extents) => Ok(extents),
            _ => Err(FilesError::Ended),
        }
    }

    /// Figures of this machine.
    ///
    /// # Errors
    /// When the task has ended.
    pub async fn status(&self) -> Result<FilesStatus, FilesError> {
        Ok(self.figures().await?.status)
    }

    /// All figures of the task.
    pub(super) async fn figures(&self) -> Result<Box<Figures>, FilesError> {
        let (reply, told) = oneshot::channel();
        self.send(Command::Tell(reply)).await?;
        told.await.map_err(|_| FilesError::Ended)
    }

    /// Has files with two copies left wait so long.
    pub(super) async fn set_repair_after(&self, wait: Duration) -> Result<(), FilesError> {
        self.send(Command::RepairAfter(wait)).await
    }

    /// Ends the task once what it has taken is on disk.
    pub(super) async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        if self.send(Command::Stop(reply)).await.is_ok() {
            // The task may have ended before.
            let _ = stopped.await;
        }
    }

    /// Makes a share with so many keepers, and returns once it is open. It succeeds if there is
    /// one, with as many keepers as that has.
    ///
    /// # Errors
    /// When no view has it in time, or when it is not open in time. It may come later.
    pub async fn add_share(&self, name: ShareName, keepers: KeeperCount) -> Result<(), FilesError> {
        let change = ShareChange::Add { name: convert::council_name(&name)?, keepers };
        self.change_share(change).await?;
        let until = Instant::now() + OPEN_LIMIT;
        loop {
            match self.ask(name.clone(), Query::Usage, false).await {
                Ok(_) => return Ok(()),
                Err(error) if !is_soon(&error) || Instant::now() >= until => return Err(error),
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    /// Removes a share with all that is in it.
    ///
    /// # Errors
    /// When there is none, or no view is without it in time.
    pub async fn remove_share(&self, name: ShareName) -> Result<(), FilesError> {
        let known = convert::council_name(&name)?;
        let view = Arc::clone(&self.agreement.shown().borrow().view);
        let share = view.share(&known).ok_or(ClientError::NoShare(name))?;
        let change = ShareChange::Remove { name: known, added: share.added };
        self.change_share(change).await
    }

    /// The shares of this machine's agreed view, by name, and who keeps each.
    pub fn shares(&self) -> Vec<(ShareName, ShareKeepers)> {
        let view = Arc::clone(&self.agreement.shown().borrow().view);
        convert::shares(&view).collect()
    }

    async fn change_share(&self, change: ShareChange) -> Result<(), FilesError> {
        let change = |reply| agreement::Command::ChangeShare { change, reply };
        match timeout(AGREE_LIMIT, self.agreement.ask(change)).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err(ShareError::NotInView))) => Err(FilesError::NotInView),
            Ok(Ok(Err(error))) => Err(FilesError::Share(error)),
            Ok(Err(Ended)) | Err(_) => Err(FilesError::NoAgreement),
        }
    }

    /// Runs an operation that tells only its end.
    async fn outcome(&self, operation: Operation) -> Result<Outcome, FilesError> {
        self.begin(operation).await?.end().await
    }

    async fn begin(&self, operation: Operation) -> Result<Running, FilesError> {
        let place = Arc::clone(&self.places).acquire_owned();
        let place = timeout(PLACE_LIMIT, place).await.map_err(|_| ClientError::Busy)?;
        let place = place.map_err(|_| FilesError::Ended)?;
        let client = ClientId(self.next_client.fetch_add(1, Ordering::Relaxed));
        let (told, receiver) = mpsc::channel::<Told>(TOLD);
        let begin = Begin { client, operation, told, place };
        self.send(Command::Begin(Box::new(begin))).await?;
        let (commands, cancelled) = (self.commands.clone(), self.cancelled.clone());
        Ok(Running::new(client, commands, cancelled, receiver))
    }

    async fn send(&self, command: Command) -> Result<(), FilesError> {
        self.commands.send(command).await.map_err(|_| FilesError::Ended)
    }
}

/// Whether the next look may succeed: the keepers of a new share are not told yet.
fn is_soon(error: &FilesError) -> bool {
    matches!(error, FilesError::Client(ClientError::NoShare(_) | ClientError::Closed { .. }))
}

fn operation_id() -> Result<OperationId, FilesError> {
    let mut bytes = [0; 16];
    // Without randomness nothing may be named.
    getrandom::fill(&mut bytes).map_err(|_| FilesError::Ended)?;
    Ok(OperationId(u128::from_be_bytes(bytes)))
}
