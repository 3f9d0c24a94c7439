//! The index of a sealed segment.

use super::{Entry, Index, Summary, bytes_without_filter, read};
use crate::block::BlockHead;
use crate::segment::open_block::TextFacts;
use crate::store::Span;
use crate::stream::StreamId;
use std::io::Write as _;

const ID: StreamId = StreamId { device: 1, inode: 2, begun_ms: 3 };

fn entry(frame_bytes: u32, times: Option<(i64, i64)>) -> Entry {
    Entry {
        frame_bytes,
        text_bytes: 1_000,
        lines: 10,
        text: TextFacts { ends_line: true, has_nul: times.is_none() },
        span: Span { times, first_dated: times.is_some(), unread: false },
        frame_hash: [9; 16],
    }
}

fn index() -> Index {
    let last = BlockHead { stream: ID, offset: 2_500, text_bytes: 500, hash: [4; 32], read_ms: 77 };
    let summary = Summary {
        first: 500,
        begin: 1_000,
        text_bytes: 2_000,
        lines_before: Some(12),
        lines: 20,
        begins_line: true,
        last,
        zone: "Europe/Berlin".into(),
        modified_ms: -1,
        same_until_ms: i64::MAX,
        rules: 9,
    };
    let entries = vec![entry(70, Some((-5, 6))), entry(30, None)];
    Index { summary, entries, filter: b"a filter".to_vec() }
}

/// What was written is read, and its size is what was said before.
#[test]
fn an_index_is_read_as_it_was_written() {
    let index = index();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[1; 100]).unwrap();
    let bytes = index.encode(100).unwrap();
    assert_eq!(bytes.len(), bytes_without_filter(&index.summary, 2) + index.filter.len());
    file.write_all(&bytes).unwrap();
    assert_eq!(read(&file, ID).unwrap(), Some(index));
    assert_eq!(read(&file, StreamId { inode: 4, ..ID }).unwrap(), None);
}

/// Any changed bit, and any missing end, is noticed.
#[test]
fn a_damaged_index_is_none() {
    let whole = [vec![1; 100], index().encode(100).unwrap()].concat();
    let read = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file, ID).unwrap()
    };
    assert!(read(&whole).is_some());
    for length in 0..whole.len() {
        assert_eq!(read(&whole[..length]), None, "{length} bytes");
    }
    for place in 100..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        assert_eq!(read(&bytes), None, "byte {place}");
    }
}

/// An index whose blocks are not the whole segment is none, even if its hash is right.
#[test]
fn an_index_must_add_up() {
    let frames = |index: &Index, bytes| {
        let encoded = index.encode(bytes).unwrap();
        let length = encoded.len() - super::TRAILER_BYTES;
        Index::decode(ID, &encoded[..length], bytes)
    };
    assert!(frames(&index(), 100).is_some());
    assert_eq!(frames(&index(), 101), None);
    let mut other = index();
    other.summary.text_bytes += 1;
    assert_eq!(frames(&other, 100), None);
    let mut other = index();
    other.summary.first = 1_001;
    assert_eq!(frames(&other, 100), None);
}
