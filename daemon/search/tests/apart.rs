//! Searches whose threads have outputs of their own find what other searches find.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use memberd_control::grep::{GrepBinary, GrepPattern, GrepPrinting};
use memberd_search::{HandedFile, Output, Plan, Query, Search, Stopped, Totals, Window};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// The lines of each file, in any order, and what else was told.
#[derive(Debug, Default)]
struct Found {
    lines: BTreeMap<PathBuf, Vec<Vec<u8>>>,
    messages: Vec<String>,
    bytes: u64,
    file: PathBuf,
    stops: bool,
    panics: bool,
}

impl Output for Found {
    fn begin_file(&mut self, path: &Path, _: i64) {
        self.file = path.to_owned();
    }

    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        let lines = self.lines.entry(self.file.clone()).or_default();
        assert!(!self.panics, "as a defect would");
        lines.extend(bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        if self.stops { Err(Stopped) } else { Ok(()) }
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.bytes += bytes;
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(text);
        Ok(())
    }
}

fn search(pattern: &str) -> Search {
    let pattern = GrepPattern { patterns: vec![pattern.into()], ..GrepPattern::default() };
    let printing =
        GrepPrinting { no_names: true, binary: GrepBinary::Text, ..GrepPrinting::default() };
    Query { pattern, printing, ..Query::default() }.compile().unwrap()
}

fn plan(threads: usize) -> Plan {
    Plan { threads: NonZero::new(threads).unwrap(), ..Plan::default() }
}

/// Searches with as many outputs as there are, and puts together what they have.
fn run(search: &Search, plan: &Plan, paths: &[PathBuf], outputs: &mut [Found]) -> (Totals, Found) {
    let files: Vec<HandedFile> = paths
        .iter()
        .map(|path| HandedFile::new(path.clone(), File::open(path).unwrap()).unwrap())
        .collect();
    let totals = search.apart(&AtomicBool::new(false)).run(plan, &files, outputs);
    let mut all = Found::default();
    for output in outputs {
        for (file, lines) in std::mem::take(&mut output.lines) {
            all.lines.entry(file).or_default().extend(lines);
        }
        all.messages.append(&mut output.messages);
        all.bytes += output.bytes;
    }
    all.lines.values_mut().for_each(|lines| lines.sort());
    (totals, all)
}

/// A plain log of some megabytes, a compressed one, and one without a newline at its end.
fn logs(directory: &TempDir) -> Vec<PathBuf> {
    let at = |name: &str| directory.path().join(name);
    let text: String = (0..100_000).map(|number| format!("line {number} of many\n")).collect();
    std::fs::write(at("large"), &text).unwrap();
    std::fs::write(at("no-end"), "line 7\nline 77").unwrap();
    let mut gzip = Command::new("gzip")
        .stdin(Stdio::piped())
        .stdout(File::create(at("old.1.gz")).unwrap())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(gzip.wait().unwrap().success());
    ["large", "no-end", "old.1.gz"].map(at).to_vec()
}

/// Any number of threads finds each line once, in its file.
#[test]
fn threads_with_outputs_of_their_own_find_all_lines_once() {
    let directory = TempDir::new().unwrap();
    let paths = logs(&directory);
    let search = search("7 of\\|77");
    let expected = |text: &str| {
        let is_found = |line: &&str| line.contains("7 of") || line.contains("77");
        let lines = text.lines().filter(is_found).map(|line| format!("{line}\n").into_bytes());
        let mut lines: Vec<Vec<u8>> = lines.collect();
        lines.sort();
        lines
    };
    let large = std::fs::read_to_string(&paths[0]).unwrap();
    for threads in [1, 2, 5] {
        let mut outputs: Vec<Found> = (0..threads).map(|_| Found::default()).collect();
        let (totals, found) = run(&search, &plan(threads), &paths, &mut outputs);
        assert_eq!(found.lines[&paths[0]], expected(&large), "{threads}");
        assert_eq!(found.lines[&paths[1]], [b"line 77\n"]);
        assert_eq!(found.lines[&paths[2]], expected(&large), "{threads}");
        let lines: usize = found.lines.values().map(Vec::len).sum();
        assert_eq!((totals.files, totals.errors, totals.lines), (3, 0, lines as u64));
        let bytes = 2 * large.len() as u64 + 14;
        assert_eq!((totals.bytes, found.bytes, totals.interrupted), (bytes, bytes, false));
    }
}

/// What becomes of a file's name makes no difference.
#[test]
fn an_open_file_is_searched_whatever_its_name_becomes() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    std::fs::write(&path, "an x\n").unwrap();
    let file = HandedFile::new(path.clone(), File::open(&path).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut outputs = [Found::default()];
    search("x").apart(&AtomicBool::new(false)).run(&plan(1), &[file], &mut outputs);
    assert_eq!(outputs[0].lines[&path], [b"an x\n"]);
    let error = HandedFile::new(path, File::open(directory.path()).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "is not a regular file");
}

#[test]
fn a_window_and_a_damaged_file_are_as_in_other_searches() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("log"), "2026-11-21T01:20:33Z x\nx\n2026-11-21T01:20:35Z x\n").unwrap();
    std::fs::write(at("bad.gz"), b"\x1f\x8b\x08nonsense").unwrap();
    let window = Window { since: None, until: Some(1_795_224_034_000) };
    let plan = Plan { window, ..plan(2) };
    let mut outputs = [Found::default(), Found::default()];
    let (totals, found) = run(&search("x"), &plan, &[at("log"), at("bad.gz")], &mut outputs);
    assert_eq!(found.lines[&at("log")].len(), 2);
    assert_eq!((totals.lines, totals.errors), (2, 1));
    assert_eq!(found.messages.len(), 1);
    assert!(found.messages[0].starts_with(&at("bad.gz").display().to_string()));
}

#[test]
fn an_output_that_stops_ends_the_search() {
    let directory = TempDir::new().unwrap();
    let paths = logs(&directory);
    let mut outputs = [Found { stops: true, ..Found::default() }];
    let (totals, _) = run(&search(""), &plan(1), &paths, &mut outputs);
    assert!(totals.interrupted);
}

/// Nobody gets the sums then, so the other threads need not go on.
#[test]
fn a_thread_that_panics_ends_the_search() {
    let directory = TempDir::new().unwrap();
    let paths = logs(&directory);
    let file = HandedFile::new(paths[1].clone(), File::open(&paths[1]).unwrap()).unwrap();
    let (search, cancel) = (search("line"), AtomicBool::new(false));
    let apart = search.apart(&cancel);
    let mut outputs = [Found { panics: true, ..Found::default() }];
    let run = || apart.run(&plan(1), &[file], &mut outputs);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    assert!(apart.has_ended());
}
