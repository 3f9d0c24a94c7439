//! Appends that name the version to which they add, and what a read says of its file.

use super::*;
use crate::catalog::{Done, Version};

fn changed(result: Result<Outcome, ClientError>) -> Done {
    match result {
        Ok(Outcome::Changed(done)) => done,
        other => panic!("{other:?}"),
    }
}

fn only(done: Done) -> WriteTo {
    let only = Some(Version { inode: done.inode, generation: done.generation });
    WriteTo::Append { only, length: None }
}

/// Small and large, whether the file's bytes lie in the catalog or not.
#[test]
fn an_append_to_one_version_happens_to_no_other() {
    for length in [5, 12_000, 40_000] {
        let mut fleet = Fleet::new(4, 19);
        let mut known = changed(put(&mut fleet, 0, "/s/f", b"begin"));
        let mut content = b"begin".to_vec();
        for round in 0..4 {
            let more = bytes(round, length);
            let done = changed(fleet.write(1, "/s/f", only(known), &more));
            content.extend_from_slice(&more);
            assert_eq!(done.length, content.len() as u64);
            let refused = Err(ClientError::Refused(Refusal::Changed(done.generation)));
            assert_eq!(fleet.write(2, "/s/f", only(known), &more), refused);
            known = done;
        }
        assert_eq!(fleet.read(3, "/s/f", 0, None), Ok(content));
        assert_eq!(fleet.found, Some(known), "a read says of what");
        let delete = Mutation::Delete { path: path("/s/f"), recursive: false, only: None };
        fleet.change(0, delete).unwrap();
        let first = changed(put(&mut fleet, 0, "/s/f", b"begin"));
        let other = Done { inode: known.inode, ..first };
        let refused = Err(ClientError::Refused(Refusal::Changed(first.generation)));
        assert_eq!(fleet.write(1, "/s/f", only(other), b"x"), refused, "it is another file");
    }
}

/// Of two that add to the same version at once, one does.
#[test]
fn one_of_two_appends_to_a_version_happens() {
    for length in [10, 9_000, 70_000] {
        let mut fleet = Fleet::new(4, 20);
        let known = changed(put(&mut fleet, 0, "/s/f", &bytes(1, 8_000)));
        let both = [1, 2].map(|at| fleet.begin_write(at, "/s/f", only(known), &bytes(2, length)));
        let ends = both.map(|client| fleet.result(client));
        let happened = ends.iter().filter(|end| end.is_ok()).count();
        let is_refused = |end: &&Result<Outcome, ClientError>| {
            matches!(end, Err(ClientError::Refused(Refusal::Changed(_))))
        };
        assert_eq!((happened, ends.iter().filter(is_refused).count()), (1, 1), "{ends:?}");
        let content = fleet.read(0, "/s/f", 0, None).unwrap();
        assert_eq!(content.len(), 8_000 + length);
    }
}

/// Where a read begins says nothing of how long the file is.
#[test]
fn a_read_says_how_long_the_file_is() {
    let mut fleet = Fleet::new(3, 21);
    for length in [100, 50_000_usize] {
        let known = changed(put(&mut fleet, 0, "/s/f", &bytes(1, length)));
        for from in [0, 7, length as u64, length as u64 + 9] {
            fleet.read(1, "/s/f", from, None).unwrap();
            assert_eq!(fleet.found, Some(known));
        }
    }
}

/// A file that grows by little has an extent or two for each 16 KiB, and is read from any byte.
#[test]
fn small_appends_make_few_extents() {
    let mut fleet = Fleet::new(4, 22);
    let mut content = bytes(1, 40_000);
    let mut known = changed(put(&mut fleet, 0, "/s/f", &content));
    for round in 0..100 {
        let more = bytes(round, 1_000);
        known =
            changed(fleet.write(usize::try_from(round % 4).unwrap(), "/s/f", only(known), &more));
        content.extend_from_slice(&more);
    }
    let query = Query::Contents { path: path("/s/f"), from: 0 };
    let operation = Operation::Ask { share: share("s"), query, stale: false };
    let found = fleet.operate(0, operation).unwrap();
    let Outcome::Found { found: Found::Contents(contents), .. } = found else { panic!() };
    let count = contents.content.extents().len();
    assert!(count < 20 && !contents.content.inline().is_empty(), "{count} extents");
    let end = content.len() - contents.content.inline().len();
    for (from, limit) in [(0, None), (end - 10, Some(5)), (end - 10, Some(20)), (end + 7, None)] {
        let wanted = &content[from..limit.map_or(content.len(), |limit| from + limit)];
        let limit = limit.map(|limit| limit as u64);
        assert_eq!(fleet.read(1, "/s/f", from as u64, limit).as_deref(), Ok(wanted));
    }
    let merged = fleet.operate(2, Operation::Merge { path: path("/s/f") }).unwrap();
    let length = content.len() as u64;
    assert!(matches!(merged, Outcome::Merged { length: told, repaired: 0, .. } if told == length));
    fleet.power(1, 7);
    assert_eq!(fleet.read(1, "/s/f", 0, None), Ok(content));
    fleet.expect_quiet();
}
