//! Searches beside the store, without a lock.

use super::{FakeSpans, SMALL, blocks_of, head_of, id, name, open, text_of};
use crate::kept::{self, BlockReader, KeptError};
use crate::needs::Needs;
use crate::store::Limits;
use crate::store::dropped::Why;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads all streams once. Returns how many bytes were right.
fn read_once(directory: &Path, whole: &[u8]) -> usize {
    let mut reader = BlockReader::new().unwrap();
    let (mut text, mut bytes) = (Vec::new(), 0);
    for stream in kept::list(directory, &name("vm1")).unwrap() {
        let mut expected = stream.begin;
        for block in stream.blocks(&Needs::Anything) {
            match block {
                Ok(block) => {
                    assert_eq!(block.offset, expected, "a gap or a repetition");
                    expected = block.end();
                    reader.read(&block, &mut text).unwrap();
                    let offset = usize::try_from(block.offset).unwrap();
                    assert!(whole[offset..].starts_with(&text), "another text");
                    bytes += text.len();
                }
                // It is told where the text goes on.
                Err(KeptError::Dropped { offset }) => {
                    assert_eq!(offset, expected);
                    expected = next_segment(&stream, offset).unwrap_or(stream.end);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(expected >= stream.end, "{expected} of {}", stream.end);
    }
    bytes
}

/// Where the segment after the one at `offset` began when the stream was listed.
fn next_segment(stream: &kept::KeptStream, offset: u64) -> Option<u64> {
    stream.segment_begins().find(|begin| *begin > offset)
}

/// Three readers see only what was appended, in order and without a gap, while it is appended,
/// sealed and dropped.
#[test]
fn readers_see_only_what_was_appended() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { source_bytes: 60_000, ..SMALL };
    let whole = text_of(id(1), 0..1_500_000);
    let mut store = open(directory.path(), limits);
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    store.sync().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = || {
            let mut bytes = 0;
            while !done.load(Ordering::Relaxed) {
                bytes += read_once(directory.path(), &whole);
            }
            bytes
        };
        let readers = [(); 3].map(|()| scope.spawn(read));
        let mut spans = FakeSpans::default();
        for block in blocks_of(id(1), 0, &whole, 1_500) {
            store.append(&name("vm1"), &block).unwrap();
            for _ in 0..3 {
                store.seal_step(&mut spans).unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
    assert!(store.counts().pruned_bytes > 0 && store.counts().sealed_segments > 0);
}

/// A segment that was dropped after it was listed is told, and the rest is read.
#[test]
fn a_dropped_segment_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = super::store_with(directory.path(), 30_000);
    let stream = kept::list(directory.path(), &name("vm1")).unwrap().remove(0);
    let key = store.streams.iter(None).next().unwrap().0.clone();
    store.drop_segment(&key, Why::Room).unwrap();
    let blocks: Vec<_> = stream.blocks(&Needs::Anything).collect();
    let error = blocks[0].as_ref().unwrap_err().to_string();
    assert_eq!(error, "the copy from byte 0 on was dropped while it was read");
    assert!(blocks.iter().skip(1).all(Result::is_ok) && blocks.len() > 10);
}

/// A stream whose segment is sealed after it was listed is read to the same end.
#[test]
fn a_stream_is_read_whole_when_it_is_sealed_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = super::store_with(directory.path(), 30_000);
    let stream = kept::list(directory.path(), &name("vm1")).unwrap().remove(0);
    store.seal_all(&mut FakeSpans::default()).unwrap();
    let texts = stream.blocks(&Needs::Anything).map(|block| block.unwrap().read().unwrap());
    assert!(texts.collect::<Vec<_>>().concat() == text_of(id(1), 0..30_000));
}

/// A log that was sent line by line is a segment of very small blocks, with a large one here and
/// there: all are found.
#[test]
fn small_and_large_blocks_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { segment_text_bytes: 1 << 24, segment_blocks: 9_999, ..SMALL };
    let limits = Limits { source_bytes: 1 << 26, total_bytes: 1 << 26, ..limits };
    let mut store = open(directory.path(), limits);
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    let mut end = 0;
    for size in [40, 300_000, 40] {
        let text = text_of(id(1), end..end + size * 2 + 40_000);
        for block in blocks_of(id(1), end, &text, size) {
            store.append(&name("vm1"), &block).unwrap();
        }
        end += text.len();
    }
    store.sync().unwrap();
    assert_eq!(store.counts().segments, 1);
    super::assert_kept(directory.path(), id(1), 0..end);
}

/// A directory or a source that does not exist has no copies.
#[test]
fn nothing_is_kept_where_nothing_is() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("copies");
    assert_eq!(kept::sources(&missing).unwrap(), []);
    assert!(kept::list(&missing, &name("vm1")).unwrap().is_empty());
}
