//! Members in one process, with stores on disks in memory: what every day brings. The simulated
//! world has the faults.

mod asks;
mod conditions;
mod fleet;
mod journal;
mod wire;

use super::*;
use crate::catalog::{Found, Mutation, PutIf, Query, Refusal, RenameHow, StatusKind};
use crate::ids::Token;
use crate::path::FilePath;
use fleet::{Fleet, bytes, path, share};

fn append(fleet: &mut Fleet, at: usize, to: &str, what: &[u8]) -> Result<Outcome, ClientError> {
    fleet.write(at, to, WriteTo::Append { only: None, length: None }, what)
}

fn put(fleet: &mut Fleet, at: usize, to: &str, what: &[u8]) -> Result<Outcome, ClientError> {
    let condition = PutIf::Any;
    let to_put = WriteTo::Put { condition, copies: 3, mode: 0o644, parents: true };
    fleet.write(at, to, to_put, what)
}

fn status(fleet: &mut Fleet, at: usize, of: &str) -> Result<StatusKind, ClientError> {
    let query = Query::Status(path(of));
    let operation = Operation::Ask { share: share("s"), query, stale: false };
    match fleet.operate(at, operation)? {
        Outcome::Found { found: Found::Status(status), .. } => Ok(status.kind),
        other => panic!("{other:?}"),
    }
}

/// Files of all sizes are written at one member and read at the others.
#[test]
fn files_are_written_and_read_everywhere() {
    let mut fleet = Fleet::new(5, 1);
    for (number, length) in
        [0, 1, 100, 16 << 10, (16 << 10) + 1, 300_000, 1 << 20, 3_500_000].into_iter().enumerate()
    {
        let (name, content) = (format!("/s/d/{number}"), bytes(number as u64, length));
        put(&mut fleet, number % 5, &name, &content).unwrap();
        for at in 0..5 {
            assert_eq!(fleet.read(at, &name, 0, None), Ok(content.clone()), "{name} at {at}");
        }
        let part = content.get(length / 2..).unwrap();
        let part = &part[..part.len().min(70_000)];
        assert_eq!(fleet.read(1, &name, length as u64 / 2, Some(70_000)).as_deref(), Ok(part));
    }
    fleet.expect_quiet();
}

/// Appends of all sizes, whatever the file consists of before.
#[test]
fn appends_of_all_sizes_join() {
    for first in [0, 10, 10_000, 100_000] {
        let mut fleet = Fleet::new(4, first as u64);
        let mut content = bytes(9, first);
        put(&mut fleet, 0, "/s/f", &content).unwrap();
        for (number, length) in [0, 5, 9_000, 15_000, 20_000, 100, 400_000].into_iter().enumerate()
        {
            let more = bytes(number as u64 + 50, length);
            content.extend_from_slice(&more);
            let done = append(&mut fleet, number % 4, "/s/f", &more).unwrap();
            let Outcome::Changed(done) = done else { panic!("{done:?}") };
            assert_eq!(done.length, content.len() as u64);
        }
        assert_eq!(fleet.read(3, "/s/f", 0, None), Ok(content));
    }
}

/// Two members append at once: every byte is there once, none of them mixed.
#[test]
fn racing_appends_are_all_there() {
    let mut fleet = Fleet::new(4, 5);
    put(&mut fleet, 0, "/s/f", b"").unwrap();
    let to = WriteTo::Append { only: None, length: None };
    let parts: Vec<Vec<u8>> =
        (0..12).map(|i| vec![b'a' + i; 6_000 + 3_000 * usize::from(i)]).collect();
    let clients: Vec<_> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| fleet.begin_write(at % 4, "/s/f", to, part))
        .collect();
    for client in clients {
        fleet.result(client).unwrap();
    }
    let mut content = fleet.read(0, "/s/f", 0, None).unwrap();
    assert_eq!(content.len(), parts.iter().map(Vec::len).sum::<usize>());
    content.dedup();
    content.sort_unstable();
    assert_eq!(content, (0..12).map(|i| b'a' + i).collect::<Vec<u8>>());
}

