//! Sealed segments: their index, their filters, their size.

use super::{FakeSpans, SMALL, blocks_of, copy_of, head_of, id, name, store_with, text_of};
use crate::block::BLOCK_BYTES;
use crate::kept::{self, KeptBlock};
use crate::needs::{Literal, Needs};
use crate::segment::names::{Form, segment_file, stream_directory};
use crate::store::dropped::Why;
use crate::store::{Limits, Span, Store};
use crate::stream::StreamHead;
use std::fs;
use std::path::Path;

fn literal(bytes: &[u8]) -> Needs {
    let bytes = bytes.to_vec();
    Needs::Literal(Literal { bytes, ignores_case: false, begins_word: false, ends_word: false })
}

fn blocks(directory: &Path, needs: &Needs) -> Vec<KeptBlock> {
    let stream = kept::list(directory, &name("vm1")).unwrap().remove(0);
    stream.blocks(needs).map(Result::unwrap).collect()
}

/// Sealed blocks say what they have.
#[test]
fn a_sealed_block_says_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 7_000);
    let open = blocks(directory.path(), &Needs::Anything);
    assert!(open.len() > 5 && open.iter().all(|block| block.span.is_none() && block.may_match));
    store.seal_all(&mut FakeSpans::default()).unwrap();
    let sealed = blocks(directory.path(), &Needs::Anything);
    let text = text_of(id(1), 0..7_000);
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(sealed.len(), 1);
    assert_eq!((sealed[0].offset, sealed[0].text_bytes), (0, 7_000));
    assert_eq!(sealed[0].lines as usize, lines);
    assert_eq!(open.iter().map(|block| block.lines).sum::<u32>(), sealed[0].lines);
    assert_eq!((sealed[0].ends_line, sealed[0].has_nul), (text.ends_with(b"\n"), false));
    let span = Span { times: Some((1, 11)), first_dated: true, unread: false };
    assert_eq!(sealed[0].span, Some(span));
}

/// The times in an index hold only for the zone in which they were read, and while the file was not
/// last written later than they allow.
#[test]
fn times_hold_for_their_head_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 7_000);
    store.seal_all(&mut FakeSpans::default()).unwrap();
    let head = head_of(id(1));
    let mut hold = |head: StreamHead| {
        store.head(&name("vm1"), head).unwrap();
        store.sync().unwrap();
        blocks(directory.path(), &Needs::Anything)[0].span.is_some()
    };
    assert!(hold(StreamHead { modified_ms: 1_000, ..head.clone() }));
    assert!(!hold(StreamHead { modified_ms: 1_001, ..head.clone() }));
    assert!(!hold(StreamHead { modified_ms: 76, ..head.clone() }));
    assert!(!hold(StreamHead { zone: String::new(), ..head }));
}

/// Of a large segment, a rare word selects its block, and the index with the filter takes at most
/// 6 % of the compressed text. `zstd` reads the segment.
#[test]
fn a_large_segment_is_searched_by_its_filter() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { segment_text_bytes: 32 << 20, source_bytes: 1 << 28, ..SMALL };
    let limits = Limits { total_bytes: 1 << 28, segment_blocks: 9_999, ..limits };
    let mut store = Store::open(directory.path(), limits).unwrap();
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    let mut text = text_of(id(1), 0..8 << 20);
    text.pop();
    text.push(b'\n');
    let place = 5 << 20;
    let at = place + text[place..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    text.splice(at..at, *b"2026-11-30T01:02:03Z vm1 shop[42]: quixotic zebra\n");
    for block in blocks_of(id(1), 0, &text, BLOCK_BYTES / 3) {
        store.append(&name("vm1"), &block).unwrap();
    }
    store.sync().unwrap();
    store.seal_all(&mut FakeSpans::default()).unwrap();
    let copy = copy_of(directory.path(), "vm1", id(1)).unwrap();
    assert!(copy.text == text);

    let found = blocks(directory.path(), &literal(b"quixotic"));
    let selected: Vec<&KeptBlock> = found.iter().filter(|block| block.may_match).collect();
    assert!(found.len() >= 32 && selected.len() <= 3, "{} of {}", selected.len(), found.len());
    assert!(selected.iter().any(|block| (block.offset..block.end()).contains(&(at as u64))));
    assert!(blocks(directory.path(), &literal(b"shop")).iter().all(|block| block.may_match));

    let frames: u64 = found.iter().map(|block| u64::from(block.frame_bytes)).sum();
    let index = store.counts().bytes - frames;
    assert!(index * 100 <= frames * 6, "an index of {index} for {frames}");
    let stream = stream_directory(&directory.path().join("vm1"), id(1));
    let file = fs::File::open(segment_file(&stream, 0, Form::Sealed)).unwrap();
    assert!(zstd::decode_all(file).unwrap() == text);
}

/// An open segment is a file for `zstd`, too.
#[test]
fn zstd_reads_an_open_segment() {
    let directory = tempfile::tempdir().unwrap();
    drop(store_with(directory.path(), 5_000));
    let stream = stream_directory(&directory.path().join("vm1"), id(1));
    let file = fs::File::open(segment_file(&stream, 0, Form::Open)).unwrap();
    assert!(zstd::decode_all(file).unwrap() == text_of(id(1), 0..5_000));
}

/// A segment that is dropped while it is sealed leaves nothing behind, and the next one is sealed.
#[test]
fn a_segment_may_be_dropped_while_it_is_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 30_000);
    let mut spans = FakeSpans::default();
    let key = store.streams.iter(None).next().unwrap().0.clone();
    store.seal_step(&mut spans).unwrap();
    let is_first = store.sealing.as_ref().is_some_and(|sealing| sealing.begin == 0);
    if is_first {
        store.drop_segment(&key, Why::Room).unwrap();
    }
    while store.seal_step(&mut spans).unwrap() {}
    let directory = stream_directory(&directory.path().join("vm1"), id(1));
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
    assert!(store.counts().sealed_segments > 0);
}
