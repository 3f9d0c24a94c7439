//! The bounds: bytes, age, free space, streams, sources, open files.

use super::{
    FakeSpans, SMALL, assert_kept, block_of, blocks_of, copy_of, head_of, id, name, open,
    store_with, text_of,
};
use crate::kept;
use crate::store::{Limits, Refused, Store};
use crate::stream::{StreamHead, StreamId};
use std::time::Duration;

/// Appends to a stream, which may be new.
fn append(store: &mut Store, source: &str, stream: u64, range: std::ops::Range<usize>) {
    store.head(&name(source), head_of(id(stream))).unwrap();
    let text = text_of(id(stream), range.clone());
    for block in blocks_of(id(stream), range.start, &text, 900) {
        store.append(&name(source), &block).unwrap();
    }
    store.sync().unwrap();
}

/// A source never has more than its bytes, and its oldest text goes first.
#[test]
fn the_oldest_text_of_a_source_goes_first() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { source_bytes: 20_000, ..SMALL };
    let mut store = open(directory.path(), limits);
    append(&mut store, "vm2", 7, 0..5_000);
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    for block in blocks_of(id(1), 0, &text_of(id(1), 0..100_000), 900) {
        store.append(&name("vm1"), &block).unwrap();
        assert!(store.streams.of_source(&name("vm1")).bytes <= 20_000);
    }
    store.sync().unwrap();
    let stream = kept::list(directory.path(), &name("vm1")).unwrap().remove(0);
    assert!(stream.begin > 50_000 && stream.dropped_bytes == stream.begin);
    let before = text_of(id(1), 0..usize::try_from(stream.begin).unwrap());
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(stream.lines_before, Some(lines as u64));
    assert_kept(directory.path(), id(1), before.len()..100_000);
    let standing = store.standings(&name("vm1")).unwrap().remove(0);
    assert_eq!((standing.begin, standing.dropped_bytes), (stream.begin, stream.begin));
    assert_eq!(copy_of(directory.path(), "vm2", id(7)).unwrap().text.len(), 5_000);
    assert!(store.counts().pruned_bytes > 0);
}

/// All sources together have a bound too, and so has the free space.
#[test]
fn all_bytes_and_free_space_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { total_bytes: 30_000, ..SMALL };
    let mut store = Store::open(directory.path(), limits).unwrap();
    for stream in 1..8 {
        store.now_ms += 1;
        append(&mut store, if stream % 2 == 0 { "vm1" } else { "vm2" }, stream, 0..20_000);
    }
    assert!(store.counts().bytes <= 30_000);
    assert_eq!(copy_of(directory.path(), "vm2", id(1)), None);
    assert_eq!(copy_of(directory.path(), "vm2", id(7)).unwrap().text.len(), 20_000);
    // No file system has that much.
    store.set_limits(Limits { free_bytes: u64::MAX, ..limits });
    assert!(store.prune(store.now_ms).segments > 0);
    assert_eq!(store.counts().segments, 0);
    assert_eq!(kept::sources(directory.path()).unwrap(), []);
}

/// What was last written too long ago goes, segment by segment, and the stream with the last one.
/// A source that sends on is told that it must send the head again.
#[test]
fn old_text_goes() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), SMALL);
    let start_ms = store.now_ms;
    append(&mut store, "vm1", 1, 0..12_000);
    store.seal_all(&mut FakeSpans::default()).unwrap();
    store.prune(start_ms + 900_000);
    append(&mut store, "vm1", 1, 12_000..14_000);
    assert_kept(directory.path(), id(1), 0..14_000);
    store.prune(start_ms + 1_100_000);
    assert_kept(directory.path(), id(1), 12_000..14_000);
    store.prune(start_ms + 2_000_000);
    assert_eq!(copy_of(directory.path(), "vm1", id(1)), None);
    let next = block_of(id(1), 14_000, &text_of(id(1), 14_000..15_000));
    assert_eq!(store.append(&name("vm1"), &next), Err(Refused::Unknown));
    append(&mut store, "vm1", 1, 14_000..15_000);
    assert_kept(directory.path(), id(1), 14_000..15_000);
}

