//! The README and the page about memberctl: what they type works and prints what they show. All
//! documents name only what exists.

use crate::manual::{LIMIT, Typed, compared, typed, words};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, process, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}

/// The page that shows memberctl at work.
fn usage() -> String {
    fs::read_to_string(repository().join("ctl/README.md")).unwrap()
}

/// The fenced block of this language, none or another, that begins with a line that holds these
/// words.
fn block(text: &str, language: &str, first: &str) -> Vec<String> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    let mut lines =
        blocks.filter_map(|block| Some(block.strip_prefix(language)?.strip_prefix('\n')?.lines()));
    let found = lines.find(|lines| lines.clone().next().is_some_and(|line| line.contains(first)));
    found
        .unwrap_or_else(|| panic!("no {language} block begins with {first}"))
        .map(str::to_owned)
        .collect()
}

/// What is typed in a block, after this prompt.
fn session(lines: &[String], prompt: &str) -> Vec<Typed> {
    let indented: Vec<String> =
        lines.iter().map(|line| format!("    {}", line.replacen(prompt, "$ ", 1))).collect();
    typed(&indented.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What a line that is typed on a member prints, on one pipe, as on a terminal.
fn said(daemon: &Daemon, directory: &Path, line: &str) -> String {
    let output =
        process::run(daemon.shell(&format!("exec 2>&1; {line}")).current_dir(directory), LIMIT);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {}\n{said}", output.status);
    said
}

#[test]
fn the_demo_shows_the_session_of_the_readme() {
    let fleet = Fleet::new(1);
    let demo = said(&fleet[1], fleet[1].directory(), "TMPDIR=/tmp memberctl demo --quick");
    let mut rest = demo.lines().map(words);
    for line in block(&readme(), "", "A fleet of 7 members").iter().filter(|line| !line.is_empty())
    {
        assert!(
            rest.any(|shown| shown == words(line)),
            "the demo does not show, where the README has it: {line}\n{demo}"
        );
    }
    let shown: Vec<String> = demo.lines().map(words).collect();
    let asked: Vec<String> =
        block(&readme(), "", "memberctl stats").iter().map(|line| words(line)).collect();
    assert!(shown.windows(asked.len()).any(|lines| lines == asked), "{asked:?}\n{demo}");
}

#[test]
fn the_demo_of_swim_shows_a_suspicion_and_its_end() {
    let fleet = Fleet::new(1);
    let line = "TMPDIR=/tmp memberctl demo --quick --detector swim";
    let demo = said(&fleet[1], fleet[1].directory(), line);
    for words in [
        " that it is suspected",
        " that the suspicion is refuted",
        "Nobody listed vm7 as failed.",
        "(promised: 10 s)",
        "(promised: 15 s)",
    ] {
        assert!(demo.contains(words), "the demo does not show: {words}\n{demo}");
    }
}

#[test]
fn the_screen_of_the_page_is_that_of_top() {
    let fleet = Fleet::start(10);
    let screen: Vec<String> =
        said(&fleet[2], fleet[2].directory(), "memberctl top --once").lines().map(words).collect();
    let shown = block(&usage(), "", "list as 4 of 4 neighbours have it");
    let fixed = |line: &&String| {
        ["NAME ", "o alive", "CHANGES", "arrows"]
            .iter()
            .any(|word| line.trim_start().starts_with(word))
    };
    let fixed: Vec<&String> = shown.iter().filter(fixed).collect();
    assert_eq!((fixed.len(), shown.len() <= 24), (4, true), "{shown:?}");
    for line in fixed {
        // The ring may be to the left of it.
        assert!(screen.iter().any(|shown| shown.ends_with(&words(line))), "{line}: {screen:?}");
    }
}

/// A shop's log with the lines that the page searches for: one of an hour ago, some of the last
/// minutes.
fn offer_shop_log(daemon: &mut Daemon) {
    // How far a copy goes differs each time.
    daemon.settings.logs.push("copies = 0".to_owned());
    let mut log = daemon.offer("shop.log");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for ago in [3600, 600, 300, 120] {
        let time = process::run(
            std::process::Command::new("date").args([
                "-u",
                "-d",
                &format!("@{}", now - ago),
                "+%FT%T.000Z",
            ]),
            SOON,
        );
        let time = String::from_utf8(time.stdout).unwrap();
        writeln!(
            log,
            "{} ERROR db deadlock detected, transaction rolled back table=orders",
            time.trim()
        )
        .unwrap();
    }
}

#[test]
fn the_searches_of_the_page_find_what_it_shows() {
    let mut fleet = Fleet::start_with(5, offer_shop_log);
    let searches = session(&block(&usage(), "", "memberctl grep --since"), "vm1$ ");
    assert!(searches.len() > 3, "{searches:?}");
    for Typed { line, shown } in searches {
        if shown.iter().any(|line| line.contains("vm4 failed")) {
            fleet.crash(&[4]);
            fleet.wait_until_whole();
        }
        let mut said = said(&fleet[1], fleet[1].directory(), &line);
        for daemon in fleet.daemons() {
            said = said.replace(
                &daemon.directory().display().to_string(),
                &format!("/tmp/fleet5/{}/srv", daemon.name()),
            );
        }
        // The number of lines depends on this log.
        let kinds = |lines: Vec<String>| lines.into_iter().collect::<BTreeSet<String>>();
        let (shown, said) = (shown.iter().cloned(), said.lines().map(str::to_owned));
        assert_eq!(kinds(compared(shown)), kinds(compared(said)), "{line}");
    }
}

#[test]
fn every_command_of_the_page_works() {
    let mut fleet = Fleet::start_with_workers(7, |daemon| {
        daemon.settings.tags = vec![("role", "web"), ("zone", "a")];
        // What is said of a copy differs each time.
        daemon.settings.logs.push("copies = 0".to_owned());
    });
    fleet.crash(&[4]);
    fleet.wait_until_whole();
    wait_until("the crash is in the log", SOON, || {
        holds(!fleet[2].log().failed().is_empty(), || "not yet".to_owned())
    });
    let directory = tempfile::tempdir().unwrap();
    let commands = session(&block(&usage(), "console", "memberctl key generate"), "$ ");
    assert!(commands.len() > 15, "{commands:?}");
    for Typed { line, .. } in commands {
        let command = line.split('#').next().unwrap_or_default().trim();
        let here =
            line.replace("/etc/memberd/memberd.toml", &fleet[2].config().display().to_string());
        let here = here.replace("/etc/memberd/group.key", "group.key");
        // A follower is ended after a moment, and there is no terminal here.
        let follows = command == "memberctl events" || command.contains("--exec");
        let here = if follows { format!("timeout 1 {here}") } else { here };
        let here = here.replace("memberctl top", "memberctl top --once");
        let output = process::run(fleet[2].shell(&here).current_dir(directory.path()), LIMIT);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(if follows { 124 } else { 0 }),
            "{line}: {complained}"
        );
        let complained =
            complained.lines().filter(|line| !line.ends_with("its logs are not searched"));
        assert_eq!(complained.collect::<Vec<_>>(), [""; 0], "{line}");
    }
}

#[test]
fn the_settings_that_the_page_shows_are_good() {
    let fleet = Fleet::new(1);
    let key = fleet[1].directory().join("group.key");
    let settings = block(&usage(), "toml", "/etc/memberd/memberd.toml").join("\n");
    let settings = format!("{settings}\n[security]\nkey_file = \"{}\"\n", key.display());
    fs::write(fleet[1].directory().join("readme.toml"), settings).unwrap();
    let printed = said(
        &fleet[1],
        fleet[1].directory(),
        "memberctl key generate group.key && memberctl check readme.toml",
    );
    assert_eq!(printed, "the settings in readme.toml are good\n");
}

/// The documents, each with its path.
fn documents() -> Vec<(PathBuf, String)> {
    let named = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "daemon/ARCHITECTURE.md",
        "ctl/README.md",
        "tests/BENCHMARKS.md",
        "packaging/INSTALL.md",
        "packaging/OPERATIONS.md",
        "packaging/ansible/README.md",
        "daemon/membership/PROTOCOL.md",
        "daemon/membership/SECURITY.md",
        "daemon/search/README.md",
        "daemon/search/BENCH.md",
        "daemon/fuzz/README.md",
    ];
    named
        .iter()
        .map(|name| repository().join(name))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// The code of a document: spans on one line, and indented or fenced lines.
fn code(text: &str) -> Vec<String> {
    let mut code = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        match line.strip_prefix("    ") {
            Some(line) => code.push(line.to_owned()),
            None if fenced => code.push(
                line.trim_start_matches("vm1").trim_start_matches(['$', '#', ' ']).to_owned(),
            ),
            None => code.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    code
}

/// Whether a crate has an example of this name, in a file or a folder, or names it in its manifest.
fn is_example(name: &str) -> bool {
    ["daemon/membership", "daemon/council", "daemon", "tests"].iter().any(|package| {
        let package = repository().join(package);
        let examples = package.join("examples");
        let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
        examples.join(format!("{name}.rs")).exists()
            || examples.join(name).join("main.rs").exists()
            || manifest.contains(&format!("name = \"{name}\""))
    })
}

#[test]
fn every_target_example_and_file_that_a_document_names_is_there() {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    let mut seen = (0, 0, 0);
    for (path, text) in documents() {
        let at = path.display();
        for line in code(&text) {
            let mut words = line.split_whitespace();
            if words.next() == Some("make") {
                let target = words.next().unwrap_or_default();
                assert!(makefile.contains(&format!("\n{target}:")), "{at}: no such target: {line}");
                seen.0 += 1;
            }
            if let Some((_, example)) = line.split_once(" --example ") {
                let example = example.split_whitespace().next().unwrap_or_default();
                assert!(is_example(example), "{at}: no such example: {line}");
                seen.1 += 1;
            }
        }
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") {
                assert!(path.parent().unwrap().join(file).exists(), "{at}: nothing is at {link}");
                seen.2 += 1;
            }
        }
    }
    assert!(seen.0 > 10 && seen.1 > 2 && seen.2 > 15, "{seen:?}");
}