#[test]
fn names_change_and_go() {
    let mut fleet = Fleet::new(3, 2);
    put(&mut fleet, 0, "/s/a", &bytes(1, 50_000)).unwrap();
    let (from, to, how) = (path("/s/a"), path("/s/b"), RenameHow::Exclusive);
    fleet.change(1, Mutation::Rename { from, to, how }).unwrap();
    assert_eq!(fleet.read(2, "/s/b", 0, None), Ok(bytes(1, 50_000)));
    let missing = Err(ClientError::Refused(Refusal::NotFound));
    assert_eq!(fleet.read(2, "/s/a", 0, None), missing);
    let delete = Mutation::Delete { path: path("/s/b"), recursive: false, only: None };
    fleet.change(2, delete).unwrap();
    assert_eq!(status(&mut fleet, 0, "/s/b"), Err(ClientError::Refused(Refusal::NotFound)));
    assert_eq!(append(&mut fleet, 0, "/s/b", b"x"), Err(ClientError::Refused(Refusal::NotFound)));
    let condition = PutIf::Absent;
    let new = WriteTo::Put { condition, copies: 3, mode: 0o644, parents: false };
    fleet.write(0, "/s/c", new, b"1").unwrap();
    let exists = Err(ClientError::Refused(Refusal::Exists));
    assert_eq!(fleet.write(1, "/s/c", new, &bytes(3, 90_000)), exists);
    let condition = WriteTo::Append { only: None, length: Some(2) };
    let other = Err(ClientError::Refused(Refusal::LengthIs(1)));
    assert_eq!(fleet.write(1, "/s/c", condition, b"2"), other);
    // What was deleted goes from the disks after an hour.
    fleet.run(26 * 3_600_000);
    assert!(fleet.nodes.iter().all(|node| node.member.status().extents == 0));
}

#[test]
fn what_does_not_exist_is_said() {
    let mut fleet = Fleet::new(3, 3);
    let (share, query) = (share("t"), Query::Usage);
    let none = ClientError::NoShare(share.clone());
    let ask = Operation::Ask { share, query, stale: true };
    assert_eq!(fleet.operate(0, ask), Err(none.clone()));
    assert_eq!(put(&mut fleet, 0, "/t/f", b""), Err(none.clone()));
    assert_eq!(fleet.read(0, "/t/f", 0, None), Err(none));
}

/// One of five goes for good: its part of the catalog and its extents are made again.
#[test]
fn a_member_that_is_gone_is_replaced() {
    let mut fleet = Fleet::new(5, 4);
    let content = bytes(7, 400_000);
    for number in 0..10 {
        put(&mut fleet, number % 5, &format!("/s/{number}"), &content).unwrap();
    }
    let gone = fleet.primary();
    fleet.stop(gone);
    fleet.agree(&[gone]);
    fleet.run(60_000);
    for number in 0..10 {
        let at = (gone + 1 + number % 4) % 5;
        assert_eq!(fleet.read(at, &format!("/s/{number}"), 0, None), Ok(content.clone()));
        let merged = fleet.operate(at, Operation::Merge { path: path(&format!("/s/{number}")) });
        let length = content.len() as u64;
        assert_eq!(merged, Ok(Outcome::Merged { length, copies: 3, repaired: 0 }));
    }
    put(&mut fleet, (gone + 1) % 5, "/s/after", &content).unwrap();
    fleet.expect_quiet();
}

/// All restart at once from their disks: nothing is lost.
#[test]
fn everything_survives_a_restart() {
    let mut fleet = Fleet::new(4, 6);
    for number in 0..20 {
        put(
            &mut fleet,
            number % 4,
            &format!("/s/{number}"),
            &bytes(number as u64, 30_000 * number),
        )
        .unwrap();
    }
    for at in 0..4 {
        fleet.restart(at);
    }
    fleet.run(5_000);
    for number in 0..20 {
        let content = bytes(number as u64, 30_000 * number);
        assert_eq!(fleet.read(number % 4, &format!("/s/{number}"), 0, None), Ok(content));
    }
    append(&mut fleet, 1, "/s/1", b"more").unwrap();
    fleet.expect_quiet();
}

/// The powers goes while entries and an image are written: each starts with what it has.
#[test]
fn the_power_goes_while_much_is_written() {
    let mut fleet = Fleet::new(3, 8);
    for number in 0..150 {
        let content = bytes(number as u64, 15_000);
        put(&mut fleet, number % 3, &format!("/s/{number}"), &content).unwrap();
        if number % 40 == 39 {
            fleet.power(number % 3, number as u64);
        }
    }
    for number in 0..150_u64 {
        let content = bytes(number, 15_000);
        assert_eq!(fleet.read(0, &format!("/s/{number}"), 0, None), Ok(content));
    }
    let images = fleet.nodes.iter().filter(|node| node.has_image()).count();
    assert!(images >= 2, "the log was long enough for images: {images}");
}

