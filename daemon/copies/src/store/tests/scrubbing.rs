//! The scrub.

use super::{FakeSpans, SMALL, blocks_of, copy_of, id, name, store_with, text_of};
use crate::segment::names::{Form, segment_file, stream_directory};
use crate::store::{Refused, Store};
use std::fs;
use std::path::Path;

fn damage(directory: &Path, begin: u64, form: Form, place: usize) {
    let file = segment_file(&stream_directory(&directory.join("vm1"), id(1)), begin, form);
    let mut bytes = fs::read(&file).unwrap();
    bytes[place] ^= 1;
    fs::write(&file, &bytes).unwrap();
}

fn round(store: &mut Store) {
    let mut steps = 0;
    while !store.scrub_bytes(1_000) {
        steps += 1;
        assert!(steps < 10_000);
    }
}

/// A round reads everything once, and finds nothing in a store that is whole.
#[test]
fn a_whole_store_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 30_000);
    round(&mut store);
    assert_eq!(store.counts().scrubbed_bytes, store.counts().bytes);
    store.seal_all(&mut FakeSpans::default()).unwrap();
    round(&mut store);
    assert_eq!((store.counts().scrubs, store.counts().damaged_blocks), (2, 0));
    assert_eq!(store.take_notes(), Vec::<String>::new());
}

/// A damaged block of a sealed segment is told, and the text around it is still read.
#[test]
fn damage_in_a_sealed_segment_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 30_000);
    store.seal_all(&mut FakeSpans::default()).unwrap();
    damage(directory.path(), 0, Form::Sealed, 20);
    round(&mut store);
    assert_eq!(store.counts().damaged_blocks, 1);
    let notes = store.take_notes();
    assert!(notes.len() == 1 && notes[0].contains("00000000000000000000.sealed"), "{notes:?}");
    let copy = copy_of(directory.path(), "vm1", id(1)).unwrap();
    assert_eq!(copy.errors, ["the copy is damaged from byte 0 on"]);
    assert!(text_of(id(1), 0..30_000).ends_with(&copy.text) && copy.text.len() > 15_000);
    let next = blocks_of(id(1), 30_000, &text_of(id(1), 30_000..31_000), 1_000).remove(0);
    assert_eq!(store.append(&name("vm1"), &next), Ok(31_000));
}

/// A segment that is appended to, and is damaged, is not extended any more.
#[test]
fn a_damaged_tail_is_not_extended() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 2_000);
    damage(directory.path(), 0, Form::Open, 150);
    round(&mut store);
    assert_eq!(store.take_notes().len(), 1);
    let next = blocks_of(id(1), 2_000, &text_of(id(1), 2_000..3_000), 1_000).remove(0);
    assert_eq!(store.append(&name("vm1"), &next), Err(Refused::Damaged));
    let standing = store.standings(&name("vm1")).unwrap().remove(0);
    assert_eq!((standing.is_damaged, standing.end, standing.last), (true, 0, None));
}

/// The scrub has its own pace, and an empty store is soon done.
#[test]
fn the_scrub_has_a_pace() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 30_000);
    let mut spans = FakeSpans::default();
    let start_ms = store.now_ms;
    while store.idle_step(&mut spans, start_ms) {}
    for second in 0..60 {
        store.idle_step(&mut spans, start_ms + second * 1_000);
    }
    assert!((1..=2).contains(&store.counts().scrubs), "{}", store.counts().scrubs);
    let empty = tempfile::tempdir().unwrap();
    let mut store = Store::open(empty.path(), SMALL).unwrap();
    assert!(store.scrub_bytes(1) && !store.idle_step(&mut spans, start_ms));
}
