//! Tests of `run`. The moments at which work is ended are tested with a clock of their own, in
//! `lease.rs`; here real processes show that they are kept.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use memberd_control::message::{
    ClaimRequest, ClaimedRecord, LeaderRequest, LeaseLost, LeaseRecord, RefusalKind, Reply, Request,
};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;

use crate::fake::{Daemon, Script, answer};

/// Far longer than a test.
const LONG: Duration = Duration::from_secs(600);

/// This moment of `CLOCK_BOOTTIME`.
pub(crate) fn boot_ns() -> u64 {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap());
    u64::try_from(now.as_nanos()).unwrap()
}

/// A lease of this length from now on.
pub(crate) fn lease(term: u64, length: Duration) -> Reply {
    let until_boot_ns = boot_ns() + u64::try_from(length.as_nanos()).unwrap();
    Reply::Lease(LeaseRecord { term, until_boot_ns, hold: 99 })
}

/// Tells a lease, and leaves the connection open.
fn hold(length: Duration) -> Script {
    Box::new(move |client| {
        let request = client.greet();
        client.say(&lease(7, length));
        client.stay_open();
        Some(request)
    })
}

/// A daemon that tells a long lease, and then hears of the release.
fn holding() -> Daemon {
    Daemon::in_turn(vec![hold(LONG), answer(vec![Reply::Done])])
}

/// Tells a long lease, and loses it when the sender says so.
fn losing() -> (Daemon, Sender<()>) {
    let (lose, lost): (_, Receiver<()>) = channel();
    let hold: Script = Box::new(move |client| {
        client.greet();
        client.say(&lease(7, LONG));
        lost.recv().unwrap();
        let reason = "handed over to vm3".to_owned();
        client.say(&Reply::LeaseLost(LeaseLost { term: 7, reason }));
        client.stay_open();
        None
    });
    (Daemon::in_turn(vec![hold, answer(vec![Reply::Done])]), lose)
}

fn leader(script: &str) -> [&str; 6] {
    ["run", "--leader", "--", "sh", "-c", script]
}

/// memberctl, and the lines of its standard output.
fn start(daemon: &Daemon, script: &str) -> (Child, BufReader<impl std::io::Read + use<>>) {
    let mut started = daemon.start(&leader(script));
    let stdout = BufReader::new(started.stdout.take().unwrap());
    (started, stdout)
}

fn line(lines: &mut BufReader<impl std::io::Read>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line
}

/// A named pipe, at whose end all processes are gone that had it open.
fn fifo(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("fifo");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    path
}

/// Reads to the end.
fn until_gone(path: &Path) -> String {
    let mut text = String::new();
    File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn signal(process: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process.id()).unwrap()), signal).unwrap();
}

fn stderr(process: Child) -> String {
    let mut text = String::new();
    process.stderr.unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_command_has_the_token_and_gives_the_status() {
    let daemon = holding();
    let ended = daemon.run(&leader("echo \"token $MEMBERD_TERM\"; exit 7"));
    assert_eq!((ended.status, &*ended.stdout, &*ended.stderr), (Some(7), "token 7\n", ""));
    assert_eq!(daemon.request(), Request::Leader(LeaderRequest::Release { hold: 99 }));
    assert_eq!(holding().run(&leader("true")).status, Some(0));
    assert_eq!(holding().run(&leader("kill -9 $$")).status, Some(128 + 9));
}

#[test]
fn a_command_that_cannot_run_has_the_status_of_env() {
    let no_such = holding().run(&["run", "--leader", "--", "/no/such"]);
    no_such.failed(127, "cannot run /no/such: No such file or directory");
    holding().run(&["run", "--leader", "--", "/"]).failed(126, "cannot run /: Permission denied");
}

/// The command is not begun under a lease that is over, as after a suspend.
#[test]
fn nothing_begins_under_an_old_lease() {
    let old: Script = Box::new(|client| {
        let request = client.greet();
        client.say(&lease(6, Duration::ZERO));
        client.say(&lease(7, LONG));
        client.stay_open();
        Some(request)
    });
    let daemon = Daemon::in_turn(vec![old, answer(vec![Reply::Done])]);
    daemon.run(&leader("echo $MEMBERD_TERM")).printed("7\n");
}

/// What it has handed over has ended before the next leader begins.
#[test]
fn a_loss_ends_the_command_at_once_and_is_told_to_the_daemon() {
    let (daemon, lose) = losing();
    let (mut run, mut lines) =
        start(&daemon, "trap 'echo ended; exit 0' TERM; echo begun; while :; do sleep 0.01; done");
    assert_eq!(line(&mut lines), "begun\n");
    lose.send(()).unwrap();
    assert_eq!(line(&mut lines), "ended\n");
    // Although the command itself ended well, it was not done.
    assert_eq!(run.wait().unwrap().code(), Some(125));
    let words = "memberctl: leadership lost: handed over to vm3; ending the command\n";
    // The shell may say itself that its sleep(1) was terminated.
    let said = stderr(run);
    assert!(said.starts_with(words), "{said}");
    assert_eq!(daemon.request(), Request::Leader(LeaderRequest::Release { hold: 99 }));
}

/// The command writes what time it is until it is killed: /proc/uptime is of the same clock.
#[test]
fn without_a_daemon_work_is_killed_before_the_lease_ends() {
    let ((tell, told), (go, gone_on)) = (channel(), channel::<()>());
    let hold: Script = Box::new(move |client| {
        client.greet();
        let Reply::Lease(record) = lease(7, Duration::from_secs(3)) else { unreachable!() };
        tell.send(record.until_boot_ns).unwrap();
        client.say(&Reply::Lease(record));
        gone_on.recv().unwrap();
        None
    });
    let daemon = Daemon::in_turn(vec![hold, answer(vec![Reply::Done])]);
    let (mut run, mut lines) = start(
        &daemon,
        "trap 'echo term' TERM; while read up rest </proc/uptime; do echo $up; sleep 0.01; done",
    );
    let first = line(&mut lines);
    go.send(()).unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(125));
    let words = stderr(run);
    assert!(words.contains("leadership lost: memberd went away"), "{words}");
    let (before, after) = rest.split_once("term\n").unwrap();
    let last = |lines: &str| lines.lines().filter_map(nanoseconds).next_back();
    let (asked, killed, until) = (last(before), last(after), told.recv().unwrap());
    assert!(asked.or(nanoseconds(first.trim())).unwrap() < until, "{until} {rest}");
    assert!(killed.unwrap() < until, "{until} {rest}");
}

