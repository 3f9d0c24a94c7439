//! Greps over a fleet print, for each member, what GNU grep prints there.

use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet, process};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What every member offers, beside its own log.
const FILES: [&str; 2] = ["access.txt", "errors.txt"];

/// Options, patterns included, as they are given to both.
const TABLE: &[&[&str]] = &[
    &["error"],
    &["-i", "error"],
    &["-v", "error"],
    &["-w", "disk"],
    &["-w", "-i", "-o", "disk"],
    &["-x", "only this line"],
    &["-x", "-v", "-n", ""],
    &["-n", "timeout"],
    &["-c", "error"],
    &["-c", "-v", "error"],
    &["-c", "found nowhere"],
    &["-l", "rare-[0-9]"],
    &["-L", "rare-[0-9]"],
    &["-l", "-v", "error"],
    &["-o", "[0-9][0-9]*"],
    &["-o", "-n", "user=[a-z]*"],
    &["-o", "-i", "-E", "(ERR|warn)[a-z]*"],
    &["-m", "2", "error"],
    &["-m", "1", "-A", "3", "error"],
    &["-m", "0", "error"],
    &["-c", "-m", "3", "error"],
    &["-A", "2", "rare-3"],
    &["-B", "2", "rare-3"],
    &["-C", "1", "-n", "rare-"],
    &["-2", "rare-5"],
    &["-e", "rare-1", "-e", "timeout"],
    &["-E", "user=(anna|bert) .* [45][0-9]{2}$"],
    &["-E", "-v", "^(|.*error.*)$"],
    &["-F", "a.b[c]*"],
    &["-F", "-x", "a.b[c]*"],
    &["-F", "-i", "-w", "DISK"],
    &["-h", "timeout"],
    &["-h", "-n", "-A", "1", "rare-2"],
    &["-h", "-c", "error"],
    &["-H", "rare-4"],
    &["-q", "error"],
    &["-q", "found nowhere"],
    &["found nowhere"],
    &["\\(x\\|y\\)=[[:digit:]]\\{2,3\\}"],
    &["[äö]"],
    &["-i", "ÄRGER"],
    &["^$"],
    &[""],
    &["-s", "error"],
    &["--ignore-case", "--line-number", "--regexp=WARN"],
    &["--count", "--word-regexp", "disk"],
    &["--", "-dash"],
];

/// A line of a log that differs between members and contains many kinds of characters.
fn line(member: usize, number: usize) -> String {
    let user = ["anna", "bert", "carl"][(member + number) % 3];
    match number % 17 {
        0 => String::new(),
        1 => format!("{number} error: disk {member} is full, user={user}"),
        2 => format!("{number} Error: diskette timeout"),
        3 => "only this line".to_owned(),
        4 => format!("{number} WARN x={number} y={member} a.b[c]*"),
        5 => "a.b[c]*".to_owned(),
        6 => format!("{number} großer Ärger, schön öde, user={user}"),
        7 if number % 5 == member % 5 => format!("{number} rare-{member}"),
        8 => format!("-dash {number} ERROR"),
        9 => format!("{number} timeout DISK, Disk; disk_2 disk-3"),
        _ => format!("{number} GET /index.html user={user} {}", 200 + 100 * (number % 4)),
    }
}

fn write_files(daemon: &mut Daemon) {
    let member: usize = daemon.name().trim_start_matches("vm").parse().unwrap();
    for (index, name) in FILES.iter().enumerate() {
        let mut file = daemon.offer(name);
        for number in 0..200 + 37 * member * index {
            writeln!(file, "{}", line(member, number)).unwrap();
        }
    }
}

fn paths(directory: &Path) -> Vec<PathBuf> {
    FILES.iter().map(|name| directory.join(name)).collect()
}

/// GNU grep on one member's own files.
fn gnu_grep(options: &[&str], files: &[PathBuf]) -> Output {
    // -H first, so that -h among the options overrides it.
    let mut command = Command::new("grep");
    process::run(command.env("LC_ALL", "C.UTF-8").arg("-H").args(options).args(files), SOON)
}

/// The lines of each member in their order, without the separators of groups. Without names, all of
/// them sorted.
fn by_member(text: &str, named: bool) -> BTreeMap<String, Vec<String>> {
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| *line != "--") {
        let member = if named { line.split(':').next().unwrap_or_default() } else { "" };
        members.entry(member.to_owned()).or_default().push(line.to_owned());
    }
    if !named {
        members.values_mut().for_each(|lines| lines.sort());
    }
    members
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What both print, and their exit statuses. The status of ours is the best of the members', as 0
/// means that some line was selected.
fn expected(
    options: &[&str],
    fleet: &Fleet,
    files: impl Fn(&Daemon) -> Vec<PathBuf>,
) -> (String, Option<i32>) {
    let named = !options.contains(&"-h");
    let (mut lines, mut status) = (String::new(), Some(1));
    for daemon in fleet.daemons() {
        let output = gnu_grep(options, &files(daemon));
        assert!(output.stderr.is_empty(), "{options:?}: {output:?}");
        for line in text(&output.stdout).lines() {
            let prefix =
                if named && line != "--" { format!("{}:", daemon.name()) } else { String::new() };
            lines.push_str(&format!("{prefix}{line}\n"));
        }
        status = status.min(output.status.code());
    }
    (lines, status)
}

