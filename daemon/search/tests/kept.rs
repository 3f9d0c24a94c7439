//! A search of kept streams prints what a search of the files themselves prints, however the text
//! was cut into blocks and segments.

#![cfg(test)]

use std::fs::File;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use memberd_copies::block::{Block, BlockHead};
use memberd_copies::kept;
use memberd_copies::store::{Limits, Store};
use memberd_copies::stream::{Fingerprint, StreamHead, StreamId};
use memberd_membership::Name;
use memberd_search::{
    ExposedFile, ExposedFiles, FileFilter, GrepBinary, GrepColors, GrepPrint, GrepSyntax, KeptFile,
    KeptFiles, LineSpans, Output, Plan, Query, Stopped, Totals, Window,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// 2026-11-21 01:20:33 UTC, in milliseconds: when the files were last written.
const THEN: i64 = 1_795_224_033_000;

/// Everything that came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Gathered {
    output: Vec<u8>,
    messages: Vec<String>,
    timed: Vec<(i64, Vec<u8>)>,
}

impl Output for Gathered {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.extend(bytes);
        Ok(())
    }

    fn timed(&mut self, milliseconds: i64, bytes: &[u8]) -> Result<(), Stopped> {
        match self.timed.last_mut() {
            // Lines of one time may come in several pieces.
            Some((time, lines)) if *time == milliseconds && !bytes.is_empty() => {
                lines.extend(bytes);
            }
            _ => self.timed.push((milliseconds, bytes.to_vec())),
        }
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(text);
        Ok(())
    }
}

/// How a text is kept.
#[derive(Debug, Clone)]
struct Cut {
    /// The lines of each block, again and again.
    lines: Vec<usize>,
    /// How many bytes of text a segment has.
    segment: u64,
    /// Up to which block segments are sealed.
    sealed: usize,
}

/// A file, and what is kept of it.
struct Bench {
    _directory: TempDir,
    files: Vec<ExposedFile>,
    kept: Vec<KeptFile>,
}

fn source() -> Name {
    Name::new("vm4").unwrap()
}

fn head(path: PathBuf, text: &[u8], inode: u64) -> StreamHead {
    StreamHead {
        id: StreamId { device: 1, inode, begun_ms: 1 },
        fingerprint: Fingerprint::of(text),
        origin: path.clone(),
        path,
        listed: true,
        offered: true,
        modified_ms: THEN,
        zone: String::new(),
        lost_bytes: 0,
        continues: None,
    }
}

/// The blocks of a text, from `offset` of its file on. All end at line ends, but for the last.
fn blocks(id: StreamId, offset: u64, text: &[u8], lines: &[usize]) -> Vec<Block> {
    let all: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let (mut rest, mut at, mut blocks) = (all.as_slice(), offset, Vec::new());
    for lines in lines.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (first, after) = rest.split_at((*lines).clamp(1, rest.len()));
        rest = after;
        let text = first.concat();
        let head = BlockHead {
            stream: id,
            offset: at,
            text_bytes: u32::try_from(text.len()).unwrap(),
            hash: *blake3::hash(&text).as_bytes(),
            read_ms: 7,
        };
        at = head.end();
        blocks.push(Block { head, frame: zstd::encode_all(text.as_slice(), 1).unwrap() });
    }
    blocks
}

/// Keeps the text of a file, of which the first `from` bytes are not kept.
fn keep(store: &mut Store, path: PathBuf, inode: u64, text: &[u8], from: usize, cut: &Cut) {
    let head = head(path, text, inode);
    let id = head.id;
    store.head(&source(), head).unwrap();
    let kept = text.get(from..).unwrap();
    let blocks = blocks(id, u64::try_from(from).unwrap(), kept, &cut.lines);
    for (at, block) in blocks.iter().enumerate() {
        if at == cut.sealed {
            store.sync().unwrap();
            store.seal_all(&mut LineSpans::default()).unwrap();
        }
        store.append(&source(), block).unwrap();
    }
    store.sync().unwrap();
    if cut.sealed >= blocks.len() {
        store.seal_all(&mut LineSpans::default()).unwrap();
    }
}

fn temporary() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

