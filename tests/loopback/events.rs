//! Membership changes as events: the past comes first, gaps are reported, and commands are run.

use memberd_control::message::{
    ChangeKinds, EventsFrom, Follow, MemberStatus, MissedRecord, Reply, Request,
};
use memberd_control::socket::read_only;
use memberd_membership::{
    Body, Claim, Identity, Incarnation, Message, Name, SentAt, Update, WallTime, wire,
};
use memberd_tests::control::reply;
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// The lines of a command that keeps running.
fn follow(command: &mut Command) -> (Running, Receiver<String>) {
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    let stdout = BufReader::new(running.child().stdout.take().unwrap());
    let (sender, lines) = channel();
    thread::spawn(move || stdout.lines().try_for_each(|line| sender.send(line.unwrap())));
    (running, lines)
}

fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(stretched(SOON)).expect("a line")
}

fn json(lines: &Receiver<String>) -> serde_json::Value {
    serde_json::from_str(&next(lines)).unwrap()
}

#[test]
fn the_past_comes_first_and_then_what_happens_without_a_gap() {
    let mut fleet = Fleet::start(3);
    let (_memberctl, lines) = follow(&mut fleet[1].memberctl(&["events"]));
    for name in ["vm1", "vm2", "vm3"] {
        let line = next(&lines);
        assert!(line.contains(" joined ") && line.contains("vm"), "{name}: {line}");
    }
    fleet[3].control().leave().unwrap();
    let line = next(&lines);
    assert!(line.contains("vm3 left"), "{line}");
    fleet.crash(&[2]);
    let line = next(&lines);
    assert!(line.contains("vm2 failed, noticed by vm1"), "{line}");
}

#[test]
fn since_tells_all_from_a_moment_on_and_says_what_nobody_knows() {
    let fleet = Fleet::start(2);
    let (_memberctl, lines) =
        follow(&mut fleet[1].memberctl(&["events", "--json", "--since", "1h"]));
    let missed = json(&lines);
    assert!(
        missed["missed"]["until"].is_u64() && missed["missed"]["count"].is_null(),
        "the daemon is younger than an hour: {missed}"
    );
    let events = [json(&lines), json(&lines)];
    assert!(events.iter().all(|event| event["status"] == "alive"), "{events:?}");
    let second = events[1]["time"].as_u64().unwrap();
    let since = timestamp(second);
    let (_memberctl, lines) =
        follow(&mut fleet[1].memberctl(&["events", "--json", "--since", &since]));
    assert_eq!(json(&lines), events[1]);
}

