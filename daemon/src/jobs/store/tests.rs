//! Jobs' questions at a group of real members, whose messages get lost, late and stopped.

use super::*;
use crate::files::group::{Fate, Group};
use memberd_files::{FilesMessage, ShareName};
use memberd_jobs::{AskId, At, Condition, JobId, Partition, Stage, Table};
use std::sync::atomic::{AtomicU64, Ordering};

const JOB: JobId = JobId(3 << 32 | 1);
const LOG: JobFile = JobFile::Log(JOB, Stage::Partition(Partition(0)));
const ROWS: JobFile = JobFile::Sink(JOB);
const SINK: &str = "/streams/shop.tsv";
/// Of the owner.
const TOKEN: u64 = 9;

static ASKED: AtomicU64 = AtomicU64::new(0);

fn question(file: JobFile, token: u64, operation: StoreOperation) -> StoreAsk {
    let number = ASKED.fetch_add(1, Ordering::Relaxed);
    StoreAsk { id: AskId { token, number }, file, operation }
}

fn append(token: u64, only: Condition, bytes: &[u8]) -> StoreOperation {
    StoreOperation::Append { token, only, bytes: bytes.to_vec() }
}

fn replace(token: u64, only: Condition, bytes: &[u8]) -> StoreOperation {
    StoreOperation::Replace { token, only, bytes: bytes.to_vec() }
}

/// What is done with one file of a group in which nothing goes wrong by itself.
struct Shelf {
    group: Group,
    store: JobStore,
}

impl Shelf {
    /// Four members, of which the last one asks and is no keeper.
    async fn new() -> Shelf {
        let group = Group::start(4);
        let store = JobStore::new(&group.handle);
        store.ensure_table().await.unwrap();
        let shelf = Shelf { group, store };
        for file in [LOG, ROWS] {
            let made = shelf.ask(file, 1, StoreOperation::Create { copies: 5 }).await;
            assert!(matches!(made, StoreAnswer::Done(At { length: 0, .. })), "{made:?}");
        }
        shelf
    }

    async fn ask(&self, file: JobFile, token: u64, operation: StoreOperation) -> StoreAnswer {
        self.store.ask(question(file, token, operation), SINK).await
    }

    async fn done(&self, file: JobFile, operation: StoreOperation) -> At {
        match self.ask(file, TOKEN, operation).await {
            StoreAnswer::Done(at) => at,
            other => panic!("{other:?}"),
        }
    }

    async fn read(&self, file: JobFile, from: u64) -> (At, Vec<u8>) {
        match self.ask(file, TOKEN, StoreOperation::Read { from }).await {
            StoreAnswer::Bytes(at, bytes) => (at, bytes),
            other => panic!("{other:?}"),
        }
    }

    /// Fences a file and reads it, as an owner does that has it now.
    async fn open(&self, file: JobFile) -> (At, Vec<u8>) {
        self.done(file, StoreOperation::Fence { token: TOKEN }).await;
        self.read(file, 0).await
    }
}

fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + seed) % 251).unwrap()).collect()
}

/// Of all sizes: in the catalog, beyond it, and an image in their place.
#[tokio::test(start_paused = true)]
async fn a_log_grows_and_is_replaced() {
    let shelf = Shelf::new().await;
    let (mut at, mut content) = shelf.open(LOG).await;
    assert!(content.is_empty());
    for (number, length) in
        [300, 9_000, 15_000, 2_000, 1 << 20, 700, 0, 40_000].into_iter().enumerate()
    {
        let (more, only) = (bytes(number, length), Condition::Version(at.version));
        let next = shelf.done(LOG, append(TOKEN, only, &more)).await;
        content.extend_from_slice(&more);
        assert_eq!(next.length, content.len() as u64);
        let stale = shelf.ask(LOG, TOKEN, append(TOKEN, only, b"x")).await;
        assert_eq!(stale, StoreAnswer::Changed(next));
        assert_eq!(shelf.read(LOG, 0).await, (next, content.clone()));
        at = next;
    }
    let half = content.len() as u64 / 2;
    assert_eq!(shelf.read(LOG, half).await, (at, content[half as usize..].to_vec()));
    assert_eq!(shelf.read(LOG, at.length + 9).await, (at, Vec::new()));
    for image in [bytes(1, 100), bytes(2, 90_000), bytes(3, 90_000)] {
        let only = Condition::Version(at.version);
        let next = shelf.done(LOG, replace(TOKEN, only, &image)).await;
        let stale = shelf.ask(LOG, TOKEN, replace(TOKEN, only, &image)).await;
        assert_eq!(stale, StoreAnswer::Changed(next), "a length may come again");
        assert_eq!(shelf.read(LOG, 0).await, (next, image));
        at = next;
    }
}