impl Bench {
    fn new(texts: &[(&str, &[u8], Cut)]) -> Bench {
        let directory = temporary();
        let logs = directory.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let copies = directory.path().join("copies");
        for (inode, (name, text, cut)) in (1..).zip(texts) {
            let limits = Limits { segment_text_bytes: cut.segment, ..Limits::default() };
            let mut store = Store::open(&copies, limits).unwrap();
            let path = logs.join(name);
            std::fs::write(&path, text).unwrap();
            let then = SystemTime::UNIX_EPOCH + Duration::from_millis(THEN.unsigned_abs());
            File::options().append(true).open(&path).unwrap().set_modified(then).unwrap();
            keep(&mut store, path, inode, text, 0, cut);
        }
        let exposed = ExposedFiles::new(&[logs.join("*").to_str().unwrap()]).unwrap();
        let files = exposed.files(&FileFilter::default()).files;
        let streams = kept::list(&copies, &source()).unwrap();
        let kept = KeptFiles::choose(streams, &FileFilter::default()).files;
        assert_eq!(kept.len(), texts.len());
        Bench { _directory: directory, files, kept }
    }

    /// What a search of the files gives, and one of what is kept of them.
    fn both(&self, query: &Query, plan: &Plan) -> [(Gathered, Totals); 2] {
        let search = query.compile().unwrap();
        let cancel = AtomicBool::new(false);
        let (mut own, mut kept) = (Gathered::default(), Gathered::default());
        let totals = search.run(plan, "vm4", &self.files, &mut own, &cancel);
        let also = search.run_kept(plan, "vm4", &self.kept, &mut kept, &cancel);
        // What need not be read is not read.
        let same = |totals| Totals { bytes: 0, elapsed: Duration::ZERO, ..totals };
        [(own, same(totals)), (kept, same(also))]
    }

    fn assert_same(&self, query: &Query, plan: &Plan) {
        let [own, kept] = self.both(query, plan);
        assert_eq!(kept, own, "{query:?} {plan:?}");
    }
}

fn query(pattern: &str) -> Query {
    Query::default().with(|query| query.pattern.patterns = vec![pattern.into()])
}

/// A line with the time this many seconds after [`THEN`] less an hour.
fn dated(after: i64, text: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(THEN - 3_600_000 + after * 1_000).unwrap();
    format!("{time:.0} {text}\n")
}

fn cut() -> impl Strategy<Value = Cut> {
    (prop::collection::vec(1..6_usize, 1..4), 1..400_u64, 0..30_usize)
        .prop_map(|(lines, segment, sealed)| Cut { lines, segment, sealed })
}

/// Lines of few words, some with a time. The last may have no end.
fn text() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "foo", "bar", "foobar", "timeout", "user=17", "error", "Error", "x", "k", "\u{e9}", "",
    ]);
    let line = (prop::option::weighted(0.6, 0..3_600_i64), prop::collection::vec(words, 0..4));
    let line = line.prop_map(|(time, words)| match time {
        Some(time) => dated(time, &words.join(" ")),
        None => words.join(" ") + "\n",
    });
    (prop::collection::vec(line, 0..60), any::<bool>()).prop_map(|(lines, has_end)| {
        let text = lines.concat();
        if has_end { text } else { text.trim_end_matches('\n').to_owned() }
    })
}

