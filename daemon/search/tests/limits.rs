//! Limits on memory, on time and on the cost of a pattern, and how soon results are handed on.

#![cfg(test)]

mod support;

use std::io::Write as _;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use memberd_search::{
    CompileError, ExposedFile, ExposedFiles, FileFilter, GrepColors, GrepPrint, GrepSyntax,
    MAX_LINE_BYTES, MAX_PATTERN_BYTES, MemoryBudget, NoMemory, OUTPUT_BYTES, Output, PatternError,
    Plan, Query, Stopped, Totals, Window,
};
use support::run;
use tempfile::TempDir;

fn query(pattern: &str) -> Query {
    Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.as_bytes().to_vec()];
        query.pattern.syntax = GrepSyntax::Extended;
    })
}

fn file(write: impl FnOnce(&mut std::fs::File)) -> (TempDir, Vec<ExposedFile>) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.log");
    write(&mut std::fs::File::create(&path).unwrap());
    let offer = ExposedFiles::new(&[path.to_str().unwrap()]).unwrap();
    let files = offer.files(&FileFilter::default()).files;
    (directory, files)
}

/// Records the sizes of what it gets, and calls `react` each time.
struct Probe<F> {
    chunks: Vec<usize>,
    messages: Vec<String>,
    /// How many of them were parts of long lines.
    parts: usize,
    /// The numbers of bytes that were reported as read.
    read: Vec<u64>,
    react: F,
}

fn probe<F: FnMut(usize) -> Result<(), Stopped>>(react: F) -> Probe<F> {
    Probe { chunks: vec![], parts: 0, messages: vec![], read: vec![], react }
}

impl<F: FnMut(usize) -> Result<(), Stopped>> Output for Probe<F> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        assert_eq!(bytes.last(), Some(&b'\n'));
        self.chunks.push(bytes.len());
        (self.react)(self.chunks.len())
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.parts += 1;
        self.chunks.push(bytes.len());
        (self.react)(self.chunks.len())
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.read.push(bytes);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(text);
        Ok(())
    }
}

#[test]
fn hostile_patterns_are_refused_soon_and_in_plain_words() {
    let bombs = [
        "(.{1,1000}){1,1000}".to_owned(),
        "((a{1,255}){1,255}){1,255}".to_owned(),
        "[[:alpha:]]{32767}".to_owned(),
        "(".repeat(5000) + &")".repeat(5000),
        "a".to_owned() + &"{2}".repeat(5000),
        "\\w".repeat(20_000),
        "[[:alpha:]]".repeat(5000),
    ];
    for ignore_case in [false, true] {
        for pattern in &bombs {
            let started = Instant::now();
            let error = query(pattern)
                .with(|query| {
                    query.pattern.ignore_case = ignore_case;
                    query.printing.what = GrepPrint::Matches;
                })
                .compile()
                .unwrap_err();
            assert_eq!(error, PatternError::TooBig, "{}", &pattern[..20]);
            assert!(started.elapsed() < Duration::from_secs(20), "{}", &pattern[..20]);
        }
    }
    let long = query(&"a".repeat(70_000)).compile().unwrap_err();
    assert!(matches!(long, PatternError::ExpressionsTooLong { .. }));
    let stars = "a".to_owned() + &"*".repeat(60_000);
    assert!(query(&stars).compile().is_ok());
    assert!(
        query(&"(".repeat(60_000))
            .with(|query| query.pattern.syntax = GrepSyntax::Fixed)
            .compile()
            .is_ok()
    );
}

/// A list of strings may be longer than regular expressions may, in any syntax.
#[test]
fn long_lists_of_strings_are_taken_up_to_their_bound() {
    let strings = |bytes: usize, syntax| {
        let lines = (0..).map(|at| format!("10.{at}.7.1\n")).take(bytes / 5);
        let mut list: String = lines.collect();
        list.truncate(bytes);
        query(&list).with(|query| query.pattern.syntax = syntax).compile()
    };
    strings(MAX_PATTERN_BYTES, GrepSyntax::Fixed).unwrap();
    let longer = strings(MAX_PATTERN_BYTES + 1, GrepSyntax::Fixed).unwrap_err();
    assert_eq!(longer, PatternError::TooLong { limit: MAX_PATTERN_BYTES });
    // Here each point is any character.
    let expressions = strings(70_000, GrepSyntax::Basic).unwrap_err();
    assert!(matches!(expressions, PatternError::ExpressionsTooLong { .. }));
    let words = "word\n".repeat(20_000);
    query(&words).compile().unwrap();
    let binary = query(&words).with(|query| {
        query.pattern.patterns.push(b"\xff".to_vec());
        query.pattern.syntax = GrepSyntax::Fixed;
    });
    binary.compile().unwrap();
    let folded = binary.with(|query| query.pattern.ignore_case = true).compile().unwrap_err();
    assert!(matches!(folded, PatternError::ExpressionsTooLong { .. }));
}

