//! What a keeper writes reaches the store in its order, and is tried again.

use super::super::journal::{Journal, Progress};
use super::*;
use crate::catalog::{Ballot, Entry, Position};
use crate::ids::OperationId;
use crate::keeper::{DiskId, ImageAt, Mark, Record};
use crate::store::Job;

const NOW: BootTime = BootTime::EPOCH;

fn entry(index: u64) -> Arc<Entry> {
    let mutation = Mutation::SetQuota { bytes: None, names: None };
    let position = Position { ballot: Ballot::NONE, index };
    let (time_ms, wall_ms, operation) = (0, 0, OperationId(index.into()));
    Arc::new(Entry { position, time_ms, wall_ms, operation, mutation })
}

fn entries(range: std::ops::Range<u64>) -> Record {
    Record::Entries(range.map(entry).collect())
}

fn mark(before: u64) -> Record {
    let position = Position { ballot: Ballot::NONE, index: before };
    Record::Mark(Mark { before: position, ..Mark::blank(Epoch(1)) })
}

fn image(index: u64) -> Record {
    let at = Position { ballot: Ballot::NONE, index };
    Record::Image(ImageAt { at, bytes: Arc::new(vec![1; 1_500_000]) })
}

/// The firsts of the appends, and a word for all other jobs.
fn words(jobs: &[(u64, Job)]) -> Vec<String> {
    let word = |(_, job): &(u64, Job)| match job {
        Job::Append { first, entries, .. } => format!("{first}+{}", entries.len()),
        Job::Promise { .. } => "mark".to_owned(),
        Job::Cut { from, .. } => format!("cut {from}"),
        Job::ImagePiece { offset, .. } => format!("piece {offset}"),
        Job::ImageCommit { head, .. } => format!("image {}", head.applied),
        Job::DropShare { .. } => "drop".to_owned(),
        other => format!("{other:?}"),
    };
    jobs.iter().map(word).collect()
}

/// Ends these jobs well, and says what the keeper hears.
fn end(journal: &mut Journal, jobs: &[(u64, Job)]) -> Vec<u64> {
    jobs.iter().for_each(|(number, _)| journal.done(*number, Ok(())));
    heard(journal)
}

fn heard(journal: &mut Journal) -> Vec<u64> {
    let mut heard = Vec::new();
    while let Some(progress) = journal.progress(NOW) {
        match progress {
            Progress::Written(id) => heard.push(id.0),
            Progress::On => {}
            Progress::Broken => panic!("broken"),
        }
    }
    heard
}

#[test]
fn entries_follow_each_other_and_all_else_waits() {
    let mut journal = Journal::new(share("s"), 0, 0);
    journal.write(DiskId(1), vec![mark(0), Record::Cut(0), entries(1..3)]);
    let jobs = journal.jobs(NOW);
    assert_eq!(words(&jobs), ["mark"]);
    assert_eq!(words(&journal.jobs(NOW)), [""; 0]);
    assert_eq!(end(&mut journal, &jobs), [0; 0]);
    let jobs = journal.jobs(NOW);
    assert_eq!(words(&jobs), ["cut 1"]);
    end(&mut journal, &jobs);
    journal.write(DiskId(2), vec![entries(3..4)]);
    let jobs = journal.jobs(NOW);
    assert_eq!(words(&jobs), ["1+2"], "an empty log would take any index");
    assert_eq!(end(&mut journal, &jobs), [1]);
    journal.write(DiskId(3), vec![entries(4..6)]);
    let jobs = journal.jobs(NOW);
    assert_eq!(words(&jobs), ["3+1", "4+2"]);
    journal.write(DiskId(4), vec![mark(0)]);
    assert_eq!(words(&journal.jobs(NOW)), [""; 0]);
    journal.done(jobs[1].0, Ok(()));
    assert_eq!(heard(&mut journal), [0; 0], "not before the one before");
    assert_eq!(end(&mut journal, &jobs[..1]), [2, 3]);
    assert_eq!(words(&journal.jobs(NOW)), ["mark"]);
}