fn any_query() -> impl Strategy<Value = Query> {
    let print = prop::sample::select(vec![
        GrepPrint::Lines,
        GrepPrint::Lines,
        GrepPrint::Lines,
        GrepPrint::Matches,
        GrepPrint::Count,
        GrepPrint::FilesWithMatch,
        GrepPrint::FilesWithoutMatch,
        GrepPrint::Nothing,
    ]);
    let pattern = prop::sample::select(vec![
        "foo",
        "timeout",
        "user=[0-9]+",
        "error",
        "^x",
        "foo|bar",
        "o.*t",
        "",
        "k",
        "rare",
        "[a-f]",
    ]);
    let patterns = prop::collection::vec(pattern, 1..3);
    let flags = prop::array::uniform6(prop::bool::weighted(0.3));
    let context = || prop::option::weighted(0.3, 0..4_u32);
    let limits = (prop::option::weighted(0.3, 1..4_u64), context(), context());
    let rare = prop::array::uniform3(prop::bool::weighted(0.1));
    (patterns, print, flags, rare, limits).prop_map(|(patterns, print, flags, rare, limits)| {
        let [ignore_case, words, numbers, offsets, color, tab] = flags;
        let [invert, null_data, json] = rare;
        Query::default().with(|query| {
            query.pattern.patterns = patterns.into_iter().map(Into::into).collect();
            query.pattern.syntax = GrepSyntax::Extended;
            query.pattern.ignore_case = ignore_case;
            query.pattern.words = words;
            query.pattern.invert = invert;
            query.pattern.null_data = null_data;
            query.printing.what = print;
            query.printing.line_numbers = numbers;
            query.printing.byte_offsets = offsets;
            query.printing.initial_tab = tab;
            query.printing.max_count = limits.0;
            query.printing.before_context = limits.1;
            query.printing.after_context = limits.2;
            query.printing.colors = color.then(GrepColors::default);
            query.printing.json = json && print != GrepPrint::Matches;
            query.printing.name_width = Some(7);
        })
    })
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let time = || prop::option::weighted(0.4, 0..3_600_i64);
    (time(), time(), 1..3_usize).prop_map(|(since, until, threads)| {
        let moment = |after: i64| THEN - 3_600_000 + after * 1_000;
        Plan {
            window: Window { since: since.map(moment), until: until.map(moment) },
            threads: NonZero::new(threads).unwrap(),
            ..Plan::default()
        }
    })
}

fn configuration() -> ProptestConfig {
    let configuration = ProptestConfig::default();
    let cases = configuration.cases.clamp(64, 1024);
    ProptestConfig { cases, failure_persistence: None, ..configuration }
}

proptest! {
    #![proptest_config(configuration())]

    #[test]
    fn what_is_kept_is_searched_as_the_files_are(
        texts in prop::collection::vec((text(), cut()), 1..4),
        searches in prop::collection::vec((any_query(), any_plan()), 12),
    ) {
        let names = ["a.log", "b.log", "c.log"];
        let texts: Vec<(&str, &[u8], Cut)> = names
            .into_iter()
            .zip(&texts)
            .map(|(name, (text, cut))| (name, text.as_bytes(), cut.clone()))
            .collect();
        let bench = Bench::new(&texts);
        for (query, plan) in &searches {
            let [own, kept] = bench.both(query, plan);
            prop_assert_eq!(&kept, &own, "{:?} {:?}", query, plan);
        }
    }

    /// Times that go back depend on how a file is read.
    #[test]
    fn what_is_kept_is_merged_as_the_files_are(
        steps in prop::collection::vec((0..5_i64, 0..4_usize), 1..80),
        cuts in prop::collection::vec(cut(), 2),
        searches in prop::collection::vec((any_query(), any_plan()), 8),
    ) {
        let (mut texts, mut time) = ([String::new(), String::new()], 0);
        for (at, (step, kind)) in steps.into_iter().enumerate() {
            time += step;
            let line = match kind {
                0 => " of foo\n".to_owned(),
                1 => dated(time, "foo timeout"),
                _ => dated(time, "x"),
            };
            texts[at % 2] += &line;
        }
        let [first, second] = &texts;
        let [one, other] = cuts.try_into().unwrap();
        let bench = Bench::new(&[("a", first.as_bytes(), one), ("b", second.as_bytes(), other)]);
        for (query, plan) in searches {
            let prints_lines = matches!(query.printing.what, GrepPrint::Lines | GrepPrint::Matches);
            let plan = Plan { by_time: prints_lines, ..plan };
            let [own, kept] = bench.both(&query, &plan);
            prop_assert_eq!(&kept, &own, "{:?} {:?}", query, plan);
        }
    }

    /// How many lines are printed before a NUL byte depends on how a file is read. All else does
    /// not.
    #[test]
    fn a_nul_byte_in_what_is_kept_counts(
        text in text(),
        at in any::<prop::sample::Index>(),
        cut in cut(),
        searches in prop::collection::vec(any_query(), 8),
        binary in prop::sample::select(
            vec![GrepBinary::Report, GrepBinary::Text, GrepBinary::Skip]
        ),
    ) {
        let mut text = text.into_bytes();
        text.insert(at.index(text.len() + 1), 0);
        let bench = Bench::new(&[("a", &text, cut)]);
        for query in searches {
            let query = query.with(|query| query.printing.binary = binary);
            let [own, kept] = bench.both(&query, &Plan::default());
            let is_searched_whole =
                query.printing.what == GrepPrint::Count && query.printing.max_count.is_none();
            if is_searched_whole || binary == GrepBinary::Text || query.pattern.null_data {
                prop_assert_eq!(&kept, &own, "{:?}", query);
            } else {
                prop_assert_eq!(kept.1.errors, own.1.errors);
            }
        }
    }
}

