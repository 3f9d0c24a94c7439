//! A follow that goes on where another one ended, over what is kept of the files in between: no
//! line is missing, and none comes twice.

#![cfg(test)]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use memberd_control::grep::{GrepFollow, GrepPosition};
use memberd_copies::block::{Block, BlockHead};
use memberd_copies::kept;
use memberd_copies::store::{Limits, Store};
use memberd_copies::stream::{Fingerprint, StreamHead, StreamId};
use memberd_membership::Name;
use memberd_search::{
    ExposedFiles, FileFilter, KeptFiles, LineSpans, Output, Query, Selection, Stopped,
};
use tempfile::TempDir;

/// How long lines may take to come. They come far sooner.
const LIMIT: Duration = Duration::from_secs(30);

/// What somebody has who follows: the lines, and the positions that came with them.
#[derive(Debug, Default, Clone)]
struct Told {
    lines: Vec<String>,
    known: Option<Vec<GrepPosition>>,
}

impl Told {
    fn note(&mut self, positions: Vec<GrepPosition>) {
        let known = self.known.get_or_insert_default();
        for position in positions {
            known.retain(|other| !other.is_of_same_file(&position));
            known.push(position);
        }
    }

    fn from(&self) -> GrepFollow {
        let positions = self.known.clone();
        GrepFollow {
            again: positions.is_some(),
            since_ms: 0,
            positions: positions.unwrap_or_default(),
        }
    }
}

/// Lines count once their position has come.
#[derive(Default, Clone)]
struct Follower {
    told: Arc<Mutex<Told>>,
    waiting: Vec<String>,
}

impl Output for Follower {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        let text = String::from_utf8(bytes).unwrap();
        self.waiting.extend(text.lines().map(str::to_owned));
        Ok(())
    }

    fn positions(&mut self, positions: Vec<GrepPosition>, has_lines: bool) -> Result<(), Stopped> {
        assert!(self.waiting.is_empty() || has_lines);
        let mut told = self.told.lock().unwrap();
        told.lines.append(&mut self.waiting);
        told.note(positions);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.told.lock().unwrap().lines.push(text);
        Ok(())
    }
}

fn query() -> Query {
    let mut query = Query::default();
    query.pattern.patterns = vec!["x".into()];
    query.printing.no_names = true;
    query.printing.line_numbers = true;
    query
}

/// Follows all of `*.log` from where `told` is, while `during` runs, until `count` lines came.
fn follow(directory: &Path, told: &Told, count: usize, during: impl FnOnce()) -> Told {
    let exposed = ExposedFiles::new(&[directory.join("*.log").to_str().unwrap()]).unwrap();
    let search = query().compile().unwrap();
    let from = told.from();
    let follower = Follower { told: Arc::new(Mutex::new(told.clone())), waiting: Vec::new() };
    follower.told.lock().unwrap().known = None;
    let cancel = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut output = follower.clone();
        let (search, exposed, from, cancel) = (&search, &exposed, &from, &cancel);
        scope.spawn(move || {
            let filter = &FileFilter::default();
            let selection = Selection {
                exposed,
                filter,
                output_file: None,
                from: Some(from),
                tells_looks: false,
            };
            search.follow("m", selection, &mut output, cancel)
        });
        let wait_for = |what: &dyn Fn(&Told) -> bool| {
            let begun = Instant::now();
            while !what(&follower.told.lock().unwrap()) && begun.elapsed() < LIMIT {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        wait_for(&|told: &Told| told.known.is_some());
        during();
        wait_for(&|told: &Told| told.lines.len() >= count);
        // Lines that come twice come soon: names are looked at every 500 ms.
        std::thread::sleep(Duration::from_millis(600));
        cancel.store(true, Ordering::Relaxed);
    });
    let told = follower.told.lock().unwrap();
    told.clone()
}

fn append(path: &Path, text: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

fn lines(range: std::ops::RangeInclusive<usize>) -> String {
    range.map(|number| format!("x line {number} of a log\n")).collect()
}

/// As they are printed, with their numbers.
fn printed(range: std::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|number| format!("{number}:x line {number} of a log")).collect()
}

