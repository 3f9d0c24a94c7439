//! The copies that this machine keeps of other members' logs, on disk. One thread owns the store;
//! searches read the files beside it, through [`kept`](super::kept).
//!
//! A segment is open while blocks are appended to it. When it is full it is sealed: rewritten with
//! large blocks, an index and a filter. What is written twice is at most one segment.
//!
//! A write or an fsync that fails ends the store: see [`StoreState`]. Lack of space does not, as
//! long as a write tells it: then the oldest segments go.

mod append;
mod check;
mod disk;
mod dropped;
mod durable;
mod files;
mod limits;
mod load;
mod prune;
mod refused;
mod report;
mod scrub;
mod seal;
mod sealing;
mod span;
mod standings;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use check::Inflater;
pub use limits::Limits;
pub use refused::{Failed, OpenError, Refused};
pub use report::{Counts, Durable, Pruned, StoreState};
pub use span::{Span, SpanReader};

use super::block::Block;
use super::standing::Standing;
use super::stream::StreamHead;
use check::Checker;
use disk::{Disk, RealDisk};
use dropped::Dropped;
use files::Files;
use memberd_membership::Name;
use scrub::Scrub;
use sealing::Sealing;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use streams::{Key, Streams};

/// How often the bounds that depend on time are held, in milliseconds.
const PRUNE_MS: u64 = 10_000;

/// The store. Its memory does not depend on how much text is kept: some hundred bytes a stream and
/// 32 a segment, 2.5 MiB to verify a block, and while it seals 6 MiB and the filter.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    disk: Box<dyn Disk>,
    limits: Limits,
    state: StoreState,
    streams: Streams,
    dropped: Dropped,
    files: Files,
    checker: Checker,
    /// The streams with something that is not durable.
    dirty: BTreeSet<Key>,
    /// The directories with names that are not durable.
    directories: BTreeSet<PathBuf>,
    became_durable: Vec<Durable>,
    /// How many heads wait for the next sync, or were replaced while they waited.
    waiting_heads: usize,
    /// This machine's clock, as it was last told.
    now_ms: u64,
    /// How many bytes may be written before free space is asked for again.
    free_left: u64,
    /// Until when the clock is doubted.
    doubt_until_ms: u64,
    pruned_at_ms: Option<u64>,
    /// Full segments, also some that were dropped meanwhile.
    to_seal: VecDeque<(Key, u64)>,
    sealing: Option<Sealing>,
    seal_after_ms: Option<u64>,
    scrub: Scrub,
    /// What was dropped or appended since the store was opened.
    pruned_segments: u64,
    pruned_bytes: u64,
    appended_text_bytes: u64,
    /// Sentences for the log.
    notes: Vec<String>,
}

