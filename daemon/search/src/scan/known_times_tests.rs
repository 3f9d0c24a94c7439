//! Searches of a window, with what earlier searches have learned, beside a filter of all lines.

use super::*;
use crate::files::{ExposedFiles, FileFilter};
use crate::output::Kept;
use crate::query::Query;
use crate::schedule::{Plan, Window};
use crate::search::Search;
use memberd_control::grep::GrepPrint;
use proptest::prelude::*;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// 2026-11-21 01:20:33 UTC, in milliseconds.
const THEN: i64 = 1_795_224_033_000;

/// So little that small files have many blocks, and that some are forgotten.
const LITTLE: Capacity =
    Capacity { file_bytes: 1, block_bytes: 100, file_blocks: 8, all_blocks: 12, files: 2 };

/// A log on disk, with a clock of its own for the time of writing.
struct Log {
    directory: TempDir,
    written: u64,
}

impl Log {
    fn new() -> Log {
        Log { directory: TempDir::new().unwrap(), written: 0 }
    }

    /// Opens it, and notes a later time of writing once `change` is done.
    fn change(&mut self, name: &str, change: impl FnOnce(&mut File)) {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).read(true);
        let mut file = options.open(self.directory.path().join(name)).unwrap();
        change(&mut file);
        self.written += 1;
        let then = Duration::from_millis(THEN.unsigned_abs());
        let written = SystemTime::UNIX_EPOCH + then + Duration::from_secs(self.written);
        file.set_modified(written).unwrap();
    }

    fn rewrite(&mut self, name: &str, text: &str) {
        self.change(name, |file| {
            file.set_len(0).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        });
    }

    fn append(&mut self, name: &str, text: &str) {
        self.change(name, |file| {
            let end = file.metadata().unwrap().len();
            file.write_all_at(text.as_bytes(), end).unwrap();
        });
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    fn search(&self, search: &Search, plan: &Plan, name: &str) -> String {
        let glob = self.directory.path().join(name);
        let exposed = ExposedFiles::new(&[glob.to_str().unwrap()]).unwrap();
        let files = exposed.files(&FileFilter::default()).files;
        let mut kept = Kept::default();
        search.run(plan, "m", &files, &mut kept, &AtomicBool::new(false));
        String::from_utf8(kept.0).unwrap()
    }
}

fn window(since: i64, until: i64) -> Window {
    Window { since: Some(THEN + since * 1000), until: Some(THEN + until * 1000) }
}

/// A line with a time this many seconds after [`THEN`], or without one.
fn line(seconds: Option<i64>, text: &str) -> String {
    let Some(seconds) = seconds else { return format!("  {text}\n") };
    let time = jiff::Timestamp::from_millisecond(THEN + seconds * 1000).unwrap();
    format!("{time:.3} {text}\n")
}

/// The lines in the window, each with its number: every line is looked at.
fn filtered(text: &str, window: Window) -> Vec<(usize, String)> {
    let (zone, mut time) = (Zone::utc(), None);
    let mut times = Times::new(&zone, i64::MAX);
    let mut lines = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        time = times.of(line.trim_end_matches('\n').as_bytes()).or(time);
        if time.is_some_and(|time| window.contains(time)) {
            lines.push((number + 1, line.to_owned()));
        }
    }
    lines
}

fn query(pattern: &str, change: impl FnOnce(&mut Query)) -> Search {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.into()];
        query.printing.no_names = true;
    });
    query.with(change).compile().unwrap()
}

/// All lines with their numbers, and then searches with other options.
fn queries() -> (Search, Vec<Search>) {
    let all = query("", |query| query.printing.line_numbers = true);
    let others = vec![
        query("7", |_| ()),
        query("7", |query| query.pattern.invert = true),
        query("7", |query| query.printing.what = GrepPrint::Count),
        query("7", |query| query.printing.what = GrepPrint::FilesWithoutMatch),
        query("[0-9]7", |query| query.printing.what = GrepPrint::Matches),
        query("7", |query| query.printing.max_count = Some(2)),
        query("7", |query| {
            query.printing.before_context = Some(2);
            query.printing.after_context = Some(1);
            // Lines that are left out come between.
            query.printing.group_separator = None;
        }),
    ];
    (all, others)
}

