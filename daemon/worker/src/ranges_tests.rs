use super::*;
use crate::serve::{MAX_FOLDS, Settings, bind, serve};
use memberd_control::frame::read_frame;
use memberd_control::grep::GrepPattern;
use memberd_streams::{Gather, Limits, Plan, Query, Value};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tempfile::TempDir;

/// 2026-11-21T01:20:33Z.
const SECOND_33: i64 = 1_795_224_033_000;

static NEVER: AtomicBool = AtomicBool::new(false);

struct Worker {
    directory: TempDir,
}

/// A worker, which ends with the process.
fn worker() -> Worker {
    let directory = TempDir::new().unwrap();
    let listener = bind(&directory.path().join("socket")).unwrap();
    let users = vec![rustix::process::geteuid().as_raw()];
    std::thread::spawn(move || serve(&listener, &Settings { users, idle: None }));
    Worker { directory }
}

fn question(pattern: &str, query: &str) -> Question {
    let patterns = vec![pattern.as_bytes().to_vec()];
    Question {
        member: "vm1".to_owned(),
        query: format!("{pattern} {query}"),
        pattern: GrepPattern { patterns, ..GrepPattern::default() },
        ..Question::default()
    }
}

impl Worker {
    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn range(&self, name: &str, text: &[u8], (from, to): (u64, u64)) -> OpenRange {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        let file = File::open(&path).unwrap();
        OpenRange { file, path: PathBuf::from("/l"), modified_ms: SECOND_33, from, to }
    }

    fn fold(&self, question: &Question, ranges: &[OpenRange]) -> Vec<Result<RangeSums, Unread>> {
        fold_ranges(&self.socket(), question, ranges, &NEVER).unwrap()
    }

    /// Of one range of a file of this text: its end, the lines in no group, and the rows.
    fn one(&self, question: &Question, text: &[u8], bounds: (u64, u64)) -> (u64, u64, Vec<String>) {
        let mut folded = self.fold(question, &[self.range("log", text, bounds)]);
        let sums = folded.remove(0).unwrap();
        assert!(folded.is_empty());
        (sums.to, sums.uncounted, rows(question, [&sums]))
    }
}

/// The rows of these sums: all values of each.
fn rows<'s>(question: &Question, sums: impl IntoIterator<Item = &'s RangeSums>) -> Vec<String> {
    let plan = Arc::new(Plan::new(&Query::parse(&question.query).unwrap()).unwrap());
    let mut gather = Gather::new(plan, Limits { groups: 1_000_000, bytes: 1 << 30 });
    for partial in sums.into_iter().flat_map(|sums| &sums.partials) {
        gather.partial("vm1", partial).unwrap();
    }
    let shown = |value: &Value| String::from_utf8(value.to_bytes()).unwrap();
    let rows = gather.finish().unwrap().rows;
    rows.iter().map(|row| row.values.iter().map(shown).collect::<Vec<_>>().join(" ")).collect()
}

/// Lines that are cut off by the end wait for the next range. A long one goes beyond the end.
#[test]
fn a_range_has_whole_lines_alone() {
    let worker = worker();
    let question = question("x", "| count");
    let text = b"x1\nx22\ny\nx333\nx4444";
    for (bounds, to, count) in [
        ((0, 3), 3, "1"),
        ((0, 4), 3, "1"),
        ((3, 9), 9, "1"),
        ((3, 12), 9, "1"),
        // The first line alone is longer.
        ((3, 4), 7, "1"),
        ((0, 13), 9, "2"),
        ((9, 10), 14, "1"),
        ((7, 7), 7, "0"),
        // A line ends where the file does.
        ((0, 19), 19, "4"),
        ((14, 19), 19, "1"),
        ((14, 16), 19, "1"),
    ] {
        let found = worker.one(&question, text, bounds);
        assert_eq!(found, (to, 0, vec![count.to_owned()]), "{bounds:?}");
    }
}

/// However a file is cut into ranges, each line counts once.
#[test]
fn ranges_of_any_size_count_all_lines() {
    let worker = worker();
    let question = question("", "| logfmt | count, sum(v) by k");
    let line = |n: usize| format!("k={} v={n} {}\n", n % 7, "z".repeat(n * n % 1_777));
    let text: String = (0..2_000).map(line).collect();
    let end = text.len() as u64;
    let whole = worker.one(&question, text.as_bytes(), (0, end));
    for size in [1_000, 70_001, 300_000] {
        let (mut from, mut all) = (0, Vec::new());
        while from < end {
            let range = worker.range("log", text.as_bytes(), (from, end.min(from + size)));
            let sums = worker.fold(&question, &[range]).remove(0).unwrap();
            assert!(sums.to > from);
            from = sums.to;
            all.push(sums);
        }
        assert_eq!((from, 0, rows(&question, &all)), whole, "{size}");
    }
}

