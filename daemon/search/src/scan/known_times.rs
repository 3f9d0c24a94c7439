//! Remembers which times lie where in the files that were searched, for later searches. It owns the
//! blocks of a bounded number of files.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::block_times::{Block, BlockBuilder, Blocks, FINGERPRINT_BYTES, fingerprint};
use crate::files::{FileIdentity, Opened};
use crate::time::{Times, Zone};

/// How much is remembered at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    /// Smaller files are read as a whole each time. In bytes.
    pub(crate) file_bytes: u64,
    /// How large a block is at least, in bytes.
    pub(crate) block_bytes: u64,
    /// The most blocks of a file, and those of all files together.
    pub(crate) file_blocks: usize,
    pub(crate) all_blocks: usize,
    /// The most files. Those that were not searched for longest are forgotten.
    pub(crate) files: usize,
}

impl Default for Capacity {
    /// The blocks take 72 bytes each, and so all of them at most 2.3 MB.
    fn default() -> Capacity {
        Capacity {
            file_bytes: 1024 * 1024,
            block_bytes: 256 * 1024,
            file_blocks: 1024,
            all_blocks: 32 * 1024,
            files: 4096,
        }
    }
}

/// At how many blocks a file is compared with what is known of it.
const SAMPLES: usize = 16;

/// What searches of a window of time have learned about large plain files. Clones share it. With it
/// the next search does not read the parts that cannot have a line of its window.
///
/// A file is known by device and inode, and is expected to grow only at its end. What is known is
/// dropped when the file is shorter, was written without a change of its size, or begins otherwise
/// at one of 16 places.
#[derive(Debug, Clone, Default)]
pub struct KnownTimes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    capacity: Capacity,
    /// The files, that of the latest search last.
    files: Mutex<VecDeque<Arc<KnownFile>>>,
}

/// What is known of a file.
#[derive(Debug, Clone)]
struct KnownFile {
    identity: FileIdentity,
    /// When it was created, if the file system tells it: inodes are used again.
    born: Option<SystemTime>,
    line_end: u8,
    /// The zone of times without one.
    zone: Zone,
    /// Its size in bytes, and when it was last written, when the search began.
    size: u64,
    modified: i64,
    /// The times would be the same if it had been written at any time from `modified` up to this.
    same_until: i64,
    blocks: Blocks,
    /// The beginning of a line with a time in an unknown format.
    unread: Option<Box<[u8]>>,
}

impl KnownFile {
    fn is_of(&self, identity: FileIdentity, line_end: u8) -> bool {
        self.identity == identity && self.line_end == line_end
    }

    /// Whether the file that was opened is this one and has only grown.
    fn is_still(&self, opened: &Opened) -> bool {
        let is_unwritten = opened.modified == self.modified;
        let is_grown =
            opened.size > self.size && (self.modified..=self.same_until).contains(&opened.modified);
        opened.born == self.born
            && opened.size >= self.size.max(self.blocks.end())
            && (is_unwritten || is_grown)
            && self.samples().all(|block| self.begins(&opened.file, block))
    }

    fn samples(&self) -> impl Iterator<Item = &Block> {
        let blocks = self.blocks.as_slice();
        let last = blocks.len().saturating_sub(1);
        (0..SAMPLES).filter_map(move |sample| blocks.get(last * sample / (SAMPLES - 1)))
    }

    /// Whether the file has the block's first line where the block begins.
    fn begins(&self, file: &File, block: &Block) -> bool {
        let mut head = [0; FINGERPRINT_BYTES];
        let Ok(read) = file.read_at(&mut head, block.start) else { return false };
        let head = head.get(..read).unwrap_or_default();
        let end = memchr::memchr(self.line_end, head).unwrap_or(head.len());
        fingerprint(head.get(..end).unwrap_or_default()) == block.fingerprint
    }
}

impl KnownTimes {
    #[cfg(test)]
    pub(crate) fn with_capacity(capacity: Capacity) -> KnownTimes {
        KnownTimes(Arc::new(Shared { capacity, files: Mutex::default() }))
    }

