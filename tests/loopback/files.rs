//! `memberctl files`: what can be searched on each member.

use memberd_tests::Fleet;
use memberd_tests::settings::PATIENT;
use memberd_tests::wait::SOON;
use std::fs;
use std::io::Write as _;

#[test]
fn each_members_files_are_listed_with_sizes_and_times() {
    let fleet = Fleet::start_with(2, |daemon| {
        let mut file = daemon.offer("app.txt");
        writeln!(file, "2026-11-21T10:00:00.000Z first\n2026-11-21T11:00:00.000Z last").unwrap();
        let rotated = daemon.directory().join("app.txt.1.gz");
        fs::write(rotated, b"\x1f\x8b\x08rest").unwrap();
    });
    let file = |number: usize| fleet[number].directory().join("app.txt").display().to_string();
    let output = fleet[1].ctl(&["files", "*.txt"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!((rows.len(), output.status.code()), (5, Some(0)), "{output:?}");
    assert!(rows[0].starts_with("MEMBER  SIZE  FROM"), "{text}");
    for number in [1, 2] {
        let (old, new) = (rows[2 * number - 1], rows[2 * number]);
        let name = format!("vm{number} ");
        let ends = format!("{0}.1.gz (gzip; rotated from {0})", file(number));
        assert!(old.starts_with(&name) && old.ends_with(&ends), "{old}");
        let ends = format!(
            "61 B  2026-11-21T10:00:00.000Z  2026-11-21T11:00:00.000Z  {} (RFC 3339 and ISO 8601)",
            file(number)
        );
        assert!(new.starts_with(&name) && new.ends_with(&ends), "{new}");
    }
    let output = fleet[2].ctl(&["files", "--json", "--on", "vm1", "app.txt"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with(r#"{"schema":1,"members":[{"member":"vm1","files":[{"path":"#),
        "{text}"
    );
    assert!(text.contains(r#""first":1795255200000,"last":1795258800000"#), "{text}");

    let nowhere = fleet[1].ctl(&["files", "nothing.txt"]);
    assert_eq!(nowhere.status.code(), Some(2), "{nowhere:?}");
    let said = String::from_utf8(nowhere.stderr).unwrap();
    assert!(said.starts_with("memberctl: nothing.txt: no member offers such a file"), "{said}");
    let wrong = fleet[1].ctl(&["files", "--on", "db1"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

/// It is named, and the others are listed.
#[test]
fn a_silent_members_files_are_missed() {
    let fleet = Fleet::start_with(2, |daemon| daemon.settings.group = vec![PATIENT]);
    fleet[2].signal(nix::sys::signal::Signal::SIGSTOP);
    let output = fleet[1].ctl(&["files"]);
    fleet[2].signal(nix::sys::signal::Signal::SIGCONT);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.starts_with("memberctl: vm2: did not answer: "), "{said}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("machine.1.log"));
    fleet.wait_until_whole_within(SOON);
}
