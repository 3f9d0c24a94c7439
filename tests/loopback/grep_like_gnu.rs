//! `memberctl grep` beside GNU grep: one daemon, the same files, the same command lines. Output and
//! status are the same to the byte.

use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet, process};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The files that are searched. The names are in the order in which both search them.
const FILES: &[(&str, &[u8])] = &[
    (
        "access.txt",
        b"10.0.0.1 GET /index.html 200 12\n10.0.0.2 GET /missing 404 0\n10.0.0.1 POST /login 302 \
        5\n\n10.0.0.3 GET /a.b[c]* 200 7\n10.0.0.2 GET /index.html 200 12\n-dash\n10.0.0.4 HEAD / \
        200 0\n",
    ),
    ("crlf.txt", b"error one\r\nfine\r\nerror two\r\n"),
    ("empty.txt", b""),
    (
        "errors.txt",
        b"error: disk is full\nError: diskette\nERROR disk_2 Disk disk\n\terror tabbed\nwarning: \
        low\n\nfoo foo bar\nabab abba\nok error error\ntimeout after 30s\ntimeout after 45s\nlast \
        error without newline",
    ),
    ("latin1.txt", b"error in caf\xe9\nerror in plain\n\xff\xfe\n"),
    ("letters.txt", "großer Ärger\nschön öde\nΣίσυφος\nerror é\n日本語 error\n".as_bytes()),
    ("nul.txt", b"error text\nbinary\0 error\nerror again\n"),
    ("records.txt", b"error one\nstill one\0two\0error three\n\0"),
];

/// Command lines, one a line, with words in single quotes where they have spaces; `FILES` is where
/// the files are named, or else at the end.
const LINES: &str = include_str!("tables/grep-lines.txt");

fn prepare(daemon: &mut Daemon) {
    for (name, content) in FILES {
        daemon.offer(name).write_all(content).unwrap();
    }
    let directory = daemon.directory();
    std::fs::write(directory.join("patterns"), "disk\nfoo\n").unwrap();
    let many: String = (0..60).map(|number| format!("10.9.{number}.1\n")).collect();
    let many =
        many + "10.0.0.1\n10.0.0.2\ndisk\ndisk_2\nerror t\nERR\nschÖn\n日本\nfoo\nbinary\n-dash\n";
    std::fs::write(directory.join("many"), many).unwrap();
    std::fs::write(directory.join("nothing"), "").unwrap();
    std::fs::write(directory.join("blank"), "\n").unwrap();
    std::fs::write(directory.join("globs"), "*s.txt\nnul*\n").unwrap();
    // With this directory GNU grep's file names are the same as ours.
    symlink("/", directory.join(format!("{}:", daemon.name()))).unwrap();
}

/// The words of a command line.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The words, with `files` in the place where files are named.
fn with_files(words: &[String], files: &[String]) -> Vec<String> {
    match words.iter().position(|word| word == "FILES") {
        Some(at) => [&words[..at], files, &words[at + 1..]].concat(),
        None => [words, files].concat(),
    }
}

fn run(mut command: Command, daemon: &Daemon, locale: &str, colors: &str) -> Output {
    command
        .current_dir(daemon.directory())
        .env("LC_ALL", locale)
        .env("GREP_COLORS", colors)
        .env_remove("GREP_COLOR");
    process::run(&mut command, SOON)
}

/// The lines of each on standard error, without its own name before them, and without GNU grep's
/// advice.
fn said(output: &Output, program: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = text.lines().filter(|line| !line.contains(": warning: "));
    lines.map(|line| line.trim_start_matches(program).to_owned()).collect()
}

