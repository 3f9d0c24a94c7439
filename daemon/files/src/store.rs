//! What a member keeps of files on its disk: catalogs, extents, uploads. One thread owns it.
//!
//! Jobs come in, and answers come out. What changes something waits for the next
//! [`Store::commit`], so one fdatasync serves all that wait. A write or an fsync that fails ends
//! the store: after it nobody knows what is on the disk (Rebello et al., ATC 2020).

mod catalogs;
mod checkpoint;
mod codec;
mod commit;
mod disk;
mod extent_index;
mod extents;
mod hashing;
mod head;
mod job;
mod log;
mod open;
mod plan;
mod record;
mod reserve;
mod scrub;
#[doc(hidden)]
pub mod sim_disk;
mod space;
#[cfg(test)]
mod tests;
mod wal;

pub use disk::{Disk, RealDisk};
pub use hashing::GROUP_BYTES;
pub use job::{
    Done, ExtentFacts, ExtentHead, ImageHead, Job, JobId, ListedExtent, Refused, ShareStanding,
};
pub use space::Room;

use crate::ids::ExtentId;
use catalogs::Catalogs;
use disk::is_full;
use extents::Extents;
use reserve::Reserve;
use scrub::Scrub;
use std::collections::VecDeque;
use std::io;
use std::mem;
use wal::Wal;

/// The most sentences that wait for the log.
const MAX_NOTES: usize = 32;

/// What a store is told at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSettings {
    /// The most bytes that it uses.
    pub space_bytes: u64,
    /// A random number, for a store that is created. It keeps users from forging records.
    pub salt: u64,
}

/// A safety rule that a test switches off.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMutant {
    /// The store tries a sync of its log again that has failed.
    RetrySync,
}

/// Whether the store still writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreState {
    /// It does.
    Open,
    /// A write or an fsync failed, for this reason. What can be verified can still be read.
    Failed(String),
}

/// Figures for status and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Whether it still writes.
    pub state: StoreState,
    /// How much room it has.
    pub room: Room,
    /// What it uses, in bytes.
    pub used_bytes: u64,
    /// What it could use, in bytes.
    pub capacity_bytes: u64,
    /// The extents that are here.
    pub extents: usize,
    /// Those of them that are known to be damaged.
    pub bad_extents: usize,
    /// The uploads that are open.
    pub uploads: usize,
    /// How many rounds the scrub has made since the start.
    pub scrubs: u64,
}

/// Why a store cannot be opened. Its files are left as they are.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk failed.
    #[error("{path}: {error}")]
    Disk {
        /// What could not be read or written.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// What is on disk is no result of a crash.
    #[error("{0}; other members have the files: move the directory away, then restart memberd")]
    Damaged(String),
}

impl OpenError {
    fn at(path: &str, error: io::Error) -> OpenError {
        OpenError::Disk { path: path.to_owned(), error }
    }
}

/// The store. Its memory is some 80 bytes an extent, 4 an entry of a log, and 32 for each 64 KiB of
/// an upload.
#[derive(Debug)]
pub struct Store<D: Disk> {
    disk: D,
    settings: StoreSettings,
    state: StoreState,
    wal: Wal<D>,
    catalogs: Catalogs<D>,
    extents: Extents<D>,
    reserve: Reserve,
    scrub: Scrub,
    waiting: VecDeque<(JobId, Job)>,
    done: VecDeque<(JobId, Result<Done, Refused>)>,
    /// Up to how many bytes of the segment a checkpoint waits.
    checkpoint_at: u64,
    notes: Vec<String>,
}

impl<D: Disk> Store<D> {
    /// Opens the store in the directory of the disk, and creates it if needed. It does again what a
    /// crash interrupted. What it shows is durable.
    ///
    /// # Errors
    /// When the disk fails, or what is on it is damaged.
    pub fn open(disk: D, settings: StoreSettings) -> Result<Store<D>, OpenError> {
        open::open(disk, settings)
    }

    /// Takes a job. Reads and pieces are answered at once, all else after [`Store::commit`].
    pub fn take(&mut self, id: JobId, job: Job) {
        if let Some(answer) = self.answer_now(&job) {
            self.done.push_back((id, answer));
        } else {
            self.waiting.push_back((id, job));
        }
    }

    /// Does the jobs that wait, and makes them durable together.
    pub fn commit(&mut self) {
        while !self.waiting.is_empty() {
            self.commit_batch();
        }
    }

    /// The next answer.
    pub fn poll_done(&mut self) -> Option<(JobId, Result<Done, Refused>)> {
        self.done.pop_front()
    }

