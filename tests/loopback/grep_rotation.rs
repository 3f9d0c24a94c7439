//! Greps while files change their names and their texts, and while the output is itself offered.

use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// A member that offers all files of its directory `srv`.
fn fleet() -> Fleet {
    Fleet::start_with(1, |daemon| {
        let srv = daemon.directory().join("srv");
        std::fs::create_dir(&srv).unwrap();
        daemon.settings.files.push(format!("{}/*", srv.display()));
    })
}

fn srv(daemon: &Daemon) -> std::path::PathBuf {
    daemon.directory().join("srv")
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Follows into a file beside the offered ones, or among them.
fn follow(daemon: &Daemon, into: &Path, errors: &Path) -> Running {
    let output = OpenOptions::new().create(true).append(true).open(into).unwrap();
    let errors = File::create(errors).unwrap();
    let mut command = daemon.memberctl(&["grep", "--follow", "-h", "NEEDLE"]);
    Running::start(command.stdin(Stdio::null()).stdout(output).stderr(errors))
}

/// Writes to `path` until the follower has printed a line of it.
fn wait_until_followed(path: &Path, output: &Path) {
    wait_until("lines are followed", SOON, || {
        append(path, "NEEDLE ready\n");
        holds(text(output).contains("ready"), || text(output))
    });
}

/// The status and the message are GNU grep's.
#[test]
fn the_output_of_a_search_is_not_searched() {
    let fleet = fleet();
    let (daemon, srv) = (&fleet[1], srv(&fleet[1]));
    append(&srv.join("a.log"), "NEEDLE 1\n");
    let found = srv.join("found.log");
    append(&found, "NEEDLE of yesterday\n");
    let said = format!("memberctl: vm1:{}: input file is also the output\n", found.display());
    for options in [&["-h"][..], &["-h", "--merge"], &["-h", "--rotated"]] {
        let output = OpenOptions::new().append(true).open(&found).unwrap();
        let mut command = daemon.memberctl(&[&["grep", "NEEDLE"], options].concat());
        let child = command.stdout(output).stderr(Stdio::piped()).spawn().unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), said, "{options:?}");
        assert_eq!(ended.status.code(), Some(2), "{options:?}");
    }
    assert_eq!(text(&found), ["NEEDLE of yesterday\n", &"NEEDLE 1\n".repeat(3)].concat());
    // A pipe is no file, and a search that prints no lines reads the file.
    let counted = daemon.ctl(&["grep", "-h", "-c", "NEEDLE", "found.log"]);
    assert_eq!((counted.stdout.as_slice(), counted.status.code()), (&b"4\n"[..], Some(0)));
}

/// Each line would come back for ever.
#[test]
fn the_output_of_a_follow_is_not_followed() {
    let fleet = fleet();
    let srv = srv(&fleet[1]);
    let (live, found, errors) =
        (srv.join("a.log"), srv.join("found.log"), fleet[1].directory().join("errors"));
    append(&live, "old\n");
    let _running = follow(&fleet[1], &found, &errors);
    wait_until_followed(&live, &found);
    append(&live, "NEEDLE once\n");
    wait_until("the line comes", SOON, || holds(text(&found).contains("once"), || text(&found)));
    // More than a look later.
    append(&live, "NEEDLE last\n");
    wait_until("the line comes", SOON, || holds(text(&found).contains("last"), || text(&found)));
    assert_eq!(text(&found).matches("once").count(), 1);
    assert_eq!(text(&errors).matches("input file is also the output").count(), 1);
}

/// Rotation by renaming faster than names are looked at, copies, and a file that is written anew.
#[test]
fn following_loses_nothing_by_rotation_and_rewriting() {
    let fleet = fleet();
    let (srv, outside) = (srv(&fleet[1]), fleet[1].directory());
    let (output, errors) = (outside.join("output"), outside.join("errors"));
    let (live, status) = (srv.join("a.log"), srv.join("status"));
    append(&status, "NEEDLE state 00\n");
    append(&live, "old\n");
    let _running = follow(&fleet[1], &output, &errors);
    wait_until_followed(&srv.join("ready"), &output);
    let mut wanted = Vec::new();
    for number in 1..=10 {
        std::fs::rename(&live, srv.join(format!("a.log.{number}"))).unwrap();
        append(&live, &format!("NEEDLE rotated {number:02}\n"));
        wanted.push(format!("NEEDLE rotated {number:02}"));
    }
    for number in 1..=3 {
        let line = format!("NEEDLE state {number:02}");
        std::fs::write(&status, format!("{line}\n")).unwrap();
        wait_until("the state comes", SOON, || {
            holds(text(&output).contains(&line), || text(&output))
        });
        wanted.push(line);
    }
    std::fs::copy(&live, srv.join("a.log.0")).unwrap();
    std::fs::write(&live, "NEEDLE rotated 11\n").unwrap();
    wanted.push("NEEDLE rotated 11".to_owned());
    wait_until("all lines come, each once", SOON, || {
        let printed = text(&output);
        let mut lines: Vec<&str> =
            printed.lines().filter(|line| !line.ends_with("ready")).collect();
        lines.sort_unstable();
        let mut wanted = wanted.clone();
        wanted.sort_unstable();
        holds(lines == wanted, || printed.clone())
    });
    assert_eq!(text(&errors), "");
}