/// Searches with many options print what they print of a file that has only the lines of the
/// window.
fn same_as_filtered(
    log: &mut Log,
    known: &KnownTimes,
    (all, others): &(Search, Vec<Search>),
    window: Window,
) -> Result<(), TestCaseError> {
    let plan = Plan { window, known_times: known.clone(), ..Plan::default() };
    let lines = filtered(&log.text("log"), window);
    let numbered: String = lines.iter().map(|(at, line)| format!("{at}:{line}")).collect();
    let with_end = |text: String| {
        let is_cut = !text.is_empty() && !text.ends_with('\n');
        if is_cut { text + "\n" } else { text }
    };
    prop_assert_eq!(log.search(all, &plan, "log"), with_end(numbered));
    let only: String = lines.into_iter().map(|(_, line)| line).collect();
    log.rewrite("only", &only);
    let plain = Plan::default();
    let by_time = |plan: &Plan| Plan { by_time: true, ..plan.clone() };
    for search in others {
        let found = log.search(search, &plan, "log").replace("/log", "/only");
        let wanted = log.search(search, &plain, "only");
        prop_assert_eq!(&found, &wanted, "{:?}", search.query);
        if search.query.prints_lines() {
            let found = log.search(search, &by_time(&plan), "log");
            let wanted = log.search(search, &by_time(&plain), "only");
            prop_assert_eq!(&found, &wanted, "by time: {:?}", search.query);
        }
    }
    Ok(())
}

/// What happens to a log between two searches.
#[derive(Debug, Clone)]
enum Change {
    Nothing,
    Append(String),
    /// The last line gets an end only with the next lines.
    AppendInParts(String, String),
    Rewrite(String),
    /// Some bytes in the middle become others.
    Overwrite(usize, String),
}

