//! The store on a disk in memory: helpers, and what every day brings. Crashes and failing disks are
//! in the files below.

mod crashes;
mod faults;
mod model;
mod real;
mod room;
mod rot;

use super::sim_disk::SimDisk;
use super::*;
use crate::content::HolderSet;
use crate::ids::{Epoch, InodeId};
use crate::path::ShareName;
use memberd_membership::Name;

pub(super) const SETTINGS: StoreSettings = StoreSettings { space_bytes: 1 << 40, salt: 77 };

pub(super) fn open<D: Disk>(disk: D) -> Store<D> {
    Store::open(disk, SETTINGS).unwrap()
}

pub(super) fn share(name: &str) -> ShareName {
    ShareName::new(name).unwrap()
}

pub(super) fn set(version: u64, names: &[&str]) -> HolderSet {
    let members = names.iter().map(|name| Name::new(name).unwrap()).collect();
    HolderSet { version, members }
}

pub(super) fn id(number: u128) -> ExtentId {
    // The first byte differs, so they lie in several directories.
    ExtentId(number << 120 | number)
}

pub(super) fn facts() -> ExtentFacts {
    ExtentFacts {
        share: share("a"),
        inode: InodeId(7),
        set: set(1, &["vm1", "vm2", "vm3"]),
        created_ms: 5_000,
        hint: "/a/file, from byte 0".to_owned(),
    }
}

/// Bytes that differ, and are the same for the same seed.
pub(super) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = sim_disk::Random(seed);
    (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
}

pub(super) fn entries(first: u64, count: u64) -> Vec<Vec<u8>> {
    let bytes_of = |index| bytes(index, 20 + usize::try_from(index % 700).unwrap());
    (first..first + count).map(bytes_of).collect()
}

pub(super) fn append(name: &str, first: u64, count: u64) -> Job {
    Job::Append { share: share(name), first, entries: entries(first, count) }
}

pub(super) fn piece(id: ExtentId, offset: u64, bytes: &[u8]) -> Job {
    Job::Piece { id, offset, bytes: bytes.to_vec() }
}

pub(super) fn seal(id: ExtentId) -> Job {
    Job::Seal { id, facts: facts(), expect: None }
}

/// Does one job at once.
#[track_caller]
pub(super) fn ask<D: Disk>(store: &mut Store<D>, job: Job) -> Result<Done, Refused> {
    store.take(JobId(1), job);
    store.commit();
    let (id, answer) = store.poll_done().expect("an answer");
    assert_eq!((id, store.poll_done()), (JobId(1), None));
    answer
}

/// Stores an extent.
pub(super) fn put<D: Disk>(store: &mut Store<D>, id: ExtentId, content: &[u8]) {
    for (number, part) in content.chunks(50_000).enumerate() {
        let offset = (number * 50_000) as u64;
        assert_eq!(ask(store, piece(id, offset, part)), Ok(Done::Taken));
    }
    let (length, root) = (content.len() as u64, *blake3::hash(content).as_bytes());
    let expect = Some((length, root));
    let sealed = ask(store, Job::Seal { id, facts: facts(), expect });
    assert_eq!(sealed, Ok(Done::Sealed { length, root }));
}

pub(super) fn read<D: Disk>(store: &mut Store<D>, id: ExtentId) -> Result<Vec<u8>, Refused> {
    match ask(store, Job::Read { id, offset: 0, bytes: Job::MAX_BYTES })? {
        Done::Bytes(bytes) => Ok(bytes),
        done => panic!("{done:?}"),
    }
}

pub(super) fn log<D: Disk>(store: &mut Store<D>, name: &str, from: u64) -> (u64, Vec<Vec<u8>>) {
    let job = Job::ReadLog { share: share(name), from, max_bytes: Job::MAX_BYTES };
    match ask(store, job) {
        Ok(Done::Entries { first, entries }) => (first, entries),
        answer => panic!("{answer:?}"),
    }
}

pub(super) fn image_head(applied: u64, content: &[u8]) -> ImageHead {
    let root = *blake3::hash(content).as_bytes();
    ImageHead { applied, epoch: Epoch(1), length: content.len() as u64, root }
}

/// An extent is read as it was written, at any place, and after a restart; beside it lies what was
/// said of it; the user's bytes are all that is in its file.
#[test]
fn an_extent_is_read_as_it_was_written() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    let content = bytes(1, 200_000);
    put(&mut store, id(0xab), &content);
    for restart in [false, true] {
        if restart {
            disk.restart(1);
            store = open(disk.clone());
        }
        assert!(read(&mut store, id(0xab)).unwrap() == content);
        for (offset, length) in [(0, 1), (65_535, 2), (65_536, 65_536), (199_999, 9), (200_000, 9)]
        {
            let part = ask(&mut store, Job::Read { id: id(0xab), offset, bytes: length });
            let begin = usize::try_from(offset).unwrap();
            let expected = content[begin..(begin + length).min(content.len())].to_vec();
            assert!(part == Ok(Done::Bytes(expected)), "{offset}, {length}");
        }
        let Ok(Done::Head(head)) = ask(&mut store, Job::Head { id: id(0xab) }) else { panic!() };
        assert_eq!((&head.facts, head.length, head.groups.len()), (&facts(), 200_000, 4));
        let file = disk.bytes("extents/ab/ab0000000000000000000000000000ab").unwrap();
        assert!(file == content);
        assert!(disk.files().iter().all(|name| !name.starts_with("spool")));
    }
}

