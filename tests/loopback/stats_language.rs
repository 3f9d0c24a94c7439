//! Types every example of memberctl-stats-language(7) on a fleet with the logs that the page shows,
//! and compares what comes with what it shows.

use crate::manual::{LIMIT, Typed, texts, typed};
use memberd_tests::{Daemon, Fleet, process};
use std::fs;

const LANGUAGE: &str = include_str!("../../packaging/documents/stats-language.txt");

/// The files of the page, each with the member that has it, its name and its text.
fn files() -> Vec<(&'static str, &'static str, String)> {
    let sections = texts::examples(LANGUAGE);
    let logs = sections.iter().find(|section| section.title == "THE LOGS OF THE EXAMPLES");
    let blocks = logs.expect("the section").lines.split(|line| line.is_empty());
    let file = |block: &[&'static str]| {
        let lines: Vec<&str> = block.iter().filter_map(|line| line.strip_prefix("    ")).collect();
        let (head, lines) = lines.split_first()?;
        let (member, path) = head.split_once(":/srv/")?;
        let (_, name) = path.split_once('/')?;
        Some((member, name, lines.iter().map(|line| format!("{line}\n")).collect()))
    };
    blocks.filter_map(file).collect()
}

fn offer(daemon: &mut Daemon, files: &[(&str, &str, String)]) {
    for (member, name, text) in files {
        if *member == daemon.name() {
            drop(daemon.offer(name));
            fs::write(daemon.directory().join(name), text).unwrap();
        }
    }
}

#[test]
fn every_example_of_the_language_shows_what_comes() {
    let files = files();
    assert_eq!(files.len(), 5, "{files:?}");
    let fleet = Fleet::start_with_workers(2, |daemon| offer(daemon, &files));
    let mut count = 0;
    for texts::Section { title, lines } in texts::examples(LANGUAGE) {
        if title == "THE LOGS OF THE EXAMPLES" {
            continue;
        }
        for Typed { line, shown } in typed(&lines) {
            // memberd's own log is offered as well, and the page does not speak of it.
            let here = line.replacen("stats ", "stats --exclude='machine.*' ", 1);
            let mut command = fleet[1].shell(&format!("exec 2>&1; {here}"));
            let output = process::run(command.env("TZ", "UTC"), LIMIT);
            let mut said = String::from_utf8(output.stdout).unwrap();
            for daemon in fleet.daemons() {
                let directory = daemon.directory().display().to_string();
                said = said.replace(&directory, &format!("/srv/{}", daemon.name()));
            }
            // Which of both streams comes first is not said.
            let sorted = |lines: Vec<&str>| {
                let (mut messages, rows): (Vec<&str>, Vec<&str>) =
                    lines.into_iter().partition(|line| line.starts_with("memberctl: "));
                messages.extend(rows);
                messages.join("\n")
            };
            let shown = sorted(shown.iter().map(String::as_str).collect());
            assert_eq!(sorted(said.lines().collect()), shown, "{title}: {line}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
