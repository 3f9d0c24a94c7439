//! What the store knows of its streams in memory: some hundred bytes each, and 32 for a segment. It
//! owns the sums over them.

use super::Refused;
use crate::block::BlockHead;
use crate::segment::names::{self, Form};
use crate::segment::recover::Settled;
use crate::stream::{StreamHead, StreamId};
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// A stream of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) source: Name,
    pub(super) id: StreamId,
}

impl Key {
    pub(super) fn directory(&self, root: &Path) -> PathBuf {
        names::stream_directory(&root.join(self.source.as_str()), self.id)
    }
}

/// A segment of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where its text begins in the file.
    pub(super) begin: u64,
    /// How many bytes it has on disk.
    pub(super) bytes: u64,
    /// When it was last appended to, by this machine's clock.
    pub(super) written_ms: u64,
    pub(super) form: Form,
}

/// The last segment, while blocks are appended to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) blocks: u32,
    /// Where its last block begins in the segment's file.
    pub(super) last_place: u64,
    pub(super) settled: Settled,
}

impl Tail {
    /// The tail with one more block, at `place`.
    pub(super) fn after(before: Option<Tail>, place: u64, read_ms: u64) -> Tail {
        let (blocks, mut settled) =
            before.map_or((0, Settled::default()), |tail| (tail.blocks, tail.settled));
        settled.note(place, read_ms);
        Tail { blocks: blocks.saturating_add(1), last_place: place, settled }
    }
}

/// A stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Oldest first. Each ends where the next one begins.
    pub(super) segments: VecDeque<Segment>,
    /// None until the first block, and when the next block begins a segment.
    pub(super) tail: Option<Tail>,
    /// Where the copy began in the file.
    pub(super) first: u64,
    /// Where the next block must begin, if there are segments.
    pub(super) end: u64,
    /// Up to where the text is in files that are durable.
    pub(super) synced: u64,
    /// Up to where the text is durable: these files have durable names.
    pub(super) durable: u64,
    /// How many line ends the file has before `end`.
    pub(super) lines: Option<u64>,
    /// Whether the text ends with a line end.
    pub(super) ends_line: bool,
    /// When anything of it was last written, by this machine's clock.
    pub(super) written_ms: u64,
    pub(super) is_damaged: bool,
    /// What the source says and is not yet on disk.
    pub(super) head: Option<Box<StreamHead>>,
    /// Whether any head is on disk: nothing is durable without one.
    pub(super) has_head: bool,
}

impl Stream {
    /// Whether the block with this head comes next.
    pub(super) fn accepts(&self, head: &BlockHead) -> Result<(), Refused> {
        if self.is_damaged {
            Err(Refused::Damaged)
        } else if !self.segments.is_empty() && head.offset != self.end {
            Err(Refused::Gap { expected: self.end })
        } else {
            Ok(())
        }
    }

    /// Where the kept text begins in the file.
    pub(super) fn begin(&self) -> u64 {
        self.segments.front().map_or(self.end, |segment| segment.begin)
    }

    /// How much text the last segment has.
    pub(super) fn tail_text_bytes(&self) -> u64 {
        self.segments.back().map_or(0, |segment| self.end - segment.begin)
    }

    pub(super) fn sealed_segments(&self) -> u64 {
        self.segments.iter().filter(|segment| segment.form == Form::Sealed).count() as u64
    }

    fn sums(&self) -> Sums {
        let bytes = self.segments.iter().map(|segment| segment.bytes).sum();
        Sums { streams: 1, segments: self.segments.len(), bytes }
    }
}

/// Sums over the streams of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) streams: usize,
    pub(super) segments: usize,
    pub(super) bytes: u64,
}

impl Sums {
    fn change(&mut self, from: Sums, to: Sums) {
        self.streams = (self.streams + to.streams).saturating_sub(from.streams);
        self.segments = (self.segments + to.segments).saturating_sub(from.segments);
        self.bytes = (self.bytes + to.bytes).saturating_sub(from.bytes);
    }
}

/// All streams, and their sums.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: BTreeMap<Key, Stream>,
    sources: BTreeMap<Name, Sums>,
    sums: Sums,
}

/// The stream that comes first in the order of keys.
const FIRST: StreamId = StreamId { device: 0, inode: 0, begun_ms: 0 };

impl Streams {
    pub(super) fn get(&self, key: &Key) -> Option<&Stream> {
        self.streams.get(key)
    }

    /// Sums of one source: zero if it has no streams.
    pub(super) fn of_source(&self, source: &Name) -> Sums {
        self.sources.get(source).copied().unwrap_or_default()
    }

    pub(super) fn sums(&self) -> Sums {
        self.sums
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = (&Name, &Sums)> {
        self.sources.iter()
    }

    /// All, or those of one source.
    pub(super) fn iter(
        &self,
        source: Option<&Name>,
    ) -> impl Iterator<Item = (&Key, &Stream)> + Clone {
        let from = source.map(|source| Key { source: source.clone(), id: FIRST });
        let streams = match &from {
            Some(from) => self.streams.range(from..),
            None => self.streams.range::<Key, _>(..),
        };
        let source = source.cloned();
        streams
            .take_while(move |(key, _)| source.as_ref().is_none_or(|source| key.source == *source))
    }

    /// Those after a stream.
    pub(super) fn from(&self, key: &Key) -> impl Iterator<Item = (&Key, &Stream)> {
        self.streams.range(key..)
    }

    pub(super) fn insert(&mut self, key: Key, stream: Stream) {
        self.change(&key, Sums::default(), stream.sums());
        self.streams.insert(key, stream);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Stream> {
        let stream = self.streams.remove(key)?;
        self.change(key, stream.sums(), Sums::default());
        self.sources.retain(|_, sums| sums.streams > 0);
        Some(stream)
    }

    /// Changes what has no sums.
    pub(super) fn edit(&mut self, key: &Key, edit: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.streams.get_mut(key) {
            edit(stream);
        }
    }

    /// Adds bytes to the last segment.
    pub(super) fn grow(&mut self, key: &Key, bytes: u64) {
        let last = self.streams.get_mut(key).and_then(|stream| stream.segments.back_mut());
        if let Some(last) = last {
            last.bytes += bytes;
            self.change(key, Sums::default(), Sums { bytes, ..Sums::default() });
        }
    }

    /// Changes the segments.
    pub(super) fn edit_segments(&mut self, key: &Key, edit: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.streams.get_mut(key) {
            let from = stream.sums();
            edit(stream);
            let to = stream.sums();
            self.change(key, from, to);
        }
    }

    fn change(&mut self, key: &Key, from: Sums, to: Sums) {
        self.sums.change(from, to);
        self.sources.entry(key.source.clone()).or_default().change(from, to);
    }

    /// The stream whose first segment is the oldest one. The last segment of `except` does not
    /// count.
    pub(super) fn oldest(&self, source: Option<&Name>, except: Option<&Key>) -> Option<Key> {
        let with_segments = self.iter(source).filter_map(|(key, stream)| {
            let spared = Some(key) == except && stream.segments.len() == 1;
            let front = stream.segments.front().filter(|_| !spared)?;
            Some((front.written_ms, key))
        });
        with_segments.min().map(|(_, key)| key.clone())
    }

    /// The stream that was written least recently.
    pub(super) fn least_recent(&self, source: Option<&Name>) -> Option<Key> {
        let streams = self.iter(source).map(|(key, stream)| (stream.written_ms, key));
        streams.min().map(|(_, key)| key.clone())
    }
}
