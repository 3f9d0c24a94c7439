//! The control sockets: what their clients may do, and what memberctl does without a group.

use memberd_control::socket::read_only;
use memberd_tests::process::{Running, collect, run};
use memberd_tests::wait::SOON;
use memberd_tests::{Fleet, binaries, wait_until};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn failed(output: &Output, status: i32, words: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(words), "{said}");
}

/// Clients of the read-only socket see everything and change nothing.
#[test]
fn clients_of_the_read_only_socket_change_nothing() {
    let mut fleet = Fleet::start(2);
    let full = fleet[1].settings.socket.clone();
    let looking = read_only(&full);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&full), mode(&looking)), (0o660, 0o666));

    fleet[1].settings.socket = looking.clone();
    assert!(text(&fleet[1].ctl(&["list"]).stdout).contains("vm2"));
    assert!(text(&fleet[1].ctl(&["status"]).stdout).contains("vm1 is a member"));
    for verb in [&["leave"][..], &["join"], &["log", "debug"]] {
        failed(&fleet[1].ctl(verb), 5, "this socket is for looking only");
    }
    failed(&fleet[1].ctl(&["grep", "x"]), 2, "sudo usermod -aG memberd $USER");
    fleet[1].settings.socket = full.clone();
    assert_eq!(fleet[1].control().alive().unwrap().len(), 2);

    fleet[1].signal(nix::sys::signal::Signal::SIGTERM);
    fleet[1].wait_for_end(SOON);
    assert!(!full.exists() && !looking.exists(), "both sockets are removed at the end");
}

#[test]
fn the_log_filter_is_shown_and_set_while_the_daemon_runs() {
    let fleet = Fleet::start(2);
    assert_eq!(text(&fleet[1].ctl(&["log"]).stdout), "info\n");
    assert!(!fleet[1].log().text().contains(" DEBUG "));
    assert_eq!(
        text(&fleet[1].ctl(&["log", "info,membership=debug"]).stdout),
        "info,membership=debug\n"
    );
    wait_until("messages are logged", SOON, || {
        let text = fleet[1].log().text();
        if text.contains(" DEBUG ") { Ok(()) } else { Err(text) }
    });
    failed(&fleet[1].ctl(&["log", "loud"]), 2, "'loud' is not a level");
    assert_eq!(text(&fleet[1].ctl(&["log"]).stdout), "info,membership=debug\n");
}

#[test]
fn settings_are_checked_by_the_daemons_own_loader() {
    let fleet = Fleet::new(1);
    fleet[1].write_settings();
    let file = fleet[1].config();
    let check = |file: &std::path::Path| {
        run(binaries::mortal(&binaries::memberctl(), None).arg("check").arg(file), SOON)
    };
    assert!(check(&file).status.success());
    fs::write(&file, "[node]\nport = 8946\nprot = 1\n").unwrap();
    let shown = format!("{}:3", file.display());
    let output = check(&file);
    failed(&output, 1, &shown);
    failed(&output, 1, "prot");
}

/// A pipe has the settings only once.
#[test]
fn settings_from_a_pipe_are_shown_with_their_lines() {
    let (settings, mut writing) = std::io::pipe().unwrap();
    writing.write_all(b"[node]\nname = \"vm3\"\naddress = \"127.0.0.3\"\n").unwrap();
    drop(writing);
    let mut check = binaries::mortal(&binaries::memberctl(), None);
    check.args(["check", "--effective", "/dev/stdin"]).stdin(settings).stdout(Stdio::piped());
    let mut checking = Running::start(&mut check);
    let shown = collect(checking.child().stdout.take().unwrap());
    assert!(checking.wait(SOON).success());
    let shown = String::from_utf8(shown.join().unwrap()).unwrap();
    let line = shown.lines().find(|line| line.starts_with("node.name ")).unwrap();
    assert!(line.contains("/dev/stdin:2") && line.ends_with("\"vm3\""), "{shown}");
}

#[test]
fn wait_ends_when_the_list_is_as_asked_for_or_time_is_up() {
    let mut fleet = Fleet::start(3);
    assert!(fleet[1].ctl(&["wait", "--members", "3", "--timeout", "5s"]).status.success());
    assert!(fleet[1].ctl(&["wait", "--name", "vm[1-3],*3", "--timeout", "5s"]).status.success());
    failed(
        &fleet[1].ctl(&["wait", "--name", "vm[2-10]", "--timeout", "200ms"]),
        124,
        "after 200 ms: vm10 is not in the list",
    );
    failed(&fleet[1].ctl(&["wait", "--name", "vm[1-35-7]"]), 2, "is neither clearly numbers nor");
    fleet[3].kill();
    assert!(
        fleet[1]
            .ctl(&["wait", "--name", "vm3", "--status", "failed", "--timeout", "6s"])
            .status
            .success()
    );
    failed(
        &fleet[1].ctl(&["wait", "--members", "3", "--timeout", "200ms"]),
        124,
        "after 200 ms: 2 members are up, not 3",
    );
    failed(
        &fleet[3].ctl(&["wait", "--members", "1", "--timeout", "200ms"]),
        124,
        "memberd is not running any more",
    );
    // The option may also come before the command. The time is in seconds.
    failed(&fleet[1].ctl(&["--timeout", "1", "wait", "--members", "3"]), 124, "after 1.00 s: ");
    failed(&fleet[1].ctl(&["wait", "--members", "3", "--timeout", "1"]), 124, "after 1.00 s: ");
    failed(&fleet[1].ctl(&["wait"]), 2, "<NAME|--members <N>|--at-least <N>|--name <GLOB>|");
}
