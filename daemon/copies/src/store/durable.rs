//! Makes durable what was taken, and ends the store when that fails.

use super::append::MAX_WAITING_HEADS;
use super::disk::is_full;
use super::streams::Key;
use super::{Durable, Failed, Refused, Store, StoreState};
use crate::segment::{head, names};
use std::fs::File;
use std::io;
use std::mem;
use std::path::Path;

/// The most sentences that wait for the log.
const MAX_NOTES: usize = 32;

impl Store {
    /// Whether anything may be written.
    pub(super) fn check_open(&self) -> Result<(), Failed> {
        match &self.state {
            StoreState::Open => Ok(()),
            StoreState::Failed(reason) => Err(Failed(reason.clone())),
        }
    }

    /// Ends the store. After a failed write or fsync nobody knows what is on disk, and asking again
    /// would only hide it: the kernel reports an error once (Rebello et al., ATC 2020).
    pub(super) fn fail(&mut self, path: &Path, error: &io::Error) -> Failed {
        let failed = Failed(format!("{}: {error}", path.display()));
        if self.state == StoreState::Open {
            self.state = StoreState::Failed(failed.0.clone());
            self.note(failed.to_string());
        }
        self.files.clear();
        self.dirty.clear();
        self.became_durable.clear();
        self.sealing = None;
        failed
    }

    pub(super) fn refuse_for(&mut self, path: &Path, error: &io::Error) -> Refused {
        Refused::Failed(self.fail(path, error).0)
    }

    /// Keeps a sentence for the log.
    pub(super) fn note(&mut self, sentence: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(sentence);
        }
    }

    /// Writes heads and files first, then the names of them, and only then believes it.
    pub(super) fn make_durable(&mut self) -> Result<(), Failed> {
        self.check_open()?;
        self.write_heads()?;
        let keys: Vec<Key> = self.dirty.iter().cloned().collect();
        for key in &keys {
            self.sync_file(key)?;
        }
        for directory in mem::take(&mut self.directories) {
            // A stream may have been dropped meanwhile, and its directory with it.
            match self.disk.sync_directory(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.fail(&directory, &error)),
                Ok(()) => {}
            }
        }
        for key in keys {
            self.note_durable(&key);
        }
        Ok(())
    }

    fn note_durable(&mut self, key: &Key) {
        let Some(stream) = self.streams.get(key) else { return };
        if !stream.has_head {
            // Its head waits for space on the disk, and its blocks wait for the head.
            return;
        }
        if stream.synced > stream.durable {
            let end = stream.synced;
            let (source, stream) = (key.source.clone(), key.id);
            self.became_durable.push(Durable { source, stream, end });
        }
        self.streams.edit(key, |stream| stream.durable = stream.synced);
        if self.streams.get(key).is_some_and(|stream| stream.head.is_none()) {
            self.dirty.remove(key);
        }
    }

    /// Makes the bytes of a stream's file durable.
    pub(super) fn sync_file(&mut self, key: &Key) -> Result<(), Failed> {
        let is_behind = self.streams.get(key).is_some_and(|stream| stream.synced < stream.end);
        if let (true, Some(file)) = (is_behind, self.files.get(key)) {
            if let Err(error) = self.disk.sync(file) {
                let directory = key.directory(&self.directory);
                return Err(self.fail(&directory, &error));
            }
            self.streams.edit(key, |stream| stream.synced = stream.end);
        }
        Ok(())
    }

    /// Writes the heads that wait. One that does not fit on the disk waits on.
    pub(super) fn write_heads(&mut self) -> Result<(), Failed> {
        self.waiting_heads = 0;
        let waits = |key: &&Key| self.streams.get(key).is_some_and(|stream| stream.head.is_some());
        let keys: Vec<Key> = self.dirty.iter().filter(waits).cloned().collect();
        keys.chunks(MAX_WAITING_HEADS).try_for_each(|keys| self.write_some_heads(keys))
    }

    /// Writes all before the first is synced: a file system makes them durable together.
    fn write_some_heads(&mut self, keys: &[Key]) -> Result<(), Failed> {
        let mut written = Vec::new();
        for key in keys {
            let directory = key.directory(&self.directory);
            let head = self.streams.get(key).and_then(|stream| stream.head.as_deref());
            let Some(bytes) = head.and_then(head::encode) else { continue };
            match self.write_head(&directory, &bytes) {
                Ok(file) => written.push((key, directory, file)),
                Err(error) if is_full(&error) => {}
                Err(error) => return Err(self.fail(&directory, &error)),
            }
        }
        for (_, directory, file) in &written {
            // Lack of space that only the fsync notices is no longer a clean refusal.
            if let Err(error) = self.disk.sync(file) {
                return Err(self.fail(directory, &error));
            }
        }
        for (key, directory, _) in written {
            let path = directory.join(names::HEAD);
            let renamed = self.disk.rename(&path.with_extension(names::TEMPORARY), &path);
            if let Err(error) = renamed {
                return Err(self.fail(&directory, &error));
            }
            self.streams.edit(key, |stream| {
                stream.head = None;
                stream.has_head = true;
            });
            self.directories.insert(directory);
        }
        Ok(())
    }

    /// Writes a head beside the one that it will replace.
    fn write_head(&self, directory: &Path, bytes: &[u8]) -> io::Result<File> {
        let temporary = directory.join(names::HEAD).with_extension(names::TEMPORARY);
        let file = self.disk.create(&temporary)?;
        if let Err(error) = self.disk.write_at(&file, bytes, 0) {
            self.disk.remove(&temporary)?;
            return Err(error);
        }
        self.disk.begin_sync(&file);
        Ok(file)
    }

    /// Begins another segment with the next block.
    pub(super) fn close_tail(&mut self, key: &Key) -> Result<(), Failed> {
        self.sync_file(key)?;
        self.files.remove(key);
        let segment = self.streams.get(key).and_then(|stream| stream.segments.back()).copied();
        self.streams.edit(key, |stream| stream.tail = None);
        if let Some(segment) = segment {
            self.to_seal.push_back((key.clone(), segment.begin));
        }
        Ok(())
    }
}
