//! The store, on real files: helpers, and what every day brings. Crashes and failing disks are in
//! the files below.

mod bounds;
mod continued;
mod crashes;
mod faults;
mod model;
mod readers;
mod scrubbing;
mod sealed;

use super::{Limits, Refused, Span, SpanReader, Store, StoreState};
use crate::block::{Block, BlockHead};
use crate::kept;
use crate::needs::Needs;
use crate::stream::{Fingerprint, StreamHead, StreamId};
use faults::{FaultyDisk, Random};
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

/// Small segments, so that everything happens soon.
pub(super) const SMALL: Limits = Limits {
    source_bytes: 1 << 20,
    total_bytes: 2 << 20,
    age: std::time::Duration::from_secs(1_000),
    free_bytes: 0,
    segment_text_bytes: 8_000,
    segment_blocks: 20,
    sources: 4,
    streams_of_source: 8,
    streams: 16,
    segments: 1_000,
    open_files: 2,
};

pub(super) fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

pub(super) fn id(inode: u64) -> StreamId {
    StreamId { device: 1, inode, begun_ms: 1_000 }
}

pub(super) fn head_of(id: StreamId) -> StreamHead {
    let path = format!("/srv/{}.log", id.inode);
    StreamHead {
        id,
        fingerprint: Fingerprint::of(&text_of(id, 0..100)),
        path: path.clone().into(),
        origin: path.into(),
        listed: true,
        offered: true,
        modified_ms: 77,
        zone: "Europe/Berlin".into(),
        lost_bytes: 0,
        continues: None,
    }
}

/// What each file has, as far as it was asked for.
static TEXTS: Mutex<BTreeMap<StreamId, (u64, Vec<u8>)>> = Mutex::new(BTreeMap::new());

/// A part of the file that is the stream: lines that can be compressed, and differ.
pub(super) fn text_of(id: StreamId, range: Range<usize>) -> Vec<u8> {
    let mut texts = TEXTS.lock().unwrap();
    let (line, text) = texts.entry(id).or_default();
    while text.len() < range.end {
        *line += 1;
        let mut random = Random(*line * 64 + id.inode);
        let value = random.below(u64::MAX) >> (*line % 40);
        writeln!(text, "2026-11-30T01:02:03Z vm1 shop[42]: request {line} is {value:x}").unwrap();
    }
    text[range].to_vec()
}

/// Opens a store that does not really sync, which takes its time.
pub(super) fn open(directory: &Path, limits: Limits) -> Store {
    Store::open_on(Box::new(FaultyDisk::faultless()), directory, limits).unwrap()
}

pub(super) fn block_of(id: StreamId, offset: u64, text: &[u8]) -> Block {
    let head = BlockHead {
        stream: id,
        offset,
        text_bytes: u32::try_from(text.len()).unwrap(),
        hash: *blake3::hash(text).as_bytes(),
        read_ms: 5_000 + offset,
    };
    Block { head, frame: zstd::bulk::compress(text, 1).unwrap() }
}

/// The blocks of a text that begins at `offset`: whole lines, of about `size` bytes.
pub(super) fn blocks_of(id: StreamId, offset: usize, text: &[u8], size: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let least = size.min(rest.len());
        let line_end = rest[least - 1..].iter().position(|byte| *byte == b'\n');
        let (block, after) = rest.split_at(line_end.map_or(rest.len(), |end| least + end));
        let place = offset + text.len() - rest.len();
        blocks.push(block_of(id, u64::try_from(place).unwrap(), block));
        rest = after;
    }
    blocks
}

/// Times that say which block it was.
#[derive(Debug, Default)]
pub(super) struct FakeSpans(i64);

impl SpanReader for FakeSpans {
    fn begin(&mut self, _: &StreamHead) {
        self.0 = 0;
    }

    fn span(&mut self, text: &[u8]) -> Span {
        self.0 += 1;
        let times = text.starts_with(b"2026").then_some((self.0, self.0 + 10));
        Span { times, first_dated: times.is_some(), unread: false }
    }

    fn same_until(&self) -> i64 {
        1_000
    }
}

/// What is kept of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) text: Vec<u8>,
    /// What could not be read.
    pub(super) errors: Vec<String>,
}

pub(super) fn copy_of(directory: &Path, source: &str, id: StreamId) -> Option<Copy> {
    let streams = kept::list(directory, &name(source)).unwrap();
    let stream = streams.into_iter().find(|stream| stream.head.id == id)?;
    let mut copy = Copy { begin: stream.begin, end: stream.end, text: vec![], errors: vec![] };
    for block in stream.blocks(&Needs::Anything) {
        match block.and_then(|block| block.read()) {
            Ok(text) => copy.text.extend(text),
            Err(error) => copy.errors.push(error.to_string()),
        }
    }
    Some(copy)
}

/// Asserts that exactly this part of the file is kept.
#[track_caller]
pub(super) fn assert_kept(directory: &Path, id: StreamId, range: Range<usize>) {
    let copy = copy_of(directory, "vm1", id).expect("a copy");
    let kept = (copy.begin, copy.end, copy.errors);
    assert_eq!(kept, (range.start as u64, range.end as u64, Vec::<String>::new()));
    assert!(copy.text == text_of(id, range), "another text");
}

/// A store of small segments with one stream, of which so many bytes are kept.
pub(super) fn store_with(directory: &Path, bytes: usize) -> Store {
    let mut store = open(directory, SMALL);
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    for block in blocks_of(id(1), 0, &text_of(id(1), 0..bytes), 900) {
        store.append(&name("vm1"), &block).unwrap();
    }
    store.sync().unwrap();
    store
}