/// How the two differ, if they do.
fn difference(daemon: &Daemon, line: &str, locale: &str, colors: &str) -> Option<String> {
    let words = words(line);
    let root = format!("{}:", daemon.name());
    let paths: Vec<String> = FILES
        .iter()
        .map(|(name, _)| format!("{root}{}", daemon.directory().join(name).display()))
        .collect();
    // -H first, so that -h among the options overrides it.
    let mut grep = Command::new("grep");
    grep.arg("-H").args(with_files(&words, &paths));
    let theirs = run(grep, daemon, locale, colors);
    let ours = with_files(&words, &["*.txt".to_owned()]);
    let ours: Vec<&str> = std::iter::once("grep").chain(ours.iter().map(String::as_str)).collect();
    let ours = run(daemon.memberctl(&ours), daemon, locale, colors);
    let same_words =
        theirs.status.code() == Some(2) || said(&theirs, "grep: ") == said(&ours, "memberctl: ");
    let same =
        theirs.stdout == ours.stdout && theirs.status.code() == ours.status.code() && same_words;
    (!same).then(|| {
        let shown = |output: &Output| {
            let [out, err] =
                [&output.stdout, &output.stderr].map(|bytes| bytes.escape_ascii().to_string());
            format!("{:?}\n{out}\n{err}", output.status.code())
        };
        format!("LC_ALL={locale} grep {line}\n  grep: {}\n  ours: {}", shown(&theirs), shown(&ours))
    })
}

/// Each command line is tried in both locales.
#[test]
fn every_command_line_does_what_it_does_with_gnu_grep() {
    let fleet = Fleet::start_with(1, prepare);
    let lines: Vec<&str> =
        LINES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(lines.len() >= 150, "{} command lines", lines.len());
    let mut differences = Vec::new();
    for line in &lines {
        for locale in ["C", "C.UTF-8"] {
            differences.extend(difference(&fleet[1], line, locale, ""));
        }
    }
    eprintln!("{} command lines were compared with GNU grep's, in two locales", lines.len());
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn colours_are_those_of_grep_colors() {
    let fleet = Fleet::start_with(1, prepare);
    let mut differences = Vec::new();
    for colors in [
        "",
        "mt=7",
        "ms=1:mc=2:fn=3:ln=4:bn=5:se=6",
        "sl=1:cx=2:rv",
        "ne",
        "fn=:ln=1=2:se=5",
        "ms=1;x:fn=3",
        "unknown=1:ms=4",
    ] {
        for line in [
            "--color=always -nb error",
            "--color=always -v -A1 disk",
            "--color=always -o -C1 error",
            "--colour=always -c error",
        ] {
            differences.extend(difference(&fleet[1], line, "C", colors));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn patterns_come_from_standard_input_as_well() {
    let fleet = Fleet::start_with(1, prepare);
    let directory = fleet[1].directory();
    let with_input = |mut command: Command| {
        let input: PathBuf = directory.join("patterns");
        let input = std::fs::File::open(input).unwrap();
        command.current_dir(directory).env("LC_ALL", "C").stdin(input).output().unwrap()
    };
    let mut grep = Command::new("grep");
    grep.args(["-h", "-f", "-", "errors.txt"]);
    let (theirs, ours) = (
        with_input(grep),
        with_input(fleet[1].memberctl(&["grep", "-h", "-f", "-", "errors.txt"])),
    );
    assert_eq!((ours.status.code(), ours.stdout), (theirs.status.code(), theirs.stdout));
    assert_eq!(ours.status.code(), Some(0));
}

/// The README has this as a difference: GNU grep 3.8 to 3.12 take the file for binary from its
/// start, print none of its lines, and list it with `-L`.
#[test]
fn a_hole_behind_the_text_hides_no_line() {
    let fleet = Fleet::start_with(1, |daemon| {
        let mut file = daemon.offer("hole.log");
        (0..50_000).for_each(|n| writeln!(file, "line {n} needle").unwrap());
        let length = file.metadata().unwrap().len();
        file.set_len(length + (1 << 20)).unwrap();
    });
    for (option, first) in [("-c", "50000"), ("-n", "1:line 0 needle"), ("-L", "")] {
        let output = fleet[1].ctl(&["grep", "-h", option, "needle", "hole.log"]);
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().next().unwrap_or_default();
        assert_eq!((line, output.status.code()), (first, Some(0)), "{option}");
    }
}
