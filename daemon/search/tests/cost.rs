//! What searches take of the budget of memory is at least what they use of the machine's.
//!
//! Each search runs in a process of its own, whose memory the kernel counts.

#![cfg(test)]

use std::env;
use std::fs;
use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use memberd_search::{
    ExposedFiles, FileFilter, GrepPrint, GrepSyntax, MemoryBudget, Output, Plan, Query, Stopped,
};
use tempfile::TempDir;

/// Takes everything, and keeps nothing.
struct Nothing;

impl Output for Nothing {
    fn lines(&mut self, _: Vec<u8>) -> Result<(), Stopped> {
        Ok(())
    }

    fn message(&mut self, _: String) -> Result<(), Stopped> {
        Ok(())
    }
}

/// What is searched for: the name, the syntax and the pattern. With `-i` if it begins with `i`, and
/// with `-o` if it ends with `o`.
fn searches() -> Vec<(&'static str, GrepSyntax, String)> {
    let extended = GrepSyntax::Extended;
    let list: String = (0..420_000).map(|number| format!("{number:09}\n")).collect();
    vec![
        ("plain", extended, "needle".to_owned()),
        ("iplain-o", extended, "timeout.*disk".to_owned()),
        ("states", extended, "y.{60}[qz]$".to_owned()),
        ("states-o", extended, "(y.{9}|x.{10}){6}[qz]?".to_owned()),
        ("classes-o", extended, r"\w{20}[qz]?".to_owned()),
        ("iclasses-large-o", extended, r"\w{100}[qz]?$".to_owned()),
        ("ialternatives-large-o", extended, r"(\w{20}|.{20}){8}[qz]?".to_owned()),
        ("references-o", extended, r"(x*y*)*\1[qz]?".to_owned()),
        ("many-references-o", extended, vec![r"((x|y)*)\1z"; 100].join("\n")),
        ("groups-o", GrepSyntax::Perl, format!("^{}(x|y)*$", "()".repeat(7_000))),
        ("explosive-o", GrepSyntax::Perl, "(x+y?x+)+[qz]?".to_owned()),
        ("strings", GrepSyntax::Fixed, list[..4 << 20].to_owned()),
        ("istrings", GrepSyntax::Fixed, list[..1 << 20].to_owned()),
    ]
}

/// Lines in which hardly any part repeats, so that an automaton gets many states.
fn lines() -> String {
    let mut state = 1_u128;
    let mut line = || {
        state = state.wrapping_mul(0xda94_2042_e4dd_58b5_da94_2042_e4dd_58b5).wrapping_add(1);
        let letters = (0..99).map(|bit| if (state >> bit) & 3 == 0 { 'y' } else { 'x' });
        letters.chain(['\n']).collect::<String>()
    };
    (0..20_000).map(|_| line()).collect()
}

/// A number of `/proc/self/status` in proc(5), in KiB.
fn status_kib(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// Searches the files of a directory, and prints what it has taken and used, in KiB.
fn search(directory: &Path, syntax: GrepSyntax, name: &str, pattern: String) {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.into_bytes()];
        query.pattern.syntax = syntax;
        query.pattern.ignore_case = name.starts_with('i');
        if name.ends_with('o') {
            query.printing.what = GrepPrint::Matches;
        }
    });
    let exposed = ExposedFiles::new(&[directory.join("*").to_str().unwrap()]).unwrap();
    let files = exposed.files(&FileFilter::default()).files;
    let (memory, threads) = (MemoryBudget::default(), NonZero::new(2).unwrap());
    // The kernel counts the pages of code as well, so they must be there before.
    for syntax in [GrepSyntax::Extended, GrepSyntax::Perl, GrepSyntax::Fixed] {
        let warm = Query::default().with(|query| {
            let pattern = if syntax == GrepSyntax::Extended { r"(\w)\1.*z" } else { "w" };
            query.pattern.patterns = vec![pattern.into(), pattern.into()];
            query.pattern.patterns.truncate(if syntax == GrepSyntax::Fixed { 2 } else { 1 });
            query.pattern.syntax = syntax;
            query.printing.what = GrepPrint::Matches;
        });
        let plan = Plan { threads: NonZero::<usize>::MIN, ..Plan::default() };
        warm.compile().unwrap().run(&plan, "m", &files, &mut Nothing, &AtomicBool::new(false));
    }
    // The peak so far is forgotten: proc(5).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status_kib("VmRSS");
    let search = query.compile_in(&memory, threads, Duration::ZERO).unwrap();
    let compiled = status_kib("VmHWM").saturating_sub(before);
    let compiling = memory.most_bytes() / 1024;
    let plan = Plan { threads, ..Plan::default() };
    let totals = search.run(&plan, "m", &files, &mut Nothing, &AtomicBool::new(false));
    let used = status_kib("VmHWM").saturating_sub(before);
    let (leased, most) = (search.leased_bytes() / 1024, memory.most_bytes() / 1024);
    println!("figures {compiling} {compiled} {leased} {most} {used} {} lines", totals.lines);
}

#[test]
fn searches_use_no_more_memory_than_they_take() {
    const NAME: &str = "MEMBERD_TEST_SEARCH";
    const DIRECTORY: &str = "MEMBERD_TEST_DIRECTORY";
    const TEST: &str = "searches_use_no_more_memory_than_they_take";
    if let (Ok(name), Some(directory)) = (env::var(NAME), env::var_os(DIRECTORY)) {
        let wanted = searches().into_iter().find(|(other, ..)| *other == name);
        let (name, syntax, pattern) = wanted.unwrap();
        return search(directory.as_ref(), syntax, name, pattern);
    }
    let directory = TempDir::new().unwrap();
    let mut file = fs::File::create(directory.path().join("a.log")).unwrap();
    file.write_all(lines().as_bytes()).unwrap();
    let mut wrong = Vec::new();
    for (name, ..) in searches() {
        let mut alone = Command::new(env::current_exe().unwrap());
        alone.env(NAME, name).env(DIRECTORY, directory.path());
        // As memberd sets them: mallopt(3).
        alone.env("MALLOC_MMAP_THRESHOLD_", "131072").env("MALLOC_TRIM_THRESHOLD_", "131072");
        let output = alone.args([TEST, "--exact", "--nocapture"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {output:?}");
        let figures = said.lines().find_map(|line| line.split_once("figures ")).unwrap().1;
        let numbers: Vec<usize> =
            figures.split(' ').filter_map(|number| number.parse().ok()).collect();
        println!("{name}: compiling, compiled, leased, most, used, lines: {figures}");
        if numbers[1] > numbers[0] || numbers[4] > numbers[3] {
            wrong.push(format!("{name}: {figures}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