fn one(lines: usize, segment: u64, sealed: usize) -> Cut {
    Cut { lines: vec![lines], segment, sealed }
}

/// Blocks without the literal are not read.
#[test]
fn what_cannot_match_is_not_read() {
    let text: String = (0..20_000).map(|n| dated(n, &format!("request {n} served"))).collect();
    let text = text.replace("request 13000 ", "request 13000 needle ");
    let bench = Bench::new(&[("a.log", text.as_bytes(), one(2_000, 100_000, usize::MAX))]);
    let search = query("needle").compile().unwrap();
    for (plan, most) in
        [(Plan::default(), 400_000), (Plan { by_time: true, ..Plan::default() }, 800_000)]
    {
        let mut gathered = Gathered::default();
        let cancel = AtomicBool::new(false);
        let totals = search.run_kept(&plan, "vm4", &bench.kept, &mut gathered, &cancel);
        assert_eq!(totals.lines, 1);
        assert!(totals.bytes < most && totals.bytes > 0, "{totals:?} of {}", text.len());
    }
    for context in [0, 3] {
        let query = query("needle").with(|query| {
            query.printing.line_numbers = true;
            query.printing.before_context = (context > 0).then_some(context);
            query.printing.after_context = (context > 0).then_some(context);
        });
        bench.assert_same(&query, &Plan::default());
    }
}

/// A block outside of the window is not read.
#[test]
fn what_lies_outside_of_the_window_is_not_read() {
    let text: String = (0..3_600).map(|n| dated(n, &format!("request {n} served"))).collect();
    let bench = Bench::new(&[("a.log", text.as_bytes(), one(100, 10_000, usize::MAX))]);
    let moment = |after: i64| Some(THEN - 3_600_000 + after * 1_000);
    let window = Window { since: moment(1_800), until: moment(1_810) };
    let plan = Plan { window, ..Plan::default() };
    bench.assert_same(&query("request"), &plan);
    let mut gathered = Gathered::default();
    let search = query("request").compile().unwrap();
    let totals = search.run_kept(&plan, "vm4", &bench.kept, &mut gathered, &AtomicBool::new(false));
    assert_eq!(totals.lines, 10);
    assert!(totals.bytes < 1_000, "only lines in the window count: {totals:?}");
}

/// Lines longer than a block lie in several.
#[test]
fn a_line_in_several_blocks_is_one_line() {
    let long = format!("{}needle{}\n", "y".repeat(3_000), "z".repeat(2_000));
    let text = format!("first\n{long}last\n");
    let directory = temporary();
    let limits = Limits { segment_text_bytes: 2_000, ..Limits::default() };
    let mut store = Store::open(directory.path(), limits).unwrap();
    let head = head("/var/log/a".into(), text.as_bytes(), 1);
    let id = head.id;
    store.head(&source(), head).unwrap();
    for (at, piece) in text.as_bytes().chunks(1_500).enumerate() {
        let head = BlockHead {
            stream: id,
            offset: 1_500 * u64::try_from(at).unwrap(),
            text_bytes: u32::try_from(piece.len()).unwrap(),
            hash: *blake3::hash(piece).as_bytes(),
            read_ms: 7,
        };
        let frame = zstd::encode_all(piece, 1).unwrap();
        store.append(&source(), &Block { head, frame }).unwrap();
    }
    for is_sealed in [false, true] {
        store.sync().unwrap();
        if is_sealed {
            store.seal_all(&mut LineSpans::default()).unwrap();
        }
        let streams = kept::list(directory.path(), &source()).unwrap();
        let files = KeptFiles::choose(streams, &FileFilter::default()).files;
        for max_count in [None, Some(5)] {
            for (pattern, printed) in [
                ("needle", format!("vm4:/var/log/a:2:6:{long}")),
                ("^zzz", String::new()),
                ("last", format!("vm4:/var/log/a:3:{}:last\n", 6 + long.len())),
            ] {
                let query = query(pattern).with(|query| {
                    query.printing.line_numbers = true;
                    query.printing.byte_offsets = true;
                    query.printing.max_count = max_count;
                });
                let mut gathered = Gathered::default();
                let search = query.compile().unwrap();
                let cancel = AtomicBool::new(false);
                search.run_kept(&Plan::default(), "vm4", &files, &mut gathered, &cancel);
                assert_eq!(String::from_utf8(gathered.output).unwrap(), printed, "{pattern}");
            }
        }
    }
}