/// A stream of one segment is dropped whole for lack of room. What a search misses is told, until
/// the text would be too old, or its source sends it again. It survives a restart.
#[test]
fn a_stream_that_is_dropped_for_lack_of_room_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), SMALL);
    let start_ms = store.now_ms;
    let dropped = || kept::list_all(directory.path(), &name("vm1")).unwrap().dropped_bytes;
    append(&mut store, "vm1", 1, 0..5_000);
    store.now_ms += 1;
    append(&mut store, "vm1", 2, 0..200);
    assert_eq!(dropped(), 0);
    store.now_ms += 1;
    let limits = Limits { total_bytes: store.counts().bytes + 100, ..SMALL };
    store.set_limits(limits);
    append(&mut store, "vm2", 3, 0..3_000);
    assert!(copy_of(directory.path(), "vm1", id(1)).is_none());
    assert_eq!((dropped(), store.counts().streams), (5_000, 2));
    drop(store);
    let mut store = open(directory.path(), limits);
    assert_eq!((dropped(), store.counts().streams), (5_000, 2));
    assert_eq!(store.standings(&name("vm1")).unwrap().len(), 1);

    let again = StreamId { begun_ms: 2_000, ..id(1) };
    store.head(&name("vm1"), StreamHead { id: again, ..head_of(id(1)) }).unwrap();
    store.append(&name("vm1"), &block_of(again, 0, &text_of(id(1), 0..500))).unwrap();
    store.sync().unwrap();
    assert_eq!(dropped(), 0, "its source has sent it again");
    let withdrawn = StreamHead { id: again, offered: false, ..head_of(id(2)) };
    store.head(&name("vm1"), withdrawn).unwrap();
    store.sync().unwrap();
    assert_eq!(dropped(), 5_000);

    store.now_ms = start_ms + 999_000;
    append(&mut store, "vm1", 2, 200..300);
    store.prune(start_ms + 1_000_001);
    assert_eq!(dropped(), 0, "it would be gone by now");
    assert_kept(directory.path(), id(2), 0..300);
    store.prune(start_ms + 3_000_000);
    assert_eq!(kept::sources(directory.path()).unwrap(), []);
}

/// A stream that is sent again under its name is one stream, and of one that is not offered nothing
/// is missed.
#[test]
fn a_dropped_stream_may_come_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), Limits { streams_of_source: 2, ..SMALL });
    let dropped = || kept::list_all(directory.path(), &name("vm1")).unwrap().dropped_bytes;
    append(&mut store, "vm1", 1, 0..500);
    for stream in 2..5 {
        store.now_ms += 1;
        store.head(&name("vm1"), StreamHead { offered: false, ..head_of(id(stream)) }).unwrap();
        store.append(&name("vm1"), &block_of(id(stream), 0, &text_of(id(stream), 0..70))).unwrap();
        store.sync().unwrap();
    }
    assert_eq!((dropped(), store.counts().streams), (500, 2));
    append(&mut store, "vm1", 1, 500..600);
    assert_eq!(dropped(), 0, "where it begins is told");
    assert_kept(directory.path(), id(1), 500..600);
    drop(store);
    let store = open(directory.path(), SMALL);
    assert_eq!((dropped(), store.counts().streams), (0, 2));
    assert_kept(directory.path(), id(1), 500..600);
}

/// A clock that is a year ahead for a moment costs nothing. If it stays there, it is believed.
#[test]
fn a_wrong_clock_is_doubted_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), SMALL);
    append(&mut store, "vm1", 1, 0..12_000);
    let (start_ms, year_ms) = (store.now_ms, 365 * 24 * 3_600_000);
    for now_ms in [start_ms + year_ms, start_ms + year_ms + 599_000, start_ms + 600_000] {
        store.prune(now_ms);
        assert_kept(directory.path(), id(1), 0..12_000);
    }
    store.prune(start_ms + year_ms);
    store.prune(start_ms + year_ms + 600_000);
    assert_eq!(store.counts().streams, 0);
}

