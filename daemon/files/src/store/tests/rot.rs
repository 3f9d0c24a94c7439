//! Bits rot: what is shown is right, and what is not is told.

use super::model::Model;
use super::*;

const PATH: &str = "extents/01/01000000000000000000000000000001";

/// A read of a damaged group is refused, others go on, and the extent is known to be bad.
#[test]
fn a_read_finds_a_changed_bit() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    let content = bytes(1, 150_000);
    put(&mut store, id(1), &content);
    for place in [0, 65_535, 149_999] {
        disk.rot(PATH, place);
        assert!(matches!(read(&mut store, id(1)), Err(Refused::Bad(_))), "{place}");
        disk.rot(PATH, place);
    }
    disk.rot(PATH, 70_000);
    let part = ask(&mut store, Job::Read { id: id(1), offset: 0, bytes: 65_536 });
    assert!(part == Ok(Done::Bytes(content[..65_536].to_vec())));
    assert_eq!((store.status().bad_extents, store.take_bad()), (1, vec![id(1)]));
    assert_eq!(store.take_bad(), []);
    disk.rot(PATH, 70_000);
    let head = format!("{PATH}.h");
    for place in 0..disk.bytes(&head).unwrap().len() {
        disk.rot(&head, place);
        assert!(matches!(read(&mut store, id(1)), Err(Refused::Bad(_))), "{place}");
        disk.rot(&head, place);
    }
    // Whole again by another copy.
    put(&mut store, id(1), &content);
    assert_eq!(store.status().bad_extents, 0);
    assert!(read(&mut store, id(1)).unwrap() == content);
}

/// The scrub reads the disk, not the cache that hides what rots below it.
#[test]
fn the_scrub_reads_below_the_cache() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    for number in 1..4 {
        put(&mut store, id(number), &bytes(1, 1_300_000));
    }
    while !store.scrub_some() {}
    assert_eq!((store.status().bad_extents, store.take_notes().len()), (0, 0));
    disk.rot_below_cache(PATH, 1_250_000);
    assert!(Model::of(&mut store).extents.len() == 3, "the cache hides it");
    while !store.scrub_some() {}
    let notes = store.take_notes();
    assert_eq!((store.status().bad_extents, store.status().scrubs), (1, 2));
    assert!(notes.len() == 1 && notes[0].contains(PATH), "{notes:?}");
}

/// The scrub takes at most 4 MiB a second, and a month for all.
#[test]
fn the_scrub_has_a_pace() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    put(&mut store, id(1), &bytes(1, 2_000_000));
    let seconds = (0..).take_while(|second| {
        store.idle_step(second * 1_000);
        store.status().scrubs == 0
    });
    let seconds = seconds.count();
    assert!((20..200).contains(&seconds), "{seconds}");
}

/// An entry of a log that is damaged is no entry, and after a restart the catalog is damaged.
#[test]
fn a_damaged_log_is_told() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    ask(&mut store, append("a", 1, 5)).unwrap();
    ask(&mut store, append("b", 1, 5)).unwrap();
    store.close();
    let path = "catalog/a/log.0000000000000001";
    disk.rot(path, 60);
    let job = Job::ReadLog { share: share("a"), from: 1, max_bytes: 9_999 };
    assert!(matches!(ask(&mut store, job.clone()), Err(Refused::Bad(_))));
    for _ in 0..2 {
        let mut store = open(disk.clone());
        let standings = store.shares();
        assert!(standings[0].damaged.is_some() && standings[1].damaged.is_none());
        assert!(matches!(ask(&mut store, append("a", 6, 1)), Err(Refused::Bad(_))));
        assert!(matches!(ask(&mut store, job.clone()), Err(Refused::Bad(_))));
        assert_eq!(log(&mut store, "b", 0).1, entries(1, 5));
    }
    let mut store = open(disk);
    ask(&mut store, Job::DropShare { share: share("a") }).unwrap();
    ask(&mut store, append("a", 1, 1)).unwrap();
    assert_eq!(store.shares()[0].damaged, None);
}

/// An image that rots is refused.
#[test]
fn a_damaged_image_is_told() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    let image = bytes(5, 100_000);
    let job = Job::ImagePiece { share: share("a"), offset: 0, bytes: image.clone() };
    ask(&mut store, job).unwrap();
    let head = image_head(3, &image);
    ask(&mut store, Job::ImageCommit { share: share("a"), head }).unwrap();
    let path = disk.files().into_iter().find(|name| name.starts_with("catalog/a/image")).unwrap();
    disk.rot(&path, 80_000);
    let read = |offset| Job::ReadImage { share: share("a"), offset, bytes: 1_000 };
    assert!(ask(&mut store, read(0)).is_ok());
    assert!(matches!(ask(&mut store, read(70_000)), Err(Refused::Bad(_))));
}

/// A file that is gone is told; the index that is gone is built again; the state that is gone or
/// damaged is not made up.
#[test]
fn lost_files_are_told() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    put(&mut store, id(1), b"one");
    put(&mut store, id(2), b"two");
    ask(&mut store, append("a", 1, 1)).unwrap();
    store.close();
    disk.remove(PATH).unwrap();
    let mut store = open(disk.clone());
    assert_eq!((store.status().extents, store.status().bad_extents), (2, 1));
    assert!(matches!(read(&mut store, id(1)), Err(Refused::Bad(_))));
    assert_eq!(read(&mut store, id(2)).unwrap(), b"two");
    assert!(store.take_notes()[0].contains("is lost"));

    let index = disk.files().into_iter().find(|name| name.starts_with("index.")).unwrap();
    disk.rot(&index, 40);
    let mut store = open(disk.clone());
    assert_eq!(store.status().extents, 1);
    assert_eq!(read(&mut store, id(2)).unwrap(), b"two");

    disk.rot("state", 40);
    assert!(matches!(Store::open(disk.clone(), SETTINGS), Err(OpenError::Damaged(_))));
    disk.remove("state").unwrap();
    assert!(matches!(Store::open(disk.clone(), SETTINGS), Err(OpenError::Damaged(_))));
    assert_eq!(disk.bytes("extents/02/02000000000000000000000000000002").unwrap(), b"two");
}
