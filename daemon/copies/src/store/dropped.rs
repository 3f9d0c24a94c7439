//! What is left of streams that were dropped for lack of room: the head of each, under another
//! name. By it a search knows that text is missing. It owns the list of them.
//!
//! It is no new file, since a full disk may take none.

use super::disk::absent_is_fine;
use super::streams::{Key, Stream};
use super::{Failed, Store};
use crate::segment::names;
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The most that are remembered. Those that were written least recently are forgotten.
const MOST_DROPPED: usize = 256;

/// Why something is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It was written too long ago.
    Age,
    /// There is no room for it.
    Room,
}

/// A stream of which nothing else is left.
#[derive(Debug, Clone, Copy)]
struct Gone {
    /// Where its text ended in the file.
    end: u64,
    /// When it was last written.
    written_ms: u64,
}

/// The streams that were dropped for lack of room.
#[derive(Debug, Default)]
pub(super) struct Dropped(BTreeMap<Key, Gone>);

impl Dropped {
    /// Finds what is left in the directory of a stream that is no more.
    pub(super) fn load(&mut self, key: Key, directory: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            if let Some((end, written_ms)) = name.to_str().and_then(names::dropped) {
                self.0.insert(key, Gone { end, written_ms });
                break;
            }
        }
        Ok(())
    }

    fn keys(&self, which: impl Fn(&Key, &Gone) -> bool) -> Vec<Key> {
        let which = self.0.iter().filter(|(key, gone)| which(key, gone));
        which.map(|(key, _)| key.clone()).collect()
    }

    /// The one that was written least recently, if there are too many.
    fn excess(&self) -> Option<Key> {
        let oldest = self.0.iter().min_by_key(|(_, gone)| gone.written_ms);
        oldest.filter(|_| self.0.len() > MOST_DROPPED).map(|(key, _)| key.clone())
    }
}

impl Store {
    /// The head of a stream goes, or becomes what is left of it.
    pub(super) fn drop_head(&mut self, key: &Key, stream: &Stream, why: Why) -> Result<(), Failed> {
        let directory = key.directory(&self.directory);
        let head = directory.join(names::HEAD);
        let gone = Gone { end: stream.end, written_ms: stream.written_ms };
        let is_left = why == Why::Room && stream.has_head && stream.end > 0;
        let done = match is_left {
            true => {
                let left = names::dropped_file(&directory, gone.end, gone.written_ms);
                self.disk.rename(&head, &left)
            }
            false => self.disk.remove(&head),
        };
        if let Err(error) = absent_is_fine(done) {
            return Err(self.fail(&head, &error));
        }
        if is_left {
            self.dropped.0.insert(key.clone(), gone);
        }
        self.dropped.excess().map_or(Ok(()), |oldest| self.forget_dropped(&oldest))
    }

    /// A stream is there again, or what was dropped of it does not matter any more.
    pub(super) fn forget_dropped(&mut self, key: &Key) -> Result<(), Failed> {
        let Some(gone) = self.dropped.0.remove(key) else { return Ok(()) };
        let directory = key.directory(&self.directory);
        let path = names::dropped_file(&directory, gone.end, gone.written_ms);
        if let Err(error) = absent_is_fine(self.disk.remove(&path)) {
            return Err(self.fail(&path, &error));
        }
        if self.streams.get(key).is_none() {
            // It stays if anything else is in it.
            let _ = self.disk.remove_directory(&directory);
        }
        Ok(())
    }

    /// Nothing is kept of a source any more: a search says that.
    pub(super) fn forget_dropped_of(&mut self, source: &Name) -> Result<(), Failed> {
        let keys = self.dropped.keys(|key, _| key.source == *source);
        keys.iter().try_for_each(|key| self.forget_dropped(key))
    }

    /// Text that was last written before would be dropped by now in any case.
    pub(super) fn forget_dropped_before(&mut self, before_ms: u64) -> Result<(), Failed> {
        let keys = self.dropped.keys(|_, gone| gone.written_ms < before_ms);
        keys.iter().try_for_each(|key| self.forget_dropped(key))
    }
}