/// A pattern that never ends, and GNU grep's text about it.
#[test]
fn a_line_with_too_many_steps_does_not_stop_the_next_file() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("a"), [&[b'a'; 80], b"!\naac\n".as_slice()].concat())
        .unwrap();
    std::fs::write(directory.path().join("b"), b"aac\n").unwrap();
    let files = ExposedFiles::new(&[directory.path().join("*").to_str().unwrap()])
        .unwrap()
        .files(&FileFilter::default())
        .files;
    for (syntax, pattern) in [
        (GrepSyntax::Perl, "^(?:a|a)*?[bc]"),
        (GrepSyntax::Extended, "^(a|aa)*(a|aa)*(a|aa)*(a|aa)*(b|c)()\\4$"),
    ] {
        let started = Instant::now();
        let mut probe = probe(|_| Ok(()));
        let totals = run(
            &query(pattern).with(|query| query.pattern.syntax = syntax),
            &Plan::default(),
            &files,
            &mut probe,
        );
        if syntax == GrepSyntax::Perl {
            assert_eq!(
                probe.messages,
                [format!("{}: exceeded PCRE's backtracking limit", files[0].path().display())]
            );
            assert_eq!((totals.errors, totals.lines, totals.files), (1, 1, 2));
        }
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn a_search_that_backtracks_ends_when_cancelled() {
    let (_directory, files) = file(|file| {
        file.write_all(&[&[b'a'; 24], b"!\n".as_slice()].concat().repeat(1_000_000)).unwrap();
    });
    let cancel = AtomicBool::new(false);
    let search = query("^(?:a|a)*?[bc]")
        .with(|query| query.pattern.syntax = GrepSyntax::Perl)
        .compile()
        .unwrap();
    std::thread::scope(|scope| {
        let run = scope
            .spawn(|| search.run(&Plan::default(), "m1", &files, &mut probe(|_| Ok(())), &cancel));
        // Once the search has opened the file, it is busy with it.
        let path = std::fs::canonicalize(files[0].path()).unwrap();
        let is_open = || {
            let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
            descriptors
                .filter_map(|one| std::fs::read_link(one.ok()?.path()).ok())
                .any(|open| open == path)
        };
        while !is_open() {
            assert!(!run.is_finished(), "it ended before it was cancelled");
            std::thread::yield_now();
        }
        let cancelled = Instant::now();
        cancel.store(true, Ordering::Relaxed);
        assert!(run.join().unwrap().interrupted);
        assert!(cancelled.elapsed() < Duration::from_secs(20));
    });
}

#[test]
fn chunks_are_whole_lines_of_about_the_same_size() {
    let (_directory, files) = file(|file| {
        for n in 0..50_000 {
            writeln!(file, "line {n}").unwrap();
        }
    });
    let mut probe = probe(|_| Ok(()));
    let totals = run(&query("line"), &Plan::default(), &files, &mut probe);
    assert_eq!(totals.lines, 50_000);
    assert!(probe.chunks.len() > 10);
    assert!(probe.chunks.iter().all(|size| *size < 2 * OUTPUT_BYTES));
}

/// Its parts have the usual size, so that its copies take little memory.
#[test]
fn a_line_longer_than_a_chunk_comes_alone_and_in_parts() {
    let (_directory, files) = file(|file| {
        file.write_all(b"short foo\n").unwrap();
        file.write_all(&vec![b'x'; 3_000_000]).unwrap();
        file.write_all(b"foo\nshort foo").unwrap();
    });
    let mut probe = probe(|_| Ok(()));
    let query = query("foo").with(|query| query.printing.no_names = true);
    run(&query, &Plan::default(), &files, &mut probe);
    let parts = 3_000_003_usize.div_ceil(OUTPUT_BYTES);
    assert_eq!((probe.parts, probe.chunks.len()), (parts, parts + 3));
    assert_eq!((probe.chunks[0], probe.chunks[parts + 2]), (10, 10));
    assert_eq!(probe.chunks.iter().sum::<usize>(), 10 + 3_000_004 + 10);
}

#[test]
fn a_long_line_comes_in_parts_of_the_usual_size() {
    let (_directory, files) = file(|file| {
        file.write_all(b"short foo\n").unwrap();
        file.write_all(&vec![b'x'; 5_000_000]).unwrap();
        file.write_all(b"foo\nshort foo").unwrap();
    });
    for print in [GrepPrint::Lines, GrepPrint::Matches] {
        let mut probe = probe(|_| Ok(()));
        let query = query(".*foo").with(|query| {
            query.printing.no_names = true;
            query.printing.what = print;
        });
        run(&query, &Plan::default(), &files, &mut probe);
        assert_eq!(probe.chunks.iter().sum::<usize>(), 10 + 5_000_004 + 10);
        assert_eq!(probe.parts, 5_000_003_usize.div_ceil(OUTPUT_BYTES));
        assert!(probe.chunks.iter().all(|size| *size <= OUTPUT_BYTES), "{:?}", probe.chunks);
    }
}

/// Color and positions can take many times the text.
#[test]
fn a_line_of_many_matches_comes_in_parts_too() {
    let (_directory, files) = file(|file| {
        for _ in 0..3 {
            file.write_all(&[&[b'x'; 100_000], &b"\n"[..]].concat()).unwrap();
        }
    });
    let plain = query("x").with(|query| query.printing.no_names = true);
    for query in [
        plain.clone().with(|query| query.printing.colors = Some(GrepColors::default())),
        plain.with(|query| query.printing.json = true),
    ] {
        let mut probe = probe(|_| Ok(()));
        let totals = run(&query, &Plan::default(), &files, &mut probe);
        assert_eq!((totals.lines, totals.errors), (3, 0));
        assert!(probe.parts > 10);
        // A load, and what one match added to it.
        assert!(probe.chunks.iter().all(|size| *size < 2 * OUTPUT_BYTES), "{:?}", probe.chunks);
    }
}

/// A run that shares its memory with others.
fn run_in(
    memory: &MemoryBudget,
    query: &Query,
    plan: &Plan,
    files: &[ExposedFile],
    output: &mut dyn Output,
) -> Totals {
    let search = query.clone().compile_in(memory, plan.threads, Duration::from_secs(60)).unwrap();
    search.run(plan, "m1", files, output, &AtomicBool::new(false))
}

/// A file with this many lines of 5 MB.
fn long_lines(count: usize) -> (TempDir, Vec<ExposedFile>) {
    file(|file| {
        for _ in 0..count {
            file.write_all(&vec![b'x'; 5_000_000]).unwrap();
            file.write_all(b"\n").unwrap();
        }
    })
}

#[test]
fn searches_that_share_the_limit_for_long_lines_all_end() {
    let (_directory, files) = long_lines(5);
    let plan = Plan { threads: NonZero::new(3).unwrap(), ..Plan::default() };
    let memory = MemoryBudget::default();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut probe = probe(|_| Ok(()));
                let totals = run_in(&memory, &query("x"), &plan, &files, &mut probe);
                assert_eq!((totals.lines, totals.errors), (5, 0), "{:?}", probe.messages);
                assert_eq!(probe.parts, 5 * 5_000_000_usize.div_ceil(OUTPUT_BYTES));
            });
        }
    });
}

