//! Greps over what members keep of the logs of a member that failed.

use memberd_control::grep::GrepOutcome;
use memberd_control::message::{Reply, Request};
use memberd_control::stats::StatsRequest;
use memberd_copies::block::{Block, BlockHead};
use memberd_copies::store::{Limits, Store};
use memberd_copies::stream::{Fingerprint, StreamHead, StreamId};
use memberd_membership::Name;
use memberd_search::LineSpans;
use memberd_tests::control::reply;
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

/// The file of vm4 that others keep.
const LOG: &str = "/srv/shop.log";

/// The lines that vm4 wrote, one of them with a needle.
fn lines(count: usize) -> String {
    (1..=count).map(|n| format!("line {n}{}\n", if n == 3 { " needle" } else { "" })).collect()
}

/// Has this member keep lines of vm4 that were read a while before or after now.
fn keep(daemon: &Daemon, count: usize, read_after_ms: i64) {
    let mut store =
        Store::open(&daemon.settings.state_dir.join("copies"), Limits::default()).unwrap();
    let source = Name::new("vm4").unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    let text = lines(count);
    for (inode, path, offered) in [(1, LOG, true), (2, "/srv/secret.log", false)] {
        let id = StreamId { device: 1, inode, begun_ms: 1 };
        let head = StreamHead {
            id,
            fingerprint: Fingerprint::of(text.as_bytes()),
            path: path.into(),
            origin: path.into(),
            listed: true,
            offered,
            modified_ms: now,
            zone: String::new(),
            lost_bytes: 0,
            continues: None,
        };
        store.head(&source, head).unwrap();
        let head = BlockHead {
            stream: id,
            offset: 0,
            text_bytes: u32::try_from(text.len()).unwrap(),
            hash: *blake3::hash(text.as_bytes()).as_bytes(),
            read_ms: u64::try_from(now + read_after_ms).unwrap(),
        };
        let frame = zstd::encode_all(text.as_bytes(), 1).unwrap();
        store.append(&source, &Block { head, frame }).unwrap();
    }
    store.sync().unwrap();
    store.seal_all(&mut LineSpans::default()).unwrap();
}

/// All but vm4 keep what others send. vm4 sends nothing beside what is kept of it here.
fn prepare(daemon: &mut Daemon) {
    std::fs::create_dir_all(&daemon.settings.state_dir).unwrap();
    let copies = if daemon.name() == "vm4" { 0 } else { 2 };
    daemon.settings.logs.push(format!("copies = {copies}"));
}

/// A fleet in which vm2 and vm3 keep logs of vm4, vm3 the more of them. vm4 has failed.
fn fleet() -> Fleet {
    let mut fleet = Fleet::start_with(4, |daemon| {
        writeln!(daemon.offer("app.log"), "needle in {}", daemon.name()).unwrap();
        prepare(daemon);
        match daemon.name() {
            "vm2" => keep(daemon, 5, 3_600_000),
            "vm3" => keep(daemon, 6, 3_600_001),
            _ => {}
        }
    });
    fail(&mut fleet, 4);
    fleet
}