impl Store {
    /// Opens the store in `directory` (`STATE_DIRECTORY/copies`), and creates it if needed. It
    /// cuts what a crash left half written. What it says to be kept is durable.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn open(directory: &Path, limits: Limits) -> Result<Store, OpenError> {
        Store::open_on(Box::new(RealDisk), directory, limits)
    }

    fn open_on(disk: Box<dyn Disk>, root: &Path, limits: Limits) -> Result<Store, OpenError> {
        let at = |error: io::Error| OpenError { path: root.to_owned(), error };
        disk.create_directory(root).map_err(at)?;
        let loaded = load::load(disk.as_ref(), root)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut store = Store {
            directory: root.to_owned(),
            disk,
            limits,
            state: StoreState::Open,
            streams: loaded.streams,
            dropped: loaded.dropped,
            files: Files::default(),
            checker: Checker::new().map_err(at)?,
            dirty: BTreeSet::new(),
            directories: BTreeSet::new(),
            became_durable: Vec::new(),
            waiting_heads: 0,
            now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            free_left: 0,
            doubt_until_ms: 0,
            pruned_at_ms: None,
            to_seal: VecDeque::new(),
            sealing: None,
            seal_after_ms: None,
            scrub: Scrub::default(),
            pruned_segments: 0,
            pruned_bytes: 0,
            appended_text_bytes: 0,
            notes: Vec::new(),
        };
        loaded.notes.into_iter().for_each(|sentence| store.note(sentence));
        store.queue_unsealed();
        Ok(store)
    }

    /// How far each stream of `source` is kept durably, for its resumption. It makes durable what
    /// is not. Streams without a readable head are left out.
    ///
    /// # Errors
    /// When the disk failed, now or before.
    pub fn standings(&mut self, source: &Name) -> Result<Vec<Standing>, Failed> {
        self.read_standings(source)
    }

    /// Takes what a source says of a stream: the first time, before its blocks. It is durable, and
    /// known to searches, after the next [`Store::sync`].
    ///
    /// # Errors
    /// `TooMany`, `Full`, `Failed`, or `Invalid` for a path or zone that is too long.
    pub fn head(&mut self, source: &Name, head: StreamHead) -> Result<(), Refused> {
        self.take_head(source, head)
    }

    /// Appends a block, and returns where the next one must begin. The first block of a stream may
    /// begin anywhere. It makes room first, by dropping the oldest segments.
    ///
    /// # Errors
    /// See [`Refused`]. Nothing of the block is kept then.
    pub fn append(&mut self, source: &Name, block: &Block) -> Result<u64, Refused> {
        self.take_block(source, block)
    }

    /// Makes durable what was taken, and returns how far each stream got since the last time: only
    /// then may it be acknowledged.
    ///
    /// # Errors
    /// When the disk failed, now or before. The store never writes again until it is opened anew.
    pub fn sync(&mut self) -> Result<Vec<Durable>, Failed> {
        self.make_durable()?;
        Ok(mem::take(&mut self.became_durable))
    }

    /// Does one step of what can wait, of at most about 50 ms: it drops what is beyond the bounds,
    /// seals full segments, and verifies a little of what is kept. Returns whether there is more to
    /// do now. If not, call it again after a second. `now_ms` is this machine's clock, in
    /// milliseconds since the Unix epoch. It must be the same `spans` each time.
    pub fn idle_step(&mut self, spans: &mut dyn SpanReader, now_ms: u64) -> bool {
        self.tell_time(now_ms);
        let is_due = self.pruned_at_ms.is_none_or(|at| now_ms.abs_diff(at) >= PRUNE_MS);
        if is_due && self.prune_all(now_ms).and_then(|_| self.close_idle()).is_err() {
            return false;
        }
        match self.check_open().and_then(|()| self.seal_step(spans)) {
            Ok(true) => true,
            Ok(false) => {
                self.scrub_step();
                false
            }
            Err(_) => false,
        }
    }

    /// Drops the oldest segments beyond the bounds: age, bytes of a source, all bytes, free space.
    /// [`Store::idle_step`] does it every few seconds; call it to have it at once.
    pub fn prune(&mut self, now_ms: u64) -> Pruned {
        // A store that failed drops nothing, and has said so.
        self.prune_all(now_ms).unwrap_or_default()
    }

    /// Seals all segments, also those that are not full: for benchmarks and tests.
    ///
    /// # Errors
    /// When the disk failed, now or before.
    pub fn seal_all(&mut self, spans: &mut dyn SpanReader) -> Result<(), Failed> {
        self.make_durable()?;
        let open = self.streams.iter(None).filter(|(_, stream)| stream.tail.is_some());
        let open: Vec<Key> = open.map(|(key, _)| key.clone()).collect();
        open.iter().try_for_each(|key| self.close_tail(key))?;
        while self.seal_step(spans)? {}
        Ok(())
    }

    /// Sets new bounds, which the next [`Store::prune`] holds.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.pruned_at_ms = None;
    }

    /// Figures for metrics and status. It reads nothing from disk.
    pub fn counts(&self) -> Counts {
        let streams = self.streams.iter(None).map(|(_, stream)| stream);
        let sum = |of: fn(&streams::Stream) -> u64| streams.clone().map(of).sum();
        Counts {
            sources: self.streams.sources().count() as u64,
            streams: self.streams.sums().streams as u64,
            damaged_streams: sum(|stream| u64::from(stream.is_damaged)),
            segments: self.streams.sums().segments as u64,
            sealed_segments: sum(streams::Stream::sealed_segments),
            bytes: self.streams.sums().bytes,
            text_bytes: sum(|stream| stream.end - stream.begin()),
            appended_text_bytes: self.appended_text_bytes,
            pruned_bytes: self.pruned_bytes,
            damaged_blocks: self.scrub.damaged(),
            scrubbed_bytes: self.scrub.bytes,
            scrubs: self.scrub.rounds,
        }
    }

    /// Whether it still takes blocks.
    pub fn state(&self) -> StoreState {
        self.state.clone()
    }

    /// Sentences for the log about what was found since the last call: damaged files, with their
    /// names, and failures. At most a few dozen are kept until then.
    pub fn take_notes(&mut self) -> Vec<String> {
        mem::take(&mut self.notes)
    }
}