/// The seconds of /proc/uptime, with two decimals, in nanoseconds.
fn nanoseconds(seconds: &str) -> Option<u64> {
    let (whole, hundredths) = seconds.split_once('.')?;
    let hundredths = whole.parse::<u64>().ok()? * 100 + hundredths.parse::<u64>().ok()?;
    Some(hundredths * 10_000_000)
}

/// The guard kills the whole group, not only the command itself.
#[test]
fn a_killed_memberctl_leaves_no_work_behind() {
    let directory = TempDir::new().unwrap();
    let path = fifo(&directory);
    let daemon = Daemon::in_turn(vec![hold(LONG)]);
    let script = format!("exec 9>{}; sleep 1000 & echo begun >&9; wait", path.display());
    let mut run = daemon.start(&leader(&script));
    let mut lines = BufReader::new(File::open(&path).unwrap());
    assert_eq!(line(&mut lines), "begun\n");
    signal(&run, Signal::SIGKILL);
    run.wait().unwrap();
    assert_eq!(line(&mut lines), "");
}

/// It leads the command's group, so it was started first. A memberctl that is stopped just after
/// the start of the command would otherwise leave it without a guard.
#[test]
fn the_guard_is_there_before_the_command() {
    let directory = TempDir::new().unwrap();
    let path = fifo(&directory);
    let daemon = Daemon::in_turn(vec![hold(Duration::from_secs(3))]);
    let script = format!(
        "kill -STOP $PPID; exec 9>{}; read pid name state parent group rest </proc/self/stat; \
         tr '\\0' ' ' </proc/$group/cmdline >&9; echo >&9; sleep 1000 & wait",
        path.display()
    );
    let mut run = daemon.start(&leader(&script));
    let mut lines = BufReader::new(File::open(&path).unwrap());
    let guard = line(&mut lines);
    assert!(guard.starts_with("memberctl-guard "), "{guard}");
    assert_eq!(line(&mut lines), "", "it is killed before the lease ends");
    signal(&run, Signal::SIGCONT);
    assert_eq!(run.wait().unwrap().code(), Some(125));
}

/// Nobody asks the command to end then, but it is killed before the lease ends.
#[test]
fn a_stopped_memberctl_leaves_no_work_behind() {
    let directory = TempDir::new().unwrap();
    let path = fifo(&directory);
    let daemon = Daemon::in_turn(vec![hold(Duration::from_secs(3))]);
    let script = format!("exec 9>{}; echo begun >&9; sleep 1000 & wait", path.display());
    let mut run = daemon.start(&leader(&script));
    let mut lines = BufReader::new(File::open(&path).unwrap());
    assert_eq!(line(&mut lines), "begun\n");
    signal(&run, Signal::SIGSTOP);
    assert_eq!(line(&mut lines), "");
    signal(&run, Signal::SIGCONT);
    assert_eq!(run.wait().unwrap().code(), Some(125));
}

#[test]
fn what_has_left_the_group_is_killed_as_well() {
    let directory = TempDir::new().unwrap();
    let path = fifo(&directory);
    let reading = {
        let path = path.clone();
        std::thread::spawn(move || until_gone(&path))
    };
    let script = format!(
        "trap 'exit 3' USR1; setsid sh -c 'exec 9>{}; echo away >&9; kill -USR1 $1; sleep 1000' \
         sh $$ & wait; sleep 1000",
        path.display()
    );
    assert_eq!(holding().run(&leader(&script)).status, Some(3));
    assert_eq!(reading.join().unwrap(), "away\n");
}