/// Renamed, copied and truncated, or shorter after a crash: the rest of each file comes, and new
/// files whole.
#[test]
fn a_follow_goes_on_where_another_one_ended() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["renamed.log", "copied.log", "shorter.log", "same.log"] {
        append(&path(name), &lines(1..=60));
    }
    append(&path("anew.log"), "x old\n");
    let first = follow(directory.path(), &Told::default(), 4, || {
        for name in ["renamed.log", "copied.log", "shorter.log", "same.log"] {
            append(&path(name), &lines(61..=61));
        }
    });
    assert_eq!(first.lines, vec![printed(61..=61).remove(0); 4]);
    append(&path("renamed.log"), &lines(62..=62));
    fs::rename(path("renamed.log"), path("renamed.log.1")).unwrap();
    append(&path("renamed.log"), "x the next one\n");
    append(&path("copied.log"), &lines(62..=63));
    fs::copy(path("copied.log"), path("copied.log.1")).unwrap();
    fs::write(path("copied.log"), "x short\n").unwrap();
    let shorter = OpenOptions::new().write(true).open(path("shorter.log")).unwrap();
    shorter.set_len(lines(1..=60).len() as u64).unwrap();
    fs::write(path("anew.log"), "x another, and longer\n").unwrap();
    append(&path("new.log"), "x first\n");
    let again = follow(directory.path(), &first, 4 + 9, || {
        append(&path("same.log"), &lines(62..=62));
        append(&path("shorter.log"), "x after the crash\n");
    });
    let mut came = again.lines[4..].to_vec();
    came.sort();
    let mut expected: Vec<String> = [
        "1:x another, and longer",
        "1:x first",
        "1:x short",
        "1:x the next one",
        "61:x after the crash",
    ]
    .map(str::to_owned)
    .to_vec();
    expected.extend([printed(62..=62), printed(62..=62), printed(62..=63)].concat());
    expected.sort();
    assert_eq!(came, expected);
}

/// Keeps the first `bytes` of a file.
fn keep(copies: &Path, path: &PathBuf, bytes: usize, block_bytes: usize, is_sealed: bool) {
    let (text, metadata) = (fs::read(path).unwrap(), fs::metadata(path).unwrap());
    let source = Name::new("vm4").unwrap();
    let mut store = Store::open(copies, Limits { free_bytes: 0, ..Limits::default() }).unwrap();
    let id = StreamId { device: metadata.dev(), inode: metadata.ino(), begun_ms: 1 };
    let head = StreamHead {
        id,
        fingerprint: Fingerprint::of(&text),
        path: path.clone(),
        origin: path.clone(),
        listed: true,
        offered: true,
        modified_ms: 7,
        zone: String::new(),
        lost_bytes: 0,
        continues: None,
    };
    store.head(&source, head).unwrap();
    let mut offset = 0;
    while offset < bytes {
        let least = (offset + block_bytes).min(bytes);
        let end = text[least - 1..].iter().position(|byte| *byte == b'\n').unwrap() + least;
        let part = &text[offset..end];
        let head = BlockHead {
            stream: id,
            offset: offset as u64,
            text_bytes: u32::try_from(part.len()).unwrap(),
            hash: *blake3::hash(part).as_bytes(),
            read_ms: 7,
        };
        store.append(&source, &Block { head, frame: zstd::encode_all(part, 1).unwrap() }).unwrap();
        offset = end;
    }
    store.sync().unwrap();
    if is_sealed {
        store.seal_all(&mut LineSpans::default()).unwrap();
    }
}

/// Wherever the follow was, and however far the copy goes: each line comes once.
#[test]
fn a_copy_gives_what_was_not_shown_and_the_file_the_rest() {
    for (shown, kept_lines, block, is_sealed) in [
        (1, 30, 50, false),
        (3, 30, 1_000, true),
        (20, 30, 100, true),
        (30, 30, 100, false),
        (40, 30, 100, false),
        (20, 21, 7, false),
        (0, 30, 100, true),
    ] {
        let what = format!("{shown} shown, {kept_lines} kept");
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("a.log");
        append(&path, "");
        let first = follow(directory.path(), &Told::default(), shown, || {
            if shown > 0 {
                append(&path, &lines(1..=shown));
            }
        });
        assert_eq!(first.lines.len(), shown, "{what}");
        append(&path, &lines(shown + 1..=50));
        let copies = directory.path().join("copies");
        keep(&copies, &path, lines(1..=kept_lines).len(), block, is_sealed);
        // It was there before, and for some reason was not followed.
        let other = directory.path().join("other.txt");
        append(&other, "x other\n");
        keep(&copies, &other, 1, 100, false);
        let streams = kept::list(&copies, &Name::new("vm4").unwrap()).unwrap();
        let from = GrepFollow { since_ms: 2, ..first.from() };
        let files =
            KeptFiles::choose_followed(streams, &FileFilter::default(), &from.positions).files;
        let mut follower = Follower::default();
        *follower.told.lock().unwrap() = first.clone();
        let search = query().compile().unwrap();
        let cancel = AtomicBool::new(false);
        let totals = search.follow_kept("m", &files, &from, &mut follower, &cancel);
        assert_eq!((totals.errors, totals.interrupted), (0, false), "{what}");
        let second = follower.told.lock().unwrap().clone();
        assert_eq!(second.lines, printed(1..=shown.max(kept_lines)), "{what}");
        let last = follow(directory.path(), &second, 50, || ());
        assert_eq!(last.lines, printed(1..=50), "{what}");
    }
}