#[test]
fn what_has_no_room_is_tried_again_in_its_order() {
    let mut journal = Journal::new(share("s"), 0, 0);
    journal.write(DiskId(1), vec![entries(1..2)]);
    let jobs = journal.jobs(NOW);
    end(&mut journal, &jobs);
    journal.write(DiskId(2), vec![entries(2..3)]);
    journal.write(DiskId(3), vec![entries(3..4), mark(0)]);
    let jobs = journal.jobs(NOW);
    assert_eq!(words(&jobs), ["2+1", "3+1"]);
    journal.done(jobs[0].0, Err(Refused::Full));
    journal.done(jobs[1].0, Err(Refused::Misplaced { expected: 2 }));
    assert_eq!(heard(&mut journal), [0; 0]);
    assert_eq!(words(&journal.jobs(NOW)), [""; 0], "not at once");
    let later = journal.due().unwrap();
    let jobs = journal.jobs(later);
    assert_eq!(words(&jobs), ["2+1", "3+1"]);
    assert_eq!(end(&mut journal, &jobs), [2]);
    let jobs = journal.jobs(later);
    assert_eq!(words(&jobs), ["mark"]);
    assert_eq!(end(&mut journal, &jobs), [3]);
    assert!(journal.is_idle());
}

#[test]
fn an_image_goes_in_pieces_and_its_entries_are_left_out() {
    let mut journal = Journal::new(share("s"), 0, 0);
    journal.write(DiskId(0), vec![image(5)]);
    journal.write(DiskId(1), vec![entries(4..8)]);
    for word in ["piece 0", "piece 1048576", "image 5"] {
        let jobs = journal.jobs(NOW);
        assert_eq!(words(&jobs), [word]);
        assert_eq!(words(&journal.jobs(NOW)), [""; 0]);
        assert_eq!(end(&mut journal, &jobs), [0; 0], "{word}");
    }
    let jobs = journal.jobs(NOW);
    assert_eq!(words(&jobs), ["6+2"]);
    assert_eq!(heard(&mut journal), [0]);
    assert_eq!(end(&mut journal, &jobs), [1]);
    journal.write(DiskId(2), vec![Record::Cut(0), image(3), entries(4..5)]);
    let jobs = journal.jobs(NOW);
    assert_eq!(words(&jobs), ["cut 6"]);
    assert_eq!(end(&mut journal, &jobs), [0; 0]);
    assert_eq!(words(&journal.jobs(NOW)), [""; 0], "an older image is not written");
    assert_eq!(heard(&mut journal), [0; 0]);
}

/// An image that only shortens the log may be left out; one that makes the catalog whole may not.
#[test]
fn an_image_without_room_waits_if_it_is_needed() {
    for before in [0, 4] {
        let mut journal = Journal::new(share("s"), 0, before);
        journal.write(DiskId(1), vec![image(5)]);
        let jobs = journal.jobs(NOW);
        journal.done(jobs[0].0, Err(Refused::Full));
        heard(&mut journal);
        let later = NOW + Duration::from_secs(10);
        let jobs = journal.jobs(later);
        let expected: &[&str] = if before == 0 { &[] } else { &["piece 0"] };
        assert_eq!(words(&jobs), expected);
    }
}

#[test]
fn a_keeper_that_has_ended_hears_nothing() {
    let mut journal = Journal::new(share("s"), 0, 0);
    journal.write(DiskId(1), vec![mark(0), entries(1..2)]);
    let jobs = journal.jobs(NOW);
    journal.forget();
    journal.write(DiskId(1), vec![mark(0)]);
    assert_eq!(end(&mut journal, &jobs), [0; 0]);
    let jobs = journal.jobs(NOW);
    assert_eq!(words(&jobs), ["drop"]);
    assert_eq!(end(&mut journal, &jobs), [0; 0]);
    let jobs = journal.jobs(NOW);
    assert_eq!(end(&mut journal, &jobs), [1]);
}
