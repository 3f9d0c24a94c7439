//! A stranger that records the group's datagrams and plays them back changes nothing.

use memberd_tests::process::Running;
use memberd_tests::recorder::{Datagram, Player, Recorder, is_permitted};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// More than a failure timeout. A member that replayed heartbeats brought back would have failed
/// again by then.
const A_WHILE: Duration = Duration::from_secs(4);

fn sealed(n: u8) -> Fleet {
    Fleet::start_with(n, |daemon| daemon.set_keys("a"))
}

fn is_at(daemon: &Daemon, address: std::net::SocketAddrV4) -> bool {
    daemon.settings.address == SocketAddr::V4(address)
}

/// No datagram of members can be read, and a heartbeat has less than 100 bytes.
#[test]
fn sealed_datagrams_are_unreadable_and_under_100_bytes() {
    if !is_permitted("sealed_datagrams_are_unreadable_and_under_100_bytes") {
        return;
    }
    let mut fleet = Fleet::new(4);
    let recorder = Recorder::start(fleet[1].settings.address);
    for daemon in fleet.daemons_mut() {
        daemon.set_keys("a");
        daemon.start();
    }
    fleet.join_all();
    // The headers of IPv4 and UDP have 28 bytes.
    let heard = wait_until("members at rest say nothing but short heartbeats", SOON, || {
        let heard = recorder.heard();
        let lengths: Vec<usize> =
            heard.iter().rev().take(24).map(|datagram| datagram.payload.len() + 28).collect();
        holds(lengths.len() == 24 && lengths.iter().all(|length| *length < 100), || {
            format!("{lengths:?}")
        })?;
        Ok(heard)
    });
    // A name in CBOR, long enough not to come up by chance.
    let is_name = |bytes: &[u8]| matches!(bytes, [0x63, b'v', b'm', b'1'..=b'4']);
    for Datagram { payload, .. } in &heard {
        // All are sealed. A hello begins with 2.
        assert!(
            matches!(payload[0], 1 | 2)
                && !payload.windows(4).any(is_name)
                && payload.len() <= 1_200,
            "{payload:x?}"
        );
    }
}

/// Waits until each of the running was heard by the recorder often.
fn listen(fleet: &Fleet, recorder: &Recorder) -> Vec<Datagram> {
    wait_until("there is enough to play back", SOON, || {
        let heard = recorder.heard();
        for daemon in fleet.running() {
            let count = heard.iter().filter(|datagram| is_at(daemon, datagram.from)).count();
            holds(count >= 15, || format!("{count} datagrams of {}", daemon.name()))?;
        }
        Ok(heard)
    })
}

/// Plays all of it back. Waits until every running member has refused each datagram that was meant
/// for it, or has read it without believing it.
fn play(fleet: &Fleet, player: &Player, recorded: &[Datagram]) {
    for datagram in recorded {
        player.play(datagram);
    }
    // A daemon that answers has taken in what came before.
    for daemon in fleet.running() {
        daemon.control().status().unwrap();
    }
}

#[test]
fn what_is_played_back_at_once_is_refused_and_counted() {
    if !is_permitted("what_is_played_back_at_once_is_refused_and_counted") {
        return;
    }
    let fleet = sealed(4);
    let recorder = Recorder::start(fleet[1].settings.address);
    let mut followers = fleet.follow();
    let (before, recorded) = (fleet.wait_until_whole(), listen(&fleet, &recorder));
    let meant_for =
        |daemon: &Daemon| recorded.iter().filter(|datagram| is_at(daemon, datagram.to)).count();
    let counted: BTreeMap<&str, u64> = fleet
        .daemons()
        .iter()
        .map(|daemon| (daemon.name(), daemon.counter("refused_replayed")))
        .collect();
    assert!(counted.values().all(|count| *count == 0), "{counted:?}");
    let (player, since) = (Player::new(), Instant::now());
    play(&fleet, &player, &recorded);
    for daemon in fleet.daemons() {
        let expected = u64::try_from(meant_for(daemon)).unwrap();
        wait_until("each is refused", SOON, || {
            let count = daemon.counter("refused_replayed");
            holds(count == expected, || format!("{count} of {expected} at {}", daemon.name()))
        });
        daemon.wait_until_logged_rarely(&[" WARN refused a datagram", "received before"], since);
    }
    // They are sent back to their senders, under the receiver's address and their own, and to
    // another member.
    let led =
        |from, to, payload: &Vec<u8>| player.play(&Datagram { from, to, payload: payload.clone() });
    let (sample, mut expected) = (&recorded[..10], BTreeMap::new());
    for Datagram { from, to, payload } in sample {
        led(*to, *from, payload);
        led(*from, *from, payload);
        *expected.entry(*from).or_insert(0) += 2;
        let other = fleet.daemons().iter().map(|daemon| daemon.settings.address);
        let other = other.filter_map(|address| {
            if let SocketAddr::V4(address) = address { Some(address) } else { None }
        });
        let other = other.filter(|address| address != from && address != to).max().unwrap();
        led(*from, other, payload);
        *expected.entry(other).or_insert(0) += 1;
    }
    for daemon in fleet.daemons() {
        let expected: u64 = expected
            .iter()
            .filter(|(address, _)| is_at(daemon, **address))
            .map(|(_, count)| *count)
            .sum();
        wait_until("each is refused as forged", SOON, || {
            let count = daemon.counter("refused_forged");
            holds(count == expected, || format!("{count} of {expected} at {}", daemon.name()))
        });
    }
    assert_eq!(fleet.wait_until_whole(), before);
    followers.assert_none_failed_but(&[]);
}

