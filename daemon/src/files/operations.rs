//! Operations of clients under way: [`Writing`] and [`Reading`]. Dropped before their end, they are
//! cancelled.

use super::handle::FilesError;
use super::{Command, Told};
use memberd_files::{ClientId, Done, Outcome, Piece};
use tokio::sync::{mpsc, oneshot};

/// The most bytes that are passed on at once.
const CHUNK: usize = 256 << 10;

/// That all copies of a file are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// The file's bytes.
    pub length: u64,
    /// The least number of equal copies that each of its extents has.
    pub copies: usize,
    /// The copies that were made again.
    pub repaired: usize,
}

/// An operation that the task has.
#[derive(Debug)]
pub(super) struct Running {
    client: ClientId,
    commands: mpsc::Sender<Command>,
    cancelled: mpsc::UnboundedSender<ClientId>,
    told: mpsc::Receiver<Told>,
    /// How it ended.
    ended: Option<Result<Outcome, FilesError>>,
}

impl Running {
    pub(super) fn new(
        client: ClientId,
        commands: mpsc::Sender<Command>,
        cancelled: mpsc::UnboundedSender<ClientId>,
        told: mpsc::Receiver<Told>,
    ) -> Running {
        Running { client, commands, cancelled, told, ended: None }
    }

    /// Waits for the end.
    pub(super) async fn end(mut self) -> Result<Outcome, FilesError> {
        while self.next().await.is_some() {}
        self.ended.clone().unwrap_or(Err(FilesError::Ended))
    }

    /// What is told next; nothing after the end. It can be dropped and called again.
    async fn next(&mut self) -> Option<Told> {
        if self.ended.is_some() {
            return None;
        }
        match self.told.recv().await {
            Some(Told::Done(result)) => self.ended = Some(result.map_err(FilesError::Client)),
            Some(told) => return Some(told),
            None => self.ended = Some(Err(FilesError::Ended)),
        }
        None
    }

    /// Why nothing more comes: an operation that ended well before its client was done is a fault.
    fn error(&self) -> FilesError {
        match &self.ended {
            Some(Err(error)) => error.clone(),
            Some(Ok(_)) | None => FilesError::Ended,
        }
    }

    async fn send(&self, command: Command) -> Result<(), FilesError> {
        self.commands.send(command).await.map_err(|_| FilesError::Ended)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // The task may have ended.
            let _ = self.cancelled.send(self.client);
        }
    }
}

/// A file that is being written. Nobody sees any of it before [`Writing::finish`].
#[derive(Debug)]
pub struct Writing(Running);

impl Writing {
    pub(super) fn new(running: Running) -> Writing {
        Writing(running)
    }

    /// Takes the next bytes. It waits until there is room for them. A future that is dropped
    /// before its end leaves the write unusable: drop it too.
    ///
    /// # Errors
    /// When the write has failed.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), FilesError> {
        for chunk in bytes.chunks(CHUNK) {
            let (taken, mut is_taken) = oneshot::channel();
            let client = self.0.client;
            self.0.send(Command::Push { client, bytes: chunk.to_vec(), taken }).await?;
            tokio::select! {
                biased;
                _ = self.0.next() => return Err(self.0.error()),
                taken = &mut is_taken => if taken.is_err() {
                    while self.0.next().await.is_some() {}
                    return Err(self.0.error());
                },
            }
        }
        Ok(())
    }

    /// Ends it: what was pushed is the file's content or end.
    ///
    /// # Errors
    /// When it did not happen, or may not have.
    pub async fn finish(mut self) -> Result<Done, FilesError> {
        self.0.send(Command::End(self.0.client)).await?;
        while self.0.next().await.is_some() {}
        match &self.0.ended {
            Some(Ok(Outcome::Changed(done))) => Ok(*done),
            _ => Err(self.0.error()),
        }
    }
}

/// A file that is being read, as it was when the reading began.
#[derive(Debug)]
pub struct Reading {
    running: Running,
    file: Done,
    length: u64,
    is_newest: bool,
}

impl Reading {
    /// Waits until the file is found.
    pub(super) async fn begin(mut running: Running) -> Result<Reading, FilesError> {
        match running.next().await {
            Some(Told::Length { file, length, is_newest }) => {
                Ok(Reading { running, file, length, is_newest })
            }
            _ => Err(running.error()),
        }
    }

    /// The file as it is read, with the length of all of it.
    pub fn file(&self) -> Done {
        self.file
    }

    /// How many bytes come in all.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether it is the newest content. A minority reads what some keeper had at some time.
    pub fn is_newest(&self) -> bool {
        self.is_newest
    }

    /// The next bytes; nothing at the end.
    ///
    /// # Errors
    /// When no copy can be read any more, or the file has changed. What came is right.
    pub async fn next(&mut self) -> Result<Option<Piece>, FilesError> {
        match self.running.next().await {
            Some(Told::Data(bytes)) => {
                self.running.send(Command::Taken(self.running.client)).await?;
                Ok(Some(bytes))
            }
            Some(_) => Err(FilesError::Ended),
            None => match &self.running.ended {
                Some(Ok(_)) => Ok(None),
                _ => Err(self.running.error()),
            },
        }
    }
}
