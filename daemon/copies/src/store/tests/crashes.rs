//! The power goes at any operation, files end anywhere, bytes change: what is kept is a beginning
//! of what was appended, and has all that was acknowledged.

use super::faults::{Fault, FaultyDisk, Which};
use super::{
    FakeSpans, SMALL, assert_kept, blocks_of, copy_of, head_of, id, name, open, store_with, text_of,
};
use crate::kept;
use crate::needs::Needs;
use crate::segment::names::{Form, segment_file, stream_directory};
use crate::store::dropped::Why;
use crate::store::{Failed, Limits, Refused, Store, StoreState};
use crate::stream::{StreamHead, StreamId};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How much text of each stream the story has.
const STORY_BYTES: usize = 20_000;

/// What was acknowledged.
#[derive(Debug, Default)]
struct Story {
    durable: BTreeMap<StreamId, u64>,
}

impl Story {
    /// Appends two streams, syncs now and then, seals, replaces a head, and drops a third stream.
    /// It ends at the first failure.
    fn run(&mut self, store: &mut Store) -> Result<(), Refused> {
        let vm1 = name("vm1");
        store.head(&name("vm2"), head_of(id(3)))?;
        for block in blocks_of(id(3), 0, &text_of(id(3), 0..1_000), 500) {
            store.append(&name("vm2"), &block)?;
        }
        store.head(&vm1, head_of(id(1)))?;
        store.head(&vm1, head_of(id(2)))?;
        let one = blocks_of(id(1), 0, &text_of(id(1), 0..STORY_BYTES), 900);
        let other = blocks_of(id(2), 0, &text_of(id(2), 0..STORY_BYTES), 1_500);
        for (number, block) in one.iter().enumerate() {
            store.append(&vm1, block)?;
            if let Some(block) = other.get(number) {
                store.append(&vm1, block)?;
            }
            if number % 3 == 2 {
                self.sync(store)?;
            }
            if number == 10 {
                let rotated = StreamHead { path: "/srv/1.log.1".into(), ..head_of(id(1)) };
                store.head(&vm1, rotated)?;
            }
            if number % 4 == 3 {
                store.seal_step(&mut FakeSpans::default())?;
            }
            if number == 15 {
                let key = store.streams.iter(Some(&name("vm2"))).next().unwrap().0.clone();
                store.drop_stream(&key, Why::Room)?;
            }
        }
        store.seal_all(&mut FakeSpans::default())?;
        Ok(self.sync(store)?)
    }

    fn sync(&mut self, store: &mut Store) -> Result<(), Failed> {
        for durable in store.sync()? {
            self.durable.insert(durable.stream, durable.end);
        }
        Ok(())
    }

    /// Asserts what must be so after any crash, then has the source resume and asserts the rest.
    fn check(&self, disk: &FaultyDisk, directory: &Path, what: &str) {
        let mut store = Store::open_on(Box::new(disk.clone()), directory, SMALL).expect("a store");
        assert_eq!(store.take_notes(), Vec::<String>::new(), "{what}");
        for stream in [id(1), id(2)] {
            let durable = self.durable.get(&stream).copied().unwrap_or(0);
            let standings = store.standings(&name("vm1")).unwrap();
            let standing = standings.into_iter().find(|standing| standing.head.id == stream);
            let end = standing.as_ref().map_or(0, |standing| standing.end);
            assert!(end >= durable, "{what}: {end} of {durable} that were acknowledged");
            let end = usize::try_from(end).unwrap();
            match copy_of(directory, "vm1", stream) {
                Some(_) => assert_kept(directory, stream, 0..end),
                None => assert_eq!(end, 0, "{what}"),
            }
            store.head(&name("vm1"), head_of(stream)).unwrap();
            for block in blocks_of(stream, end, &text_of(stream, end..STORY_BYTES), 2_000) {
                store.append(&name("vm1"), &block).unwrap();
            }
            store.sync().unwrap();
            assert_kept(directory, stream, 0..STORY_BYTES);
        }
    }
}

/// The power goes at each operation of the story, and at each operation of the restart after it.
#[test]
fn acknowledged_text_survives_a_crash_anywhere() {
    let count = {
        let (directory, attic) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let disk = FaultyDisk::new(attic.path());
        let root = directory.path().join("copies");
        let mut store = Store::open_on(Box::new(disk.clone()), &root, SMALL).unwrap();
        let mut story = Story::default();
        story.run(&mut store).unwrap();
        assert_eq!(story.durable.get(&id(1)), Some(&(STORY_BYTES as u64)));
        assert!(store.counts().sealed_segments >= 4);
        disk.operations()
    };
    assert!(count > 100, "{count} operations");
    for operation in 1..=count {
        for seed in 0..2 {
            let (directory, attic) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let root = directory.path().join("copies");
            let disk = FaultyDisk::new(attic.path());
            disk.fail_at(Which::All, operation, Fault::Crash);
            let mut story = Story::default();
            if let Ok(mut store) = Store::open_on(Box::new(disk.clone()), &root, SMALL) {
                story.run(&mut store).unwrap_err();
            }
            disk.lose_unsynced(operation * 10 + seed);
            // Then it goes again, while the store is opened.
            let attic = tempfile::tempdir().unwrap();
            let disk = FaultyDisk::new(attic.path());
            disk.fail_at(Which::All, 1 + seed * 2, Fault::Crash);
            if let Ok(mut store) = Store::open_on(Box::new(disk.clone()), &root, SMALL) {
                let _ = store.sync();
            }
            disk.lose_unsynced(seed);
            let attic = tempfile::tempdir().unwrap();
            let disk = FaultyDisk::new(attic.path());
            story.check(&disk, &root, &format!("operation {operation}, seed {seed}"));
        }
    }
}