#[test]
fn heartbeats_of_the_dead_played_back_hide_no_crash() {
    if !is_permitted("heartbeats_of_the_dead_played_back_hide_no_crash") {
        return;
    }
    let mut fleet = sealed(4);
    let recorder = Recorder::start(fleet[1].settings.address);
    let mut followers = fleet.follow();
    let recorded = listen(&fleet, &recorder);
    let address = fleet[4].settings.address;
    let crash = fleet.crash(&[4]).remove(0);
    let player = Player::new();
    while crash.at.elapsed() < Duration::from_secs(3) {
        for datagram in recorded.iter().filter(|datagram| SocketAddr::V4(datagram.from) == address)
        {
            player.play(datagram);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm4"]);
    followers.assert_none_failed_but(&[&crash.id]);
}

#[test]
fn what_is_played_back_after_restarts_changes_nothing() {
    if !is_permitted("what_is_played_back_after_restarts_changes_nothing") {
        return;
    }
    let mut fleet = sealed(5);
    let (recorder, player) = (Recorder::start(fleet[1].settings.address), Player::new());
    listen(&fleet, &recorder);
    // One member dies for good, one leaves for good, and one is new. The record has what members
    // said of all that.
    let dead = fleet.crash(&[5]).remove(0);
    fleet[4].control().leave().unwrap();
    let left = fleet[4].kill();
    let restarted = fleet.crash(&[2]).remove(0);
    fleet[2].start();
    fleet.wait_until_whole();
    let mut recorded = listen(&fleet, &recorder);

    let assert_nothing_changes = |fleet: &Fleet, recorded: &[Datagram]| {
        let before = fleet.wait_until_whole();
        let mut followers = fleet.follow();
        play(fleet, &player, recorded);
        fleet.assert_quiet_for(&mut followers, A_WHILE, &[]);
        assert_eq!(fleet.wait_until_whole(), before);
        assert!(followers.seen().is_empty(), "{:?}", followers.seen());
    };
    // The senders were restarted. Nothing of their former incarnations is believed.
    assert_nothing_changes(&fleet, &recorded);
    // The receivers were restarted too, and have forgotten what they heard.
    for number in [1, 3] {
        fleet.crash(&[number]);
        fleet[number].start();
        fleet.wait_until_whole();
    }
    recorded = recorder.heard();
    assert_nothing_changes(&fleet, &recorded);
    println!(
        "{} datagrams; {} and {} are gone, {} restarted; all {:?} ago",
        recorded.len(),
        dead.name,
        fleet[4].name(),
        restarted.name,
        Instant::now().duration_since(left)
    );
}

/// A restarted member remembers nothing of what it heard, and here nobody is left to remind it.
/// Everything that it and the others said in its former incarnation is played back, in the order
/// and at the pace of the record.
#[test]
fn a_member_that_was_restarted_and_is_alone_is_shown_no_ghosts() {
    if !is_permitted("a_member_that_was_restarted_and_is_alone_is_shown_no_ghosts") {
        return;
    }
    let mut fleet = Fleet::new(3);
    let recorder = Recorder::start(fleet[1].settings.address);
    for daemon in fleet.daemons_mut() {
        daemon.set_keys("a");
        daemon.start();
    }
    fleet.join_all();
    // The record has announcements and introductions: one member was declared failed while it was
    // stopped, and came back.
    fleet[3].signal(Signal::SIGSTOP);
    wait_until("it is failed", SOON, || {
        let up = fleet[1].control().alive().unwrap();
        holds(up.len() == 2, || format!("{up:?}"))
    });
    fleet[3].signal(Signal::SIGCONT);
    fleet.wait_until_whole();
    listen(&fleet, &recorder);
    fleet[1].kill();
    // The others look for it, until they are gone too.
    let recorded = wait_until("it is greeted", SOON, || {
        let heard = recorder.heard();
        let greeted =
            heard.iter().any(|datagram| is_at(&fleet[1], datagram.to) && datagram.payload[0] == 2);
        holds(greeted, || "no greeting yet".to_owned())?;
        Ok(heard)
    });
    for number in [2, 3] {
        fleet[number].kill();
    }
    fleet[1].start();
    let output = fleet[1].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    let (before, mut followers) = (fleet.wait_until_whole(), fleet.follow());
    assert_eq!(before.len(), 1);
    let (player, refused) =
        (Player::new(), |daemon: &Daemon| daemon.counter("refused_former_life"));
    let for_it: Vec<&Datagram> =
        recorded.iter().filter(|datagram| is_at(&fleet[1], datagram.to)).collect();
    let greetings = for_it.iter().filter(|datagram| datagram.payload[0] == 2).count();
    for datagram in &for_it {
        player.play(datagram);
        std::thread::sleep(Duration::from_millis(10));
    }
    // Nobody read any of it. Hellos carry no message.
    let expected = u64::try_from(for_it.len() - greetings).unwrap();
    wait_until("each is refused", SOON, || {
        let count = refused(&fleet[1]);
        holds(count == expected, || format!("{count} of {expected}"))
    });
    assert!(expected >= 30 && greetings > 0, "{expected}, {greetings}");
    assert_eq!(fleet[1].control().alive().unwrap(), before);
    assert!(followers.seen().is_empty(), "{:?}", followers.seen());
    println!("{expected} datagrams refused, {greetings} greetings answered");
}

/// The first bytes of a member that calls another, whose place this test takes: 53 bytes, see
/// PROTOCOL.md.
fn recorded_hello(fleet: &mut Fleet, of: usize, to: usize) -> [u8; 53] {
    fleet[to].kill();
    let listener = TcpListener::bind(fleet[to].settings.address).unwrap();
    let address = fleet[to].settings.address.to_string();
    let mut command = fleet[of].memberctl(&["join", &address]);
    let mut joining = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let mut hello = [0; 53];
    listener.accept().unwrap().0.read_exact(&mut hello).unwrap();
    drop(listener);
    joining.wait(SOON);
    hello
}

/// The recorded beginning of a connection is counted and logged.
#[test]
fn a_replayed_handshake_comes_to_nothing() {
    let mut fleet = sealed(1);
    fleet.add().set_keys("a");
    fleet[2].start();
    let hello = recorded_hello(&mut fleet, 2, 1);
    let since = Instant::now();
    fleet[1].start();
    let connect = |more: &[u8]| {
        let mut stream = TcpStream::connect(fleet[1].settings.address).unwrap();
        stream.write_all(&hello).unwrap();
        // It gets an answer, because it is a member's.
        let mut answer = [0; 49];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[0], 1);
        stream.write_all(more).unwrap();
        stream
    };
    let silent = [connect(&[]), connect(&[0, 40, 1, 2, 3])];
    let forged = connect(&[&[0, 40][..], &[7; 40]].concat());
    drop([connect(&[]), connect(&[0, 40, 1])]);
    let expected = [("forged", 1), ("handshake_broken", 2), ("handshake_late", 2)];
    wait_until("all are counted", SOON, || {
        let counts =
            expected.map(|(cause, _)| (cause, fleet[1].counter(&format!("refused_{cause}"))));
        holds(counts == expected, || format!("{counts:?}"))
    });
    drop((silent, forged));
    for cause in ["forged, damaged", "the handshake took too long"] {
        fleet[1].wait_until_logged_rarely(&[" WARN refused a connection", cause], since);
    }
    // Who breaks off is not worth a warning.
    let log = fleet[1].log().text();
    let is_warned = |line: &str| line.contains(" WARN ") && line.contains("before its handshake");
    assert!(!log.lines().any(is_warned), "{log}");
    // A member's own handshake is not among these.
    let output = fleet[2].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fleet[1].counter("refused_forged"), 1);
}
