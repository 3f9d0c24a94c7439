//! Greps whose answers depend on time: all members' lines in the order of time, and lines as they
//! are written.

use memberd_tests::process::Running;
use memberd_tests::settings::PATIENT;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

fn number(daemon: &Daemon) -> usize {
    daemon.name().trim_start_matches("vm").parse().unwrap()
}

/// A minute and a second, as the lines of these stories have them.
fn stamp(second: usize) -> String {
    format!("2026-11-21T10:{:02}:{:02}.000Z", second / 60, second % 60)
}

fn stdout(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// What comes on a pipe, line by line.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    lines
}

fn grep(fleet: &Fleet, options: &[&str]) -> (Running, Receiver<String>, Receiver<String>) {
    let mut command = fleet[1].memberctl(&[&["grep"], options].concat());
    let mut running =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let child: &mut Child = running.child();
    let (stdout, stderr) =
        (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
    (running, stdout, stderr)
}

/// Waits for a line that holds these words.
fn wait_for(lines: &Receiver<String>, words: &str) {
    wait_until(&format!("a line says {words:?}"), SOON, || {
        let heard: Vec<String> = lines.try_iter().collect();
        holds(heard.iter().any(|line| line.contains(words)), || format!("heard {heard:?}"))
    });
}

#[test]
fn merged_lines_of_all_members_come_in_the_order_of_time() {
    let count = 3_000;
    let fleet = Fleet::start_with(4, |daemon| {
        let number = number(daemon);
        for (name, offset) in [("a.log", 0), ("b.log", 1)] {
            let mut file = daemon.offer(name);
            // Each second belongs to one member and one file, so there is one right order.
            for second in (0..count).filter(|second| second % 8 == 2 * (number - 1) + offset) {
                writeln!(file, "{} event {second}", stamp(second)).unwrap();
            }
        }
    });
    let output = fleet[2].ctl(&["grep", "--merge", "-h", "event", "[ab].log"]);
    let events: Vec<String> =
        (0..count).map(|second| format!("{} event {second}", stamp(second))).collect();
    assert_eq!(stdout(&output), events);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");

    let part = fleet[2].ctl(&[
        "grep",
        "--merge",
        "-h",
        "--since",
        &stamp(100),
        "--until",
        &stamp(104),
        "event",
        "[ab].log",
    ]);
    assert_eq!(stdout(&part), events[100..104]);

    let first = fleet[3].ctl(&["grep", "--merge", "--limit=7", "-h", "event", "[ab].log"]);
    assert_eq!((stdout(&first), first.status.code()), (events[..7].to_vec(), Some(0)));
    let last = fleet[3].ctl(&["grep", "--last=7", "-h", "event", "[ab].log"]);
    assert_eq!((stdout(&last), last.status.code()), (events[count - 7..].to_vec(), Some(0)));
}

#[test]
fn merged_lines_bring_context_and_groups_are_separated() {
    let fleet = Fleet::start_with(2, |daemon| {
        let number = number(daemon);
        let mut file = daemon.offer("a.log");
        for event in 0..30 {
            let word = if event % 10 == 4 { "error" } else { "fine" };
            writeln!(file, "{} {word} {number}/{event}", stamp(10 * event + number)).unwrap();
        }
    });
    let output = fleet[2].ctl(&["grep", "--merge", "-h", "-C1", "error", "a.log"]);
    let words: Vec<String> =
        stdout(&output).iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    let group = |number: usize, event: usize| {
        (event - 1..=event + 1).map(move |event| format!("{number}/{event}"))
    };
    let groups: Vec<Vec<String>> = [4, 14, 24]
        .iter()
        .flat_map(|event| [1, 2].map(|number| group(number, *event).collect()))
        .collect();
    assert_eq!(words, groups.join(&"--".to_owned()), "{output:?}");
    // There is no separator where groups touch, except where another member's lines come between.
    let output = fleet[2].ctl(&["grep", "--merge", "-h", "-A0", "fine ./[01]$", "a.log"]);
    let words: Vec<String> =
        stdout(&output).iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(words, ["1/0", "--", "2/0", "--", "1/1", "--", "2/1"]);
}

#[test]
fn a_hanging_member_delays_merged_lines_for_a_bounded_time() {
    let fleet = Fleet::start_with(3, |daemon| {
        let number = number(daemon);
        let mut file = daemon.offer("a.log");
        (0..10).for_each(|n| writeln!(file, "{} event", stamp(3 * n + number)).unwrap());
        daemon.settings.group = vec![PATIENT];
    });
    fleet[3].signal(nix::sys::signal::Signal::SIGSTOP);
    let output = fleet[1].ctl(&["grep", "--merge", "event", "a.log"]);
    fleet[3].signal(nix::sys::signal::Signal::SIGCONT);
    let printed = stdout(&output);
    assert_eq!((printed.len(), output.status.code()), (20, Some(3)), "{output:?}");
    assert!(
        printed.iter().enumerate().all(|(n, line)| line.starts_with(["vm1:", "vm2:"][n % 2])),
        "{printed:?}"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.lines().count() == 1 && said.starts_with("memberctl: vm3: did not answer: "),
        "{said}"
    );
}

/// Appends a line to a member's log.
fn write(daemon: &Daemon, text: &str) {
    let mut file: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(daemon.directory().join("live.log"))
        .unwrap();
    writeln!(file, "{text}").unwrap();
}

/// Writes to a member's log until a line of it arrives. The follower may have only just begun.
fn write_until_it_comes(daemon: &Daemon, lines: &Receiver<String>) {
    let begin = format!("{}:", daemon.name());
    let what = format!("a line of {} comes", daemon.name());
    wait_until(&what, SOON, || {
        write(daemon, "an error");
        let came = lines
            .recv_timeout(std::time::Duration::from_millis(200))
            .is_ok_and(|line| line.starts_with(&begin));
        holds(came, || "none does".to_owned())
    });
}

/// memberctl also says which members come and go.
#[test]
fn followed_lines_come_as_they_are_written() {
    let mut fleet = Fleet::start_with(3, |daemon| drop(daemon.offer("live.log")));
    write(&fleet[1], "an error of before");
    let (memberctl, stdout, stderr) = grep(&fleet, &["--follow", "error", "live.log"]);
    for number in [1, 2, 3] {
        write_until_it_comes(&fleet[number], &stdout);
    }
    write(&fleet[2], "all is well");

    let newcomer = fleet.add();
    drop(newcomer.offer("live.log"));
    newcomer.start();
    newcomer.control().join().unwrap();
    wait_for(&stderr, "memberctl: vm4 joined: its logs are followed too");
    write_until_it_comes(&fleet[4], &stdout);

    fleet[4].control().leave().unwrap();
    wait_for(&stderr, "memberctl: vm4 left: its logs are not followed any more");
    fleet[3].kill();
    wait_for(&stderr, "memberctl: vm3 failed: its logs are not followed any more");

    // One that comes back is followed again, from where it was left.
    write(&fleet[3], "an error while it was down");
    fleet[3].start();
    wait_for(&stderr, "memberctl: vm3 joined: its logs are followed too, from where they were");
    wait_for(&stdout, "live.log:an error while it was down");
    write_until_it_comes(&fleet[3], &stdout);
    let rest: Vec<String> = stdout.try_iter().collect();
    assert!(rest.iter().all(|line| line.ends_with(":an error")), "{rest:?}");
    drop(memberctl);
}

#[test]
fn a_member_is_followed_for_as_long_as_it_has_the_tags() {
    let mut fleet = Fleet::start_with(2, |daemon| {
        drop(daemon.offer("live.log"));
        daemon.settings.tags =
            vec![("role", if daemon.settings.name == "vm1" { "web" } else { "db" })];
    });
    let (memberctl, stdout, stderr) =
        grep(&fleet, &["--follow", "--tag", "role=web", "error", "live.log"]);
    write_until_it_comes(&fleet[1], &stdout);
    for (role, words) in [
        ("web", "memberctl: vm2 has such tags now: its logs are followed too"),
        ("db", "memberctl: vm2 has other tags now: its logs are not followed any more"),
    ] {
        fleet[2].settings.tags = vec![("role", role)];
        fleet[2].write_settings();
        fleet[2].reload();
        wait_for(&stderr, words);
        if role == "web" {
            write_until_it_comes(&fleet[2], &stdout);
        }
    }
    drop(memberctl);
}

#[test]
fn followed_lines_come_with_context_that_is_written_later() {
    let fleet = Fleet::start_with(2, |daemon| drop(daemon.offer("live.log")));
    let (memberctl, stdout, _stderr) =
        grep(&fleet, &["--follow", "-h", "-n", "-A", "2", "-i", "ERROR", "live.log"]);
    let (mut began, mut written) = ([false; 2], [0; 2]);
    wait_until("both are followed", SOON, || {
        for (at, member) in
            [1, 2].into_iter().enumerate().filter(|(at, _)| !began[*at]).collect::<Vec<_>>()
        {
            // Each member has its own word, which shows whose line came.
            write(&fleet[member], &format!("an error of {member}"));
            written[at] += 1;
        }
        while let Ok(line) = stdout.recv_timeout(std::time::Duration::from_millis(200)) {
            began[0] |= line.ends_with(" of 1");
            began[1] |= line.ends_with(" of 2");
        }
        holds(began == [true; 2], || format!("{began:?}"))
    });
    let next = |member: usize, text: &str| {
        write(&fleet[member], text);
        loop {
            let line = stdout.recv_timeout(SOON).unwrap_or_else(|_| panic!("{text} does not come"));
            if line.ends_with(text) {
                return line;
            }
        }
    };
    let at = written[0];
    assert_eq!(next(1, "the line after"), format!("{}-the line after", at + 1));
    assert_eq!(next(2, "another's line"), format!("{}-another's line", written[1] + 1));
    assert_eq!(next(1, "and one more"), format!("{}-and one more", at + 2));
    write(&fleet[1], "no context any more");
    assert_eq!(next(1, "the next error"), format!("{}:the next error", at + 4));
    drop(memberctl);
}

#[test]
fn a_journal_that_is_not_offered_is_not_searched() {
    let fleet = Fleet::start(2);
    let output = fleet[1].ctl(&["grep", "--journal", "-u", "ssh", "error"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let words = "did not answer: its settings do not offer its journal: set logs.journal there";
    assert_eq!(said, format!("memberctl: 2 members {words}: vm[1-2]\n"));
}
