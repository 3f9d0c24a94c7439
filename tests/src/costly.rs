//! Greps that cost much memory, many of them at once at one daemon. It owns the files that they
//! search.

use crate::process::run;
use crate::{Daemon, Fleet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// The member that is searched.
pub const PRESSED: usize = 1;

/// How long one grep may take, with its waits.
const LIMIT: Duration = Duration::from_secs(600);

/// The lines of each text.
const LINES: usize = 6_000;

/// The text of compressed files fills windows of 16 MiB, in lines.
const MANY_LINES: usize = 260_000;

/// What refusals say: each means that it can be tried again, or what is too large.
const WORDS: [&str; 5] = [
    "try again later",
    "limits.greps",
    "long lists of patterns run",
    "or other searches, have",
    "limits.search_memory",
];

/// A kind of grep.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What costs memory.
    pub name: &'static str,
    /// The options and the pattern of grep, which prints one line.
    pub options: &'static [&'static str],
    /// The files that are searched.
    pub files: &'static str,
    /// What it prints for each file: the number of lines that match, or the match.
    pub counts: &'static [usize],
}

/// A command that makes a compressed file of its input.
type Compressor = (&'static str, &'static [&'static str]);

/// The compressed files. Their windows are those of the levels that are named, and they are made
/// fast.
const COMPRESSED: [Compressor; 6] = [
    ("xz-6.xz", &["xz", "--lzma2=preset=0,dict=8MiB"]),
    ("xz-7.xz", &["xz", "--lzma2=preset=0,dict=16MiB"]),
    ("xz-9.xz", &["xz", "--lzma2=preset=0,dict=64MiB"]),
    ("long.zst", &["zstd", "-q", "-1", "--long=26"]),
    ("bz.bz2", &["bzip2", "-9"]),
    ("lz.lz4", &["lz4", "-q", "-1", "-B7"]),
];

/// The copies of each compressed file, so that all threads of a search have one.
const COPIES: usize = 2;

/// The files that are merged by time. While they are, a part of each is in memory.
const MERGED: usize = 100;

/// Every kind.
pub const KINDS: [Kind; 15] = [
    kind("Perl groups", &["-cP", "^(a|b)*$"], "deep.txt", &[60]),
    kind("Perl backtracking", &["-cP", r"^(?:(a)|(b)|(c)|(d)|(e))*+$"], "deep.txt", &[60]),
    kind("back-references", &["-cE", r"^(a|b)*\1$"], "deep.txt", &[60]),
    kind("classes", &["-ciE", r"\w{90}[xy]"], "states.txt", &[LINES]),
    kind("repetitions", &["-cE", "(y.{9}|x.{10}){6}[xy]"], "states.txt", &[LINES]),
    kind("strings", &["-cFf", "list"], "states.txt", &[LINES]),
    kind("xz -6", &["-c", "needle"], "*xz-6.xz", &[MANY_LINES / 1_000; COPIES]),
    kind("xz -7", &["-c", "needle"], "*xz-7.xz", &[MANY_LINES / 1_000; COPIES]),
    kind("xz -9", &["-c", "needle"], "*xz-9.xz", &[MANY_LINES / 1_000; COPIES]),
    kind("zstd --long", &["-c", "needle"], "*long.zst", &[MANY_LINES / 1_000; COPIES]),
    kind("bzip2", &["-c", "needle"], "*bz.bz2", &[MANY_LINES / 1_000; COPIES]),
    kind("lz4 -B7", &["-c", "needle"], "*lz.lz4", &[MANY_LINES / 1_000; COPIES]),
    kind("long lines", &["-c", "x$"], "long.txt", &[3]),
    kind("long lines in context", &["-cm9", "x$"], "long.txt", &[3]),
    kind("merges", &["--merge", "-oiE", r"\w{90}[xy]|7$"], "*merged.log", &[7; MERGED]),
];

const fn kind(
    name: &'static str,
    options: &'static [&'static str],
    files: &'static str,
    counts: &'static [usize],
) -> Kind {
    Kind { name, options, files, counts }
}

/// How many greps ended how.
#[derive(Debug, Default)]
pub struct Ended {
    /// They printed what is there.
    pub answered: usize,
    /// They said in words why they did not.
    pub refused: usize,
    /// What the others did.
    pub wrong: Vec<String>,
}

/// Makes the files, and offers them from the next start of the daemon on.
///
/// # Panics
/// When a tool is missing.
pub fn offer(daemon: &mut Daemon) {
    let deep = ["a".repeat(20_000), "\n".to_owned()].concat().repeat(60);
    daemon.offer("deep.txt").write_all(deep.as_bytes()).expect("a file");
    daemon.offer("states.txt").write_all(states(LINES).as_bytes()).expect("a file");
    let mut long = daemon.offer("long.txt");
    for _ in 0..3 {
        long.write_all(&vec![b'x'; 6 << 20]).and_then(|()| long.write_all(b"\n")).expect("a file");
    }
    let text = daemon.directory().join("text");
    fs::write(&text, numbered()).expect("a file");
    for (name, command) in COMPRESSED {
        for copy in 0..COPIES {
            let mut compressor = Command::new(command[0]);
            compressor.args(&command[1..]).arg("-c");
            let input = fs::File::open(&text).expect("the text");
            let output = daemon.offer(&format!("{copy}{name}"));
            let status = compressor.stdin(input).stdout(output).status();
            assert!(status.is_ok_and(|status| status.success()), "{command:?}");
        }
    }
    fs::remove_file(text).expect("the text");
    let merged = daemon.directory().join("*merged.log").display().to_string();
    daemon.settings.files.push(merged);
    for number in 0..MERGED {
        fs::write(daemon.directory().join(format!("{number}merged.log")), timed()).expect("a file");
    }
}

/// Lines with times, of which the last one ends with a 7.
fn timed() -> Vec<u8> {
    let mut text = Vec::new();
    for second in 0..1_500 {
        let (minutes, seconds) = (second / 60, second % 60);
        let end = if second == 1_499 { '7' } else { 'x' };
        writeln!(text, "2026-11-21T01:{minutes:02}:{seconds:02}Z {:>79} {end}", "hay")
            .expect("memory");
    }
    text
}

/// Lines in which hardly any part repeats, so that an automaton gets many states, and nothing
/// learnt from one helps with another.
pub fn states(lines: usize) -> String {
    let mut state = 1_u128;
    let mut line = || {
        state = state.wrapping_mul(0xda94_2042_e4dd_58b5_da94_2042_e4dd_58b5).wrapping_add(1);
        let letters = (0..99).map(|bit| if (state >> bit) & 3 == 0 { 'y' } else { 'x' });
        letters.chain(['\n']).collect::<String>()
    };
    (0..lines).map(|_| line()).collect()
}

/// Numbered lines of 80 bytes, of which each thousandth has a needle.
fn numbered() -> Vec<u8> {
    let mut text = Vec::new();
    for number in 1..=MANY_LINES {
        let word = if number % 1_000 == 0 { "needle" } else { "hay" };
        writeln!(text, "{number:>40} {word:<38}").expect("memory");
    }
    text
}

/// Strings of which each line of the text has one.
fn list(directory: &Path) {
    let mut list: String = (0..5_000).map(|number| format!("{number:08}\n")).collect();
    list.push_str("xy\nyx\n");
    fs::write(directory.join("list"), list).expect("a file");
}

/// Runs this many greps of a kind at once, from all other members.
///
/// # Panics
/// When one does not end.
pub fn press(fleet: &Fleet, kind: &Kind, greps: usize) -> Ended {
    let pressed = &fleet[PRESSED];
    let askers: Vec<&Daemon> =
        fleet.running().filter(|daemon| daemon.name() != pressed.name()).collect();
    askers.iter().for_each(|daemon| list(daemon.directory()));
    let expected: String =
        (0..kind.counts.len()).map(|_| format!("{}\n", kind.counts[0])).collect();
    let results: Vec<Result<bool, String>> = thread::scope(|scope| {
        let grep = |number: usize| {
            let asker = askers[number % askers.len()];
            let words = [&["grep", "-h", "--on", pressed.name()], kind.options, &[kind.files]];
            let mut command = asker.memberctl(&words.concat());
            command.current_dir(asker.directory()).stdin(Stdio::null());
            let expected = expected.as_str();
            scope.spawn(move || {
                let output = run(&mut command, LIMIT);
                let said = String::from_utf8_lossy(&output.stderr);
                let is_refused = WORDS.iter().any(|words| said.contains(words));
                match output.status.code() {
                    Some(0) if output.stdout == expected.as_bytes() => Ok(true),
                    Some(1..=3) if is_refused => Ok(false),
                    _ => Err(format!("{output:?}")),
                }
            })
        };
        let running: Vec<_> = (0..greps).map(grep).collect();
        running.into_iter().map(|grep| grep.join().expect("no panic")).collect()
    });
    let mut ended = Ended::default();
    for result in results {
        match result {
            Ok(true) => ended.answered += 1,
            Ok(false) => ended.refused += 1,
            Err(words) => ended.wrong.push(words),
        }
    }
    ended
}