/// Two compressed logs of one line. Each needs a window of 64 MiB.
fn large_windows() -> (TempDir, Vec<ExposedFile>) {
    let directory = TempDir::new().unwrap();
    for name in ["a.log.zst", "b.log.zst"] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(26).unwrap();
        encoder.write_all(b"2026-11-21T01:20:33Z x\n").unwrap();
        std::fs::write(directory.path().join(name), encoder.finish().unwrap()).unwrap();
    }
    let offer = ExposedFiles::new(&[directory.path().join("*").to_str().unwrap()]).unwrap();
    let files = offer.files(&FileFilter::default()).files;
    (directory, files)
}

#[test]
fn searches_that_share_the_limit_for_windows_all_end() {
    let (_directory, files) = large_windows();
    let plan = Plan { threads: NonZero::new(2).unwrap(), ..Plan::default() };
    let memory = MemoryBudget::default();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut probe = probe(|_| Ok(()));
                let totals = run_in(&memory, &query("x"), &plan, &files, &mut probe);
                assert_eq!((totals.lines, totals.errors), (2, 0), "{:?}", probe.messages);
            });
        }
    });
}

#[test]
fn in_an_order_of_time_a_second_large_window_is_a_message() {
    /// Keeps the messages, and counts the lines.
    #[derive(Default)]
    struct Merged(usize, Vec<String>);
    impl Output for Merged {
        fn lines(&mut self, _: Vec<u8>) -> Result<(), Stopped> {
            panic!("a line without its time");
        }

        fn timed(&mut self, _: i64, _: &[u8]) -> Result<(), Stopped> {
            self.0 += 1;
            Ok(())
        }

        fn message(&mut self, text: String) -> Result<(), Stopped> {
            self.1.push(text);
            Ok(())
        }
    }
    let (_directory, files) = large_windows();
    let plan = Plan { by_time: true, ..Plan::default() };
    let mut merged = Merged::default();
    let memory = MemoryBudget::default();
    let totals = run_in(&memory, &query("x"), &plan, &files, &mut merged);
    assert_eq!((totals.errors, merged.0, merged.1.len()), (1, 1, 1), "{:?}", merged.1);
    assert!(merged.1[0].contains("needs 65 MiB of memory to be decompressed, and other files"));
    // The first has given its memory back.
    let mut whole = probe(|_| Ok(()));
    let plan = Plan { by_time: false, ..plan };
    assert_eq!(run_in(&memory, &query("x"), &plan, &files, &mut whole).lines, 2);
}