/// Lines in a rough order: late ones, clocks that are set back, lines without a time, long lines.
fn text() -> impl Strategy<Value = String> {
    let step = prop_oneof![8 => 0..3i64, 1 => -50..50i64];
    let late = prop_oneof![8 => Just(0), 1 => 0..60i64];
    let length = prop_oneof![20 => 0..40usize, 1 => 500..700usize, 1 => 65_000..66_000usize];
    let line = (step, late, length, prop::bool::weighted(0.15));
    proptest::collection::vec(line, 0..60).prop_map(|lines| {
        let mut clock = 0;
        let lines = lines.into_iter().enumerate().map(|(at, (step, late, length, is_undated))| {
            clock += step;
            let time = (!is_undated).then_some(clock - late);
            self::line(time, &format!("n{at} {}", "x".repeat(length)))
        });
        lines.collect()
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => Just(Change::Nothing),
        3 => text().prop_map(Change::Append),
        1 => (text(), text()).prop_map(|(one, two)| Change::AppendInParts(one, two)),
        1 => text().prop_map(Change::Rewrite),
        1 => (0..2000usize, text()).prop_map(|(at, text)| Change::Overwrite(at, text)),
    ]
}

/// Searches of many files in turn: each still knows that the others lie outside.
#[test]
fn many_files_have_larger_blocks_and_are_not_forgotten() {
    let mut log = Log::new();
    let known = KnownTimes::with_capacity(Capacity { files: 100, ..LITTLE });
    let text: String = (0..100).map(|n| line(Some(n), "n")).collect();
    let names: Vec<String> = (0..12).map(|n| format!("log{n}")).collect();
    names.iter().for_each(|name| log.rewrite(name, &text));
    let plan = Plan { window: window(200, 300), known_times: known.clone(), ..Plan::default() };
    for _ in 0..2 {
        assert_eq!(log.search(&query("n", |_| ()), &plan, "log*"), "");
    }
    let files = known.files();
    assert_eq!(files.len(), 12);
    assert!(files.iter().all(|file| file.blocks.as_slice().len() == 1));
    assert!(files.iter().all(|file| file.blocks.parts(plan.window, u64::MAX).len() == 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_is_known_changes_no_result(
        first in text(),
        changes in proptest::collection::vec((change(), -60..60i64, 0..60i64), 1..6),
    ) {
        let (mut log, known) = (Log::new(), KnownTimes::with_capacity(LITTLE));
        let queries = queries();
        log.rewrite("log", &first);
        for (change, since, length) in changes {
            match change {
                Change::Nothing => {}
                Change::Append(text) => log.append("log", &text),
                Change::AppendInParts(one, two) => {
                    log.append("log", one.trim_end_matches('\n'));
                    same_as_filtered(&mut log, &known, &queries, window(since, since + length))?;
                    log.append("log", &two);
                }
                Change::Rewrite(text) => log.rewrite("log", &text),
                Change::Overwrite(at, text) => {
                    let mut bytes = log.text("log").into_bytes();
                    let end = bytes.len().min(at + text.len());
                    if let Some(part) = bytes.get_mut(at..end) {
                        part.copy_from_slice(&text.as_bytes()[..part.len()]);
                    }
                    log.rewrite("log", std::str::from_utf8(&bytes).unwrap());
                }
            }
            same_as_filtered(&mut log, &known, &queries, window(since, since + length))?;
            let open = Window { since: Some(THEN + since * 1000), until: None };
            same_as_filtered(&mut log, &known, &queries, open)?;
        }
    }
}

/// The bytes are changed so that nobody can notice: the second search prints them only if it reads
/// them.
#[test]
fn what_is_known_to_lie_outside_is_not_read_again() {
    let (mut log, known) = (Log::new(), KnownTimes::with_capacity(LITTLE));
    let text: String = (0..100).map(|n| line(Some(n), &format!("n{n:03}"))).collect();
    log.rewrite("log", &text);
    let plan = Plan { window: window(90, 95), known_times: known, ..Plan::default() };
    let wanted: String = (90..95).map(|n| line(Some(n), &format!("n{n:03}"))).collect();
    assert_eq!(log.search(&query("n", |_| ()), &plan, "log"), wanted);
    let at = text.find("n051").unwrap() - 25;
    let other = line(Some(92), "n051");
    log.written -= 1;
    log.change("log", |file| file.write_all_at(other.as_bytes(), at as u64).unwrap());
    assert_eq!(log.search(&query("n", |_| ()), &plan, "log"), wanted);
    // Once it was written again, it is another file.
    log.change("log", |_| ());
    let at = wanted.find("n090").unwrap() - 25;
    let wanted = [&wanted[..at], &other, &wanted[at..]].concat();
    assert_eq!(log.search(&query("n", |_| ()), &plan, "log"), wanted);
}

/// A date without a year gets another year once the file was written a year later.
#[test]
fn a_line_without_a_year_is_not_known_for_longer_than_a_year() {
    let (mut log, known) = (Log::new(), KnownTimes::with_capacity(LITTLE));
    let text: String = (10..60).map(|n| format!("Nov 20 01:20:{n} host n{n}\n")).collect();
    log.rewrite("log", &text);
    // From 2026-11-20 00:00:00 UTC, and from a year later. The zone may be any.
    let day: i64 = 24 * 60 * 60;
    let (this, next) = (-day - 4833, 364 * day - 4833);
    let plan = |from| {
        let window = window(from - day, from + 2 * day);
        Plan { window, known_times: known.clone(), ..Plan::default() }
    };
    assert_eq!(log.search(&query("n", |_| ()), &plan(this), "log"), text);
    assert_eq!(log.search(&query("n", |_| ()), &plan(next), "log"), "");
    log.written += 366 * day.unsigned_abs();
    log.append("log", "Nov 21 00:00:00 host n\n");
    assert_eq!(log.search(&query("n1", |_| ()), &plan(this), "log"), "");
    assert_eq!(log.search(&query("n1", |_| ()), &plan(next), "log"), text[..10 * 25]);
}

#[test]
fn the_memory_is_bounded() {
    let (mut log, known) = (Log::new(), KnownTimes::with_capacity(LITTLE));
    let text: String = (0..100).map(|n| line(Some(n), "n")).collect();
    for name in ["a", "b", "c"] {
        log.rewrite(name, &text);
        let plan = Plan { window: window(0, 9), known_times: known.clone(), ..Plan::default() };
        log.search(&query("n", |_| ()), &plan, name);
    }
    let files = known.files();
    assert_eq!(files.len(), 2, "that of the first search is forgotten");
    let blocks = files.iter().map(|file| file.blocks.as_slice().len());
    assert!(blocks.sum::<usize>() <= 12);
    assert!(files.iter().all(|file| (1..=8).contains(&file.blocks.as_slice().len())));
    assert!(files.iter().all(|file| file.blocks.end() == text.len() as u64));
}