/// An open segment that ends at any byte has the whole blocks before it.
#[test]
fn a_segment_may_end_at_any_byte() {
    let directory = tempfile::tempdir().unwrap();
    drop(store_with(directory.path(), 2_500));
    let file = file_of(directory.path(), 0, Form::Open);
    let whole = fs::read(&file).unwrap();
    let mut ends = Vec::new();
    for length in (0..=whole.len()).rev() {
        fs::write(&file, &whole[..length]).unwrap();
        // Searches do not wait for the restart.
        let copy = copy_of(directory.path(), "vm1", id(1)).unwrap();
        let mut store = open(directory.path(), SMALL);
        assert_eq!(store.take_notes(), Vec::<String>::new(), "{length} bytes");
        let end = store.standings(&name("vm1")).unwrap()[0].end;
        assert_eq!((copy.end, copy.errors.len()), (end, 0), "{length} bytes");
        let end = usize::try_from(end).unwrap();
        assert!(copy.text == text_of(id(1), 0..end));
        ends.push(end);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
    }
    ends.dedup();
    assert_eq!((ends.len(), ends[0], ends.last()), (4, 2_500, Some(&0)));
}

/// A byte that changed in an open or sealed segment is noticed: what is printed is right, and
/// errors tell of the rest.
#[test]
fn no_changed_byte_is_ever_printed() {
    for form in [Form::Open, Form::Sealed] {
        let directory = tempfile::tempdir().unwrap();
        let mut store = store_with(directory.path(), 2_500);
        if form == Form::Sealed {
            store.seal_all(&mut FakeSpans::default()).unwrap();
        }
        drop(store);
        let file = file_of(directory.path(), 0, form);
        let whole = fs::read(&file).unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place % 8);
            fs::write(&file, &bytes).unwrap();
            let stream = kept::list(directory.path(), &name("vm1")).unwrap().remove(0);
            let (mut read, mut errors) = (0, 0);
            for block in stream.blocks(&Needs::Anything) {
                match block.and_then(|block| Ok((block.offset, block.read()?))) {
                    Ok((offset, text)) => {
                        read += text.len();
                        let offset = usize::try_from(offset).unwrap();
                        let right = text_of(id(1), offset..offset + text.len());
                        assert!(text == right, "{form:?}, byte {place}: another text");
                    }
                    Err(_) => errors += 1,
                }
            }
            let is_told = errors > 0 || stream.end < 2_500;
            assert!(is_told || read == 2_500, "{form:?}, byte {place}: nothing is told");
        }
    }
}

/// A block that was durable and is damaged is no crash: the stream is kept, told, and not extended.
#[test]
fn damage_is_not_taken_for_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_with(directory.path(), 1_000);
    for block in blocks_of(id(1), 1_000, &text_of(id(1), 1_000..4_000), 900) {
        store.append(&name("vm1"), &block).unwrap();
        store.sync().unwrap();
    }
    drop(store);
    let file = file_of(directory.path(), 0, Form::Open);
    let mut bytes = fs::read(&file).unwrap();
    let length = bytes.len();
    let middle = length / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let mut store = open(directory.path(), SMALL);
    let notes = store.take_notes();
    assert!(notes.len() == 1 && notes[0].contains("is damaged"), "{notes:?}");
    let standing = store.standings(&name("vm1")).unwrap().remove(0);
    assert!(standing.is_damaged && standing.end < 4_000);
    assert_eq!(store.counts().damaged_streams, 1);
    assert_eq!(fs::read(&file).unwrap().len(), length, "nothing was cut");
    let next = blocks_of(id(1), 4_000, &text_of(id(1), 4_000..5_000), 1_000).remove(0);
    assert_eq!(store.append(&name("vm1"), &next), Err(Refused::Damaged));
    let copy = copy_of(directory.path(), "vm1", id(1)).unwrap();
    assert!(copy.errors.len() == 1 && copy.text == text_of(id(1), 0..copy.text.len()));
}

