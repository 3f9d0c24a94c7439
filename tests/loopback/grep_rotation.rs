//! Greps while files change their names and their texts, and while the output is itself offered.

use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
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

/// As in Kubernetes: links to links, of which the settings allow some.
#[test]
fn links_lead_where_the_settings_let_them() {
    let fleet = Fleet::start_with(1, |daemon| {
        let directory = daemon.directory().to_owned();
        let path = |name: &str| directory.join(name);
        for name in ["containers", "pods"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        append(&path("pods/0.log"), "NEEDLE pod\n");
        append(&path("secret"), "NEEDLE secret\n");
        symlink("../pods/0.log", path("containers/pod.log")).unwrap();
        symlink("../secret", path("containers/secret.log")).unwrap();
        daemon.settings.files.push(path("containers/*.log").display().to_string());
    });
    let daemon = &fleet[1];
    let grep = || {
        let output = daemon.ctl(&["grep", "NEEDLE", "*.log"]);
        let begin = format!("vm1:{}/", daemon.directory().display());
        let short = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&begin, "");
        (short(output.stdout), short(output.stderr), output.status.code())
    };
    let only = "memberctl: containers/*.log: finds only symbolic links, which are not followed: \
        set logs.follow_links there\n";
    assert_eq!(grep(), (String::new(), only.to_owned(), Some(1)));

    let settings = text(&daemon.config());
    let allowed = format!("[logs]\nfollow_links = [\"{}/pods\"]\n", daemon.directory().display());
    std::fs::write(daemon.config(), settings.replacen("[logs]\n", &allowed, 1)).unwrap();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    let out = "memberctl: containers/secret.log: is a symbolic link that leads out of \
        logs.follow_links, and is not followed\n";
    let wanted = ("containers/pod.log:NEEDLE pod\n".to_owned(), out.to_owned(), Some(2));
    wait_until("the link is followed", SOON, || {
        let found = grep();
        holds(found == wanted, || format!("{found:?}"))
    });

    let (output, errors) = (daemon.directory().join("output"), daemon.directory().join("errors"));
    let _running = follow(daemon, &output, &errors);
    wait_until_followed(&daemon.directory().join("pods/0.log"), &output);
    // kubelet renames the file, and the link then leads to the new one.
    let pods = daemon.directory().join("pods");
    std::fs::rename(pods.join("0.log"), pods.join("0.log.20261129-101010")).unwrap();
    append(&pods.join("0.log"), "NEEDLE after\n");
    wait_until("the new file is followed", SOON, || {
        holds(text(&output).contains("after"), || text(&output))
    });
    assert!(text(&errors).contains("secret.log: is a symbolic link"), "{}", text(&errors));
}