/// The pages that name paths from the top of the repository.
const TOUR: [&str; 3] = ["README.md", "CONTRIBUTING.md", "daemon/ARCHITECTURE.md"];

#[test]
fn every_path_that_the_architecture_names_exists() {
    let mut seen = 0;
    for page in TOUR {
        let text = fs::read_to_string(repository().join(page)).unwrap();
        for named in code(&text) {
            let folders = ["daemon/", "ctl/", "packaging/", "systemd/", "tests/"];
            let is_path = folders.iter().any(|folder| named.starts_with(folder));
            if is_path && !named.contains(char::is_whitespace) {
                assert!(repository().join(&named).exists(), "{page}: no such path: {named}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn make_help_has_a_sentence_for_every_target() {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    let makefile = makefile.replace("\\\n", " ");
    let (_, targets) = makefile.split_once(".PHONY:").unwrap();
    for target in targets.lines().next().unwrap().split_whitespace() {
        let begin = format!("{target}: ");
        let sentence = makefile
            .lines()
            .filter(|line| line.starts_with(&begin))
            .find_map(|line| line.split_once("## "));
        assert!(sentence.is_some_and(|(_, text)| text.ends_with('.')), "no help for {target}");
    }
}

#[test]
fn every_command_and_option_that_a_document_names_is_there() {
    let mut line = ::memberctl::completed_line();
    // Each command has the options of all commands then.
    line.build();
    let mut seen = 0;
    for (path, text) in documents() {
        for named in code(&text) {
            let mut words =
                named.split(['|', ';', '#', '&']).next().unwrap_or_default().split_whitespace();
            if words.next() != Some("memberctl") {
                continue;
            }
            let at = format!("{}: {named}", path.display());
            let Some(verb) = words.next().filter(|verb| verb.starts_with(char::is_alphabetic))
            else {
                continue;
            };
            let mut command =
                line.find_subcommand(verb).unwrap_or_else(|| panic!("{at}: no such command"));
            for word in words {
                command = command.find_subcommand(word).unwrap_or(command);
                let option = word
                    .trim_matches(['[', ']'])
                    .strip_prefix("--")
                    .and_then(|word| word.split('=').next());
                let known = |name: &str| {
                    command.get_arguments().any(|argument| argument.get_long() == Some(name))
                };
                assert!(
                    option.is_none_or(|name| ["", "help"].contains(&name) || known(name)),
                    "{at}: no such option: {word}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
}
