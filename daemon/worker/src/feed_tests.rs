use super::*;
use crate::protocol::Reads;
use crate::serve::{MAX_FOLLOWS, Settings, bind, serve};
use crate::{Counts, ask};
use memberd_control::frame::read_frame;
use memberd_streams::{Gather, Limits, Plan, Query, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMITS: Limits = Limits { groups: 1_000_000, bytes: 1 << 30 };

static NEVER: AtomicBool = AtomicBool::new(false);

/// A worker, which ends with the process.
fn worker() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("socket");
    let listener = bind(&socket).unwrap();
    let users = vec![rustix::process::geteuid().as_raw()];
    std::thread::spawn(move || serve(&listener, &Settings { users, idle: None }));
    (directory, socket)
}

fn question(query: &str) -> Question {
    let member = "vm1".to_owned();
    Question { member, query: query.to_owned(), reads: Reads::Written, ..Question::default() }
}

/// The rows of these parts: all values of each.
fn rows<'p>(query: &str, parts: impl IntoIterator<Item = &'p Told>) -> Vec<String> {
    let plan = Arc::new(Plan::new(&Query::parse(query).unwrap()).unwrap());
    let mut gather = Gather::new(plan, LIMITS);
    for part in parts {
        let Told::Partial(bytes) = part else { panic!("{part:?}") };
        gather.partial("vm1", bytes).unwrap();
    }
    let shown = |value: &Value| match value {
        Value::Text(text) => String::from_utf8(text.clone()).unwrap(),
        Value::Number(number) => number.to_string(),
        Value::Time(time) => time.to_string(),
        other => panic!("{other:?}"),
    };
    let rows = gather.finish().unwrap().rows;
    rows.iter().map(|row| row.values.iter().map(shown).collect::<Vec<_>>().join(" ")).collect()
}

fn lines(feed: &mut Feed<'_>, path: &str, text: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    let mut take = |what| {
        told.push(what);
        Ok(())
    };
    feed.lines(Path::new(path), 1_795_224_000_000, text, &mut take).unwrap();
    told
}

fn round(feed: &mut Feed<'_>) -> Vec<Told> {
    let mut told = Vec::new();
    let mut take = |what| {
        told.push(what);
        Ok(())
    };
    feed.end_round(&mut take).unwrap();
    told
}

/// Each round has the sums of its own lines. A line may be longer than what goes at once.
#[test]
fn what_is_written_is_counted_in_rounds() {
    let (_directory, socket) = worker();
    let query = "| count by file, member";
    let mut feed = Feed::begin(&socket, &question(query), &NEVER).unwrap();
    let long = [b"x".repeat(3 * MAX_WRITTEN_BYTES), b"\ny\n".to_vec()].concat();
    assert_eq!(lines(&mut feed, "/a", b"1\n2\n"), []);
    assert_eq!(lines(&mut feed, "/b", &long), []);
    assert_eq!(lines(&mut feed, "/a", b"3\n"), []);
    let first = round(&mut feed);
    assert_eq!(rows(query, &first), ["/a vm1 3", "/b vm1 2"]);
    lines(&mut feed, "/a", b"4\n");
    let second = round(&mut feed);
    assert_eq!(rows(query, &second), ["/a vm1 1"]);
    assert_eq!(rows(query, first.iter().chain(&second)), ["/a vm1 4", "/b vm1 2"]);
    // It has no end of its own.
    feed.check().unwrap();
}

/// However many groups come before the end of a round, there is room for them.
#[test]
fn a_table_that_becomes_full_is_sent_at_once() {
    let (_directory, socket) = worker();
    let query = "| logfmt | count by n";
    let mut feed = Feed::begin(&socket, &question(query), &NEVER).unwrap();
    let mut told = Vec::new();
    for begin in (0..100_000).step_by(1_000) {
        let text: String = (begin..begin + 1_000).map(|n| format!("n={n:0>40}\n")).collect();
        told.extend(lines(&mut feed, "/a", text.as_bytes()));
    }
    assert!(!told.is_empty(), "sums come before the end of the round");
    told.extend(round(&mut feed));
    assert_eq!(rows(query, &told).len(), 100_000);
}

/// Questions that follow have places and memory of their own, and leave those of others alone.
#[test]
fn follows_keep_no_question_from_its_place() {
    let (_directory, socket) = worker();
    let begin = || Feed::begin(&socket, &question("| count"), &NEVER);
    let feeds: Vec<Feed<'_>> = (0..MAX_FOLLOWS).map(|_| begin().unwrap()).collect();
    let Err(AskError::Refused(words)) = begin() else { panic!("one more has a place") };
    assert_eq!(words, format!("{MAX_FOLLOWS} questions follow there already: try again later"));
    let once = Question { reads: Reads::Files, groups: 1, threads: 1, ..question("x | count") };
    let asked = ask(&socket, &once, Vec::new, |_| Ok(()), &NEVER);
    assert_eq!(asked.unwrap(), Counts::default());
    drop(feeds);
}

#[test]
fn a_question_that_cannot_be_followed_is_refused() {
    let (_directory, socket) = worker();
    for query in ["count", "| nothing-like-that"] {
        let refused = Feed::begin(&socket, &question(query), &NEVER);
        assert!(matches!(refused, Err(AskError::Refused(_))), "{query}");
    }
}

/// A worker that ends is noticed without a word to it, and by the next lines.
#[test]
fn a_worker_that_ends_is_noticed() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("socket");
    let listener = bind(&socket).unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let _: Question = read_frame(&mut &stream).unwrap();
        write_frame(&mut &stream, &Answer::More).unwrap();
    });
    let mut feed = Feed::begin(&socket, &question("| count"), &NEVER).unwrap();
    let began = Instant::now();
    while feed.check().is_ok() {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
    let told = feed.lines(Path::new("/a"), 0, b"x\n", &mut |_| Ok(()));
    assert!(matches!(told, Err(AskError::Ended)), "{told:?}");
    thread.join().unwrap();
}

/// A worker that says nothing does not keep who asks.
#[test]
fn lines_that_nobody_waits_for_are_given_up() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("socket");
    let listener = bind(&socket).unwrap();
    let cancel = AtomicBool::new(false);
    let silent = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let _: Question = read_frame(&mut &stream).unwrap();
        write_frame(&mut &stream, &Answer::More).unwrap();
        let _: Written = read_frame(&mut &stream).unwrap();
        // It stays until the other side has gone.
        read_frame::<Written>(&mut &stream).unwrap_err();
    });
    let mut feed = Feed::begin(&socket, &question("| count"), &cancel).unwrap();
    cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    let told = feed.lines(Path::new("/a"), 0, b"x\n", &mut |_| Ok(()));
    assert!(matches!(told, Err(AskError::Stopped)), "{told:?}");
    drop(feed);
    silent.join().unwrap();
}