/// Text is kept as it came, over segments and restarts, and the source resumes where it ended.
#[test]
fn text_is_kept_over_segments_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(directory.path(), 30_000);
    assert_kept(directory.path(), id(1), 0..30_000);
    assert!(store.counts().segments > 2);
    drop(store);

    let mut store = Store::open(directory.path(), SMALL).unwrap();
    let standings = store.standings(&name("vm1")).unwrap();
    assert_eq!((standings[0].begin, standings[0].end), (0, 30_000));
    assert_eq!(standings[0].head, head_of(id(1)));
    assert_eq!(standings[0].last.unwrap().end(), 30_000);
    let more = block_of(id(1), 30_000, &text_of(id(1), 30_000..31_000));
    assert_eq!(store.append(&name("vm1"), &more), Ok(31_000));
    let durable = store.sync().unwrap();
    assert_eq!((durable.len(), durable[0].end), (1, 31_000));
    assert_eq!(store.sync(), Ok(Vec::new()));
    assert_kept(directory.path(), id(1), 0..31_000);
    assert_eq!(store.state(), StoreState::Open);
}

/// A copy may begin within the file. Then it knows no numbers of lines.
#[test]
fn a_copy_may_begin_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), SMALL).unwrap();
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    let text = text_of(id(1), 500..1_500);
    store.append(&name("vm1"), &block_of(id(1), 500, &text)).unwrap();
    store.sync().unwrap();
    assert_kept(directory.path(), id(1), 500..1_500);
    let stream = kept::list(directory.path(), &name("vm1")).unwrap().remove(0);
    assert_eq!((stream.lines_before, stream.read_ms), (None, 5_500));
    assert_eq!(stream.dropped_bytes, 500, "what was never sent is not there either");
    assert_eq!(kept::sources(directory.path()).unwrap(), [name("vm1")]);
}

/// What does not come next, is not what it says, or has no head, is refused, and nothing changes.
#[test]
fn what_does_not_fit_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 2_000);
    let mut refuse = |block: &Block| store.append(&name("vm1"), block).unwrap_err();
    let text = text_of(id(1), 2_000..2_500);
    for offset in [0, 1_999, 2_001] {
        let gap = Refused::Gap { expected: 2_000 };
        assert_eq!(refuse(&block_of(id(1), offset, &text)), gap);
    }
    assert_eq!(refuse(&block_of(id(2), 0, &text)), Refused::Unknown);
    let good = block_of(id(1), 2_000, &text);
    let mut other_hash = good.clone();
    other_hash.head.hash[0] ^= 1;
    let mut other_length = good.clone();
    other_length.head.text_bytes -= 1;
    let mut empty = good.clone();
    empty.head.text_bytes = 0;
    let no_frame = Block { head: good.head, frame: b"no frame".to_vec() };
    let bomb = block_of(id(1), 2_000, &vec![b'x'; crate::block::MAX_BLOCK_BYTES + 1]);
    for block in [&other_hash, &other_length, &empty, &no_frame, &bomb] {
        assert_eq!(refuse(block), Refused::Invalid);
    }
    assert_eq!(store.append(&name("vm2"), &good), Err(Refused::Unknown));
    assert_kept(directory.path(), id(1), 0..2_000);
    assert_eq!(store.append(&name("vm1"), &good), Ok(2_500));
}

/// A new head replaces the old one at the next sync.
#[test]
fn a_head_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 1_000);
    let head = StreamHead { path: "/srv/1.log.1".into(), offered: false, ..head_of(id(1)) };
    store.head(&name("vm1"), head.clone()).unwrap();
    assert_eq!(store.sync(), Ok(Vec::new()));
    let read = || kept::list(directory.path(), &name("vm1")).unwrap().remove(0).head;
    assert_eq!(read(), head);
    let relative = StreamHead { path: "1.log".into(), ..head.clone() };
    assert_eq!(store.head(&name("vm1"), relative), Err(Refused::Invalid));
    drop(store);
    let mut store = Store::open(directory.path(), SMALL).unwrap();
    assert_eq!(store.standings(&name("vm1")).unwrap()[0].head, head);
    assert_eq!(read(), head);
}

/// A stream without text is known after a restart, and its copy begins anywhere.
#[test]
fn a_stream_without_text_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), SMALL).unwrap();
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    assert_eq!(store.standings(&name("vm1")).unwrap()[0].last, None);
    drop(store);
    let mut store = Store::open(directory.path(), SMALL).unwrap();
    let standing = store.standings(&name("vm1")).unwrap().remove(0);
    assert_eq!((standing.begin, standing.end, standing.last), (0, 0, None));
    let text = text_of(id(1), 700..1_400);
    assert_eq!(store.append(&name("vm1"), &block_of(id(1), 700, &text)), Ok(1_400));
}

/// Lines longer than a block are cut, and come back whole.
#[test]
fn long_lines_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), SMALL).unwrap();
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    let mut text: Vec<u8> = (0..3_000_000_u32).map(|at| b'a' + (at % 17) as u8).collect();
    text.push(b'\n');
    let mut offset = 0;
    for piece in text.chunks(1 << 20) {
        offset = store.append(&name("vm1"), &block_of(id(1), offset, piece)).unwrap();
    }
    store.sync().unwrap();
    for seal in [false, true] {
        if seal {
            store.seal_all(&mut FakeSpans::default()).unwrap();
        }
        let copy = copy_of(directory.path(), "vm1", id(1)).unwrap();
        assert!(copy.text == text && copy.errors.is_empty());
        let stream = kept::list(directory.path(), &name("vm1")).unwrap().remove(0);
        let blocks = stream.blocks(&Needs::Anything).map(|block| block.unwrap().ends_line);
        assert_eq!(blocks.collect::<Vec<_>>(), [false, false, true]);
    }
}
