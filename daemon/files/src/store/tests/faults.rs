//! Operations fail: the store ends, or refuses, and what was acknowledged is there.

use super::model::{self, Story};
use super::*;
use crate::store::sim_disk::{Fault, Which};
use std::io::ErrorKind;

/// Runs the story with a fault. Returns false when the fault was beyond its end.
fn run(which: Which, operation: u64, kind: ErrorKind) -> bool {
    let what = format!("{which:?} {operation}, {kind}");
    let disk = SimDisk::default();
    let mut story = Story::default();
    let mut store = open(disk.clone());
    disk.fail_at(which, operation, Fault::Fail(kind));
    story.run(&mut store, &model::story());
    let is_hit = disk.operations() >= operation;
    if let StoreState::Failed(why) = store.status().state {
        assert!(is_hit, "{what}");
        for job in [append("a", 99, 1), Job::Drop { id: id(1) }, piece(id(8), 0, b"x")] {
            assert!(matches!(ask(&mut store, job), Err(Refused::Failed(_))), "{what}");
        }
        let notes = store.take_notes();
        assert!(notes.iter().any(|note| note.contains(&why)), "{notes:?}");
        // What can be verified can be read.
        for (id, (content, _)) in &story.acknowledged.extents {
            match read(&mut store, *id) {
                Ok(bytes) => assert!(bytes == *content, "{what}"),
                refused => {
                    let drop = Job::Drop { id: *id };
                    assert!(story.maybe.contains(&drop), "{what}: {refused:?}");
                }
            }
        }
    }
    for seed in 0..3 {
        disk.restart(seed);
        story.check(&mut open(disk.clone()), &what);
    }
    is_hit
}

/// Every sync fails once, by an error or for lack of space: nothing is acknowledged after it, and
/// nobody asks again until it says OK.
#[test]
fn a_failed_sync_ends_the_store() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        let failed = (1..).take_while(|operation| run(Which::Syncs, *operation, kind)).count();
        assert!(failed > 30, "{failed}");
    }
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    disk.fail_at(Which::Syncs, 1, Fault::Fail(ErrorKind::Other));
    assert!(matches!(ask(&mut store, append("a", 1, 1)), Err(Refused::Failed(_))));
    assert!(matches!(store.state, StoreState::Failed(_)));
}

/// Every change fails once for another reason than lack of space.
#[test]
fn a_failed_change_loses_nothing() {
    for which in [Which::Changes, Which::Writes] {
        let failed = (1..).take_while(|operation| run(which, *operation, ErrorKind::Other)).count();
        assert!(failed > 20, "{which:?}: {failed}");
    }
}

/// Every change fails once for lack of space.
#[test]
fn lack_of_space_loses_nothing() {
    for which in [Which::Changes, Which::Writes] {
        let kind = ErrorKind::StorageFull;
        let failed = (1..).take_while(|operation| run(which, *operation, kind)).count();
        assert!(failed > 20, "{which:?}: {failed}");
    }
}

/// Lack of space that a write tells ends nothing: it is refused, and taken when there is room.
#[test]
fn lack_of_space_ends_nothing() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    ask(&mut store, append("a", 1, 1)).unwrap();
    disk.fail_at(Which::Writes, 1, Fault::Fail(ErrorKind::StorageFull));
    assert_eq!(ask(&mut store, piece(id(1), 0, b"abc")), Err(Refused::Full));
    assert_eq!(store.status().state, StoreState::Open);
    put(&mut store, id(1), b"abc");
    assert_eq!(read(&mut store, id(1)).unwrap(), b"abc");
}

/// A sync of an extent fails, and another process begins: what that one has, stays when the power
/// goes.
#[test]
fn what_may_not_be_on_the_disk_is_not_taken() {
    for operation in 1.. {
        let disk = SimDisk::default();
        let mut store = open(disk.clone());
        assert_eq!(ask(&mut store, piece(id(1), 0, b"abc")), Ok(Done::Taken));
        disk.fail_at(Which::Syncs, operation, Fault::Fail(ErrorKind::Other));
        if ask(&mut store, seal(id(1))).is_ok() {
            assert!(operation > 2, "nothing was tried");
            return;
        }
        drop(store);
        let before = read(&mut open(disk.clone()), id(1));
        disk.restart(operation);
        let after = read(&mut open(disk.clone()), id(1));
        assert_eq!(before.is_ok(), after.is_ok(), "sync {operation}: {before:?}, then {after:?}");
    }
}