/// What it has is counted as long as its automata are there. Compiled anew, it waits for both.
#[test]
fn a_merge_that_finds_no_room_for_its_files_keeps_what_it_has() {
    let directory = TempDir::new().unwrap();
    for number in 0..200 {
        let text = "2026-11-21T01:20:33Z x\n";
        std::fs::write(directory.path().join(format!("{number}.log")), text).unwrap();
    }
    let offer = ExposedFiles::new(&[directory.path().join("*").to_str().unwrap()]).unwrap();
    let files = offer.files(&FileFilter::default()).files;
    let plan = Plan { by_time: true, ..Plan::default() };
    let large = query(r"\w{100}[qz]|x$").with(|query| query.pattern.ignore_case = true);
    let memory = MemoryBudget::default();
    let compile = || large.clone().compile_in(&memory, NonZero::<usize>::MIN, Duration::ZERO);
    let search = compile().unwrap();
    let others: Vec<_> = std::iter::from_fn(|| compile().ok()).collect();
    let leased = search.leased_bytes();
    assert!(!search.has_room_to_merge(&files) && search.leased_bytes() == leased);
    let mut probe = probe(|_| Ok(()));
    let totals = search.run(&plan, "m1", &files, &mut probe, &AtomicBool::new(false));
    assert_eq!((totals.errors, totals.lines, search.leased_bytes()), (1, 0, leased));
    assert!(probe.messages[0].contains("200 files cannot be sorted by time, since other"));
    let again = || large.clone().compile_to_merge_in(&memory, Duration::ZERO, &files);
    assert!(matches!(again(), Err(CompileError::Memory(NoMemory::Taken { seconds: 0 }))));
    drop((search, others));
    let ready = again().unwrap();
    let with_files = ready.leased_bytes();
    assert!(with_files > leased + 200 * 200 * 1024, "{with_files} {leased}");
    assert!(ready.has_room_to_merge(&files) && ready.leased_bytes() == with_files);
    drop(ready);
    let search = compile().unwrap();
    assert!(search.has_room_to_merge(&files) && search.leased_bytes() == with_files);
}

#[test]
fn in_an_order_of_time_and_as_json_long_lines_are_a_message() {
    let (_directory, files) = long_lines(1);
    let plan = Plan { by_time: true, ..Plan::default() };
    for (query, plan, why) in [
        (query("x"), plan, "too long to be sorted by time"),
        (query("x").with(|query| query.printing.json = true), Plan::default(), "too long for JSON"),
    ] {
        let mut probe = probe(|_| Ok(()));
        let totals = run(&query, &plan, &files, &mut probe);
        assert_eq!(
            (totals.errors, probe.messages.len(), probe.chunks.len()),
            (1, 1, 0),
            "{:?}",
            probe.messages
        );
        assert!(probe.messages[0].contains(why), "{}", probe.messages[0]);
    }
}

#[test]
fn a_line_beyond_the_limit_gives_a_message_after_the_others() {
    let (_directory, files) = file(|file| {
        file.write_all(b"foo\n").unwrap();
        // The file has a hole: nothing is written, and it reads as one long line of NUL bytes.
        file.set_len(MAX_LINE_BYTES as u64 * 2).unwrap();
    });
    // NUL bytes count as line ends, as in GNU grep, so the file is searched to its end.
    let mut holes = probe(|_| Ok(()));
    let totals = run(&query("foo"), &Plan::default(), &files, &mut holes);
    assert_eq!((totals.errors, totals.lines), (0, 1));

    let (_directory, files) = file(|file| {
        file.write_all(b"foo\n").unwrap();
        let block = vec![b'x'; 1024 * 1024];
        for _ in 0..MAX_LINE_BYTES / block.len() + 1 {
            file.write_all(&block).unwrap();
        }
    });
    let mut long = probe(|_| Ok(()));
    let totals = run(&query("foo"), &Plan::default(), &files, &mut long);
    assert_eq!((totals.errors, totals.lines), (1, 1));
    assert_eq!(long.messages.len(), 1);
    assert!(long.messages[0].contains("is longer than 128 MiB"), "{}", long.messages[0]);
}

