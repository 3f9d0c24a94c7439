//! Types every command of the manual pages on a real fleet, and compares the output with theirs.

#[path = "../../packaging/documents/texts.rs"]
pub(crate) mod texts;

use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, process, wait_until};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

/// A demo takes some seconds, on a busy machine more.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A line that is typed, and the lines that come.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) line: String,
    pub(crate) shown: Vec<String>,
}

/// What is typed in an example.
pub(crate) fn typed(lines: &[&str]) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix("    ")) {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(line), _) => all.push(Typed { line: line.to_owned(), shown: Vec::new() }),
            (None, Some(typed)) => typed.shown.push(line.to_owned()),
            (None, None) => panic!("nothing was typed that says {line}"),
        }
    }
    all
}

/// A line without what differs from one fleet to the next: numbers, how long ago, ids, widths of
/// columns.
pub(crate) fn words(line: &str) -> String {
    let word = |word: &str| {
        let letters = word.trim_end_matches(|character: char| !character.is_alphanumeric());
        let rest = &word[letters.len()..];
        let id = letters.len() >= 8 && letters.bytes().all(|byte| byte.is_ascii_hexdigit());
        match letters {
            _ if id => format!("ID{rest}"),
            "ms" | "s" | "min" | "h" => format!("s{rest}"),
            _ => ["00", "0.0"].iter().fold(zeros(word), |text, run| collapsed(text, run)),
        }
    };
    line.replace("just now", "0 s ago").split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

fn zeros(text: &str) -> String {
    text.replace(|character: char| character.is_ascii_digit(), "0")
}

fn collapsed(mut text: String, run: &str) -> String {
    while text.contains(run) {
        text = text.replace(run, "0");
    }
    text
}

/// All lines, sorted, because members may answer in any order.
pub(crate) fn compared(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(|line| words(&line)).collect();
    lines.sort();
    lines
}

/// Everything is typed on vm2. vm1 leads. vm4 has crashed. vm5 has settings, and does not run. The
/// examples are of a group without copies of logs.
fn fleet(tags: &[(&'static str, &'static str)]) -> Fleet {
    let mut fleet = Fleet::store_files(4, &[], |daemon| {
        daemon.settings.tags = tags.to_vec();
        daemon.settings.logs.push("copies = 0".to_owned());
        daemon.start_worker();
    });
    if fleet.led_by().0 != 1 {
        fleet[fleet.led_by().0].control().hand_over(Some("vm1")).unwrap();
    }
    fleet.crash(&[4]);
    fleet.wait_until_whole();
    fleet.wait_until_agreed();
    let added = fleet.add();
    added.settings.set_agreement(&["vm1", "vm2", "vm3"], &[]);
    added.write_settings();
    fleet
}

fn run(daemon: &Daemon, directory: &Path, line: &str) -> Output {
    // On one pipe, as on a terminal.
    process::run(daemon.shell(&format!("exec 2>&1; {line}")).current_dir(directory), LIMIT)
}

#[test]
fn every_example_of_the_manual_shows_what_comes() {
    let fleet = fleet(&[]);
    let directory = tempfile::tempdir().unwrap();
    wait_until("the crash is in all logs", SOON, || {
        let failed = [1, 2, 3].map(|number| fleet[number].log().failed().len());
        holds(failed == [1, 1, 1], || format!("{failed:?}"))
    });
    let examples = texts::examples(texts::EXAMPLES);
    assert!(examples.len() > 10);
    for texts::Section { title, lines } in examples {
        // The introducer is vm1 here too; the settings are those of vm5 where they are to be run.
        let settings = fleet[if title == "memberd" { 5 } else { 2 }].config().display().to_string();
        let place = |line: &str| {
            let line = line.replace("192.0.2.11:8946", &fleet[1].settings.address.to_string());
            line.replace("/etc/memberd/memberd.toml", &settings)
        };
        if title == "memberctl join" {
            assert!(fleet[2].control().leave().unwrap());
        }
        for Typed { line, shown } in typed(&lines) {
            let output = run(&fleet[2], directory.path(), &place(&line));
            let said = String::from_utf8_lossy(&output.stdout);
            let mut said = said.replace(&settings, "/etc/memberd/memberd.toml");
            for daemon in fleet.daemons() {
                said = said
                    .replace(&daemon.settings.log_dir.display().to_string(), "/var/log/memberd");
            }
            assert!(output.status.success(), "{title}: {line}: {}\n{said}", output.status);
            // `[...]` stands for lines that are not shown.
            if !shown.iter().any(|line| line == "[...]") {
                let (shown, said) = (shown.iter().cloned(), said.lines().map(str::to_owned));
                assert_eq!(compared(shown), compared(said), "{title}: {line}");
            } else {
                let last = shown.last().unwrap();
                assert!(said.ends_with(&format!("{last}\n")), "{title}: {line}: {said}");
            }
        }
        // The next example finds the group at rest.
        fleet.wait_until_whole();
    }
}

/// The examples at the end of each command's help.
fn of_the_helps(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples = help.split_once("Examples:").map(|(_, examples)| examples).unwrap_or_default();
    let typed = examples.lines().filter_map(|line| line.strip_prefix("  ")).map(|line| {
        // Its purpose is beside it.
        line.split("  ").next().unwrap_or_default().trim().to_owned()
    });
    typed.chain(command.get_subcommands().flat_map(of_the_helps)).collect()
}

#[test]
fn every_example_of_the_helps_works() {
    let fleet = fleet(&[("role", "web"), ("zone", "a")]);
    let directory = tempfile::tempdir().unwrap();
    let ssh = directory.path().join("ssh");
    fs::write(&ssh, "#!/bin/sh\necho \"$@\"\n").unwrap();
    fs::set_permissions(&ssh, Permissions::from_mode(0o755)).unwrap();
    let lines = of_the_helps(&::memberctl::command_line());
    assert!(lines.len() > 6, "{lines:?}");
    for line in lines {
        // They do not touch this machine's Prometheus or its other hosts. A follower is ended after
        // a moment.
        let here = line.replace("/etc/prometheus/", "").replace("ssh", "./ssh");
        let is_endless = line.starts_with("memberctl events") && !line.contains("--until");
        let follows = is_endless || line.contains("--follow");
        let output = run(
            &fleet[2],
            directory.path(),
            &if follows { format!("timeout 1 {here}") } else { here },
        );
        let said = String::from_utf8_lossy(&output.stdout);
        let well = if follows { Some(124) } else { Some(0) };
        assert_eq!(output.status.code(), well, "{line}: {said}");
        assert!(!said.contains("memberctl: "), "{line}: {said}");
    }
    assert!(fs::read_to_string(directory.path().join("fleet.json")).unwrap().starts_with('['));
}

#[test]
fn the_settings_that_the_manual_shows_are_good() {
    let fleet = Fleet::new(1);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let key = path("group.key").display().to_string();
    let settings = include_str!("../../packaging/documents/example.toml")
        .replace("/etc/memberd/group.key", &key);
    assert!(settings.contains(&key));
    fs::write(path("memberd.toml"), settings).unwrap();
    let output = run(
        &fleet[1],
        directory.path(),
        "memberctl key generate group.key && memberctl check memberd.toml",
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said, "the settings in memberd.toml are good\n");
}
