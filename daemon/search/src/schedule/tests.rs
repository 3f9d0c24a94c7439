//! The output is the same for any number of threads and any size of chunks.

use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Plan, TaskQueue, run_tasks};
use crate::files::{ExposedFile, ExposedFiles, FileFilter};
use crate::job::Job;
use crate::memory::Share;
use crate::output::{Output, Stopped};
use crate::pattern::Budget;
use crate::query::Query;
use crate::run::CHUNK_BYTES;
use crate::search::Totals;
use crate::searched::Files;
use memberd_control::grep::{GrepBinary, GrepColors, GrepPrint, GrepSyntax};

/// Everything that came, in order.
#[derive(Default, Debug, PartialEq, Eq)]
struct Kept {
    output: Vec<u8>,
    messages: Vec<String>,
}

/// Everything that came in order of time, with its groups separated.
#[derive(Default)]
struct Merged {
    kept: Kept,
    /// A mark came: the next line begins a group.
    is_marked: bool,
}

impl Output for Merged {
    fn lines(&mut self, _: Vec<u8>) -> Result<(), Stopped> {
        panic!("lines without times");
    }

    fn timed(&mut self, _: i64, bytes: &[u8]) -> Result<(), Stopped> {
        if !bytes.is_empty() && std::mem::take(&mut self.is_marked) && !self.kept.output.is_empty()
        {
            self.kept.output.extend(b"--\n");
        }
        self.is_marked |= bytes.is_empty();
        self.kept.output.extend(bytes);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.kept.message(text)
    }
}

impl Output for Kept {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.extend(bytes);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(text);
        Ok(())
    }
}

fn write(texts: &[Vec<u8>]) -> (TempDir, Vec<ExposedFile>) {
    let directory = TempDir::new().unwrap();
    for (number, text) in texts.iter().enumerate() {
        std::fs::write(directory.path().join(format!("{number}.log")), text).unwrap();
    }
    let exposed = ExposedFiles::new(&[directory.path().join("*").to_str().unwrap()]).unwrap();
    let files = exposed.files(&FileFilter::default()).files;
    (directory, files)
}

/// Passes on what comes.
struct Passed(Sender<Vec<u8>>);

impl Output for Passed {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.0.send(bytes).map_err(|_| Stopped)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        panic!("{text}");
    }
}

#[test]
fn a_long_line_is_not_searched_while_there_is_another() {
    let short = b"x\n".repeat(usize::try_from(CHUNK_BYTES).unwrap() / 2);
    let (_directory, files) = write(&[[short.clone(), vec![b'x'; 5_000_000]].concat()]);
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![b"x".to_vec()];
        query.printing.no_names = true;
    });
    let plan = Plan::default();
    let search = query.compile().unwrap();
    let all = search.memory.bytes_of(Share::Line);
    let another = search.memory.try_take(Share::Line, all).unwrap();
    let (sender, passed) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let totals =
                search.run(&plan, "m", &files, &mut Passed(sender), &AtomicBool::new(false));
            assert_eq!((totals.lines, totals.errors), (short.len() as u64 / 2 + 1, 0));
        });
        let mut came = 0;
        while came < short.len() {
            came += passed.recv().unwrap().len();
        }
        assert!(
            passed.recv_timeout(Duration::from_millis(100)).is_err(),
            "nothing of the long line"
        );
        drop(another);
        assert_eq!(
            came + passed.iter().map(|bytes| bytes.len()).sum::<usize>(),
            short.len() + 5_000_001
        );
    });
}

/// What a search prints and counts.
fn run(
    query: &Query,
    files: &[ExposedFile],
    threads: usize,
    chunk_bytes: Option<u64>,
) -> (Kept, Totals) {
    let search = query.compile().unwrap();
    let plan = Plan { threads: NonZero::new(threads).unwrap(), ..Plan::default() };
    let mut kept = Kept::default();
    let cancel = AtomicBool::new(false);
    let budget = Budget::new(&cancel, &search.memory);
    let job = Job { search: &search, machine: "m", cancel: &cancel, budget: &budget };
    let files = if query.selects_nothing() { &[] } else { files };
    let chunk_bytes = chunk_bytes.filter(|_| search.may_be_cut());
    let tasks = TaskQueue::new(Files::Exposed(files), chunk_bytes, search.line_ends());
    let totals = run_tasks(&job, &plan, tasks, &mut kept);
    (kept, Totals { elapsed: Duration::ZERO, ..totals })
}