/// A log goes on where it ended, is cut, and loses what is in an image.
#[test]
fn a_log_goes_on_is_cut_and_shortened() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    assert_eq!(ask(&mut store, append("a", 1, 10)), Ok(Done::Durable));
    let misplaced = Err(Refused::Misplaced { expected: 11 });
    for first in [10, 12] {
        assert_eq!(ask(&mut store, append("a", first, 1)), misplaced);
    }
    assert_eq!(ask(&mut store, Job::Cut { share: share("a"), from: 8 }), Ok(Done::Durable));
    let other = vec![b"other".to_vec()];
    let job = Job::Append { share: share("a"), first: 8, entries: other.clone() };
    assert_eq!(ask(&mut store, job), Ok(Done::Durable));
    let expected: Vec<_> = entries(1, 7).into_iter().chain(other).collect();
    assert_eq!(log(&mut store, "a", 0), (1, expected.clone()));
    assert_eq!(log(&mut store, "a", 5), (5, expected[4..].to_vec()));
    store.close();
    store = open(disk.clone());
    assert_eq!(log(&mut store, "a", 0), (1, expected));

    let image = bytes(9, 150_000);
    for (number, part) in image.chunks(60_000).enumerate() {
        let offset = number as u64 * 60_000;
        let job = Job::ImagePiece { share: share("a"), offset, bytes: part.to_vec() };
        assert_eq!(ask(&mut store, job), Ok(Done::Taken));
    }
    let head = image_head(8, &image);
    let wrong = ImageHead { length: 1, ..head };
    let refused = ask(&mut store, Job::ImageCommit { share: share("a"), head: wrong });
    assert!(matches!(refused, Err(Refused::Mismatch { length: 150_000, .. })));
    let job = Job::ImageCommit { share: share("a"), head };
    assert_eq!(ask(&mut store, job), Ok(Done::Durable));
    for _ in 0..2 {
        let standing = store.shares().remove(0);
        assert_eq!((standing.image, standing.first, standing.end), (Some(head), 9, 9));
        let job = Job::ReadImage { share: share("a"), offset: 70_000, bytes: 10 };
        assert_eq!(ask(&mut store, job), Ok(Done::Bytes(image[70_000..70_010].to_vec())));
        store = open(disk.clone());
    }
    assert_eq!(ask(&mut store, append("a", 9, 2)), Ok(Done::Durable));
    assert_eq!(log(&mut store, "a", 0), (9, entries(9, 2)));
    assert_eq!(ask(&mut store, Job::DropShare { share: share("a") }), Ok(Done::Durable));
    assert_eq!(store.shares(), []);
    assert!(disk.files().iter().all(|name| !name.starts_with("catalog")), "{:?}", disk.files());
}

/// An epoch never goes back, and is known after a restart, with what was kept beside it.
/// A log that is cut behind an image that has half of it goes on anywhere, also after a restart.
#[test]
fn a_log_goes_on_anywhere_behind_its_image() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    assert_eq!(ask(&mut store, append("a", 1, 20)), Ok(Done::Durable));
    let image = bytes(9, 1_000);
    let job = Job::ImagePiece { share: share("a"), offset: 0, bytes: image.clone() };
    assert_eq!(ask(&mut store, job), Ok(Done::Taken));
    let job = Job::ImageCommit { share: share("a"), head: image_head(10, &image) };
    assert_eq!(ask(&mut store, job), Ok(Done::Durable));
    let cut = Job::Cut { share: share("a"), from: 10 };
    assert_eq!(ask(&mut store, cut), Err(Refused::Outdated), "it is in the image");
    assert_eq!(ask(&mut store, append("a", 31, 1)), Err(Refused::Misplaced { expected: 21 }));
    let cut = Job::Cut { share: share("a"), from: 11 };
    assert_eq!(ask(&mut store, cut), Ok(Done::Durable));
    assert_eq!(ask(&mut store, append("a", 31, 5)), Ok(Done::Durable));
    for _ in 0..2 {
        let standing = store.shares().remove(0);
        assert_eq!((standing.first, standing.end, standing.damaged), (31, 36, None));
        assert_eq!(log(&mut store, "a", 0), (31, entries(31, 5)));
        store = open(disk.clone());
    }
}