#[test]
fn ten_members_print_line_for_line_what_gnu_grep_prints() {
    let fleet = Fleet::start_with(10, write_files);
    for options in TABLE {
        let (lines, status) = expected(options, &fleet, |daemon| paths(daemon.directory()));
        // The files are given as a glob, after the pattern.
        let output = fleet[3].ctl(&[&["grep"], *options, &["*.txt"]].concat());
        assert!(output.stderr.is_empty(), "{options:?}: {output:?}");
        let named = !options.contains(&"-h");
        assert_eq!(
            by_member(&text(&output.stdout), named),
            by_member(&lines, named),
            "{options:?}"
        );
        assert_eq!(output.status.code(), status, "{options:?}");
    }
}

#[test]
fn a_file_glob_narrows_a_search_to_the_files_that_it_matches() {
    let fleet = Fleet::start_with(3, write_files);
    let whole_path = fleet[2].directory().join("access.txt").display().to_string();
    let only = |name: &'static str| move |daemon: &Daemon| vec![daemon.directory().join(name)];
    for glob in ["errors.*", "e?????.txt", "[d-f]*.txt"] {
        let (lines, status) = expected(&["-n", "error"], &fleet, only("errors.txt"));
        let output = fleet[1].ctl(&["grep", "-n", "error", glob]);
        assert_eq!(by_member(&text(&output.stdout), true), by_member(&lines, true), "{glob}");
        assert_eq!(output.status.code(), status, "{glob}");
    }
    let output = fleet[1].ctl(&["grep", "-c", "error", &whole_path]);
    let one = text(&output.stdout);
    assert!(one.lines().count() == 1 && one.starts_with(&format!("vm2:{whole_path}:")), "{one}");
}

/// The member's own log is part of it.
#[test]
fn without_files_everything_offered_is_searched() {
    let fleet = Fleet::start_with(3, write_files);
    let output = fleet[1].ctl(&["grep", "-c", ""]);
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 9, "{lines}");
    for daemon in fleet.daemons() {
        let log = format!("{}:{}:", daemon.name(), daemon.log().path().display());
        assert!(lines.lines().any(|line| line.starts_with(&log)), "{lines}");
    }
}

#[test]
fn a_bad_pattern_is_refused_with_status_2_and_one_line() {
    let fleet = Fleet::start_with(2, write_files);
    for options in [
        &["\\(open"][..],
        &["-E", "a{2,1}"],
        &["[z-a]"],
        &["-m", "many", "x"],
        &["--no-such-option", "x"],
    ] {
        let output = fleet[1].ctl(&[&["grep"], options].concat());
        assert_eq!(output.status.code(), Some(2), "{options:?}: {output:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{options:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{options:?}: {output:?}");
    }
}

#[test]
fn a_member_without_such_a_file_is_no_error() {
    let fleet = Fleet::start_with(3, write_files);
    std::fs::remove_file(fleet[2].directory().join("errors.txt")).unwrap();
    let output = fleet[1].ctl(&["grep", "-l", "error", "errors.txt"]);
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 2, "{output:?}");
    assert!(!lines.contains("vm2:"), "{lines}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// GNU grep treats a missing file in the same way.
#[test]
fn a_file_glob_that_matches_nowhere_is_an_error() {
    let fleet = Fleet::start_with(2, write_files);
    let output = fleet[1].ctl(&["grep", "error", "nowhere.txt"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("nowhere.txt"), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

/// The matches of the other glob are printed all the same.
#[test]
fn one_file_glob_of_two_that_matches_nowhere_is_an_error() {
    let fleet = Fleet::start_with(2, write_files);
    let output = fleet[1].ctl(&["grep", "-c", "error", "access.txt", "nowhere.txt"]);
    assert_eq!(text(&output.stdout).lines().count(), 2, "{output:?}");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("nowhere.txt"), "{output:?}");
}

#[test]
fn outside_of_a_group_there_is_nothing_to_grep() {
    let fleet = Fleet::idle(1);
    let output = fleet[1].ctl(&["grep", "x"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(text(&output.stderr).lines().count(), 1, "{output:?}");
}
