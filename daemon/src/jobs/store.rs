//! The replicated files as the jobs' protocol asks of them: [`JobStore`] answers a
//! [`StoreAsk`] with a [`StoreAnswer`]. It owns which question of each file is under way.
//!
//! Whatever may have happened, or may still happen, is [`StoreAnswer::Unknown`]. Then the asker
//! reads the file again, and all its writes have conditions: so none of them needs an operation id
//! that outlives its question, and none is ever repeated here.

mod operations;
mod outcome;
mod paths;
mod table;
#[cfg(test)]
mod tests;
mod turns;

pub use paths::{SinkError, sink_path};
pub use table::{TableError, TableFound};

use crate::files::Handle;
use memberd_files::FilePath;
use memberd_jobs::{JobFile, StoreAnswer, StoreAsk, StoreOperation};
use operations::JobFiles;
use outcome::Failure;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, info, warn};
use turns::Turns;

/// The most operations at once. They have places of their own among the operations of this machine.
const AT_ONCE: usize = 32;

/// The most bytes of all writes that wait or are under way. One has at most 1 MiB.
const MOST_BYTES: usize = 64 << 20;

/// How long one operation may take in all. Each part of it ends by itself before that.
const LIMIT: Duration = Duration::from_secs(120);

/// The files of durable jobs. It is cheap to clone, and all clones are one.
#[derive(Debug, Clone)]
pub struct JobStore {
    files: JobFiles,
    turns: Turns,
    /// Operations that may begin.
    places: Arc<Semaphore>,
    /// Bytes of writes that may come.
    room: Arc<Semaphore>,
}

impl JobStore {
    /// The files of jobs among the replicated files of this machine's group.
    #[must_use]
    pub fn new(files: &Handle) -> JobStore {
        JobStore {
            files: JobFiles::new(files.with_places(AT_ONCE)),
            turns: Turns::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            room: Arc::new(Semaphore::new(MOST_BYTES)),
        }
    }

    /// Answers a question. `sink` is where the rows of its job go, if it is about those.
    ///
    /// One question of a file is under way. A newer one, by its id, takes its place, since nobody
    /// waits for that answer any more: a write is `Unknown` then. One that is older than what is
    /// under way is `Unavailable`.
    ///
    /// A future that is dropped is a question whose answer is lost.
    pub async fn ask(&self, ask: StoreAsk, sink: &str) -> StoreAnswer {
        let path = match paths::path(ask.file, sink) {
            Ok(path) => path,
            Err(error) => {
                warn!(sink, %error, "the rows of a durable job have no place");
                return StoreAnswer::Unavailable;
            }
        };
        let Some(mut turn) = self.turns.begin(ask.file, ask.id) else {
            return StoreAnswer::Unavailable;
        };
        let is_write = !matches!(ask.operation, StoreOperation::Read { .. });
        let answered = tokio::select! {
            biased;
            () = turn.is_over() => Err(Failure::Replaced),
            answered = self.carry_out(&path, ask.operation) => answered,
        };
        match answered {
            Ok(answer) => {
                self.note_use(ask.file, &path);
                answer
            }
            Err(failure) => {
                let answer = failure.answer(is_write);
                self.note_failure(ask.file, &path, &failure, &answer);
                answer
            }
        }
    }

    async fn carry_out(
        &self,
        path: &FilePath,
        operation: StoreOperation,
    ) -> Result<StoreAnswer, Failure> {
        let bytes = match &operation {
            StoreOperation::Append { bytes, .. } | StoreOperation::Replace { bytes, .. } => {
                u32::try_from(bytes.len()).map_err(|_| Failure::TooLarge)?
            }
            _ => 0,
        };
        // Nobody waits for room: a memory of questions is no use to those who ask again.
        let _room = self.room.try_acquire_many(bytes).map_err(|_| Failure::TooLarge)?;
        let _place = self.places.acquire().await.map_err(|_| Failure::TooLarge)?;
        let answered = timeout(LIMIT, self.files.carry_out(path, operation)).await;
        answered.unwrap_or(Err(Failure::Doubt))
    }

    /// Tells once that a file is out of trouble.
    fn note_use(&self, file: JobFile, path: &FilePath) {
        if self.turns.trouble(file, false) {
            info!(%path, "a file of durable jobs is used again");
        }
    }

    /// Tells once that a file is in trouble. That it is gone or another's, the protocol tells.
    fn note_failure(&self, file: JobFile, path: &FilePath, why: &Failure, answer: &StoreAnswer) {
        let is_trouble = matches!(answer, StoreAnswer::Unknown | StoreAnswer::Unavailable);
        if is_trouble && self.turns.trouble(file, true) {
            warn!(%path, error = %why, "a file of durable jobs cannot be used now");
        } else {
            debug!(%path, error = %why, "a file of durable jobs was not used");
        }
    }
}
