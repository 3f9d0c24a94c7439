//! SIGHUP reopens the log. Changed settings take effect all together, or none does.

use memberd_tests::binaries::{memberd, mortal};
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

#[test]
fn after_a_rotation_new_lines_go_to_the_new_file() {
    let fleet = Fleet::start(3);
    let id = fleet.id(3);
    // All joins are logged before the file is renamed.
    for name in ["vm1", "vm2", "vm3"] {
        fleet[1].wait_until_logged(&format!("member joined name={name} "));
    }
    let log = fleet[1].log();
    let rotated = log.path().with_extension("log.1");
    fs::rename(log.path(), &rotated).unwrap();
    fleet[1].signal(Signal::SIGHUP);
    fleet[1].wait_until_logged("settings reloaded");
    let old = fs::read_to_string(&rotated).unwrap();
    assert!(old.contains("member joined name=vm3"), "{old}");
    fleet[3].ctl(&["leave"]);
    fleet[1].wait_until_logged(&format!("member left name=vm3 id={id}"));
    assert_eq!(fs::read_to_string(&rotated).unwrap(), old, "the old file has grown");
    assert!(!log.text().contains("member joined"), "old lines are in the new file");
}

/// The reload did not come, or could not be done.
#[test]
fn a_rotation_without_a_reload_loses_no_line_either() {
    let fleet = Fleet::start(3);
    let id = fleet.id(3);
    let log = fleet[1].log();
    let rotated = log.path().with_extension("log.1");
    fs::rename(log.path(), &rotated).unwrap();
    fs::write(log.path(), "").unwrap();
    let old = fs::read_to_string(&rotated).unwrap();
    fleet[3].ctl(&["leave"]);
    fleet[1].wait_until_logged(&format!("member left name=vm3 id={id}"));
    let [before, after] = [&old, &fs::read_to_string(&rotated).unwrap()]
        .map(|text| text.matches("member left").count());
    assert_eq!(before, after, "the line is in the renamed file");
}

#[test]
fn a_reload_changes_which_files_can_be_grepped() {
    let mut fleet = Fleet::start_with(2, |daemon| {
        writeln!(daemon.offer("old.txt"), "needle").unwrap();
    });
    let found = |fleet: &Fleet| {
        String::from_utf8(fleet[1].ctl(&["grep", "-l", "needle", "*.txt"]).stdout).unwrap()
    };
    assert_eq!(found(&fleet).matches("old.txt").count(), 2);
    fleet[2].settings.files.clear();
    writeln!(fleet[2].offer("new.txt"), "needle").unwrap();
    fleet[2].write_settings();
    fleet[2].reload();
    let files = found(&fleet);
    assert!(
        files.contains("vm1:")
            && files.matches("old.txt").count() == 1
            && files.contains("new.txt"),
        "{files}"
    );
}

/// A client hears what has changed, what needs a restart, and what is wrong.
#[test]
fn a_client_that_asks_for_a_reload_hears_its_outcome() {
    let mut fleet = Fleet::start(2);
    let reload = |fleet: &Fleet, status: i32| {
        let output = fleet[2].ctl(&["reload"]);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (said(&output.stdout), said(&output.stderr))
    };
    let nothing = ("reloaded; no setting has changed\n".to_owned(), String::new());
    assert_eq!(reload(&fleet, 0), nothing);
    fleet[2].settings.level = "debug";
    fleet[2].settings.limits = vec!["greps = 3"];
    fleet[2].write_settings();
    let (said, complaint) = reload(&fleet, 0);
    let expected = "logs.level: \"info\" -> \"debug\"\n\
                    limits.greps: 16 -> 3 (needs a restart: the old one stays)\nreloaded\n";
    assert_eq!((said.as_str(), complaint.as_str()), (expected, ""));
    let output = fleet[2].ctl(&["reload", "--json"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&object["schema"], &object["reloaded"]), (&1.into(), &true.into()));
    assert_eq!(object["changed"][0]["in_force"], false, "{object}");
    // The file is wrong now. All that is in force stays.
    fs::write(fleet[2].config(), "[node]\nprot = 1\n").unwrap();
    let (said, complaint) = reload(&fleet, 1);
    assert_eq!(said, "");
    assert!(complaint.contains(":2: node.prot: unknown key: did you mean port?\n"), "{complaint}");
    assert!(complaint.contains("the old settings stay in force"), "{complaint}");
    let read_only = memberd_control::socket::read_only(&fleet[2].settings.socket);
    let looked = fleet[2].ctl(&["reload", "--socket", read_only.to_str().unwrap()]);
    assert_eq!(looked.status.code(), Some(5), "{looked:?}");
    let looked = fleet[2].ctl(&["log", "--socket", read_only.to_str().unwrap()]);
    assert_eq!(looked.stdout, b"debug\n", "everybody may look at the level: {looked:?}");
}

