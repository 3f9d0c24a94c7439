//! Tests of `leader`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use memberd_control::message::{
    Checked, LeaderRecord, LeaderRequest, LeaseLost, RefusalKind, Reply, Request,
};
use tempfile::TempDir;

use crate::fake::Daemon;
use crate::run::{boot_ns, lease};

fn leader() -> LeaderRecord {
    LeaderRecord {
        leader: Some("vm3".to_owned()),
        term: 7,
        exclusive: true,
        here: false,
        for_ms: Some(185_000),
    }
}

fn leading(record: LeaderRecord) -> Daemon {
    Daemon::answering(vec![Reply::Leader(record)])
}

#[test]
fn the_line_says_who_leads_and_how() {
    for (record, line) in [
        (leader(), "vm3 leads in term 7 and is exclusive, for 3 min\n"),
        (
            LeaderRecord { exclusive: false, here: true, for_ms: None, ..leader() },
            "vm3 leads in term 7, not exclusive yet; it is this machine\n",
        ),
        (
            LeaderRecord { leader: None, exclusive: false, ..leader() },
            "no leader is known; the last term was 7\n",
        ),
    ] {
        leading(record).run(&["leader"]).printed(line);
    }
}

/// Programs read these fields in this form.
#[test]
fn json_has_the_fields_that_never_change() {
    leading(leader()).run(&["leader", "--json"]).printed(
        "{\"schema\":1,\"leader\":\"vm3\",\"term\":7,\"exclusive\":true,\"here\":false}\n",
    );
    let none = LeaderRecord { leader: None, exclusive: false, ..leader() };
    leading(none)
        .run(&["leader", "--wait", "--json"])
        .printed("{\"schema\":1,\"leader\":null,\"term\":7,\"exclusive\":false,\"here\":false}\n");
}

#[test]
fn what_is_wanted_is_asked_for() {
    let vm2 = || Some("vm2".to_owned());
    for (arguments, request) in [
        (&["leader"][..], LeaderRequest::Show),
        (&["leader", "--wait"], LeaderRequest::Wait),
        (&["leader", "hand-over"], LeaderRequest::HandOver { to: None }),
        (&["leader", "hand-over", "vm2"], LeaderRequest::HandOver { to: vm2() }),
    ] {
        let daemon = leading(leader());
        assert!(daemon.run(arguments).stdout.starts_with("vm3 leads in term 7"));
        assert_eq!(daemon.request(), Request::Leader(request));
    }
    for arguments in [
        &["leader", "--check", "--wait"][..],
        &["leader", "--for", "2s"],
        &["leader", "--check", "--json"],
        &["leader", "--wait", "hand-over"],
    ] {
        assert_eq!(leading(leader()).run(arguments).status, Some(2), "{arguments:?}");
    }
}

fn exclusive(for_ms: u64) -> Daemon {
    let until_boot_ns = boot_ns() + for_ms * 1_000_000;
    Daemon::answering(vec![Reply::Checked(Checked::Exclusive { term: 7, until_boot_ns })])
}

#[test]
fn a_check_prints_the_token_where_this_machine_is_exclusive() {
    let daemon = exclusive(600_000);
    daemon.run(&["leader", "--check", "--for", "2s"]).printed("7\n");
    assert_eq!(daemon.request(), Request::Leader(LeaderRequest::Check { for_ms: 2_000 }));
    exclusive(600_000).run(&["leader", "--check"]).printed("7\n");
}

#[test]
fn a_check_elsewhere_says_why_on_standard_error() {
    let not = Reply::Checked(Checked::Not { reason: "vm3 leads".to_owned() });
    let ended = Daemon::answering(vec![not]).run(&["leader", "--check"]);
    ended.failed(1, "vm3 leads");
    assert_eq!(ended.stdout, "");
    let reason = "no majority of the council answered: vm3, vm5 were not reached";
    Daemon::refusing(RefusalKind::TimedOut, reason).run(&["leader", "--check"]).failed(124, reason);
}

/// memberctl, or the machine, may have stood still since the daemon looked.
#[test]
fn a_check_looks_at_the_clock_itself() {
    exclusive(0).run(&["leader", "--check"]).failed(1, "exclusive for 0 ms only");
    exclusive(5_000)
        .run(&["leader", "--check", "--for", "1m"])
        .failed(1, "this machine is exclusive for 4");
}

#[test]
fn the_help_says_that_a_check_is_no_lock() {
    let ended = leading(leader()).run(&["leader", "--help"]);
    assert!(ended.stdout.contains("A check is no lock."), "{ended:?}");
}

#[test]
fn a_wait_in_vain_is_a_timeout() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.until_gone();
        Some(request)
    });
    daemon
        .run(&["leader", "--wait", "--timeout", "50ms"])
        .failed(124, "after 50 ms: no leader is exclusive");
}

/// systemd hears READY=1 with the first lease and not before, then WATCHDOG=1, and sees the end.
#[test]
fn hold_is_ready_exactly_while_this_machine_is_exclusive() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("notify");
    let notified = UnixDatagram::bind(&path).unwrap();
    let (go, gone_on) = channel::<()>();
    let daemon = Daemon::new(move |client| {
        let request = client.greet();
        gone_on.recv().unwrap();
        client.say(&lease(7, Duration::from_secs(600)));
        gone_on.recv().unwrap();
        let reason = "no majority of the council answers".to_owned();
        client.say(&Reply::LeaseLost(LeaseLost { term: 7, reason }));
        Some(request)
    });
    let mut command = daemon.command(&["leader", "--hold"]);
    command.env("NOTIFY_SOCKET", &path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut held = command.spawn().unwrap();
    let told = || {
        let mut message = [0; 256];
        let length = notified.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    notified.set_nonblocking(true).unwrap();
    assert!(notified.recv(&mut [0; 256]).is_err());
    notified.set_nonblocking(false).unwrap();
    go.send(()).unwrap();
    assert_eq!(told(), "READY=1\nSTATUS=leads, term 7\n");
    assert_eq!(told(), "WATCHDOG=1\n");
    assert_eq!(told(), "WATCHDOG=1\n");
    go.send(()).unwrap();
    assert_eq!(held.wait().unwrap().code(), Some(1));
    let (mut stdout, mut stderr) = (String::new(), String::new());
    held.stdout.unwrap().read_to_string(&mut stdout).unwrap();
    held.stderr.unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stdout, "this machine leads in term 7\n");
    let lost = "memberctl: leadership lost: no majority of the council answers\n";
    assert_eq!(stderr, lost);
    assert_eq!(daemon.request(), Request::Leader(LeaderRequest::Hold));
}

/// A daemon that is gone renews nothing, so hold ends before the lease does.
#[test]
fn hold_ends_with_a_lease_that_nobody_renews() {
    let (go, gone_on) = channel::<()>();
    let daemon = Daemon::new(move |client| {
        client.greet();
        client.say(&lease(7, Duration::from_secs(3)));
        gone_on.recv().unwrap();
        None
    });
    let mut held = daemon.start(&["leader", "--hold"]);
    let mut line = String::new();
    BufReader::new(held.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "this machine leads in term 7\n");
    go.send(()).unwrap();
    assert_eq!(held.wait().unwrap().code(), Some(1));
    let mut stderr = String::new();
    held.stderr.unwrap().read_to_string(&mut stderr).unwrap();
    assert!(stderr.starts_with("memberctl: leadership lost: memberd went away"), "{stderr}");
}
