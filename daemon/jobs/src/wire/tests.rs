//! Tests of messages as bytes: all come back, and nothing else is taken.

use super::*;
use crate::ids::{Epoch, FileId, FileKey, JobId, MemberId, Partition, Stage};
use crate::message::{
    Cursors, CursorsKind, Delta, Frame, MAX_DELTAS, MAX_TOLD, Part, Rows, ToldCursor,
};
use crate::record::{Gap, GapReason, Row};
use crate::table::{Assignment, From, Job, JobLimits, JobSpec, OnFailed, SourceState, Table};
use memberd_membership::{Incarnation, Name};
use std::collections::BTreeMap;
use std::sync::Arc;

const JOB: JobId = JobId(u64::MAX);
const PARTITION: Partition = Partition(63);
const EPOCH: Epoch = Epoch { term: u32::MAX, number: 1 };
const FILE: FileKey = FileKey(u128::MAX);

fn vm1() -> Name {
    Name::new("vm1").unwrap()
}

fn table() -> Message {
    let spec = JobSpec {
        name: "shop".to_owned(),
        query: "| count every 10s".to_owned(),
        partitions: 1,
        every_ms: 10_000,
        over_ms: None,
        lateness_ms: 5_000,
        retain_ms: 60_000,
        commit_ms: 200,
        on_failed: OnFailed::Wait,
        copies: 5,
        files: vec!["/var/log/shop/*.log".to_owned()],
        from: From::At(-1),
        tags: vec![("role".to_owned(), "web".to_owned())],
        sink: "/streams/shop.tsv".to_owned(),
        limits: JobLimits { groups: 9, bytes: 10 },
    };
    let owner = MemberId { name: vm1(), incarnation: Incarnation(3) };
    let job = Job {
        stopped: Some("no".to_owned()),
        sources: BTreeMap::from([(vm1(), SourceState::Live)]),
        stages: [Stage::Sink, Stage::Partition(PARTITION)]
            .map(|stage| (stage, Assignment { owner: owner.clone(), epoch: EPOCH }))
            .into(),
        ..Job::new(spec)
    };
    let table = Table { version: 3, newest: EPOCH, jobs: BTreeMap::from([(JOB, job)]) };
    Message::Table(Arc::new(table))
}

fn delta() -> Delta {
    Delta {
        file: FILE,
        start: 0,
        from: 1,
        to: u64::MAX,
        watermark: i64::MIN,
        is_finished: true,
        gap: Some(GapReason::Deleted),
        uncounted: 4,
        parts: vec![Part { window: -5, lines: 2, sums: vec![0, 255, 7] }],
    }
}

fn frame(deltas: Vec<Delta>) -> Message {
    let presence = Some(i64::MAX);
    let (job, partition, epoch) = (JOB, PARTITION, EPOCH);
    let (dropped_at, gone) = (Some(u64::MAX), vec![FILE]);
    Message::Frame(Frame { job, partition, epoch, presence, deltas, dropped_at, gone })
}

fn cursors(count: usize) -> Message {
    let (is_finished, is_gone) = (true, false);
    let told =
        ToldCursor { file: FILE, start: 0, durable: None, next: Some(9), is_finished, is_gone };
    let files = vec![told; count];
    let kind = CursorsKind::Rewind;
    let (after, has_more) = (Some(FILE), true);
    let place = (JOB, PARTITION, EPOCH);
    let (job, partition, epoch) = place;
    let dropped_at = 3;
    Message::Cursors(Cursors { job, partition, epoch, kind, after, has_more, dropped_at, files })
}

fn rows() -> Message {
    let file = FileId { member: vm1(), key: FILE };
    let reason = GapReason::Forgotten;
    let gap = Gap { partition: PARTITION, file, from: 4, to: None, reason };
    let sum = Row::Sum { window: -1, key: vec![9, 200], values: b"1\t2".to_vec(), revision: 1 };
    let list = Row::List { window: -5, rows: vec![128] };
    let rows = vec![sum, Row::Gap(gap), list, Row::Closed(i64::MAX)];
    let end = Some(7);
    Message::Rows(Rows { job: JOB, partition: PARTITION, epoch: EPOCH, from: 5, rows, end })
}

fn all() -> Vec<Message> {
    let (job, partition, epoch) = (JOB, PARTITION, EPOCH);
    vec![
        table(),
        Message::Beat { term: 1, version: u64::MAX },
        Message::AskTable,
        Message::Opened { job, stage: Stage::Partition(partition), epoch },
        Message::Stop { job, stage: Stage::Sink, epoch, reason: "no".to_owned(), has_log: true },
        Message::Finished { job, epoch },
        Message::Hello { job, partition, epoch, after: Some(FILE) },
        frame(vec![delta(), delta()]),
        cursors(2),
        rows(),
        Message::RowsTaken { job, partition, epoch, next: 1 },
        Message::AskClosed { job, partition, epoch, until: i64::MIN },
    ]
}

#[test]
fn every_message_comes_back() {
    for message in all() {
        let bytes = encode(&message).unwrap();
        assert_eq!(decode(&bytes), Ok(message));
    }
}