/// One range does not keep others from being read, and has no sums.
#[test]
fn what_cannot_be_read_is_told_by_its_name() {
    let worker = worker();
    let question = question("x", "| count");
    let shrunk = worker.range("shrunk", b"x\nx\n", (2, 5));
    let directory = File::open(worker.directory.path()).unwrap();
    let directory = OpenRange { file: directory, path: "/d".into(), ..range_of_nothing(0, 0) };
    let ranges = [shrunk, worker.range("log", b"x\nx\n", (0, 4)), directory];
    let folded = worker.fold(&question, &ranges);
    assert_eq!(folded[0], Err(Unread("/l: is shorter than it was".to_owned())));
    assert_eq!(rows(&question, [folded[1].as_ref().unwrap()]), ["2"]);
    assert_eq!(folded[2], Err(Unread("/d: is not a regular file".to_owned())));
}

fn range_of_nothing(from: u64, to: u64) -> OpenRange {
    let file = File::open("/dev/null").unwrap();
    OpenRange { file, path: "/dev/null".into(), modified_ms: 0, from, to }
}

/// Of each range the newest time of its own lines.
#[test]
fn the_newest_time_of_a_range_is_told() {
    let worker = worker();
    let question = question("x", "| count every 10s");
    let line = |second: u32, text: &str| format!("2026-11-21T01:20:{second:02}Z {text}\n");
    // The newest line is not selected, and lines without a time follow it.
    let text = line(33, "x") + &line(36, "y") + "  at z\n  at z\n";
    let end = text.len() as u64;
    let ranges = [(0, end), (0, 24), (end - 7, end)];
    let ranges: Vec<OpenRange> =
        ranges.map(|bounds| worker.range("log", text.as_bytes(), bounds)).into();
    let folded = worker.fold(&question, &ranges);
    let newest: Vec<Option<i64>> =
        folded.iter().map(|sums| sums.as_ref().unwrap().newest_ms).collect();
    assert_eq!(newest, [Some(SECOND_33 + 3_000), Some(SECOND_33), None]);
}

/// Lines in no group are counted once each, also those that are too long to be read.
#[test]
fn lines_in_no_group_are_told() {
    let worker = worker();
    let question = question("", "| json | where a > 1 | count every 10s");
    let time = "\"time\":\"2026-11-21T01:20:33Z\"";
    let good = |a: u32| format!("{{{time},\"a\":{a}}}\n");
    let mut text = [good(1), good(2), "no json\n".to_owned(), "{\"a\":2}\n".to_owned()].concat();
    text.push_str(&"z".repeat(9 << 20));
    text.push('\n');
    text.push_str(&good(3));
    let found = worker.one(&question, text.as_bytes(), (0, text.len() as u64));
    assert_eq!(found, (text.len() as u64, 3, vec!["2026-11-21T01:20:30Z 2".to_owned()]));
}

/// A line of some MiB counts, and one that is longer keeps nothing behind it from counting.
#[test]
fn long_lines_count_or_are_told() {
    let worker = worker();
    let question = question("x", "| count");
    let long = [b"x".repeat(7 << 20), b"\nx\n".to_vec()].concat();
    let longer = [b"x".repeat(9 << 20), b"\nx\n".to_vec()].concat();
    for (text, count, uncounted) in [(long, "2", 0), (longer, "1", 1)] {
        let end = text.len() as u64;
        let found = worker.one(&question, &text, (0, end));
        assert_eq!(found, (end, uncounted, vec![count.to_owned()]));
        // The range ends within it.
        let (to, ..) = worker.one(&question, &text, (0, 5_000));
        assert_eq!(to, end - 2);
    }
}