/// A damaged copy is noticed by nobody but the log, and made again.
#[test]
fn a_damaged_copy_is_made_again() {
    let mut fleet = Fleet::new(3, 9);
    let content = bytes(1, 200_000);
    put(&mut fleet, 0, "/s/f", &content).unwrap();
    fleet.rot(1, 70_000);
    assert_eq!(fleet.read(1, "/s/f", 0, None), Ok(content.clone()));
    fleet.run(20_000);
    assert!(fleet.nodes[1].notes.iter().any(|note| matches!(note, MemberNote::BadCopy(_))));
    fleet.rot(2, 130_000);
    let merged = fleet.operate(0, Operation::Merge { path: path("/s/f") });
    assert_eq!(merged, Ok(Outcome::Merged { length: 200_000, copies: 3, repaired: 1 }));
    assert_eq!(fleet.read(1, "/s/f", 0, None), Ok(content));
}

/// A minority reads what it has, says so, and changes nothing.
#[test]
fn a_minority_reads_and_changes_nothing() {
    let mut fleet = Fleet::new(3, 10);
    let content = bytes(1, 100_000);
    put(&mut fleet, 0, "/s/f", &content).unwrap();
    fleet.run(1_000);
    fleet.cut_off(2);
    assert_eq!(fleet.read(2, "/s/f", 0, None), Ok(content));
    assert!(!fleet.was_newest, "nobody could know");
    let unknown = fleet.read(2, "/s/new", 0, None);
    assert!(matches!(unknown, Err(ClientError::Closed { .. })), "it may be there: {unknown:?}");
    let changed = put(&mut fleet, 2, "/s/g", b"x");
    assert!(
        matches!(changed, Err(ClientError::Ambiguous | ClientError::Closed { .. })),
        "{changed:?}"
    );
}

/// An old state knows no newer file: that does not say that there is none.
#[test]
fn a_minority_does_not_deny_what_it_cannot_know() {
    let mut fleet = Fleet::new(3, 10);
    put(&mut fleet, 0, "/s/f", b"x").unwrap();
    fleet.run(1_000);
    fleet.cut_off(2);
    let read = fleet.read(2, "/s/g", 0, None);
    assert!(matches!(read, Err(ClientError::Closed { .. })), "{read:?}");
}

/// What is in the catalog of a share that was removed goes, and so do its extents.
#[test]
fn a_removed_share_goes() {
    let mut fleet = Fleet::new(3, 11);
    put(&mut fleet, 0, "/s/f", &bytes(1, 100_000)).unwrap();
    put(&mut fleet, 0, "/s/g", b"small").unwrap();
    fleet.remove_share();
    fleet.run(2_000);
    for node in &fleet.nodes {
        assert_eq!(node.member.status().shares, []);
        assert!(node.store.shares().is_empty());
    }
    fleet.run(26 * 3_600_000);
    assert!(fleet.nodes.iter().all(|node| node.member.status().extents == 0));
}

/// A file that wants five copies has them, also what is added to it.
#[test]
fn a_file_has_as_many_copies_as_it_wants() {
    let mut fleet = Fleet::new(5, 12);
    let condition = PutIf::Absent;
    let to = WriteTo::Put { condition, copies: 5, mode: 0o600, parents: true };
    fleet.write(0, "/s/f", to, &bytes(1, 40_000)).unwrap();
    append(&mut fleet, 1, "/s/f", &bytes(2, 40_000)).unwrap();
    let merged = fleet.operate(0, Operation::Merge { path: path("/s/f") });
    assert_eq!(merged, Ok(Outcome::Merged { length: 80_000, copies: 5, repaired: 0 }));
    let stored = fleet.operate(3, Operation::Stored(StoredPage { after: None, limit: 10 }));
    let Ok(Outcome::Stored(extents)) = stored else { panic!("{stored:?}") };
    assert_eq!(extents.len(), 2);
    assert!(extents.iter().all(|one| one.set.members.len() == 5 && one.set.version == 1));
    // People find the bytes by the path.
    assert!(fleet.nodes.iter().all(|node| node.finds("/s/f, from byte 0")));
    assert!(fleet.nodes.iter().all(|node| node.finds("/s/f, added, from byte 0")));
}

/// When the disks are full, nothing is written, and what is deleted makes room again.
#[test]
fn full_disks_can_still_delete() {
    // 32 MiB of it are reserved for what must be written on a full disk.
    const SPACE: u64 = 45 << 20;
    let mut fleet = Fleet::new(3, 15);
    put(&mut fleet, 0, "/s/f", &bytes(1, 9_000_000)).unwrap();
    fleet.set_space(SPACE);
    let refused = put(&mut fleet, 1, "/s/g", &bytes(2, 100_000));
    assert_eq!(refused, Err(ClientError::TooFew(3)));
    put(&mut fleet, 1, "/s/small", b"the catalog has room").unwrap();
    let delete = Mutation::Delete { path: path("/s/f"), recursive: false, only: None };
    fleet.change(2, delete).unwrap();
    fleet.run(26 * 3_600_000);
    fleet.set_space(SPACE);
    put(&mut fleet, 1, "/s/g", &bytes(2, 100_000)).unwrap();
}