/// An fsync that fails ends the store at once and for good, and searches go on.
#[test]
fn a_failed_fsync_ends_the_store() {
    let mut failures = 0;
    for operation in 1.. {
        let (directory, attic) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = directory.path().join("copies");
        let disk = FaultyDisk::new(attic.path());
        let mut store = Store::open_on(Box::new(disk.clone()), &root, SMALL).unwrap();
        let kind = if operation % 2 == 0 { ErrorKind::StorageFull } else { ErrorKind::Other };
        disk.fail_at(Which::Syncs, operation, Fault::Fail(kind));
        let mut story = Story::default();
        let Err(refused) = story.run(&mut store) else { break };
        failures += 1;
        let StoreState::Failed(reason) = store.state() else { panic!("{operation}: it goes on") };
        assert_eq!(refused, Refused::Failed(reason.clone()));
        assert_eq!(store.sync(), Err(Failed(reason.clone())));
        assert_eq!(store.head(&name("vm1"), head_of(id(9))), Err(Refused::Failed(reason.clone())));
        assert!(store.append(&name("vm1"), &blocks_of(id(1), 0, b"x\n", 9)[0]).is_err());
        assert!(!store.idle_step(&mut FakeSpans::default(), 1));
        let notes = store.take_notes();
        assert!(notes.len() == 1 && notes[0].contains(&reason), "{notes:?}");
        for (stream, end) in story.durable.iter().filter(|(stream, _)| **stream != id(3)) {
            let copy = copy_of(&root, "vm1", *stream).unwrap();
            assert!(copy.end >= *end && copy.errors.is_empty());
        }
        story.check(&disk, &root, &format!("after the failed fsync {operation}"));
    }
    assert!(failures > 20, "{failures}");
}

/// A write that fails for lack of space drops the oldest segments, and nothing else is lost.
#[test]
fn a_full_disk_drops_the_oldest_segments() {
    let (directory, attic) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = directory.path().join("copies");
    let disk = FaultyDisk::new(attic.path());
    let mut store = Store::open_on(Box::new(disk.clone()), &root, SMALL).unwrap();
    store.head(&name("vm1"), head_of(id(1))).unwrap();
    store.sync().unwrap();
    disk.set_space(Some(20_000));
    for block in blocks_of(id(1), 0, &text_of(id(1), 0..100_000), 900) {
        store.append(&name("vm1"), &block).unwrap();
        store.sync().unwrap();
    }
    assert_eq!(store.state(), StoreState::Open);
    let copy = copy_of(&root, "vm1", id(1)).unwrap();
    let begin = usize::try_from(copy.begin).unwrap();
    assert!(begin > 0);
    assert_kept(&root, id(1), begin..100_000);

    // Without any room at all everything goes, and new text is refused until there is room.
    let limits = Limits { free_bytes: 1 << 30, ..SMALL };
    store.set_limits(limits);
    disk.set_free(0);
    disk.set_space(Some(0));
    store.prune(store.now_ms);
    assert_eq!(store.counts().streams, 0);
    disk.set_space(Some(0));
    store.head(&name("vm1"), head_of(id(2))).unwrap();
    assert_eq!(store.sync(), Ok(Vec::new()));
    let first = blocks_of(id(2), 0, &text_of(id(2), 0..8_000), 8_000).remove(0);
    assert_eq!(store.append(&name("vm1"), &first), Err(Refused::Full));
    disk.set_free(1 << 31);
    assert_eq!(store.append(&name("vm1"), &first), Err(Refused::Full));
    assert_eq!((store.sync(), store.state()), (Ok(Vec::new()), StoreState::Open));
    disk.set_space(None);
    assert_eq!(store.append(&name("vm1"), &first), Ok(8_000));
    assert_eq!(store.sync().unwrap().len(), 1);
    drop(store);
    drop(Store::open(&root, SMALL).unwrap());
    assert_kept(&root, id(2), 0..8_000);
}

/// A write that fails for another reason ends the store.
#[test]
fn a_failed_write_ends_the_store() {
    for operation in 1..12 {
        let (directory, attic) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = directory.path().join("copies");
        let disk = FaultyDisk::new(attic.path());
        let mut store = Store::open_on(Box::new(disk.clone()), &root, SMALL).unwrap();
        disk.fail_at(Which::Writes, operation, Fault::Fail(ErrorKind::Other));
        let mut story = Story::default();
        assert!(matches!(story.run(&mut store), Err(Refused::Failed(_))));
        assert!(matches!(store.state(), StoreState::Failed(_)));
        story.check(&disk, &root, &format!("after the failed write {operation}"));
    }
}

fn file_of(directory: &Path, begin: u64, form: Form) -> PathBuf {
    segment_file(&stream_directory(&directory.join("vm1"), id(1)), begin, form)
}

/// A reload may change a thousand heads, and a disk takes some ms for each that it syncs alone.
#[test]
fn heads_are_written_before_the_first_is_synced() {
    let (directory, attic) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = FaultyDisk::new(attic.path());
    let mut store = Store::open_on(Box::new(disk.clone()), directory.path(), SMALL).unwrap();
    for inode in 1..=6 {
        store.head(&name("vm1"), head_of(id(inode))).unwrap();
    }
    disk.fail_at(Which::Syncs, 1, Fault::Crash);
    store.sync().unwrap_err();
    let streams = fs::read_dir(directory.path().join("vm1")).unwrap();
    let written =
        streams.filter(|stream| stream.as_ref().unwrap().path().join("head.tmp").exists());
    assert_eq!(written.count(), 6);
}