#[test]
fn the_level_changes_with_a_reload_and_changes_back() {
    let mut fleet = Fleet::start(2);
    let debug_lines = |fleet: &Fleet| fleet[2].log().text().matches(" DEBUG ").count();
    assert_eq!(debug_lines(&fleet), 0);
    fleet[2].settings.level = "debug";
    fleet[2].write_settings();
    fleet[2].reload();
    fleet[2].wait_until_logged(" DEBUG sent");
    fleet[2].wait_until_logged(" DEBUG received");
    fleet[2].settings.level = "info";
    fleet[2].write_settings();
    fleet[2].reload();
    // A line that another thread had begun may come behind the first reload, and not the second.
    fleet[2].reload();
    let text = fleet[2].log().text();
    let (_, after) = text.rsplit_once("settings reloaded").unwrap();
    assert!(!after.contains(" DEBUG "), "{after}");
}

/// The log has the error.
#[test]
fn a_broken_settings_file_changes_nothing_but_the_log() {
    let fleet = Fleet::start_with(2, |daemon| {
        writeln!(daemon.offer("old.txt"), "needle").unwrap();
    });
    let before = fleet.wait_until_whole();
    let config = fleet[2].config();
    let broken = fs::read_to_string(&config)
        .unwrap()
        .replace("old.txt", "new.txt")
        .replace("\"info\"", "\"loud\"");
    let line = 1 + broken.lines().position(|line| line.contains("loud")).unwrap();
    fs::write(&config, broken).unwrap();
    fleet[2].signal(Signal::SIGHUP);
    fleet[2].wait_until_logged(&format!("ERROR {}:{line}: logs.level", config.display()));
    let output = fleet[1].ctl(&["grep", "-c", "needle", "old.txt"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    assert_eq!(fleet.wait_until_whole(), before);
}

/// The log names it.
#[test]
fn a_setting_that_needs_a_restart_does_not_change() {
    let mut fleet = Fleet::start(2);
    fleet[2].settings.machine = Some(77);
    let log = fleet[2].settings.log_dir.join("machine.2.log");
    fleet[2].write_settings();
    fleet[2].signal(Signal::SIGHUP);
    wait_until("the key is reported", SOON, || {
        let text = fs::read_to_string(&log).unwrap();
        holds(
            text.lines().any(|line| line.contains(" WARN ") && line.contains("node.machine")),
            || text,
        )
    });
    assert!(!fleet[2].log().path().exists());
}

#[test]
fn signals_that_the_parent_holds_back_are_heard_all_the_same() {
    let fleet = Fleet::new(1);
    fleet[1].write_settings();
    let mut command = mortal(Path::new("env"), None);
    command.arg("--block-signal=TERM").arg(memberd()).arg("--config").arg(fleet[1].config());
    let mut daemon = Running::start(command.stderr(Stdio::null()));
    wait_until("it answers", SOON, || {
        fleet[1].control().status().map(drop).map_err(|error| error.to_string())
    });
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait(SOON).success());
}