/// A member whose disk fails says so once, and serves its clients by the others.
#[test]
fn a_failed_disk_serves_by_others() {
    let mut fleet = Fleet::new(4, 16);
    let content = bytes(1, 300_000);
    put(&mut fleet, 0, "/s/f", &content).unwrap();
    let failed = (fleet.primary() + 1) % 3;
    fleet.break_disk(failed);
    // The write that finds it cannot be told from one that happened.
    let _ = put(&mut fleet, failed, "/s/g", b"x");
    let notes = fleet.nodes[failed].notes.clone();
    assert_eq!(notes, [MemberNote::StorageFailed]);
    assert!(fleet.has_lost(failed) && !fleet.has_lost((failed + 1) % 3), "as the council hears");
    fleet.agree(&[failed]);
    fleet.run(30_000);
    assert_eq!(fleet.read(failed, "/s/f", 0, None), Ok(content.clone()));
    put(&mut fleet, failed, "/s/h", &content).unwrap();
    assert_eq!(fleet.read(3, "/s/h", 0, None), Ok(content));
}

/// What is asked before the first view waits for it, and not for ever.
#[test]
fn operations_wait_for_the_first_view() {
    let mut fleet = Fleet::new(3, 17);
    put(&mut fleet, 0, "/s/f", b"1").unwrap();
    fleet.restart_without_view(1);
    let read = fleet.begin_read(1, "/s/f");
    let written = fleet.begin_write(1, "/s/f", WriteTo::Append { only: None, length: None }, b"2");
    fleet.run(5_000);
    fleet.show_view();
    fleet.result(read).unwrap();
    fleet.result(written).unwrap();
    assert_eq!(fleet.read(1, "/s/f", 0, None), Ok(b"12".to_vec()));
    fleet.restart_without_view(2);
    assert_eq!(fleet.read(2, "/s/f", 0, None), Err(ClientError::NoView));
}

/// Holders that neither take anything nor are known to have failed: the write ends.
#[test]
fn a_write_that_nobody_takes_ends() {
    let mut fleet = Fleet::new(3, 18);
    put(&mut fleet, 0, "/s/f", b"1").unwrap();
    fleet.cut_off(1);
    fleet.cut_off(2);
    let refused = put(&mut fleet, 0, "/s/g", &bytes(1, 9_000_000));
    assert_eq!(refused, Err(ClientError::TooSlow));
    fleet.expect_no_writes(0);
    // After it was found once that no primary answers, nobody waits for that again.
    fleet.read(0, "/s/f", 0, None).unwrap();
    let before = fleet.now_ms();
    fleet.read(0, "/s/f", 0, None).unwrap();
    assert!(!fleet.was_newest && fleet.now_ms() - before < 100);
}

/// A client that goes away leaves nothing behind.
#[test]
fn a_cancelled_write_leaves_nothing() {
    let mut fleet = Fleet::new(3, 13);
    let condition = PutIf::Any;
    let to = WriteTo::Put { condition, copies: 3, mode: 0o644, parents: true };
    let (at, client) = fleet.begin_part(0, "/s/f", to, &bytes(1, 2_500_000));
    fleet.run(100);
    fleet.cancel(at, client);
    fleet.run(1_000);
    let missing = Err(ClientError::Refused(Refusal::NotFound));
    assert_eq!(status(&mut fleet, 0, "/s/f"), missing);
    assert!(fleet.nodes.iter().all(|node| node.store.status().uploads == 0));
    fleet.expect_quiet();
}

/// A new content is asked under a token that was fenced off.
#[test]
fn a_fenced_writer_is_refused() {
    let mut fleet = Fleet::new(3, 14);
    put(&mut fleet, 0, "/s/f", &bytes(1, 40_000)).unwrap();
    let token = Token(7);
    fleet.change(1, Mutation::Fence { path: path("/s/f"), token }).unwrap();
    let fenced = Err(ClientError::Refused(Refusal::Fenced(token)));
    assert_eq!(append(&mut fleet, 2, "/s/f", &bytes(2, 40_000)), fenced);
    assert_eq!(append(&mut fleet, 2, "/s/f", b"small"), fenced);
}