fn any_query() -> impl Strategy<Value = Query> {
    let print = prop_oneof![
        4 => Just(GrepPrint::Lines),
        2 => Just(GrepPrint::Matches),
        2 => Just(GrepPrint::Count),
        1 => Just(GrepPrint::FilesWithMatch),
        1 => Just(GrepPrint::FilesWithoutMatch),
        1 => Just(GrepPrint::Nothing),
    ];
    let context = || prop_oneof![3 => Just(None), 1 => (0..3u32).prop_map(Some)];
    let max_count = prop_oneof![4 => Just(None), 1 => (1..4u64).prop_map(Some)];
    let patterns = vec![
        (GrepSyntax::Basic, "a"),
        (GrepSyntax::Basic, "ab"),
        (GrepSyntax::Basic, "b"),
        (GrepSyntax::Basic, "c"),
        (GrepSyntax::Basic, "^a"),
        (GrepSyntax::Basic, "b$"),
        (GrepSyntax::Basic, ""),
        (GrepSyntax::Basic, "\\(.\\)\\1"),
        (GrepSyntax::Perl, "a(?=b)|c$"),
        (GrepSyntax::Perl, "(*LIMIT_MATCH=4)a.*c"),
    ];
    let flags = any::<[bool; 6]>();
    let binary = prop_oneof![
        2 => Just(GrepBinary::Report),
        1 => Just(GrepBinary::Text),
        1 => Just(GrepBinary::Skip),
    ];
    (prop::sample::select(patterns), print, flags, binary, (context(), context()), max_count)
        .prop_map(
            |(
                (syntax, pattern),
                print,
                flags,
                binary,
                (before_context, after_context),
                max_count,
            )| {
                let [line_numbers, byte_offsets, initial_tab, invert, no_names, color] = flags;
                Query::default().with(|query| {
                    query.pattern.patterns = vec![pattern.into()];
                    query.pattern.syntax = syntax;
                    query.printing.what = print;
                    query.printing.line_numbers = line_numbers;
                    query.printing.byte_offsets = byte_offsets;
                    query.printing.initial_tab = initial_tab;
                    query.pattern.invert = invert;
                    query.printing.no_names = no_names;
                    query.printing.binary = binary;
                    query.printing.colors = color.then(GrepColors::default);
                    query.printing.before_context = before_context;
                    query.printing.after_context = after_context;
                    query.printing.max_count = max_count;
                })
            },
        )
}

/// What is found is the same in chunks and in whole files.
fn is_the_same_in_chunks(
    query: &Query,
    texts: &[Vec<u8>],
    threads: usize,
    chunk_bytes: u64,
) -> Result<(), TestCaseError> {
    let (_directory, files) = write(texts);
    let (expected, totals) = run(query, &files, 1, None);
    let (output, in_chunks) = run(query, &files, threads, Some(chunk_bytes));
    prop_assert_eq!(output, expected);
    // One that needs no more than one line, or gives a file up, may have read more or less.
    let stops = matches!(
        query.printing.what,
        GrepPrint::FilesWithMatch | GrepPrint::FilesWithoutMatch | GrepPrint::Nothing
    ) || totals.errors > 0;
    let without_bytes = |totals: Totals| if stops { Totals { bytes: 0, ..totals } } else { totals };
    prop_assert_eq!(without_bytes(in_chunks), without_bytes(totals));
    Ok(())
}

fn any_text(alphabet: &'static str) -> impl Strategy<Value = Vec<u8>> {
    proptest::string::bytes_regex(alphabet).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn chunks_side_by_side_print_what_whole_files_print(
        query in any_query(),
        texts in proptest::collection::vec(
            any_text("(?-u:([abc]{0,5}\n|[abc\\xff]{0,5}\n){0,40}[abc]{0,5})"),
            1..4,
        ),
        threads in 1..5usize,
        chunk_bytes in 1..40u64,
    ) {
        is_the_same_in_chunks(&query, &texts, threads, chunk_bytes)?;
    }

    #[test]
    fn chunks_print_alike_where_lines_end_with_nul_bytes(
        query in any_query(),
        texts in proptest::collection::vec(any_text("([abc\n]{0,5}\x00){0,40}[abc\n]{0,5}"), 1..4),
        threads in 1..5usize,
        chunk_bytes in 1..40u64,
    ) {
        let query = query.with(|query| query.pattern.null_data = true);
        is_the_same_in_chunks(&query, &texts, threads, chunk_bytes)?;
    }

    /// Lines without times keep their order.
    #[test]
    fn one_file_is_printed_alike_in_order_of_time(
        query in any_query(),
        text in any_text("([abc]{0,5}\n){0,40}[abc]{0,5}"),
    ) {
        let print = match query.printing.what {
            GrepPrint::Matches => GrepPrint::Matches,
            _ => GrepPrint::Lines,
        };
        let query = query.with(|query| {
query.printing.what = print;
query.printing.colors = None;
});
        let (_directory, files) = write(&[text]);
        let (expected, totals) = run(&query, &files, 1, None);
        // When a line takes too long, the context after the line before it is left out. With
        // `-o -v` only separators are printed, and these have no time.
        let inverts_matches = query.pattern.invert && query.printing.what == GrepPrint::Matches;
        prop_assume!(totals.errors == 0 && !inverts_matches);
        let plan = Plan { by_time: true, ..Plan::default() };
        let mut merged = Merged::default();
        let (search, cancel) = (query.compile().unwrap(), AtomicBool::new(false));
        let by_time = search.run(&plan, "m", &files, &mut merged, &cancel);
        prop_assert_eq!(merged.kept, expected);
        prop_assert_eq!(by_time.lines, totals.lines);
    }

    /// Which lines before a NUL byte are printed depends on the size of the chunks, but not on the
    /// number of threads.
    #[test]
    fn the_number_of_threads_changes_nothing_for_binary_files(
        query in any_query(),
        texts in proptest::collection::vec(any_text("([abc]{0,5}[\n\x00]){0,40}"), 1..4),
        threads in 2..5usize,
        chunk_bytes in 1..40u64,
    ) {
        let (_directory, files) = write(&texts);
        let (expected, totals) = run(&query, &files, 1, Some(chunk_bytes));
        let (output, side_by_side) = run(&query, &files, threads, Some(chunk_bytes));
        prop_assert_eq!(output, expected);
        prop_assert_eq!(side_by_side.lines, totals.lines);
        // Counts do not depend on the chunks either.
        let counts = !matches!(query.printing.what, GrepPrint::Lines | GrepPrint::Matches);
        if counts && query.printing.binary != GrepBinary::Skip && totals.errors == 0 {
            let whole = run(&query, &files, 1, None).0;
            prop_assert_eq!(whole, run(&query, &files, threads, Some(chunk_bytes)).0);
        }
    }
}