    /// Does a little of what can wait: it verifies what lies here, and makes the reserve again.
    /// Call it when nothing else is to do, and every second. `now_ms` only grows.
    pub fn idle_step(&mut self, now_ms: u64) {
        if self.state == StoreState::Open {
            self.refill_reserve();
            self.scrub_step(now_ms);
        }
    }

    /// Writes a checkpoint now, so that the next start has nothing to do again.
    pub fn close(&mut self) {
        self.commit();
        if self.state == StoreState::Open {
            self.write_checkpoint();
        }
    }

    /// What is here of each catalog.
    pub fn shares(&self) -> Vec<ShareStanding> {
        self.catalogs.standings()
    }

    /// Figures. It asks the file system for its free space.
    pub fn status(&self) -> StoreStatus {
        let used = self.used_bytes();
        let free = self.disk.free_bytes().unwrap_or(0);
        StoreStatus {
            state: self.state.clone(),
            room: space::room(used, self.settings.space_bytes, free),
            used_bytes: used,
            capacity_bytes: space::capacity(used, self.settings.space_bytes, free),
            extents: self.extents.index.len(),
            bad_extents: self.extents.index.bad(),
            uploads: self.extents.uploads(),
            scrubs: self.scrub.rounds(),
        }
    }

    /// Sets how many bytes it may use.
    pub fn set_space(&mut self, bytes: u64) {
        self.settings.space_bytes = bytes;
    }

    /// Switches a rule off, so that a simulation can show that it would be missed.
    #[doc(hidden)]
    pub fn set_mutant(&mut self, mutant: Option<StoreMutant>) {
        self.wal.retries_sync = mutant == Some(StoreMutant::RetrySync);
    }

    /// Sentences for the log since the last call: what is damaged, and why the store failed.
    pub fn take_notes(&mut self) -> Vec<String> {
        mem::take(&mut self.notes)
    }

    /// The damaged extents that reads, the scrub or the start found since the last call.
    pub fn take_bad(&mut self) -> Vec<ExtentId> {
        self.extents.index.take_bad()
    }

    fn used_bytes(&self) -> u64 {
        let fixed = self.reserve.bytes() + self.wal.bytes;
        self.catalogs.bytes() + self.extents.bytes() + fixed
    }

    fn note(&mut self, sentence: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(sentence);
        }
    }

    fn check_open(&self) -> Result<(), Refused> {
        match &self.state {
            StoreState::Open => Ok(()),
            StoreState::Failed(why) => Err(Refused::Failed(why.clone())),
        }
    }

    /// Ends the store, for good.
    fn fail(&mut self, what: &str, error: &io::Error) -> Refused {
        let why = format!("{what}: {error}");
        if self.state == StoreState::Open {
            self.state = StoreState::Failed(why.clone());
            self.note(Refused::Failed(why.clone()).to_string());
        }
        self.extents.drop_uploads();
        Refused::Failed(why)
    }

    /// Lack of space that a write told is a refusal. All else ends the store.
    fn refuse(&mut self, what: &str, error: &io::Error) -> Refused {
        if is_full(error) { Refused::Full } else { self.fail(what, error) }
    }

    /// Answers what needs no commit.
    fn answer_now(&mut self, job: &Job) -> Option<Result<Done, Refused>> {
        let disk = &self.disk;
        let answer = match job {
            Job::ReadLog { share, from, max_bytes } => self
                .catalogs
                .read_log(disk, share, *from, (*max_bytes).min(Job::MAX_BYTES))
                .map(|(first, entries)| Done::Entries { first, entries }),
            Job::ReadImage { share, offset, bytes } => {
                let bytes = (*bytes).min(Job::MAX_BYTES);
                self.catalogs.read_image(disk, share, *offset, bytes).map(Done::Bytes)
            }
            Job::ReadPieces { id, offset, bytes } => {
                let bytes = (*bytes).min(Job::MAX_BYTES);
                self.extents.read_pieces(disk, *id, *offset, bytes).map(Done::Bytes)
            }
            Job::Read { id, offset, bytes } => {
                let bytes = (*bytes).min(Job::MAX_BYTES);
                self.extents.read(disk, *id, *offset, bytes).map(Done::Bytes)
            }
            Job::Head { id } => self.extents.head(disk, *id).map(|head| Done::Head(head.into())),
            Job::List { with, after, limit } => {
                Ok(Done::Extents(self.extents.index.list(with.as_ref(), *after, *limit)))
            }
            Job::Piece { id, offset, bytes } => self.take_piece(*id, *offset, bytes),
            Job::ImagePiece { share, offset, bytes } => {
                self.take_image_piece(share, *offset, bytes)
            }
            Job::DropPieces { id } => {
                self.extents.drop_pieces(disk, *id);
                Ok(Done::Taken)
            }
            _ => return None,
        };
        Some(answer)
    }
}