#[test]
fn a_message_that_is_cut_or_followed_is_refused() {
    for message in all() {
        let mut bytes = encode(&message).unwrap();
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{message:?} cut at {end}");
        }
        bytes.push(0);
        assert_eq!(decode(&bytes), Err(WireError::Trailing(1)));
        bytes[0] = 9;
        assert_eq!(decode(&bytes), Err(WireError::Version(9)));
    }
}

#[test]
fn what_is_too_long_is_neither_written_nor_read() {
    let mut large = delta();
    large.parts[0].sums = vec![1; MESSAGE_CAP];
    assert!(matches!(encode(&frame(vec![large])), Err(WireError::TooLong(_))));
    assert_eq!(decode(&vec![1; MESSAGE_CAP + 1]), Err(WireError::TooLong(MESSAGE_CAP + 1)));
}

#[test]
fn lists_beyond_their_bounds_are_refused() {
    let bare = || Delta { parts: Vec::new(), ..delta() };
    let deltas = |count| encode(&frame((0..count).map(|_| bare()).collect())).unwrap();
    assert!(decode(&deltas(MAX_DELTAS)).is_ok());
    assert!(matches!(decode(&deltas(MAX_DELTAS + 1)), Err(WireError::Malformed(_))));
    assert!(decode(&encode(&cursors(MAX_TOLD)).unwrap()).is_ok());
    let more = encode(&cursors(MAX_TOLD + 1)).unwrap();
    assert!(matches!(decode(&more), Err(WireError::Malformed(_))));
}

/// Sums are byte strings: each byte takes one.
#[test]
fn sums_take_no_more_bytes_than_they_have() {
    let mut large = delta();
    large.parts[0].sums = vec![255; 100_000];
    assert!(encode(&frame(vec![large])).unwrap().len() < 100_500);
}

/// A table that was written before jobs named their files is read.
#[test]
fn a_table_without_the_newer_fields_is_read() {
    let Message::Table(table) = table() else { panic!("no table") };
    let mut value = ciborium::Value::serialized(&*table).unwrap();
    let newer = ["files", "from", "tags", "sink", "limits", "stopped", "is_finished"];
    remove(&mut value, &newer);
    let read: Table = value.deserialized().unwrap();
    let spec = &read.jobs[&JOB].spec;
    assert_eq!((spec.name.as_str(), spec.from), ("shop", From::Now));
    assert!(spec.files.is_empty() && spec.tags.is_empty() && spec.sink.is_empty());
    assert_eq!(spec.limits, JobLimits::default());
}

fn remove(value: &mut ciborium::Value, keys: &[&str]) {
    if let Some(map) = value.as_map_mut() {
        map.retain(|(key, _)| key.as_text().is_none_or(|key| !keys.contains(&key)));
        map.iter_mut().for_each(|(_, value)| remove(value, keys));
    }
}

/// What the protocol cuts by is never less than what is sent.
#[test]
fn sizes_are_not_underestimated() {
    let written = |value: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        value(&mut bytes);
        bytes.len()
    };
    let large = Delta { start: u64::MAX, from: u64::MAX, uncounted: u64::MAX, ..delta() };
    let part = Part { window: i64::MIN, lines: u64::MAX, sums: vec![1; 70_000] };
    let large = Delta { parts: vec![part; 20], ..large };
    assert!(written(&|bytes| ciborium::into_writer(&large, bytes).unwrap()) <= large.bytes());
    let member = Name::new(&"m".repeat(64)).unwrap();
    let file = FileId { member, key: FILE };
    let (from, to, reason) = (u64::MAX, Some(u64::MAX), GapReason::Forgotten);
    let gap = Row::Gap(Gap { partition: PARTITION, file, from, to, reason });
    let (key, values) = (vec![1; 70_000], vec![2; 70_000]);
    let sum = Row::Sum { window: i64::MIN, key, values, revision: u32::MAX };
    let list = Row::List { window: i64::MIN, rows: vec![1; 70_000] };
    for row in [gap, sum, list, Row::Closed(i64::MIN)] {
        assert!(written(&|bytes| ciborium::into_writer(&row, bytes).unwrap()) <= row.bytes());
        assert!(row.line(u64::MAX).len() <= row.bytes());
    }
}

/// Bytes that were changed anywhere are refused, or are another message. None ends the program.
#[test]
fn changed_bytes_are_refused_or_another_message() {
    let mut random = 1_u64;
    let mut next = |most: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(random >> 33).unwrap() % most
    };
    let mut read = 0;
    for message in all() {
        let bytes = encode(&message).unwrap();
        for _ in 0..3_000 {
            let mut bytes = bytes.clone();
            for _ in 0..=next(3) {
                let at = 1 + next(bytes.len() - 1);
                bytes[at] = u8::try_from(next(256)).unwrap();
            }
            if let Ok(other) = decode(&bytes) {
                assert_eq!(decode(&encode(&other).unwrap()), Ok(other));
                read += 1;
            }
        }
    }
    assert!(read > 1_000);
}