/// Kills a member, and waits until all others know it.
fn fail(fleet: &mut Fleet, number: usize) {
    fleet[number].kill();
    for daemon in fleet.running() {
        daemon.wait_until_logged(&format!("member failed name=vm{number} "));
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The line about a failed member does not depend on when it failed.
fn told(output: &Output) -> String {
    let text = stderr(output);
    let Some((head, rest)) = text.split_once(" failed ") else { return text };
    format!("{head} failed{}", rest.split_once(':').unwrap().1)
}

#[test]
fn exactly_one_copy_of_a_failed_members_logs_is_searched() {
    let mut fleet = fleet();
    let found = fleet[1].ctl(&["grep", "-n", "-h", "needle"]);
    assert_eq!(stdout(&found).matches("3:line 3 needle").count(), 1, "{found:?}");
    let kept = "its logs as vm3 keeps them, until it was last heard";
    assert_eq!(told(&found), format!("memberctl: vm4 failed {kept}\n"));
    assert_eq!(found.status.code(), Some(0));
    for (options, printed) in [
        (&["needle"][..], "vm4:/srv/shop.log:line 3 needle\n"),
        (&["-c", "line"], "vm4:/srv/shop.log:6\n"),
        (&["-l", "line"], "vm4:/srv/shop.log\n"),
        (
            &["-B1", "-b", "needle"],
            "vm4:/srv/shop.log-7-line 2\nvm4:/srv/shop.log:14:line 3 needle\n",
        ),
        (&["--merge", "line 6"], "vm4:/srv/shop.log:line 6\n"),
        (&["needle", LOG], "vm4:/srv/shop.log:line 3 needle\n"),
        (&["--rotated", "needle"], "vm4:/srv/shop.log:line 3 needle\n"),
    ] {
        let output = fleet[1].ctl(&[&["grep", "--on=vm4"], options].concat());
        assert_eq!(stdout(&output), printed, "{options:?}: {output:?}");
        assert_eq!(output.status.code(), Some(0), "{options:?}: {output:?}");
    }
    let printed = fleet[1].ctl(&["grep", "needle", "vm4:/srv/shop.log"]);
    assert_eq!(stdout(&printed), "vm4:/srv/shop.log:line 3 needle\n", "{printed:?}");
    // Its keeper has it itself.
    let own = fleet[3].ctl(&["grep", "--on=vm4", "needle"]);
    assert_eq!(stdout(&own), "vm4:/srv/shop.log:line 3 needle\n", "{own:?}");
    let without = fleet[1].ctl(&["grep", "--no-copies", "-c", "line", LOG]);
    assert_eq!(
        told(&without).lines().next(),
        Some("memberctl: vm4 failed its logs are not searched")
    );
    assert_eq!(stdout(&without), "");
    let json = stdout(&fleet[1].ctl(&["grep", "--json", "--on=vm4", "needle"]));
    let [line, totals] = json.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(line.contains("\"member\":\"vm4\",\"file\":\"/srv/shop.log\",\"line\":3,"), "{line}");
    assert!(
        totals.contains("\"answered\":true") && totals.contains("\"keeper\":\"vm3\""),
        "{totals}"
    );
    // Another copy answers when the first keeper is gone, too.
    fail(&mut fleet, 3);
    let output = fleet[1].ctl(&["grep", "--on=vm4", "-c", "line"]);
    assert_eq!(stdout(&output), "vm4:/srv/shop.log:5\n", "{output:?}");
    assert!(told(&output).contains("as vm2 keeps them"), "{output:?}");
}

/// What is missing at the end is told, and gives status 2.
#[test]
fn a_copy_that_ends_early_is_an_error() {
    let mut fleet = Fleet::start_with(4, |daemon| {
        prepare(daemon);
        if daemon.name() == "vm2" {
            keep(daemon, 5, -60_000);
        }
    });
    fail(&mut fleet, 4);
    let output = fleet[1].ctl(&["grep", "--on=vm4", "needle"]);
    assert_eq!(stdout(&output), "vm4:/srv/shop.log:line 3 needle\n");
    assert!(
        told(&output).contains("its logs as vm2 keeps them, until 1 min before it was last heard")
    );
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// What a member sent until it was killed is found, as if it were there.
#[test]
fn the_lines_of_a_killed_member_are_found() {
    let mut fleet = Fleet::start_with(4, |daemon| {
        daemon.settings.logs.push("copies = 2".to_owned());
        let mut log = daemon.offer("shop.log");
        (0..1_000).for_each(|n| writeln!(log, "order {n} was paid").unwrap());
    });
    let log = fleet[2].directory().join("shop.log");
    let written = std::fs::read(&log).unwrap();
    wait_until("two members keep the log", stretched(SOON), || {
        let kept = (1..=4).filter(|at| {
            let copies = fleet[*at].copies_of("vm2", &log).unwrap_or_default();
            copies.iter().any(|copy| copy.text == written)
        });
        let kept = kept.count();
        holds(kept == 2, || format!("{kept} keep it"))
    });
    let expected = stdout(&fleet[1].ctl(&["grep", "-n", "order 7", "--on=vm2", "shop.log"]));
    assert_eq!(expected.lines().count(), 111);
    fail(&mut fleet, 2);
    let found = fleet[1].ctl(&["grep", "-n", "order 7", "--on=vm2", "shop.log"]);
    assert_eq!(stdout(&found), expected, "{found:?}");
    assert!(told(&found).contains("its logs as vm"), "{found:?}");
    assert_eq!(found.status.code(), Some(0), "{found:?}");
}

/// What comes on a pipe, line by line.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    lines
}

/// Waits for a line that holds these words.
fn wait_for(lines: &Receiver<String>, words: &str) {
    wait_until(&format!("a line says {words:?}"), stretched(SOON), || {
        let heard: Vec<String> = lines.try_iter().collect();
        holds(heard.iter().any(|line| line.contains(words)), || format!("heard {heard:?}"))
    });
}

/// Takes lines until the one with this number has come.
fn take_until(lines: &Receiver<String>, taken: &mut Vec<usize>, number: usize) {
    wait_until(&format!("line {number} comes"), stretched(SOON), || {
        taken.extend(lines.try_iter().map(|line| number_of(&line)));
        let last = taken.last().copied();
        holds(last >= Some(number), || format!("the last was {last:?}"))
    });
}

fn number_of(line: &str) -> usize {
    line.split(' ').nth(1).and_then(|number| number.parse().ok()).expect(line)
}

/// Lines, long enough that few of them fit into the buffers on the way.
fn orders(range: std::ops::Range<usize>) -> String {
    range.map(|number| format!("order {number} {}\n", "was paid ".repeat(40))).collect()
}

/// A client that reads nothing holds the follow back, while copies go on. Then the machine dies.
/// What was not shown comes from the copy, and what comes later from the machine itself: each line
/// once, in order.
#[test]
fn a_follow_goes_on_over_the_death_and_the_return_of_a_member() {
    let mut fleet = Fleet::start_with(4, |daemon| {
        daemon.settings.logs.push("copies = 2".to_owned());
        drop(daemon.offer("shop.log"));
    });
    let path = fleet[2].directory().join("shop.log");
    let append = |text: &str| {
        let mut log = OpenOptions::new().append(true).open(&path).unwrap();
        log.write_all(text.as_bytes()).unwrap();
    };
    let mut command =
        fleet[1].memberctl(&["grep", "--follow", "-h", "--on=vm2", "order", "shop.log"]);
    let mut memberctl =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let stdout = lines_of(memberctl.child().stdout.take().unwrap());
    let stderr = lines_of(memberctl.child().stderr.take().unwrap());
    let (mut taken, mut count) = (Vec::new(), 0);
    // Nothing says when the follow has begun.
    wait_until("a line comes", stretched(SOON), || {
        append(&orders(count..count + 1));
        count += 1;
        taken.extend(stdout.recv_timeout(Duration::from_millis(200)).map(|line| number_of(&line)));
        holds(!taken.is_empty(), || "none does".to_owned())
    });
    take_until(&stdout, &mut taken, count - 1);
    let first = taken[0];
    memberctl.signal(Signal::SIGSTOP);
    append(&orders(count..60_000));
    let written = std::fs::metadata(&path).unwrap().len();
    wait_until("two members keep the log", stretched(SOON), || {
        let kept = (1..=4).filter(|at| {
            let copies = fleet[*at].copies_of("vm2", &path).unwrap_or_default();
            copies.iter().any(|copy| copy.text.len() as u64 == written)
        });
        let kept = kept.count();
        holds(kept == 2, || format!("{kept} keep it"))
    });
    fail(&mut fleet, 2);
    memberctl.signal(Signal::SIGCONT);
    wait_for(&stderr, "its logs as vm");
    take_until(&stdout, &mut taken, 59_999);
    // Nothing but the file itself has these.
    append(&orders(60_000..60_100));
    fleet[2].start();
    wait_for(&stderr, "vm2 joined: its logs are followed too, from where they were left");
    append(&orders(60_100..60_200));
    take_until(&stdout, &mut taken, 60_199);
    assert!(taken.iter().copied().eq(first..60_200), "each line once, in order");
}

/// Copies are not counted yet. That is told, and is never taken for no lines.
#[test]
fn a_question_tells_that_copies_do_not_count() {
    let fleet = fleet();
    let mut request =
        StatsRequest { query: "| count".to_owned(), groups: 1, ..StatsRequest::default() };
    request.grep.copies = true;
    request.grep.pattern.patterns = vec![Vec::new()];
    let request = Request::Stats(Box::new(request));
    let mut stream = fleet[1].control().ask(&request, Some(SOON)).unwrap();
    let outcome = loop {
        match reply(&mut stream).unwrap() {
            Reply::GrepMember { member, outcome } if member == "vm4" => break outcome,
            Reply::Done => panic!("nothing was said of vm4"),
            _ => {}
        }
    };
    let words = "failed; its copies are not counted by stats yet".to_owned();
    assert_eq!(outcome, GrepOutcome::Lost(words));
}
