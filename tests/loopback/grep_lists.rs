//! Greps for long lists of strings: beside GNU grep, and at their limits.

use memberd_tests::process::{self, Running};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, proc, wait_until};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// By how many KiB two greps with the longest lists may raise a daemon's memory, so that it stays
/// far below the 256 MiB of its service.
const GROWTH_KIB: u64 = 128 * 1024;

/// How many addresses the list has. It is longer than regular expressions may be together.
const LISTED: usize = 20_000;

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", number / 62_500, number / 250 % 250, number % 250)
}

/// A log with an address and a word in each line. Some are of the list, and others only contain
/// one.
fn offer(daemon: &mut Daemon) {
    // Who has it open is counted.
    daemon.settings.logs.push("copies = 0".to_owned());
    let mut text = String::new();
    for line in 0..4_000 {
        let listed = address(line * 7 % LISTED);
        let other = address(LISTED + line);
        match line % 8 {
            0 => writeln!(text, "GET from {listed} Alpha"),
            1 => writeln!(text, "{listed}"),
            2 => writeln!(text, "GET from {listed}7 beta"),
            3 => writeln!(text, "from 1{listed} and {listed}: \u{212a}ILO"),
            _ => writeln!(text, "GET from {other} beta"),
        }
        .unwrap();
    }
    daemon.offer("app.txt").write_all(text.as_bytes()).unwrap();
    let mut list: String = (0..LISTED).map(|number| address(number) + "\n").collect();
    list.push_str("ALPHA\nbeta\n");
    fs::write(daemon.directory().join("list"), list).unwrap();
}

fn grep(fleet: &Fleet, words: &[&str], locale: &str) -> [Output; 2] {
    let directory = fleet[1].directory();
    let mut theirs = Command::new("grep");
    theirs.args(words).arg("app.txt");
    let words: Vec<&str> = [&["grep", "-h", "--on", "vm1"], words, &["app.txt"]].concat();
    [theirs, fleet[1].memberctl(&words)].map(|mut command| {
        command.current_dir(directory).env("LC_ALL", locale).env_remove("GREP_COLORS");
        process::run(&mut command, 4 * SOON)
    })
}

#[test]
fn a_long_list_finds_what_gnu_grep_finds() {
    let fleet = Fleet::start_with(2, offer);
    for locale in ["C", "C.UTF-8"] {
        for options in [
            "-F", "-Fi", "-Fw", "-Fx", "-Fv", "-Fo", "-Fc", "-Fn", "-Fiw", "-Fix", "-Fvc", "-Fio",
            "-Fwo", "-Fwv", "-Fin", "-Fq", "-Fb", "-FA1", "-Fm3",
        ] {
            for color in ["--color=never", "--color=always"] {
                let [theirs, ours] = grep(&fleet, &[options, color, "-f", "list"], locale);
                assert!(ours.stderr.is_empty(), "{options} {color}: {ours:?}");
                assert!(theirs.status == ours.status, "{options} {color}: {}", ours.status);
                assert!(theirs.stdout == ours.stdout, "LC_ALL={locale} {options} {color}");
            }
        }
    }
    // The other member gets the whole list too.
    let both = fleet[1].ctl(&["grep", "-c", "-F", "-f", &list(&fleet), "app.txt"]);
    let counts = String::from_utf8(both.stdout).unwrap();
    let counts: Vec<_> = counts.lines().filter_map(|line| line.rsplit(':').next()).collect();
    assert_eq!(counts.len(), 2);
    assert_eq!(counts.first(), counts.last());
}

fn list(fleet: &Fleet) -> String {
    fleet[1].directory().join("list").display().to_string()
}

#[test]
fn lists_that_are_too_long_are_refused_in_plain_words() {
    let fleet = Fleet::start_with(1, offer);
    let path = fleet[1].directory().join("longer");
    let refused = |bytes: usize, option: &str| {
        let mut text = "x0.20.30.40\n".repeat(bytes / 12 + 1);
        text.truncate(bytes);
        fs::write(&path, text).unwrap();
        let output = fleet[1].ctl(&["grep", option, "-f", path.to_str().unwrap(), "app.txt"]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, words) = refused(4 * 1024 * 1024, "-F");
    assert_eq!((status, words.as_str()), (Some(1), ""), "none of them is there");
    let (status, words) = refused(4 * 1024 * 1024 + 12, "-F");
    assert_eq!(status, Some(2));
    assert!(words.contains("the patterns are longer than 4194304 bytes together"), "{words}");
    let (status, words) = refused(5 * 1024 * 1024, "-F");
    assert_eq!(status, Some(2));
    assert!(words.contains("the request is too long"), "{words}");
    let (status, words) = refused(70_000, "-G");
    assert_eq!(status, Some(2));
    assert!(words.contains("or plain strings (-F)"), "{words}");
}

/// Two run at once from one member, with 4 MiB of different strings each. A third is refused there,
/// and answered from another member.
#[test]
fn greps_with_long_lists_take_bounded_memory() {
    let fleet = Fleet::start_with(2, offer);
    let long = fleet[1].directory().join("long");
    let mut text: String = (0..400_000).map(|number| format!("{number:09}\n")).collect();
    text.truncate(4 * 1024 * 1024);
    fs::write(&long, text).unwrap();
    let long = long.to_str().unwrap();
    let words = ["grep", "-h", "--follow", "-F", "-f", long, "app.txt"];
    let before = [1, 2].map(|number| proc::peak_kib(fleet[number].pid()));
    let log = |number: usize| fleet[number].directory().join("app.txt");
    // One after the other: a search waits for the memory that another one takes to compile, for 5 s
    // at most.
    let following: Vec<Running> = (1..=2)
        .map(|count| {
            let mut command = fleet[1].memberctl(&words);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let running = Running::start(&mut command);
            wait_until("both members follow for all", 4 * SOON, || {
                let open = |number: usize| {
                    let files = proc::open_files(fleet[number].pid());
                    files.iter().filter(|file| **file == log(number)).count()
                };
                let (one, two) = (open(1), open(2));
                holds(one == count && two == count, || format!("{one} and {two} files"))
            });
            running
        })
        .collect();
    let third = fleet[1].ctl(&words);
    assert_eq!(third.status.code(), Some(2), "{third:?}");
    let said = String::from_utf8(third.stderr).unwrap();
    assert!(said.contains("2 greps with long lists of patterns run from here already"), "{said}");
    let other = fleet[2].ctl(&["grep", "-c", "--on", "vm1", "-F", "-f", long, "app.txt"]);
    assert_eq!(other.status.code(), Some(1), "there is memory for another: {other:?}");
    for number in [1, 2] {
        let growth = proc::peak_kib(fleet[number].pid()) - before[number - 1];
        assert!(growth <= GROWTH_KIB, "{} grew by {growth} KiB", fleet[number].name());
    }
    drop(following);
    wait_until("their places are free again", SOON, || {
        let again = fleet[1].ctl(&["grep", "-c", "-F", "-f", long, "app.txt"]);
        holds(again.status.code() == Some(1), || format!("{again:?}"))
    });
}