/// The rows are added where their record says, and nowhere else.
#[tokio::test(start_paused = true)]
async fn rows_go_to_their_place_once() {
    let shelf = Shelf::new().await;
    shelf.open(ROWS).await;
    let (mut end, mut content) = (0, Vec::new());
    for number in 0..30 {
        let more = bytes(number, 800);
        let only = Condition::Length(end);
        let at = shelf.done(ROWS, append(TOKEN, only, &more)).await;
        let again = shelf.ask(ROWS, TOKEN, append(TOKEN, only, &more)).await;
        assert_eq!(again, StoreAnswer::Changed(at));
        content.extend_from_slice(&more);
        end = at.length;
    }
    assert_eq!(shelf.read(ROWS, 0).await.1, content);
}

/// Whoever fences a file has it, whatever the one before still asks.
#[tokio::test(start_paused = true)]
async fn a_fence_keeps_the_former_owner_out() {
    let shelf = Shelf::new().await;
    let (at, _) = shelf.open(LOG).await;
    let only = Condition::Version(at.version);
    assert_eq!(shelf.ask(LOG, 8, append(8, only, b"x")).await, StoreAnswer::Fenced(TOKEN));
    assert_eq!(shelf.ask(LOG, 8, append(8, only, &bytes(1, 30_000))).await, StoreAnswer::Fenced(9));
    assert_eq!(shelf.ask(LOG, 8, replace(8, only, b"x")).await, StoreAnswer::Fenced(TOKEN));
    let fence = StoreOperation::Fence { token: 8 };
    assert_eq!(shelf.ask(LOG, 8, fence).await, StoreAnswer::Fenced(TOKEN));
    assert_eq!(shelf.read(LOG, 0).await, (at, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_absent() {
    let shelf = Shelf::new().await;
    shelf.store.remove(JOB).await.unwrap();
    shelf.store.remove(JOB).await.unwrap();
    let only = Condition::Version(1);
    for operation in [
        StoreOperation::Fence { token: TOKEN },
        StoreOperation::Read { from: 0 },
        append(TOKEN, only, b"x"),
        append(TOKEN, only, &bytes(1, 30_000)),
        replace(TOKEN, only, b"x"),
    ] {
        assert_eq!(shelf.ask(LOG, TOKEN, operation).await, StoreAnswer::Absent);
    }
    assert_eq!(shelf.read(ROWS, 0).await.1, b"", "the rows stay");
}

/// A file that was made anew has the versions of none before it.
#[tokio::test(start_paused = true)]
async fn a_new_file_is_not_the_one_before() {
    let shelf = Shelf::new().await;
    let (at, _) = shelf.open(LOG).await;
    shelf.store.remove(JOB).await.unwrap();
    shelf.done(LOG, StoreOperation::Create { copies: 5 }).await;
    let (new, _) = shelf.open(LOG).await;
    let refused = shelf.ask(LOG, TOKEN, append(TOKEN, Condition::Version(at.version), b"x")).await;
    assert_eq!(refused, StoreAnswer::Changed(new));
}

fn is_reply(message: &FilesMessage) -> bool {
    matches!(message, FilesMessage::Reply { .. })
}

fn is_proposal(message: &FilesMessage) -> bool {
    matches!(message, FilesMessage::Propose { .. })
}

/// It happened, and nobody who asked was told: it is found when the file is opened again.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_unknown_and_happened_once() {
    for length in [100, 30_000] {
        let shelf = Shelf::new().await;
        let (at, _) = shelf.open(LOG).await;
        let mut is_asked = false;
        shelf.group.judge(move |_, to, message| {
            is_asked |= is_proposal(message);
            match is_asked && is_reply(message) && to == 3 {
                true => Fate::Lost,
                false => Fate::Arrives,
            }
        });
        let write = append(TOKEN, Condition::Version(at.version), &bytes(1, length));
        assert_eq!(shelf.ask(LOG, TOKEN, write).await, StoreAnswer::Unknown);
        shelf.group.heal();
        let (now, content) = shelf.open(LOG).await;
        assert_eq!((now.length, content), (length as u64, bytes(1, length)));
    }
}

/// It did not happen, as far as it goes, and comes when others have gone on: then it does not fit.
#[tokio::test(start_paused = true)]
async fn a_late_write_does_not_happen_after_another() {
    for (first, length) in [(0, 100), (20_000, 100), (0, 30_000)] {
        let shelf = Shelf::new().await;
        let (at, _) = shelf.open(LOG).await;
        let before = bytes(5, first);
        let at = shelf.done(LOG, append(TOKEN, Condition::Version(at.version), &before)).await;
        let only = Condition::Version(at.version);
        shelf.group.judge(|from, _, message| match from == 3 && is_proposal(message) {
            true => Fate::Held,
            false => Fate::Arrives,
        });
        let write = append(TOKEN, only, &bytes(1, length));
        assert_eq!(shelf.ask(LOG, TOKEN, write).await, StoreAnswer::Unknown);
        shelf.group.heal();
        assert_eq!(shelf.open(LOG).await, (at, before.clone()));
        let next = shelf.done(LOG, append(TOKEN, only, b"second")).await;
        assert!(shelf.group.release() > 0);
        let (now, content) = shelf.open(LOG).await;
        assert_eq!((now, content), (next, [&before, &b"second"[..]].concat()));
    }
}

/// Who waits no more asks again: the earlier question ends, and what it does is covered by its
/// condition.
#[tokio::test(start_paused = true)]
async fn a_newer_question_ends_the_one_before() {
    let shelf = Shelf::new().await;
    let (at, _) = shelf.open(LOG).await;
    shelf.group.judge(|from, _, message| match from == 3 && is_proposal(message) {
        true => Fate::Held,
        false => Fate::Arrives,
    });
    let write = append(TOKEN, Condition::Version(at.version), b"first");
    let (store, asked) = (shelf.store.clone(), question(LOG, TOKEN, write));
    let first = tokio::spawn(async move { store.ask(asked, SINK).await });
    // It is under way once its proposal is held.
    while shelf.group.held() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    shelf.group.heal();
    let older = question(LOG, TOKEN - 1, StoreOperation::Read { from: 0 });
    assert_eq!(shelf.store.ask(older, SINK).await, StoreAnswer::Unavailable);
    assert_eq!(shelf.open(LOG).await, (at, Vec::new()));
    assert_eq!(first.await.unwrap(), StoreAnswer::Unknown);
    shelf.group.release();
    let (now, content) = shelf.open(LOG).await;
    assert_eq!((now.length, content), (5, b"first".to_vec()), "it happens late, and once");
}

/// A keeper without the others has what was once so. A log that is older than it is would be
/// continued from there.
#[tokio::test(start_paused = true)]
async fn an_old_content_is_no_answer() {
    let shelf = Shelf::new().await;
    let (at, _) = shelf.open(LOG).await;
    shelf.done(LOG, append(TOKEN, Condition::Version(at.version), b"1")).await;
    shelf.group.judge(|from, to, _| match [from, to].iter().all(|at| *at >= 2) {
        true => Fate::Arrives,
        false => Fate::Lost,
    });
    for _ in 0..2 {
        let read = shelf.ask(LOG, TOKEN, StoreOperation::Read { from: 0 }).await;
        assert_eq!(read, StoreAnswer::Unavailable);
    }
    let fence = StoreOperation::Fence { token: TOKEN };
    assert_eq!(shelf.ask(LOG, TOKEN, fence).await, StoreAnswer::Unknown);
    shelf.group.heal();
    assert_eq!(shelf.open(LOG).await.1, b"1");
}

/// Rows of another job, or of a person, are not overwritten and not continued.
#[tokio::test(start_paused = true)]
async fn a_file_with_bytes_is_not_taken_for_a_new_one() {
    let shelf = Shelf::new().await;
    let create = || StoreOperation::Create { copies: 3 };
    shelf.done(ROWS, create()).await;
    shelf.store.check_sink(SINK).await.unwrap();
    let at = shelf.done(ROWS, append(TOKEN, Condition::Length(0), b"theirs")).await;
    assert_eq!(shelf.ask(ROWS, 1, create()).await, StoreAnswer::Changed(at));
    let told = shelf.store.check_sink(SINK).await.unwrap_err().to_string();
    assert!(told.starts_with("/streams/shop.tsv: has 6 bytes already"), "{told}");
    let told = shelf.store.check_sink("/nowhere/x").await.unwrap_err().to_string();
    assert!(told.contains("memberctl file mkdir /nowhere"), "{told}");
    shelf.store.check_sink("/streams/new.tsv").await.unwrap();
}

/// A table that was there is not made anew as an empty one.
#[tokio::test(start_paused = true)]
async fn a_table_is_made_once() {
    let group = Group::start(4);
    let store = JobStore::new(&group.handle);
    assert_eq!(store.find_table().await.unwrap(), TableFound::Never, "not even its share");
    let ask = || question(JobFile::Table, TOKEN, StoreOperation::Fence { token: TOKEN });
    assert_eq!(store.ask(ask(), "").await, StoreAnswer::Unavailable);
    let both = tokio::join!(store.ensure_table(), store.ensure_table());
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    store.ensure_table().await.unwrap();
    assert_eq!(store.find_table().await.unwrap(), TableFound::There);
    assert!(matches!(store.ask(ask(), "").await, StoreAnswer::Done(_)));

    remove(&group, "/streams/.jobs/table").await;
    assert_eq!(store.find_table().await.unwrap(), TableFound::Lost);
    let told = store.ensure_table().await.unwrap_err().to_string();
    assert!(told.contains("memberctl file rm -r /streams/.jobs"), "{told}");
    assert_eq!(store.ask(ask(), "").await, StoreAnswer::Absent);

    remove(&group, "/streams/.jobs").await;
    store.ensure_table().await.unwrap();
    assert!(matches!(store.ask(ask(), "").await, StoreAnswer::Done(_)));
}

async fn remove(group: &Group, path: &str) {
    let path = FilePath::parse(path).unwrap();
    let share = ShareName::new("streams").unwrap();
    let delete = memberd_files::Mutation::Delete { path, recursive: true, only: None };
    group.handle.change(share, delete).await.unwrap();
}

/// What leaders before made, and no table has, goes; all else stays.
#[tokio::test(start_paused = true)]
async fn leftovers_of_former_leaders_go() {
    let shelf = Shelf::new().await;
    let of = |term: u64, number: u64| JobId(term << 32 | number);
    let jobs = [of(2, 1), of(2, 9), of(3, 4), of(4, 1)];
    for job in jobs {
        let log = JobFile::Log(job, Stage::Sink);
        shelf.done(log, StoreOperation::Create { copies: 5 }).await;
    }
    let mut table = Table::default();
    assert_eq!(shelf.store.remove_leftovers(&table, 2).await.unwrap(), 0);
    table.jobs.insert(of(2, 9), job());
    table.jobs.insert(JOB, job());
    assert_eq!(shelf.store.remove_leftovers(&table, 4).await.unwrap(), 2);
    for (job, is_there) in jobs.into_iter().zip([false, true, false, true]) {
        let log = JobFile::Log(job, Stage::Sink);
        let found = shelf.ask(log, TOKEN, StoreOperation::Read { from: 0 }).await;
        assert_eq!(found != StoreAnswer::Absent, is_there, "{job:?}");
    }
    shelf.read(LOG, 0).await;
}

fn job() -> memberd_jobs::Job {
    let spec = memberd_jobs::JobSpec {
        name: "shop".to_owned(),
        query: String::new(),
        partitions: 1,
        every_ms: 10_000,
        over_ms: None,
        lateness_ms: 5_000,
        retain_ms: 60_000,
        commit_ms: 1_000,
        on_failed: memberd_jobs::OnFailed::Exclude,
        copies: 5,
        files: vec!["/var/log/shop.log".to_owned()],
        from: memberd_jobs::From::Now,
        tags: Vec::new(),
        sink: "/streams/shop.tsv".to_owned(),
        limits: memberd_jobs::JobLimits::default(),
    };
    memberd_jobs::Job::new(spec)
}