/// Sums that become large end a range, and nothing is lost by that.
#[test]
fn a_range_of_many_groups_ends_early() {
    let worker = worker();
    let question = question("", "| logfmt | count by n");
    let text: String = (0..60_000).map(|n| format!("n={n:0>40}\n")).collect();
    let end = text.len() as u64;
    let (mut from, mut all) = (0, Vec::new());
    while from < end {
        let range = worker.range("log", text.as_bytes(), (from, end));
        let sums = worker.fold(&question, &[range]).remove(0).unwrap();
        let bytes: usize = sums.partials.iter().map(Vec::len).sum();
        assert!(sums.to > from && bytes < 1 << 20, "{bytes}");
        from = sums.to;
        all.push(sums);
    }
    assert!(all.len() > 1 && rows(&question, &all).len() == 60_000, "{}", all.len());
}

/// The window of a job that counts from a time on: each line's own time, or none at all.
#[test]
fn only_lines_since_a_time_count() {
    let worker = worker();
    let since = Some(SECOND_33);
    let question = Question { since, ..question("x", "| count every 1s") };
    let text = b"2026-11-21T01:20:32Z x\nx\n2026-11-21T01:20:33Z x\n";
    let found = worker.one(&question, text, (0, text.len() as u64));
    assert_eq!(found, (text.len() as u64, 1, vec!["2026-11-21T01:20:33Z 1".to_owned()]));
}

/// Many ranges are handed over a few at a time.
#[test]
fn many_ranges_are_answered_in_their_order() {
    let worker = worker();
    let question = question("x", "| count");
    let mut waiting = 0..20_u64;
    while !waiting.is_empty() {
        let range = |n: u64| worker.range(&n.to_string(), &b"x\n".repeat(20), (0, 2 * n));
        let ranges: Vec<OpenRange> = waiting.clone().map(range).collect();
        let folded = worker.fold(&question, &ranges);
        assert!(!folded.is_empty());
        for sums in folded {
            let sums = sums.unwrap();
            let number = waiting.next().unwrap();
            assert_eq!((sums.to, rows(&question, [&sums])), (2 * number, vec![number.to_string()]));
        }
    }
}

/// On a busy machine, who asks has an answer before it gives up: no range after the time is over.
#[test]
fn the_time_is_looked_at_after_each_range() {
    let worker = worker();
    let question = question("x", "| count");
    let range = |n: u64| worker.range(&n.to_string(), b"x\n", (0, 2));
    let ranges: Vec<OpenRange> = (0..9).map(range).collect();
    let socket = worker.socket();
    let asked = (socket.as_path(), &question);
    let folded = fold_within(Duration::ZERO, asked, &ranges, &NEVER).unwrap();
    assert_eq!(folded.len(), 1);
}

#[test]
fn a_bad_question_or_one_too_many_is_refused() {
    let worker = worker();
    let refused = |question: &Question| {
        let ranges = [worker.range("log", b"x\n", (0, 2))];
        match fold_ranges(&worker.socket(), question, &ranges, &NEVER) {
            Err(AskError::Refused(words)) => words,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(&question("x", "| nothing-like-that")).contains("`nothing`"));
    let question = Question { reads: Reads::Ranges, ..question("x", "| count") };
    let others: Vec<_> =
        (0..MAX_FOLDS).map(|_| begin(&worker.socket(), &question, &NEVER).unwrap()).collect();
    let words = format!("{MAX_FOLDS} questions read ranges there already: try again later");
    assert_eq!(refused(&question), words);
    drop(others);
}

/// A worker that ends is noticed, and one that says nothing does not keep who asks.
#[test]
fn a_worker_that_ends_or_is_silent_is_given_up() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("socket");
    let listener = bind(&socket).unwrap();
    let cancel = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let _: Question = read_frame(&mut &stream).unwrap();
            write_frame(&mut stream, &Answer::More).unwrap();
            drop(stream);
            let (mut stream, _) = listener.accept().unwrap();
            let _: Question = read_frame(&mut &stream).unwrap();
            write_frame(&mut stream, &Answer::More).unwrap();
            let _: RangeBatch = read_frame(&mut &stream).unwrap();
            cancel.store(true, Ordering::Relaxed);
            // It stays until the other side has gone.
            read_frame::<RangeBatch>(&mut &stream).unwrap_err();
        });
        let fold = || {
            let ranges = [range_of_nothing(0, 0)];
            fold_ranges(&socket, &question("x", "| count"), &ranges, &cancel).unwrap_err()
        };
        let (ended, stopped) = (fold(), fold());
        assert!(matches!(ended, AskError::Ended), "{ended:?}");
        assert!(matches!(stopped, AskError::Stopped), "{stopped:?}");
    });
}
