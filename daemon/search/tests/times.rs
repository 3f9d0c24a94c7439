//! `--since`, `--until` and results in order of time.

#![cfg(test)]

use std::num::NonZero;
use std::sync::atomic::AtomicBool;

use memberd_search::{
    ExposedFile, ExposedFiles, FileFilter, GrepBinary, NO_TIME, Output, Plan, Query, Stopped,
    Totals, Window,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// 2026-11-21 01:20:33 UTC, in milliseconds.
const THEN: i64 = 1_795_224_033_000;

/// Keeps the results with their times.
#[derive(Default)]
struct Kept {
    output: String,
    timed: Vec<(i64, String)>,
    messages: Vec<String>,
}

impl Output for Kept {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.push_str(std::str::from_utf8(&bytes).unwrap());
        Ok(())
    }

    fn timed(&mut self, milliseconds: i64, bytes: &[u8]) -> Result<(), Stopped> {
        self.timed.push((milliseconds, String::from_utf8(bytes.to_vec()).unwrap()));
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(text.rsplit('/').next().unwrap().to_owned());
        Ok(())
    }
}

fn query(pattern: &str) -> Query {
    Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.into()];
        query.printing.no_names = true;
    })
}

fn window(since: Option<i64>, until: Option<i64>) -> Plan {
    Plan { window: Window { since, until }, ..Plan::default() }
}