#[test]
fn a_promise_never_goes_back() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    let promise = |epoch| Job::Promise {
        share: share("a"),
        epoch: Epoch(epoch),
        memo: epoch.to_string().into_bytes(),
    };
    assert_eq!(ask(&mut store, promise(5)), Ok(Done::Durable));
    assert_eq!(ask(&mut store, promise(4)), Err(Refused::Outdated));
    for (number, epoch) in [7, 6, 7].into_iter().enumerate() {
        store.take(JobId(number as u64), promise(epoch));
    }
    store.commit();
    let answers: Vec<_> = std::iter::from_fn(|| store.poll_done()).map(|(_, done)| done).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
    disk.restart(3);
    let standing = open(disk).shares().remove(0);
    assert_eq!((standing.epoch, standing.memo), (Epoch(7), b"7".to_vec()));
}

/// All that waits becomes durable by one sync.
#[test]
fn one_sync_serves_all_that_wait() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    ask(&mut store, append("a", 1, 1)).unwrap();
    let before = disk.syncs();
    for index in 2..52 {
        store.take(JobId(index), append("a", index, 1));
    }
    store.take(JobId(99), append("b", 1, 3));
    store.commit();
    assert_eq!(disk.syncs() - before, 1);
    assert_eq!(
        std::iter::from_fn(|| store.poll_done()).filter(|(_, done)| done.is_ok()).count(),
        51
    );
}

/// An upload is only bytes in their order, and is nothing before it is sealed.
#[test]
fn an_upload_is_nothing_before_it_is_sealed() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    assert_eq!(ask(&mut store, piece(id(1), 3, b"x")), Err(Refused::Unknown));
    assert_eq!(ask(&mut store, piece(id(1), 0, b"abc")), Ok(Done::Taken));
    assert_eq!(ask(&mut store, piece(id(1), 2, b"x")), Err(Refused::Misplaced { expected: 3 }));
    let part = Job::ReadPieces { id: id(1), offset: 1, bytes: 9 };
    assert_eq!(ask(&mut store, part), Ok(Done::Bytes(b"bc".to_vec())));
    assert_eq!(read(&mut store, id(1)), Err(Refused::Unknown));
    let wrong = Job::Seal { id: id(1), facts: facts(), expect: Some((3, [0; 32])) };
    assert!(matches!(ask(&mut store, wrong), Err(Refused::Mismatch { length: 3, .. })));
    ask(&mut store, seal(id(1))).unwrap();
    // Said again, it is so already.
    assert!(matches!(ask(&mut store, seal(id(1))), Ok(Done::Sealed { length: 3, .. })));
    ask(&mut store, piece(id(2), 0, b"abc")).unwrap();
    assert_eq!(store.status().uploads, 1);
    ask(&mut store, Job::DropPieces { id: id(2) }).unwrap();
    assert_eq!(ask(&mut store, seal(id(2))), Err(Refused::Unknown));
    ask(&mut store, piece(id(3), 0, b"abc")).unwrap();
    let mut store = open(disk.clone());
    assert_eq!((store.status().uploads, store.status().extents), (0, 1));
    assert!(disk.files().iter().all(|name| !name.starts_with("spool")));
    assert_eq!(read(&mut store, id(1)).unwrap(), b"abc");
}

/// Extents are listed by member, their sets grow, and those that are dropped stay away.
#[test]
fn sets_grow_and_dropped_extents_stay_away() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    for number in 1..=5 {
        put(&mut store, id(number), &bytes(1, 100));
    }
    let change = |version, names: &[&str]| Job::Set { id: id(2), set: set(version, names) };
    assert_eq!(ask(&mut store, change(2, &["vm1", "vm9"])), Ok(Done::Durable));
    assert_eq!(ask(&mut store, change(2, &["vm1"])), Err(Refused::Outdated));
    assert_eq!(ask(&mut store, change(3, &[])), Err(Refused::Invalid));
    assert_eq!(ask(&mut store, Job::Drop { id: id(4) }), Ok(Done::Durable));
    assert_eq!(ask(&mut store, Job::Drop { id: id(4) }), Ok(Done::Durable));
    for restart in 0..3 {
        let mut list = |with: Option<&str>, after, limit| {
            let with = with.map(|name| Name::new(name).unwrap());
            match ask(&mut store, Job::List { with, after, limit }) {
                Ok(Done::Extents(listed)) => listed.iter().map(|of| of.id).collect::<Vec<_>>(),
                answer => panic!("{answer:?}"),
            }
        };
        assert_eq!(list(None, None, 9), [id(1), id(2), id(3), id(5)]);
        assert_eq!(list(None, Some(id(1)), 2), [id(2), id(3)]);
        assert_eq!(list(Some("vm9"), None, 9), [id(2)]);
        assert_eq!(list(Some("vm2"), None, 9), [id(1), id(3), id(5)]);
        assert_eq!(list(Some("vm7"), None, 9), []);
        let Ok(Done::Head(head)) = ask(&mut store, Job::Head { id: id(2) }) else { panic!() };
        assert_eq!(head.facts.set, set(2, &["vm1", "vm9"]));
        disk.restart(restart);
        if restart == 1 {
            // Without its index, too.
            let index = disk.files().into_iter().find(|name| name.starts_with("index.")).unwrap();
            disk.remove(&index).unwrap();
        }
        store = open(disk.clone());
    }
}