/// A segment keeps its age when it is sealed, and over a restart.
#[test]
fn a_sealed_segment_keeps_its_age() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { age: Duration::from_secs(3_600), ..SMALL };
    let mut store = open(directory.path(), limits);
    let start_ms = store.now_ms;
    append(&mut store, "vm1", 1, 0..12_000);
    store.now_ms += 3_000_000;
    store.seal_all(&mut FakeSpans::default()).unwrap();
    drop(store);
    let mut store = open(directory.path(), limits);
    store.prune(start_ms + 3_599_000);
    assert_kept(directory.path(), id(1), 0..12_000);
    store.prune(start_ms + 3_601_000);
    assert_eq!(store.counts().streams, 0);
}

/// Beyond the most streams, the one that was written least recently goes. Beyond the most sources,
/// new ones are refused.
#[test]
fn streams_and_sources_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), SMALL);
    for stream in 1..=8 {
        store.now_ms += 1;
        append(&mut store, "vm1", stream, 0..100);
    }
    store.now_ms += 1;
    append(&mut store, "vm1", 1, 100..200);
    append(&mut store, "vm1", 9, 0..100);
    assert_eq!(store.counts().streams, 8);
    assert_eq!(copy_of(directory.path(), "vm1", id(2)), None);
    assert_kept(directory.path(), id(1), 0..200);
    for source in ["vm2", "vm3", "vm4"] {
        append(&mut store, source, 20, 0..100);
    }
    assert_eq!(store.head(&name("vm5"), head_of(id(1))), Err(Refused::TooMany));
    for stream in 21..40 {
        store.now_ms += 1;
        append(&mut store, "vm2", stream, 0..100);
        append(&mut store, "vm3", stream, 0..100);
    }
    assert!(store.counts().streams <= 16);
}

/// Many streams share few open files.
#[test]
fn open_files_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), SMALL);
    for stream in 1..8 {
        store.head(&name("vm1"), head_of(id(stream))).unwrap();
    }
    let mut durable = 0;
    for round in 0..5 {
        for stream in 1..8 {
            let text = text_of(id(stream), round * 100..round * 100 + 100);
            let block = block_of(id(stream), round as u64 * 100, &text);
            store.append(&name("vm1"), &block).unwrap();
            assert!(store.files.len() <= 2);
        }
        durable += store.sync().unwrap().len();
    }
    assert_eq!(durable, 35);
    for stream in 1..8 {
        assert_kept(directory.path(), id(stream), 0..500);
    }
}

/// An idle segment that is large enough is sealed, although it is not full.
#[test]
fn an_idle_segment_is_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits {
        segment_text_bytes: 1 << 25,
        segment_blocks: 9_999,
        source_bytes: 1 << 25,
        ..SMALL
    };
    let mut store = open(directory.path(), limits);
    append(&mut store, "vm1", 1, 0..400_000);
    append(&mut store, "vm1", 2, 0..1_000);
    let later_ms = store.now_ms + 3_600_001;
    store.set_limits(Limits { age: Duration::MAX, ..limits });
    let mut spans = FakeSpans::default();
    while store.idle_step(&mut spans, later_ms) {}
    assert_eq!(store.counts().sealed_segments, 1);
    append(&mut store, "vm1", 1, 400_000..401_000);
    assert_kept(directory.path(), id(1), 0..401_000);
}

/// The store of another day: nothing that is not its own is touched.
#[test]
fn foreign_files_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(store_with(directory.path(), 1_000));
    std::fs::write(directory.path().join("README"), "mine").unwrap();
    std::fs::create_dir(directory.path().join("vm1/lost+found")).unwrap();
    let mut store = open(directory.path(), SMALL);
    store.prune(store.now_ms + 2_000_000);
    assert_eq!(store.counts().streams, 0);
    assert!(directory.path().join("README").exists());
    assert!(directory.path().join("vm1/lost+found").exists());
}
