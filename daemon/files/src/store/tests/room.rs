//! Disks that get full, and can still delete.

use super::*;
use crate::store::sim_disk::Random;

/// The levels of room, by the settings and by the file system.
#[test]
fn room_has_three_levels() {
    let mut store =
        Store::open(SimDisk::default(), StoreSettings { space_bytes: 100 << 20, salt: 1 }).unwrap();
    let chunk = bytes(1, 1 << 20);
    let mut levels = Vec::new();
    for number in 0..100 {
        let id = id(1 + u128::from(number / 60_u32));
        match ask(&mut store, piece(id, u64::from(number % 60) << 20, &chunk)) {
            Ok(Done::Taken) => levels.push(store.status().room),
            answer => {
                assert_eq!(answer, Err(Refused::Full));
                break;
            }
        }
    }
    // The reserve takes 32 MiB of it.
    let count = |room| levels.iter().filter(|level| **level == room).count();
    assert!((50..=53).contains(&count(Room::Plenty)), "{levels:?}");
    assert!((8..=11).contains(&count(Room::Crowded)), "{levels:?}");
    assert_eq!(ask(&mut store, append("a", 1, 1)), Ok(Done::Durable));
    ask(&mut store, Job::DropPieces { id: id(1) }).unwrap();
    assert_eq!(store.status().room, Room::Plenty);

    let disk = SimDisk::default();
    disk.set_total(Some(10 << 30));
    let store = open(disk.clone());
    let capacity = store.status().capacity_bytes;
    assert!((8 << 30..=9 << 30).contains(&capacity), "1 GiB stays free");
    disk.set_total(Some(100 << 30));
    let capacity = store.status().capacity_bytes;
    assert!((94 << 30..=95 << 30).contains(&capacity), "5 % stay free");
    disk.set_total(Some(1 << 29));
    assert_eq!(store.status().room, Room::Full);
}

/// Others fill the file system to the last byte: the reserve has room to delete, and is made again.
#[test]
fn a_full_disk_can_still_delete() {
    let disk = SimDisk::default();
    disk.set_total(Some(4 << 30));
    let mut store = open(disk.clone());
    let content = bytes(1, 3 << 20);
    for number in 1..20 {
        put(&mut store, id(number), &content);
    }
    // Nothing is free but what the reserve gives back.
    disk.set_total(Some(disk.used() + (1 << 20)));
    assert_eq!(ask(&mut store, piece(id(99), 0, b"more")), Err(Refused::Full));
    let image = Job::ImagePiece { share: share("b"), offset: 0, bytes: bytes(2, 1_000) };
    assert_eq!(ask(&mut store, image), Ok(Done::Taken), "an image makes the log shorter");
    let mut random = Random(1);
    for index in 1..500 {
        let length = 1 + random.index(3_000);
        let entries = vec![bytes(index, length)];
        let job = Job::Append { share: share("a"), first: index, entries };
        assert_eq!(ask(&mut store, job), Ok(Done::Durable), "{index}");
    }
    for number in 1..20 {
        assert_eq!(ask(&mut store, Job::Drop { id: id(number) }), Ok(Done::Durable));
    }
    assert_eq!(store.status().state, StoreState::Open);
    assert!(store.take_notes().iter().any(|note| note.contains("reserve")));
    disk.set_total(Some(4 << 30));
    assert!(disk.bytes("reserve").is_none());
    store.idle_step(1);
    assert!(disk.bytes("reserve").is_some());
    let mut store = open(disk);
    assert_eq!((store.status().extents, log(&mut store, "a", 0).1.len()), (0, 499));
}

/// Also without any reserve left it refuses, and goes on when there is room.
#[test]
fn without_a_reserve_it_refuses() {
    let disk = SimDisk::default();
    disk.set_total(Some(40 << 20));
    let mut store = open(disk.clone());
    let mut index = 1;
    let refused = loop {
        let entries = vec![bytes(1, 500_000)];
        match ask(&mut store, Job::Append { share: share("a"), first: index, entries }) {
            Ok(_) => index += 1,
            refused => break refused,
        }
    };
    assert_eq!((refused, store.status().state), (Err(Refused::Full), StoreState::Open));
    disk.set_total(None);
    assert_eq!(ask(&mut store, append("a", index, 1)), Ok(Done::Durable));
    let standing = open(disk).shares().remove(0);
    assert_eq!(standing.end, index + 1);
}