#[test]
fn signals_are_passed_on_and_end_a_wait() {
    let daemon = holding();
    let (mut run, mut lines) =
        start(&daemon, "trap 'exit 5' INT; echo begun; while :; do sleep 0.01; done");
    assert_eq!(line(&mut lines), "begun\n");
    signal(&run, Signal::SIGINT);
    assert_eq!(run.wait().unwrap().code(), Some(5));

    let (greeted, waits) = channel();
    let daemon = Daemon::new(move |client| {
        let request = client.greet();
        greeted.send(()).unwrap();
        client.until_gone();
        Some(request)
    });
    let (mut run, _lines) = start(&daemon, "echo never");
    waits.recv().unwrap();
    signal(&run, Signal::SIGTERM);
    let status = run.wait().unwrap();
    // It may not have blocked the signal yet.
    use std::os::unix::process::ExitStatusExt as _;
    assert!(status.code() == Some(128 + 15) || status.signal() == Some(15), "{status:?}");
}

/// A daemon that is restarted while another machine leads is no reason to give up.
#[test]
fn a_wait_goes_on_when_the_daemon_is_back() {
    let gone: Script = Box::new(|client| Some(client.greet()));
    let lost = LeaseLost { term: 6, reason: "replaced".to_owned() };
    let daemon = Daemon::in_turn(vec![
        gone,
        answer(vec![Reply::LeaseLost(lost)]),
        hold(LONG),
        answer(vec![Reply::Done]),
    ]);
    let ended = daemon.run(&leader("echo $MEMBERD_TERM"));
    assert_eq!((ended.status, &*ended.stdout), (Some(0), "7\n"), "{ended:?}");
    assert_eq!(
        ended.stderr,
        "memberctl: memberd went away before it answered: systemctl status memberd; waiting until \
         it is back\nmemberctl: replaced; waiting to lead again\n"
    );
}

#[test]
fn a_refusal_ends_the_wait() {
    let words = "there are no agreed views here";
    Daemon::refusing(RefusalKind::Failed, words).run(&leader("true")).failed(1, words);
}

fn claimed(by_us: bool) -> Daemon {
    let claimed = ClaimedRecord { by_us, by: "vm3".to_owned(), term: 7 };
    Daemon::answering(vec![Reply::Claimed(claimed)])
}

#[test]
fn who_gets_the_key_runs_the_command() {
    let daemon = claimed(true);
    let script = "echo \"token $MEMBERD_TERM\"; exit 7";
    let ended = daemon.run(&["run", "--once", "backup", "--retry", "--", "sh", "-c", script]);
    assert_eq!((ended.status, &*ended.stdout, &*ended.stderr), (Some(7), "token 7\n", ""));
    assert_eq!(
        daemon.request(),
        Request::Claim(ClaimRequest { key: "backup".to_owned(), retry: true })
    );
    let no_such = claimed(true).run(&["run", "--once", "k", "--", "/no/such"]);
    no_such.failed(127, "k is claimed, so no machine runs it");
}

/// cron sends a mail for each line, from each machine.
#[test]
fn the_others_are_silent_unless_somebody_reads() {
    let arguments = ["run", "--once", "backup", "--", "echo", "never"];
    let daemon = claimed(false);
    let mut command = daemon.command(&arguments);
    crate::fake::run(command.env_remove("JOURNAL_STREAM")).printed("");
    let daemon = claimed(false);
    let mut command = daemon.command(&arguments);
    let ended = crate::fake::run(command.env("JOURNAL_STREAM", "8:1").stdout(Stdio::piped()));
    ended.failed(0, "backup is claimed by vm3");
    assert_eq!(ended.stdout, "");
}

#[test]
fn without_a_majority_nobody_runs_the_command() {
    let words = "no majority of the council answered";
    Daemon::refusing(RefusalKind::TimedOut, words)
        .run(&["run", "--once", "backup", "--", "echo", "never"])
        .failed(124, words);
}

#[test]
fn one_of_leader_and_once_is_needed() {
    for arguments in [
        &["run", "--", "true"][..],
        &["run", "--leader", "--once", "k", "--", "true"],
        &["run", "--leader", "--retry", "--", "true"],
        &["run", "--leader"],
        &["run", "--once", "", "--", "true"],
        &["run", "--once", &"k".repeat(129), "--", "true"],
    ] {
        assert_eq!(holding_nobody(arguments), Some(2), "{arguments:?}");
    }
}

/// The status of a command that asks no daemon.
fn holding_nobody(arguments: &[&str]) -> Option<i32> {
    crate::fake::run(crate::fake::memberctl().args(arguments)).status
}
