//! Tags of real daemons. A reload changes them in the same incarnation, and greps choose members by
//! them.

use memberd_tests::Fleet;
use memberd_tests::binaries::memberctl;
use memberd_tests::terminal::Terminal;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;
use std::io::Write as _;

/// The names that `memberctl list` has with these options, as one member knows them.
fn listed(fleet: &Fleet, by: usize, options: &[&str]) -> String {
    let output = fleet[by].ctl(&[&["list", "--format", "names"], options].concat());
    String::from_utf8(output.stdout).unwrap().replace('\n', " ")
}

/// The incarnation stays the same.
#[test]
fn tags_that_a_reload_changes_are_in_every_list_soon() {
    let mut fleet = Fleet::start_with(4, |daemon| daemon.settings.tags = vec![("role", "web")]);
    for by in 1..=4 {
        wait_until("all are tagged", SOON, || {
            let names = listed(&fleet, by, &["--tag", "role=web"]);
            holds(names == "vm1 vm2 vm3 vm4 ", || names)
        });
    }
    let ids: Vec<String> = (1..=4).map(|number| fleet.id(number)).collect();
    fleet[2].settings.tags = vec![("role", "db"), ("zone", "a")];
    fleet[2].write_settings();
    fleet[2].reload();
    for by in 1..=4 {
        wait_until("the change is known", SOON, || {
            let names = listed(&fleet, by, &["--tag", "role=db", "--tag", "zone"]);
            holds(names == "vm2 ", || names)
        });
        assert_eq!(listed(&fleet, by, &["--tag", "role=web"]), "vm1 vm3 vm4 ");
        fleet[by].wait_until_logged(&format!("member tagged name=vm2 id={}", ids[1]));
    }
    let status = String::from_utf8(fleet[2].ctl(&["status"]).stdout).unwrap();
    assert!(status.contains("tags        role=db zone=a\n"), "{status}");
    assert_eq!((1..=4).map(|number| fleet.id(number)).collect::<Vec<_>>(), ids);
}

#[test]
fn a_grep_asks_only_those_that_have_the_tags() {
    let fleet = Fleet::start_with(3, |daemon| {
        writeln!(daemon.offer("app.txt"), "needle").unwrap();
        let role = if daemon.settings.name == "vm2" { "db" } else { "web" };
        daemon.settings.tags = vec![("role", role)];
    });
    let grep = |tags: &[&str]| fleet[1].ctl(&[&["grep", "-c", "needle", "app.txt"], tags].concat());
    wait_until("the tags are known", SOON, || {
        let text = String::from_utf8(grep(&["--tag", "role=web"]).stdout).unwrap();
        holds(text.lines().count() == 2 && !text.contains("vm2:"), || text)
    });
    let db = String::from_utf8(grep(&["--tag=role=db"]).stdout).unwrap();
    assert!(db.starts_with("vm2:") && db.lines().count() == 1, "{db}");
    let nobody = grep(&["--tag", "zone"]);
    let words = String::from_utf8(nobody.stderr).unwrap();
    assert_eq!(
        (nobody.status.code(), words.contains("no member to ask has such tags")),
        (Some(2), true),
        "{words}"
    );
}

#[test]
fn long_tags_are_cut_to_fit_a_terminal_and_whole_in_a_pipe() {
    let note = "hired until the end of May, then sold to the highest";
    let fleet =
        Fleet::start_with(1, |daemon| daemon.settings.tags = vec![("note", note), ("role", "web")]);
    let piped = String::from_utf8(fleet[1].ctl(&["list", "--tags"]).stdout).unwrap();
    assert!(piped.contains(&format!("note=\"{note}\" role=web\n")), "{piped}");
    let socket = fleet[1].settings.socket.display();
    let line = format!(
        "stty rows 24 cols 60; {} --socket {socket} list --tags --color never",
        memberctl().display()
    );
    let mut terminal = Terminal::run(&line, &[]);
    terminal.wait_until_shown("…\" role=web");
    assert!(terminal.wait().success());
    let seen = terminal.seen();
    assert!(seen.lines().all(|line| line.trim_end().chars().count() <= 60), "{seen}");
}
