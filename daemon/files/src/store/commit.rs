//! Makes batches durable: the files of extents and images first, then one frame of the write-ahead
//! log, and only then what it says is done.

use super::catalogs;
use super::checkpoint::{self, Position};
use super::disk::is_full;
use super::job::Refused;
use super::plan::{Batch, Planned};
use super::record::Record;
use super::{Disk, Store, StoreState, wal};
use std::collections::BTreeSet;
use std::io;

/// A batch takes no more jobs when it has so many bytes.
const BATCH_BYTES: u64 = 4 << 20;

/// A checkpoint comes when a segment has so many bytes.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;

/// How soon a checkpoint is tried again for which there was no room.
const RETRY_BYTES: u64 = 1 << 20;

impl<D: Disk> Store<D> {
    pub(super) fn commit_batch(&mut self) {
        let mut batch = Batch::default();
        while let Some((id, mut job)) = self.waiting.pop_front() {
            match self.plan(&mut batch, &mut job) {
                Ok(Planned::Done(done)) => batch.answers.push((id, done)),
                Ok(Planned::Later) => {
                    self.waiting.push_front((id, job));
                    break;
                }
                Err(refused) => self.done.push_back((id, Err(refused))),
            }
            if batch.is_last || batch.body_bytes() >= BATCH_BYTES {
                break;
            }
        }
        let written = match batch.records.is_empty() {
            true => Ok(()),
            false => self.check_open().and_then(|()| self.write_batch(&mut batch)),
        };
        for (id, done) in batch.answers {
            self.done.push_back((id, written.clone().map(|()| done)));
        }
        let is_due = batch.is_last || self.wal.bytes >= self.checkpoint_at;
        if written.is_ok() && is_due {
            self.write_checkpoint();
        }
    }

    fn write_batch(&mut self, batch: &mut Batch) -> Result<(), Refused> {
        self.make_room(batch.body_bytes())?;
        if let Err(error) = self.place_files(batch) {
            return Err(self.fail("extents", &io::Error::other(error)));
        }
        if let Err(error) = self.wal.append(&self.disk, &batch.body.0) {
            return Err(self.fail(&wal::path(self.wal.segment), &error));
        }
        for record in &batch.records {
            if let Err(error) = self.apply(record) {
                return Err(self.fail("catalog", &error));
            }
        }
        Ok(())
    }

    /// Gives files their names, durably. No record names them yet.
    fn place_files(&mut self, batch: &Batch) -> io::Result<()> {
        let mut directories = BTreeSet::new();
        for (id, is_seal) in &batch.places {
            directories.insert(self.extents.place(&self.disk, *id, *is_seal)?);
        }
        directories.iter().try_for_each(|directory| self.disk.sync_directory(directory))?;
        match &batch.image {
            Some((share, file)) => self.catalogs.place_image(&self.disk, share, *file),
            None => Ok(()),
        }
    }

    fn apply(&mut self, record: &Record) -> io::Result<()> {
        self.catalogs.apply(&self.disk, record)?;
        self.extents.apply(record);
        match record {
            Record::Drop { id } => self.extents.remove(&self.disk, *id),
            _ => Ok(()),
        }
    }

    /// Writes a checkpoint. Without room for it the log goes on.
    pub(super) fn write_checkpoint(&mut self) {
        let (salt, sequence) = (self.wal.salt(), self.wal.sequence);
        let position = Position { salt, segment: self.wal.next_segment(), sequence };
        let synced = self.extents.sync(&self.disk);
        if let Err(error) = synced.and_then(|()| self.catalogs.sync(&self.disk)) {
            self.fail(catalogs::DIRECTORY, &error);
            return;
        }
        let written = checkpoint::write(&self.disk, position, &self.catalogs, &self.extents.index);
        match written {
            Ok(()) => {
                let old = wal::path(self.wal.segment);
                self.wal.rotate();
                self.checkpoint_at = SEGMENT_BYTES;
                // What stays is removed at the next start.
                let _ = self.disk.remove(&old);
                checkpoint::remove_old(&self.disk, position);
                self.catalogs.remove_garbage(&self.disk);
            }
            Err(error) if is_full(&error) => {
                self.checkpoint_at = self.wal.bytes + RETRY_BYTES;
                self.note("the disk has no room for a checkpoint".to_owned());
            }
            Err(error) => {
                self.fail("state", &error);
            }
        }
        debug_assert!(self.state != StoreState::Open || self.wal.bytes < self.checkpoint_at);
    }
}