/// Offsets are those in the file, and numbers count from what is kept.
#[test]
fn a_copy_that_begins_within_its_file_says_so() {
    let directory = temporary();
    let mut store = Store::open(directory.path(), Limits::default()).unwrap();
    let text = b"gone\nfoo\nbar foo\n";
    keep(&mut store, "/var/log/a".into(), 1, text, 5, &one(1, 1_000, 0));
    let streams = kept::list(directory.path(), &source()).unwrap();
    let files = KeptFiles::choose(streams, &FileFilter::default()).files;
    for max_count in [None, Some(9)] {
        let query = query("foo").with(|query| {
            query.printing.line_numbers = true;
            query.printing.byte_offsets = true;
            query.printing.max_count = max_count;
        });
        let mut gathered = Gathered::default();
        let search = query.compile().unwrap();
        search.run_kept(&Plan::default(), "vm4", &files, &mut gathered, &AtomicBool::new(false));
        assert_eq!(
            String::from_utf8(gathered.output).unwrap(),
            "vm4:/var/log/a:1:5:foo\nvm4:/var/log/a:2:9:bar foo\n"
        );
        assert_eq!(
            gathered.messages,
            ["/var/log/a: its first 5 bytes are not kept: lines are numbered from there on"]
        );
    }
}

/// What was rotated away is searched only with `--rotated`, and then in the order of writing.
#[test]
fn rotated_streams_come_before_their_file() {
    let directory = temporary();
    let mut store = Store::open(directory.path(), Limits::default()).unwrap();
    let mut keep = |inode: u64, path: &str, origin: &str, offered: bool, age: i64| {
        let text = format!("foo {inode}\n");
        let mut head = head(path.into(), text.as_bytes(), inode);
        head.origin = origin.into();
        head.listed = path == origin;
        head.offered = offered;
        head.modified_ms = THEN - age;
        let id = head.id;
        store.head(&source(), head).unwrap();
        for block in blocks(id, 0, text.as_bytes(), &[1]) {
            store.append(&source(), &block).unwrap();
        }
    };
    keep(1, "/var/log/a", "/var/log/a", true, 0);
    keep(2, "/var/log/a.1", "/var/log/a", true, 1_000);
    keep(3, "/var/log/a.2", "/var/log/a", true, 2_000);
    keep(4, "/var/log/b", "/var/log/b", false, 0);
    keep(5, "/var/log/c", "/var/log/c", true, 0);
    store.sync().unwrap();
    let chosen = |filter: &FileFilter| {
        let streams = kept::list(directory.path(), &source()).unwrap();
        let KeptFiles { files, unmatched, .. } = KeptFiles::choose(streams, filter);
        let paths = files.iter().map(|file| file.path().display().to_string());
        (paths.collect::<Vec<_>>().join(" "), unmatched.join(" "))
    };
    let all = |globs: &[&str]| FileFilter::new(globs).unwrap();
    let found = |paths: &str, unmatched: &str| (paths.to_owned(), unmatched.to_owned());
    assert_eq!(chosen(&all(&[])), found("/var/log/a /var/log/c", ""));
    let rotated = "/var/log/a.2 /var/log/a.1 /var/log/a /var/log/c";
    assert_eq!(chosen(&all(&[]).rotated(true)), found(rotated, ""));
    assert_eq!(chosen(&all(&["c", "b"])), found("/var/log/c", "b"));
    let limited = all(&[]).only(&["/var/log/a"]).unwrap();
    assert_eq!(chosen(&limited), found("/var/log/a", ""));
    let chain = "/var/log/a.2 /var/log/a.1 /var/log/a";
    assert_eq!(chosen(&limited.rotated(true)), found(chain, ""));
    let excluded = all(&[]).exclude(&["*.1"]).unwrap().rotated(true);
    assert_eq!(chosen(&excluded), found("/var/log/a.2 /var/log/a /var/log/c", ""));
}