fn files(texts: &[(&str, &[u8])]) -> (TempDir, Vec<ExposedFile>) {
    let directory = TempDir::new().unwrap();
    for (name, text) in texts {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let files = ExposedFiles::new(&[directory.path().join("*").to_str().unwrap()])
        .unwrap()
        .files(&FileFilter::default())
        .files;
    (directory, files)
}

fn run(query: &Query, plan: &Plan, files: &[ExposedFile]) -> (Kept, Totals) {
    let mut kept = Kept::default();
    let totals =
        query.compile().unwrap().run(plan, "m1", files, &mut kept, &AtomicBool::new(false));
    assert!(!totals.interrupted);
    (kept, totals)
}

/// A line with the time this many milliseconds after [`THEN`], in the format of RFC 3339.
fn line(after: i64, text: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(THEN + after).unwrap();
    format!("{time:.3} {text}\n")
}

#[test]
fn since_is_within_and_until_is_not() {
    let text: String = (0..10).map(|n| line(n * 1000, &format!("n{n}"))).collect();
    let (_directory, files) = files(&[("a", text.as_bytes())]);
    let (kept, totals) = run(&query("n"), &window(Some(THEN + 3000), Some(THEN + 6000)), &files);
    assert_eq!(kept.output, line(3000, "n3") + &line(4000, "n4") + &line(5000, "n5"));
    assert_eq!(totals.lines, 3);
    assert_eq!(
        run(&query("n"), &window(Some(THEN + 9000), None), &files).0.output,
        line(9000, "n9")
    );
    assert_eq!(run(&query("n"), &window(None, Some(THEN + 1)), &files).0.output, line(0, "n0"));
    assert_eq!(run(&query("n"), &window(Some(THEN + 9001), None), &files).0.output, "");
}

#[test]
fn a_line_without_a_time_belongs_to_the_line_before() {
    let text = [
        "head\n",
        &line(0, "a"),
        "  at a\n",
        &line(1000, "b"),
        "  at b\n",
        "\n",
        &line(2000, "c"),
        "  at c",
    ]
    .concat();
    let (_directory, files) = files(&[("a", text.as_bytes())]);
    let numbered = query("at").with(|query| query.printing.line_numbers = true);
    let (kept, _) = run(&numbered, &window(Some(THEN + 500), Some(THEN + 1500)), &files);
    assert_eq!(kept.output, "5:  at b\n");
    assert_eq!(
        run(&query("."), &window(None, Some(THEN + 500)), &files).0.output,
        line(0, "a") + "  at a\n"
    );
    assert_eq!(run(&query("at"), &window(Some(THEN + 1500), None), &files).0.output, "  at c\n");
}

#[test]
fn context_does_not_reach_beyond_the_window() {
    let text: String = (0..10).map(|n| line(n * 1000, &format!("n{n}"))).collect();
    let (_directory, files) = files(&[("a", text.as_bytes())]);
    let query = query("n4").with(|query| {
        query.printing.before_context = Some(3);
        query.printing.after_context = Some(3);
    });
    let (kept, _) = run(&query, &window(Some(THEN + 3000), Some(THEN + 6000)), &files);
    assert_eq!(kept.output, line(3000, "n3") + &line(4000, "n4") + &line(5000, "n5"));
}

#[test]
fn that_no_line_has_a_time_is_an_error() {
    let (_directory, files) =
        files(&[("a", b"no time\n"), ("b", b""), ("c", line(0, "time").as_bytes())]);
    let (kept, totals) = run(&query("time"), &window(Some(THEN), None), &files);
    assert_eq!(kept.messages, ["a: no line has a time in a known format: no line is searched"]);
    assert_eq!((kept.output, totals.errors), (line(0, "time"), 1));
    let quiet = query("time").with(|query| query.printing.no_messages = true);
    let (kept, totals) = run(&quiet, &window(Some(THEN), None), &files);
    assert_eq!((kept.messages, totals.errors), (Vec::new(), 1), "-s hides the message alone");
    let merged = Plan { by_time: true, ..window(Some(THEN), None) };
    assert_eq!(run(&query("time"), &merged, &files).1.errors, 1);
}

/// Such a line counts as of the line before it, and may be in the wrong window or place.
#[test]
fn a_time_in_an_unknown_format_is_an_error() {
    let words = |name: &str| {
        format!(
            "{name}: a line has a time in no known format, so it counts as of the line before it: \
            '21.11.2026 01:20:40'"
        )
    };
    let odd = "21.11.2026 01:20:40 n2\n";
    let text = [&line(0, "n1"), odd, odd, &line(9000, "n3"), "  10:00:00 goes on\n"].concat();
    let padding = line(0, &"x".repeat(1000)).repeat(1500);
    let large = padding.clone() + &text;
    let (_directory, files) =
        files(&[("a", text.as_bytes()), ("b", large.as_bytes()), ("c", line(0, "n4").as_bytes())]);
    let window = window(Some(THEN + 5000), None);
    // What is known of the large file from the first search has the message, too.
    let merged = Plan { by_time: true, ..window.clone() };
    for plan in [&window, &window, &merged] {
        let (kept, totals) = run(&query("n3"), plan, &files);
        let mut messages = kept.messages;
        messages.sort();
        assert_eq!(messages, [words("a"), words("b")]);
        assert_eq!((totals.lines, totals.errors), (2, 2));
        let quiet = query("n3").with(|query| query.printing.no_messages = true);
        assert_eq!(run(&quiet, plan, &files).1.errors, 2, "-s hides the messages alone");
    }
    let (kept, totals) = run(&query("n3"), &Plan::default(), &files);
    assert_eq!((kept.messages, totals.errors), (Vec::new(), 0), "times do not matter");
}

#[test]
fn only_the_window_of_a_large_file_is_searched() {
    let text: String = (0..200_000)
        .map(|n| line(n * 1000, "a line of some length, so that the file is large"))
        .collect();
    let (_directory, files) = files(&[("a", text.as_bytes())]);
    let numbered = query("line").with(|query| query.printing.line_numbers = true);
    let (kept, totals) =
        run(&numbered, &window(Some(THEN + 100_000_000), Some(THEN + 100_010_000)), &files);
    assert_eq!(totals.lines, 10);
    assert!(kept.output.starts_with("100001:2026-11-22T05:07:13.000Z"), "{}", kept.output);
    assert!(totals.bytes < 1000, "only what is in the window is searched: {}", totals.bytes);
}

#[test]
fn a_file_that_is_not_ordered_is_filtered() {
    let text: String =
        (0..20_000i64).map(|n| line((n * 7919) % 20_000 * 1000, &format!("n{n}"))).collect();
    let (_directory, files) = files(&[("a", text.as_bytes())]);
    let (_, totals) =
        run(&query("n"), &window(Some(THEN + 5_000_000), Some(THEN + 6_000_000)), &files);
    assert_eq!(totals.lines, 1000);
}

/// Lines and the times that they count as. They are hardly out of order, and some have no time of
/// their own.
fn log() -> impl Strategy<Value = Vec<(String, Option<i64>)>> {
    let line = (0..200i64, -20_000..20_000i64, 0..300usize, prop::bool::weighted(0.1));
    proptest::collection::vec(line, 1500..4000).prop_map(|lines| {
        let (mut clock, mut last) = (0, None);
        let mut log = Vec::new();
        for (number, (step, jitter, length, undated)) in lines.into_iter().enumerate() {
            clock += step * 10;
            let text = format!("{number} {}", "x".repeat(length));
            if undated {
                log.push((format!("{text}\n"), last));
            } else {
                last = Some(THEN + clock + jitter);
                log.push((crate::line(clock + jitter, &text), last));
            }
        }
        log
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn windows_have_the_lines_that_a_look_at_each_line_finds(
        log in log(),
        since in -100..4000i64,
        length in 0..2000i64,
    ) {
        let (since, until) = (THEN + since * 1000, THEN + (since + length) * 1000);
        let text: String = log.iter().map(|(line, _)| line.as_str()).collect();
        let (_directory, files) = files(&[("a", text.as_bytes())]);
        let numbered = query("x*").with(|query| query.printing.line_numbers = true);
        for window in [(Some(since), Some(until)), (Some(since), None), (None, Some(until))] {
            let plan = self::window(window.0, window.1);
            let expected: String = log
                .iter()
                .enumerate()
                .filter(|(_, (_, time))| time.is_some_and(|time| plan.window.contains(time)))
                .map(|(number, (line, _))| format!("{}:{line}", number + 1))
                .collect();
            let (kept, _) = run(&numbered, &plan, &files);
            prop_assert_eq!(kept.output, expected);
        }
    }

    #[test]
    fn lines_come_in_the_order_of_time(
        logs in proptest::collection::vec(
            proptest::collection::vec((0..50i64, any::<bool>()), 0..60),
            1..6,
        ),
    ) {
        let mut texts = Vec::new();
        let mut expected = Vec::new();
        for (number, lines) in logs.iter().enumerate() {
            let (mut clock, mut time) = (0, NO_TIME);
            let mut text = String::new();
            for (at, (step, dated)) in lines.iter().enumerate() {
                clock += step;
                let words = format!("{number}/{at}");
                let line = if *dated { line(clock, &words) } else { format!("{words}\n") };
                if *dated {
                    time = THEN + clock;
                }
                text.push_str(&line);
                expected.push((time, number, at, line));
            }
            texts.push((number.to_string(), text));
        }
        expected.sort();
        let texts: Vec<(&str, &[u8])> =
            texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        let (_directory, files) = files(&texts);
        let plan = Plan { by_time: true, threads: NonZero::<usize>::MIN, ..Plan::default() };
        let (kept, totals) = run(&query("/"), &plan, &files);
        prop_assert_eq!(totals.lines, expected.len() as u64);
        let lines: String = kept.timed.iter().map(|(_, lines)| lines.as_str()).collect();
        let wanted: String = expected.iter().map(|(_, _, _, line)| line.as_str()).collect();
        prop_assert_eq!(lines, wanted);
        prop_assert!(kept.timed.is_sorted_by_key(|(time, _)| *time));
        let times: Vec<i64> = kept
            .timed
            .iter()
            .flat_map(|(time, lines)| vec![*time; lines.lines().count()])
            .collect();
        prop_assert_eq!(times, expected.iter().map(|(time, ..)| *time).collect::<Vec<_>>());
    }
}

#[test]
fn rotated_files_are_one_stream_whose_time_never_goes_back() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("a.log.1", &(line(0, "a1") + &line(5000, "a2")));
    write("a.log", &("still a2\n".to_owned() + &line(4000, "late") + &line(6000, "a3")));
    write("b.log", &(line(1000, "b1") + &line(5500, "b2")));
    let filter = FileFilter::default().rotated(true);
    let files = ExposedFiles::new(&[directory.path().join("*.log").to_str().unwrap()])
        .unwrap()
        .files(&filter)
        .files;
    let plan = Plan { by_time: true, ..Plan::default() };
    let (kept, _) = run(&query("").with(|query| query.printing.line_numbers = true), &plan, &files);
    let expected = [
        (0, "1:".to_owned() + &line(0, "a1")),
        (1000, "1:".to_owned() + &line(1000, "b1")),
        (5000, "2:".to_owned() + &line(5000, "a2") + "1:still a2\n" + "2:" + &line(4000, "late")),
        (5500, "2:".to_owned() + &line(5500, "b2")),
        (6000, "3:".to_owned() + &line(6000, "a3")),
    ];
    assert_eq!(kept.timed, expected.map(|(after, lines)| (THEN + after, lines)));
}

/// OpenJDK fills gc.log.0 to .2 in turn.
#[test]
fn files_that_are_filled_in_turn_are_one_stream_in_their_order() {
    let directory = TempDir::new().unwrap();
    for (name, start) in [("gc.log.1", 0), ("gc.log.2", 1000), ("gc.log.0", 2000), ("gc.log", 3000)]
    {
        let text = line(start, name) + &line(start + 500, "more");
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    std::fs::write(directory.path().join("other.log"), line(1700, "other")).unwrap();
    let files = ExposedFiles::new(&[directory.path().join("*.log").to_str().unwrap()])
        .unwrap()
        .files(&FileFilter::default().rotated(true))
        .files;
    let plan = Plan { by_time: true, ..Plan::default() };
    let (kept, _) = run(&query(""), &plan, &files);
    let times: Vec<i64> = kept.timed.iter().map(|(time, _)| time - THEN).collect();
    assert_eq!(times, [0, 500, 1000, 1500, 1700, 2000, 2500, 3000, 3500]);
}

#[test]
fn max_count_and_the_window_hold_per_file_in_order_of_time() {
    let text: String = (0..100_000).map(|n| line(n * 10, &format!("n{n}"))).collect();
    let (_directory, files) = files(&[("a", text.as_bytes()), ("b", text.as_bytes())]);
    let plan = Plan { by_time: true, ..window(Some(THEN + 500_000), None) };
    let (kept, totals) =
        run(&query("n").with(|query| query.printing.max_count = Some(2)), &plan, &files);
    assert_eq!(totals.lines, 4);
    let lines = [line(500_000, "n50000").repeat(2), line(500_010, "n50001").repeat(2)];
    assert_eq!(kept.timed.into_iter().map(|(_, lines)| lines).collect::<String>(), lines.concat());
}

/// The merged lines, with separators between the groups.
fn separated(kept: &Kept) -> String {
    let (mut text, mut apart) = (String::new(), false);
    for (_, lines) in &kept.timed {
        if !lines.is_empty() && std::mem::take(&mut apart) && !text.is_empty() {
            text.push_str("--\n");
        }
        apart |= lines.is_empty();
        text.push_str(lines);
    }
    text
}

#[test]
fn in_the_order_of_time_each_line_comes_with_its_context() {
    let log = |name: &str, seconds: &[i64]| -> String {
        seconds.iter().map(|second| line(second * 1000, &format!("{name}{second}"))).collect()
    };
    let (a, b) = (log("a", &[1, 2, 3, 4, 5, 12, 13, 14]), log("b", &[1, 6, 7, 8]));
    let (_directory, files) = files(&[("a", a.as_bytes()), ("b", b.as_bytes())]);
    let plan = Plan { by_time: true, ..Plan::default() };
    let query = query("[ab][257]$").with(|query| {
        query.printing.before_context = Some(1);
        query.printing.after_context = Some(1);
    });
    let (kept, totals) = run(&query, &plan, &files);
    let words: Vec<&str> =
        separated(&kept).leak().lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(words, ["a1", "a2", "a3", "a4", "a5", "a12", "--", "b6", "b7", "b8"]);
    assert_eq!(totals.lines, 3);
    assert!(kept.timed.is_sorted_by_key(|(time, _)| *time), "{:?}", kept.timed);
    // The context has its line's time: a12 comes long before b6.
    assert!(
        kept.timed
            .contains(&(THEN + 5000, line(4000, "a4") + &line(5000, "a5") + &line(12_000, "a12"))),
        "{:?}",
        kept.timed
    );

    let between = query.with(|query| {
        query.pattern.patterns = vec!["[ab][1-8]$".into()];
        query.printing.before_context = None;
        query.printing.after_context = Some(0);
    });
    let words: Vec<&str> = separated(&run(&between, &plan, &files).0)
        .leak()
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(words, ["a1", "--", "b1", "--", "a2", "a3", "a4", "a5", "--", "b6", "b7", "b8"]);
}

#[test]
fn context_in_order_of_time_crosses_the_chunks_of_a_file() {
    let text: String = (0..9_000)
        .map(|n| line(n * 10, &format!("n{n} {}", if n % 997 < 2 { "here" } else { "there" })))
        .collect();
    assert!(text.len() > 4 * 64 * 1024, "several parts");
    let (_directory, files) = files(&[("a", text.as_bytes())]);
    for (before, after, max_count) in [
        (Some(3), Some(2), None),
        (None, Some(1500), None),
        (Some(2000), None, None),
        (Some(1), Some(900), Some(3)),
    ] {
        let query = query(" here").with(|query| {
            query.printing.before_context = before;
            query.printing.after_context = after;
            query.printing.max_count = max_count;
            query.printing.line_numbers = true;
        });
        let (plain, _) = run(&query, &Plan::default(), &files);
        let (merged, _) = run(&query, &Plan { by_time: true, ..Plan::default() }, &files);
        assert_eq!(separated(&merged), plain.output, "{before:?} {after:?} {max_count:?}");
    }
}

#[test]
fn too_many_files_are_refused_in_order_of_time() {
    let names: Vec<String> = (0..257).map(|n| format!("{n}.log")).collect();
    let texts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x\n"[..])).collect();
    let (_directory, files) = files(&texts);
    let (kept, totals) = run(&query("x"), &Plan { by_time: true, ..Plan::default() }, &files);
    assert_eq!(
        kept.messages,
        ["257 files are too many to be sorted by time, the limit is 256: name fewer"]
    );
    assert_eq!(totals.errors, 1);
}

#[test]
fn merged_binary_files_are_skipped_on_request() {
    let texts = [line(1, "n a"), line(2, "n\0 b"), line(3, "n c")];
    let (_directory, files) = files(&[
        ("binary", (texts[1].clone() + &texts[0]).as_bytes()),
        ("text", (texts[0].clone() + &texts[2]).as_bytes()),
    ]);
    let plan = Plan { by_time: true, ..Plan::default() };
    let (kept, totals) =
        run(&query("n").with(|query| query.printing.binary = GrepBinary::Skip), &plan, &files);
    let found: String = kept.timed.iter().map(|(_, lines)| lines.as_str()).collect();
    assert_eq!((found, totals.lines), (texts[0].clone() + &texts[2], 2));
    assert!(kept.messages.is_empty(), "{:?}", kept.messages);
}