    /// Begins to learn about an open plain file, with what is known of it. None for a small file.
    pub(crate) fn of(&self, opened: &Opened, line_end: u8, zone: &Zone) -> Option<Learner> {
        if opened.size < self.0.capacity.file_bytes {
            return None;
        }
        let known = self.files().iter().find(|file| file.is_of(opened.identity, line_end)).cloned();
        let known = known.filter(|known| known.zone == *zone && known.is_still(opened));
        let file = known.unwrap_or_else(|| {
            let Capacity { block_bytes, file_blocks, .. } = self.0.capacity;
            Arc::new(KnownFile {
                identity: opened.identity,
                born: opened.born,
                line_end,
                zone: zone.clone(),
                size: opened.size,
                modified: opened.modified,
                same_until: i64::MAX,
                blocks: Blocks::new(block_bytes, file_blocks),
                unread: None,
            })
        });
        let (size, modified) = (opened.size, opened.modified);
        let builder = BlockBuilder::after(&file.blocks);
        Some(Learner { known: self.clone(), file, size, modified, builder, learned: None })
    }

    /// Remembers a file. If all are too many blocks, the file with the most gets larger ones.
    fn keep(&self, file: &Arc<KnownFile>) {
        let mut files = self.files();
        let known = files.iter().position(|other| other.is_of(file.identity, file.line_end));
        let known = known.and_then(|at| files.remove(at));
        // Another search may have learned more meanwhile.
        let known = known.filter(|known| {
            known.modified >= file.modified && known.blocks.end() >= file.blocks.end()
        });
        files.push_back(known.unwrap_or_else(|| Arc::clone(file)));
        let blocks = |file: &Arc<KnownFile>| file.blocks.as_slice().len();
        let mut sum: usize = files.iter().map(blocks).sum();
        while sum > self.0.capacity.all_blocks
            && let Some(largest) = files.iter_mut().max_by_key(|file| blocks(file))
            && blocks(largest) > 1
        {
            sum -= blocks(largest);
            let file = Arc::make_mut(largest);
            file.blocks.halve();
            sum += file.blocks.as_slice().len();
        }
        if files.len() > self.0.capacity.files {
            files.pop_front();
        }
    }

    fn files(&self) -> MutexGuard<'_, VecDeque<Arc<KnownFile>>> {
        // Nothing panics while the lock is held.
        self.0.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Learns the times of a file from its lines, which are judged after those that are known.
#[derive(Debug)]
pub(crate) struct Learner {
    known: KnownTimes,
    file: Arc<KnownFile>,
    size: u64,
    modified: i64,
    builder: BlockBuilder,
    /// What was known and what was learned, if anything was.
    learned: Option<Blocks>,
}

impl Learner {
    /// What was known of the file.
    pub(crate) fn blocks(&self) -> &Blocks {
        &self.file.blocks
    }

    /// The beginning of a known line with a time in an unknown format.
    pub(crate) fn unread(&self) -> Option<&[u8]> {
        self.file.unread.as_deref()
    }

    /// A line begins like this. `time` is its own, or that of the line before it.
    pub(crate) fn begin(&mut self, line: &[u8], time: Option<i64>) {
        self.builder.begin(line, time);
    }

    /// This many bytes of the line were passed.
    pub(crate) fn pass(&mut self, bytes: usize, is_end: bool) {
        let blocks = self.learned.get_or_insert_with(|| self.file.blocks.clone());
        self.builder.pass(bytes, is_end, blocks);
    }

    /// The search of the file ends here: later searches know what was learned. `times` has read the
    /// times of the lines.
    pub(crate) fn finish(mut self, times: &Times<'_>) {
        if let Some(mut blocks) = self.learned.take() {
            self.builder.flush(&mut blocks);
            self.file = Arc::new(KnownFile {
                size: self.size,
                modified: self.modified,
                same_until: self.file.same_until.min(times.same_until()),
                blocks,
                unread: times.unread().or(self.unread()).map(Box::from),
                ..KnownFile::clone(&self.file)
            });
        }
        self.known.keep(&self.file);
    }
}

#[cfg(test)]
#[path = "known_times_tests.rs"]
mod tests;
