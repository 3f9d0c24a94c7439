//! Copies that cannot go on, and those that continue them.

use super::{FakeSpans, SMALL, blocks_of, head_of, id, name, open, store_with, text_of};
use crate::kept::{self, KeptStream};
use crate::needs::Needs;
use crate::segment::names::{Form, segment_file, stream_directory};
use crate::store::{Limits, Refused, Store};
use crate::stream::{Joint, StreamHead, StreamId};
use std::fs;
use std::path::Path;

/// Damages the middle of the last segment of the first stream.
fn damage(directory: &Path) {
    let stream = stream_directory(&directory.join("vm1"), id(1));
    let open = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|of| of == "open");
    let entries = fs::read_dir(stream).unwrap().map(Result::unwrap);
    let file = entries.filter(open).map(|entry| entry.path()).max().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
}

/// The stream that continues the first one.
fn next_id() -> StreamId {
    StreamId { begun_ms: 2_000, ..id(1) }
}

/// Continues the first stream at `at`, up to `end`.
fn go_on(store: &mut Store, at: usize, end: usize) {
    let continues = Some(Joint { stream: id(1), at: at as u64 });
    let next = StreamHead { id: next_id(), continues, ..head_of(id(1)) };
    store.head(&name("vm1"), next).unwrap();
    for block in blocks_of(next_id(), at, &text_of(id(1), at..end), 900) {
        store.append(&name("vm1"), &block).unwrap();
    }
    store.sync().unwrap();
}

/// All text, each block with the lines and the place that it says.
fn read(stream: &KeptStream) -> Vec<u8> {
    let (mut text, mut expected) = (Vec::new(), stream.begin);
    for block in stream.blocks(&Needs::Anything) {
        let block = block.unwrap();
        let read = block.read().unwrap();
        assert_eq!((block.offset, block.text_bytes as usize), (expected, read.len()));
        let lines = read.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!((block.lines as usize, block.ends_line), (lines, read.ends_with(b"\n")));
        text.extend(read);
        expected = block.end();
    }
    assert_eq!(expected, stream.end);
    text
}

fn only(directory: &Path) -> KeptStream {
    let mut streams = kept::list(directory, &name("vm1")).unwrap();
    assert_eq!(streams.len(), 1);
    streams.remove(0)
}

/// Up to the damage it is whole, and the source learns where that is.
#[test]
fn a_damaged_stream_stands_where_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 26_000);
    for block in blocks_of(id(1), 26_000, &text_of(id(1), 26_000..30_000), 500) {
        store.append(&name("vm1"), &block).unwrap();
        store.sync().unwrap();
    }
    drop(store);
    damage(directory.path());
    let mut store = open(directory.path(), SMALL);
    let standing = store.standings(&name("vm1")).unwrap().remove(0);
    let last = standing.last.unwrap();
    assert!(standing.is_damaged && standing.end == last.end() && standing.end < 30_000);
    let mut text = text_of(id(1), 0..30_000);
    text.truncate(usize::try_from(last.end()).unwrap());
    let offset = usize::try_from(last.offset).unwrap();
    assert_eq!(last.hash, *blake3::hash(&text[offset..]).as_bytes());
    let next = blocks_of(id(1), 30_000, &text_of(id(1), 30_000..31_000), 1_000).remove(0);
    assert_eq!(store.append(&name("vm1"), &next), Err(Refused::Damaged));
    // Withdrawals are taken all the same.
    let withdrawn = StreamHead { offered: false, ..head_of(id(1)) };
    store.head(&name("vm1"), withdrawn).unwrap();
    store.sync().unwrap();
    assert!(!only(directory.path()).head.offered);
}

/// Among the blocks that are named is one that was read a minute before the last one.
#[test]
fn a_standing_names_older_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { segment_text_bytes: 1 << 20, segment_blocks: 1_000, ..SMALL };
    for restarts in [false, true] {
        let mut store = open(directory.path(), limits);
        let id = id(7 + u64::from(restarts));
        store.head(&name("vm1"), head_of(id)).unwrap();
        let text = text_of(id, 0..50_000);
        let blocks = blocks_of(id, 0, &text, 100);
        for (number, mut block) in blocks.into_iter().enumerate() {
            block.head.read_ms = number as u64 * 1_000;
            store.append(&name("vm1"), &block).unwrap();
        }
        store.sync().unwrap();
        if restarts {
            drop(store);
            store = open(directory.path(), limits);
        }
        let standing = store.standings(&name("vm1")).unwrap().pop().unwrap();
        let last = standing.last.unwrap();
        let ages: Vec<u64> = standing.marks.iter().map(|mark| last.offset - mark.offset).collect();
        assert_eq!(ages.len(), 2);
        assert!((6_000..20_000).contains(&ages[0]) && ages[1] == last.offset, "{ages:?}");
        for mark in &standing.marks {
            let from = usize::try_from(mark.offset).unwrap();
            let of = &text[from..usize::try_from(mark.end()).unwrap()];
            assert_eq!(mark.hash, *blake3::hash(of).as_bytes());
        }
    }
}

/// Both are one file, without a line twice, whatever was sealed meanwhile.
#[test]
fn a_stream_and_the_one_that_continues_it_are_one() {
    for seal in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut store = store_with(directory.path(), 30_000);
        let blocks = blocks_of(id(1), 0, &text_of(id(1), 0..30_000), 900);
        let at = usize::try_from(blocks[blocks.len() - 4].head.offset).unwrap();
        go_on(&mut store, at, 41_000);
        if seal {
            store.seal_all(&mut FakeSpans::default()).unwrap();
        }
        let stream = only(directory.path());
        assert_eq!((stream.begin, stream.end, stream.head.id), (0, 41_000, next_id()));
        assert_eq!(stream.lines_before, Some(0));
        assert!(read(&stream) == text_of(id(1), 0..41_000));
    }
}

/// What cannot be of one file stays apart, or goes, but is never there twice.
#[test]
fn what_does_not_fit_is_not_joined() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 2_000);
    // It is not yet there, and the older one is the file.
    let continues = Some(Joint { stream: id(1), at: 1_000 });
    let next = StreamHead { id: next_id(), continues, ..head_of(id(1)) };
    store.head(&name("vm1"), next.clone()).unwrap();
    store.sync().unwrap();
    let stream = only(directory.path());
    assert_eq!((stream.end, read(&stream)), (1_000, text_of(id(1), 0..1_000)));
    // Its beginning is not there any more.
    for block in blocks_of(next_id(), 1_500, &text_of(id(1), 1_500..2_500), 900) {
        store.append(&name("vm1"), &block).unwrap();
    }
    store.sync().unwrap();
    assert!(read(&only(directory.path())) == text_of(id(1), 1_500..2_500));
    // It is withdrawn, and the older one has another name.
    store.head(&name("vm1"), StreamHead { offered: false, ..next }).unwrap();
    store.sync().unwrap();
    assert_eq!(kept::list(directory.path(), &name("vm1")).unwrap().len(), 2);
}

/// A part that is missing in between is told.
#[test]
fn what_is_missing_between_two_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 2_000);
    go_on(&mut store, 2_500, 3_000);
    let stream = only(directory.path());
    let errors: Vec<String> =
        stream.blocks(&Needs::Anything).filter_map(Result::err).map(|e| e.to_string()).collect();
    assert_eq!(errors, ["the copy is damaged from byte 2000 on"]);
    let file = stream_directory(&directory.path().join("vm1"), id(1));
    assert!(segment_file(&file, 0, Form::Open).exists());
}