#[test]
fn until_ends_with_the_past_or_when_its_moment_has_come() {
    let fleet = Fleet::start(2);
    let past = |arguments: &[&str]| {
        let output = fleet[1].ctl(&[&["events", "--json"], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<serde_json::Value>>()
    };
    let all = past(&["--until", "now"]);
    assert!(all.len() >= 2 && all.iter().all(|event| event["event"] == "joined"), "{all:?}");
    let since = past(&["--since", "1h", "--until", "now"]);
    assert!(since[0]["missed"]["until"].is_u64() && since[1..] == all, "{since:?}");
    let last = all.last().unwrap()["time"].as_u64().unwrap();
    let before: Vec<_> =
        all.iter().filter(|event| event["time"].as_u64() < Some(last)).cloned().collect();
    assert_eq!(past(&["--until", &timestamp(last)]), before);
    // A moment in the future is waited for, and changes until then are printed.
    let now =
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let soon = u64::try_from(stretched(SOON).as_millis()).unwrap() / 6;
    let (mut memberctl, lines) =
        follow(&mut fleet[1].memberctl(&["events", "--until", &timestamp(now + soon)]));
    all.iter().for_each(|_| assert!(next(&lines).contains(" joined ")));
    assert_eq!(memberctl.ended(), None, "the moment has not come");
    fleet[2].control().leave().unwrap();
    assert!(next(&lines).contains("vm2 left"));
    wait_until("it ends", SOON, || holds(memberctl.ended().is_some(), || "not yet".to_owned()));
    assert!(memberctl.ended().unwrap().success());
}

/// The time of an event as the text output has it.
fn timestamp(milliseconds: u64) -> String {
    let output = Command::new("date")
        .args([
            "-u",
            "-d",
            &format!("@{}.{:03}", milliseconds / 1_000, milliseconds % 1_000),
            "+%Y-%m-%dT%H:%M:%S.%3NZ",
        ])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Follows changes of members' status, without an end.
fn standings(from: EventsFrom) -> Request {
    Request::Follow(Follow { from, kinds: ChangeKinds::Liveness, until: None })
}

#[test]
fn changes_of_tags_go_only_to_clients_that_know_of_them() {
    let mut fleet = Fleet::start_with(2, |daemon| daemon.settings.tags = vec![("role", "web")]);
    let ask = |request| fleet[1].control().ask(&request, Some(SOON)).unwrap();
    let mut older = [ask(Request::Events), ask(standings(EventsFrom::Last(0)))];
    // A client that gets an answer now follows already.
    fleet[1].control().status().unwrap();
    fleet[2].settings.tags = vec![("role", "db"), ("zone", "a")];
    fleet[2].write_settings();
    fleet[2].reload();
    let (_memberctl, lines) =
        follow(&mut fleet[1].memberctl(&["events", "--json", "--since", "1h"]));
    let tags = serde_json::json!({"role": "db", "zone": "a"});
    let event = std::iter::repeat_with(|| json(&lines))
        .find(|event| event["member"]["tags"] == tags)
        .unwrap();
    assert_eq!(
        (&event["event"], &event["member"]["name"]),
        (&"tagged".into(), &"vm2".into()),
        "{event}"
    );
    fleet[2].control().leave().unwrap();
    assert_eq!(json(&lines)["event"], "left");
    for stream in &mut older {
        let event = reply(stream).unwrap();
        assert!(
            matches!(&event, Reply::Event(event) if event.status == MemberStatus::Left),
            "{event:?}"
        );
    }
    // The past has it too, if the client asks for the past.
    let (_memberctl, lines) = follow(&mut fleet[1].memberctl(&["events"]));
    assert!(
        std::iter::repeat_with(|| next(&lines))
            .take(10)
            .any(|line| line.contains("vm2 tagged, now role=db zone=a"))
    );
    let once = String::from_utf8(fleet[1].ctl(&["top", "--once"]).stdout).unwrap();
    assert!(once.contains("vm2 tagged, now role=db zone=a"), "{once}");
}

fn hook(daemon: &Daemon, output: &Path) -> Command {
    let command = format!("echo \"$MEMBERD_EVENT $MEMBERD_NAME\" >> {}", output.display());
    daemon.memberctl(&["events", "--since", "1h", "--exec", &command])
}

/// It is run also after a restart of the daemon.
#[test]
fn a_command_is_run_for_each_change() {
    let mut fleet = Fleet::start(3);
    let output = fleet[1].directory().join("hook");
    let mut memberctl =
        Running::start(hook(&fleet[1], &output).stdin(Stdio::null()).stderr(Stdio::null()));
    let printed = || fs::read_to_string(&output).unwrap_or_default();
    let wait_for = |what: &str, line: &str, times: usize| {
        wait_until(what, SOON, || {
            let printed = printed();
            holds(printed.lines().filter(|each| *each == line).count() == times, || printed.clone())
        });
    };
    wait_for("it has the past", "joined vm3", 1);
    assert!(printed().starts_with("gap "), "the daemon is younger than an hour: {}", printed());
    let crash = fleet.crash(&[3]).remove(0);
    wait_for("it has the crash", &format!("failed {}", crash.name), 1);
    // Its own daemon crashes and comes back. Later changes are reported, and so is the gap.
    fleet[1].kill();
    fleet[1].start();
    fleet.wait_until_whole();
    wait_for("a gap is said", "gap ", 2);
    fleet[3].start();
    fleet[3].control().join().ok();
    wait_for("it goes on", "joined vm3", 2);
    assert_eq!(memberctl.ended(), None);
}

/// The status shows the greps that run. Only clients that may grep see what the greps look for.
#[test]
fn the_status_shows_patterns_only_to_those_who_may_grep() {
    let mut fleet = Fleet::new(1);
    let pipe = fleet[1].directory().join("endless.log");
    let file = fleet[1].offer("endless.log");
    // The file is long enough for a long search, and nobody reads the output.
    file.set_len(0).unwrap();
    fs::write(&pipe, "needle\n".repeat(2_000_000)).unwrap();
    fleet[1].start();
    fleet.join_all();
    let mut memberctl = Running::start(
        fleet[1].memberctl(&["grep", "needle"]).stdin(Stdio::null()).stdout(Stdio::piped()),
    );
    wait_until("the grep is in the status", SOON, || {
        let status = fleet[1].control().status().map_err(|error| error.to_string())?;
        let shown = status.greps.iter().any(|grep| grep.pattern.as_deref() == Some("needle"))
            && status.searches == 1;
        holds(shown, || format!("{:?} {}", status.greps, status.searches))
    });
    let full = fleet[1].settings.socket.clone();
    fleet[1].settings.socket = read_only(&full);
    let status = fleet[1].control().status().unwrap();
    assert_eq!((status.greps.len(), &status.greps[0].pattern, status.searches), (1, &None, 1));
    for look in [&["status"][..], &["status", "--json"], &["metrics"]] {
        let output = fleet[1].ctl(look);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && !text.contains("needle"), "{look:?}: {text}");
        assert!(
            look != ["status"] || text.contains("pattern hidden (shown to root and group memberd)"),
            "{text}"
        );
    }
    fleet[1].settings.socket = full;
    memberctl.child().kill().unwrap();
    wait_until("it is gone from it", SOON, || {
        let status = fleet[1].control().status().map_err(|error| error.to_string())?;
        holds(status.greps.is_empty() && status.searches == 0, || {
            format!("{:?} {}", status.greps, status.searches)
        })
    });
}

/// A member of the group that restarts this often, as another reports. Each time is two events.
fn report_restarts(daemon: &Daemon, count: u64) {
    let SocketAddr::V4(address) = daemon.settings.address else {
        panic!("{} is not IPv4", daemon.settings.address)
    };
    let [a, b, c, _] = address.ip().octets();
    let sockets = [200, 201].map(|d| UdpSocket::bind((Ipv4Addr::new(a, b, c, d), 0)).unwrap());
    let alive = |i: usize, incarnation: u64| {
        let address = sockets[i].local_addr().unwrap();
        let name = Name::new(&format!("ghost{i}")).unwrap();
        let identity = Identity { name, address, incarnation: Incarnation(incarnation) };
        Update::new(identity, Claim::Alive)
    };
    let send = |from: usize, sent: u64, updates: Vec<Update>| {
        let sent = SentAt { mono: sent, wall: WallTime(2) };
        let message = Message { incarnation: Incarnation(1), sent, body: Body::Updates(updates) };
        let mut bytes = Vec::new();
        wire::encode(&message, &mut bytes);
        sockets[from].send_to(&bytes, daemon.settings.address).unwrap();
        // A daemon that answers has taken in what came before.
        daemon.control().status().unwrap();
    };
    send(1, 0, vec![alive(1, 1)]);
    let incarnations: Vec<u64> = (2..count + 2).collect();
    for (sent, incarnations) in (1..).zip(incarnations.chunks(16)) {
        let restarts = incarnations.iter().map(|incarnation| alive(1, *incarnation));
        send(0, sent, [alive(0, 1)].into_iter().chain(restarts).collect());
    }
}

#[test]
fn a_slow_follower_learns_how_many_changes_it_missed() {
    const EVENTS: u64 = 3_000;
    let fleet = Fleet::start(1);
    let mut stream = fleet[1].control().ask(&standings(EventsFrom::Last(0)), Some(SOON)).unwrap();
    report_restarts(&fleet[1], EVENTS / 2);
    let (mut events, mut missed) = (0, 0);
    while events + missed < EVENTS {
        match reply(&mut stream).unwrap() {
            Reply::Event(_) => events += 1,
            Reply::EventsMissed(MissedRecord { count: Some(count), .. }) => missed += count,
            other => panic!("{other:?}"),
        }
    }
    assert!(missed > 0 && events > 1_000, "{events} events, missed {missed}");
    // A client that comes later learns how much is forgotten.
    let mut stream = fleet[1].control().ask(&standings(EventsFrom::Since(1)), Some(SOON)).unwrap();
    let first = reply(&mut stream).unwrap();
    assert!(matches!(first, Reply::EventsMissed(MissedRecord { count: None, .. })), "{first:?}");
}