#[test]
fn a_stopped_output_ends_the_search() {
    let (_directory, files) = file(|file| {
        for n in 0..200_000 {
            writeln!(file, "line {n}").unwrap();
        }
    });
    let mut probe = probe(|_| Err(Stopped));
    let totals = run(&query("line"), &Plan::default(), &files, &mut probe);
    assert!(totals.interrupted);
    assert_eq!(probe.chunks.len(), 1);
    assert!(totals.bytes < 1_000_000, "{}", totals.bytes);
}

#[test]
fn a_cancelled_search_ends_at_the_next_buffer() {
    let (_directory, files) = file(|file| {
        for n in 0..200_000 {
            writeln!(file, "line {n}").unwrap();
        }
    });
    let cancel = AtomicBool::new(false);
    let mut probe = probe(|_| {
        cancel.store(true, Ordering::Relaxed);
        Ok(())
    });
    let totals =
        query("line").compile().unwrap().run(&Plan::default(), "m1", &files, &mut probe, &cancel);
    assert!(totals.interrupted);
    assert!(totals.bytes < 1_000_000, "{}", totals.bytes);
    let again =
        query("line").compile().unwrap().run(&Plan::default(), "m1", &files, &mut probe, &cancel);
    assert_eq!((again.interrupted, again.files), (true, 0));
}

#[test]
fn a_growing_file_does_not_keep_the_search_alive() {
    let (directory, files) = file(|file| file.write_all(&b"line\n".repeat(30_000)).unwrap());
    let path = directory.path().join("a.log");
    let mut growing = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    let block = b"line\n".repeat(100_000);
    // More is written than was read, for every chunk that is found.
    let mut probe = probe(|_| {
        growing.write_all(&block).unwrap();
        Ok(())
    });
    let totals = run(&query("line"), &Plan::default(), &files, &mut probe);
    assert!(!totals.interrupted);
    assert!(totals.bytes <= 150_000 + 16 * 1024 * 1024);
    assert_eq!(totals.bytes % 5, 0, "it ends at a line's end");
}

#[test]
fn early_stops_read_no_more_than_they_need() {
    let (_directory, files) = file(|file| {
        for n in 0..200_000 {
            writeln!(file, "line {n}").unwrap();
        }
    });
    for print in [
        GrepPrint::Nothing,
        GrepPrint::FilesWithMatch,
        GrepPrint::FilesWithoutMatch,
        GrepPrint::Lines,
    ] {
        for invert in [false, true] {
            let pattern = if invert { "nowhere" } else { "line" };
            let query = query(pattern).with(|query| {
                query.printing.what = print;
                query.pattern.invert = invert;
                query.printing.max_count = Some(1);
            });
            let totals = query.compile().unwrap().run(
                &Plan::default(),
                "m1",
                &files,
                &mut probe(|_| Ok(())),
                &AtomicBool::new(false),
            );
            assert!(totals.bytes <= 256 * 1024, "{print:?} {invert} {}", totals.bytes);
            assert_eq!(totals.lines, 1);
        }
    }
}

#[test]
fn bytes_read_are_reported_within_a_large_file() {
    let seconds = 1_700_000_000..1_700_200_000;
    let (_directory, files) =
        file(|file| seconds.for_each(|second| writeln!(file, "{second} line").unwrap()));
    let size = std::fs::metadata(files[0].path()).unwrap().len();
    let window = Window { since: Some(0), until: None };
    for (how, query, plan) in [
        ("in blocks", query("nowhere"), Plan::default()),
        (
            "with context",
            query("nowhere").with(|query| query.printing.after_context = Some(1)),
            Plan::default(),
        ),
        ("in a window of time", query("nowhere"), Plan { window, ..Plan::default() }),
        ("by time", query("nowhere"), Plan { by_time: true, ..Plan::default() }),
    ] {
        let mut probe = probe(|_| Ok(()));
        let totals = run(&query, &plan, &files, &mut probe);
        assert_eq!((totals.bytes, probe.read.iter().sum()), (size, size), "{how}");
        assert!(
            probe.read.iter().filter(|bytes| **bytes > 0).count() > 2,
            "{how}: {:?}",
            probe.read
        );
    }
}
