//! A daemon beside members of other versions of the protocol. The test plays those members.

use memberd_control::message::MemberStatus;
use memberd_membership::PROTOCOL_VERSION;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// The version after this one.
const NEXT: u8 = PROTOCOL_VERSION + 1;

/// How long the member of the next version runs: several failure timeouts.
const LIFE: Duration = Duration::from_secs(5);

/// What sends a request, or a reply, in a frame.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), &body[..]].concat()
}

/// What comes back until the end.
fn answer(to: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(&framed(&[request])).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// A heartbeat of the next version. It carries the sender's own entry as an update, and an element
/// that only that version has.
fn heartbeat(from: SocketAddr, incarnation: u64, sent: u64) -> Vec<u8> {
    let SocketAddr::V4(from) = from else { panic!("{from} is not IPv4") };
    let number = |number: u64| [&[0x1b][..], &number.to_be_bytes()].concat();
    let address = [&from.ip().octets()[..], &from.port().to_be_bytes()].concat();
    [
        &[0x89, NEXT, 0x00][..], // array of 9: the version, Heartbeat
        &number(sent),
        &[0x00],                               // the wall clock is as reckoned
        &[0x07],                               // the list's hash
        &[0xf6],                               // no delay is known
        &[0x81, 0x84, 0x63, b'v', b'm', b'9'], // one update, of vm9
        &[0x46],
        &address,
        &number(incarnation),
        &[0x00],                   // it is alive
        &[0xa0],                   // ends: none
        &[0x63, b'n', b'e', b'w'], // what only the next version has
        &incarnation.to_be_bytes()[2..],
    ]
    .concat()
}

#[test]
fn a_member_of_the_next_version_is_a_member_like_all() {
    let mut fleet = Fleet::new(2);
    fleet[1].start();
    assert!(fleet[1].ctl(&["join"]).status.success());
    // vm2's address is free, and the other member has it.
    let place = fleet[2].settings.address;
    let socket = UdpSocket::bind(place).unwrap();
    let mut followers = fleet.follow();
    let born = Instant::now();
    let incarnation = u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let status = || fleet[1].control().status_of("vm9").map_err(|error| error.to_string());
    while born.elapsed() < LIFE {
        let sent = u64::try_from(born.elapsed().as_millis()).unwrap();
        socket.send_to(&heartbeat(place, incarnation, sent), fleet[1].settings.address).unwrap();
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(status().unwrap().map(|(status, _)| status), Some(MemberStatus::Alive));
    followers.assert_none_failed_but(&[]);
    // When it falls silent, the others notice it like any other.
    let id = format!("vm9@{place}/{incarnation}");
    followers.assert_crash_noticed(&id, Instant::now(), &[]);
}

/// A member that refuses each request as one of an unknown kind. It tells the second byte of each,
/// which is the kind. Its threads and its port end with the test.
struct OldMember {
    place: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    kinds: Receiver<u8>,
}

impl OldMember {
    fn new(place: SocketAddr, group: SocketAddr) -> OldMember {
        let (socket, listener) =
            (UdpSocket::bind(place).unwrap(), TcpListener::bind(place).unwrap());
        let (stop, (sender, kinds)) = (Arc::new(AtomicBool::new(false)), channel());
        let (born, is_silent, is_over) = (Instant::now(), Arc::clone(&stop), Arc::clone(&stop));
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let incarnation = u64::try_from(now).unwrap();
        let speaker = thread::spawn(move || {
            while !is_silent.load(Ordering::Relaxed) {
                let sent = u64::try_from(born.elapsed().as_millis()).unwrap();
                let _ = socket.send_to(&heartbeat(place, incarnation, sent), group);
                thread::sleep(Duration::from_millis(200));
            }
        });
        let refuser = thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                // Whoever asked may be gone.
                let Ok(kind) = OldMember::refuse(&mut stream) else { continue };
                if sender.send(kind).is_err() {
                    break;
                }
            }
        });
        OldMember { place, stop, threads: vec![speaker, refuser], kinds }
    }

    /// Reads a request, refuses it, and returns its kind.
    fn refuse(stream: &mut TcpStream) -> io::Result<u8> {
        stream.set_read_timeout(Some(SOON))?;
        let mut head = [0; 6];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head[..4].try_into().unwrap());
        let mut rest = vec![0; usize::try_from(length).unwrap().saturating_sub(2)];
        stream.read_exact(&mut rest)?;
        stream.write_all(&[6, 0, 0, 0])?;
        Ok(head[5])
    }
}

impl Drop for OldMember {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The listener looks at `stop` after each connection.
        let woken = TcpStream::connect(self.place);
        for thread in self.threads.drain(..) {
            // Where a test has failed, that failure is the one to show.
            let ended = thread.join();
            assert!(thread::panicking() || woken.is_ok() && ended.is_ok(), "{woken:?}, {ended:?}");
        }
    }
}

/// Older members would leave out `--boot` and find too much. So they are asked in a way that they
/// refuse, and the user reads why.
#[test]
fn a_member_too_old_for_an_option_is_not_searched() {
    let mut fleet = Fleet::new(2);
    fleet[1].settings.set_search(nix::unistd::getegid(), &["files = ['/a']"]);
    // It asks the old member for nothing else.
    fleet[1].settings.logs.push("copies = 0".to_owned());
    fleet[1].start();
    assert!(fleet[1].ctl(&["join"]).status.success());
    let old = OldMember::new(fleet[2].settings.address, fleet[1].settings.address);
    wait_until("vm9 is in the group", SOON, || {
        let status = fleet[1].control().status_of("vm9").map_err(|error| error.to_string())?;
        match status {
            Some((MemberStatus::Alive, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let grep = |options: &[&str]| {
        let output = fleet[1].ctl(&[&["grep", "--on", "vm9", "--journal", "x"], options].concat());
        // A call of the membership has the kind 0.
        let kind = old.kinds.iter().find(|kind| *kind & 0x7f != 0).unwrap();
        (kind, String::from_utf8(output.stderr).unwrap(), output.status.code())
    };
    let (kind, words, status) = grep(&["--boot"]);
    assert_eq!((kind, status), (2, Some(3)), "{words}");
    let reason = "its memberd is too old for --boot: upgrade it, or leave the option out";
    assert!(words.contains(&format!("vm9: did not answer: {reason}")), "{words}");
    // So they would leave out the limit of a user who may only search.
    let searching = memberd_control::socket::search(&fleet[1].settings.socket);
    let searching = searching.to_str().unwrap();
    for (command, expected) in [(&["grep", "x"][..], 4), (&["files"], 5)] {
        let output = fleet[1]
            .ctl(&[&command[..1], &["--socket", searching, "--on", "vm9"], &command[1..]].concat());
        let kind = old.kinds.iter().find(|kind| *kind & 0x7f != 0).unwrap();
        assert_eq!((kind & 0x7f, output.status.code()), (expected, Some(3)), "{output:?}");
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.contains("its memberd is too old for the limit of files at"), "{words}");
    }
    // Another grep is asked as ever.
    let (kind, words, status) = grep(&[]);
    assert_eq!((kind, status), (1, Some(3)), "{words}");
    assert!(!words.contains("too old"), "{words}");
}

#[test]
fn a_request_of_another_version_or_kind_gets_an_alert() {
    let fleet = Fleet::start(1);
    let daemon = fleet[1].settings.address;
    let alert = [6, 0, 0, 0];
    for head in [[PROTOCOL_VERSION + 2, 0], [0, 0], [PROTOCOL_VERSION, 99], [NEXT, 99]] {
        assert_eq!(answer(daemon, &head), alert, "{head:?}");
    }
    // [2, { "Danc": {} }] is understood as far as that it is not known: a reply, with this
    // version's number.
    let reply = answer(daemon, &[NEXT, 0, 0x82, NEXT, 0xa1, 0x64, b'D', b'a', b'n', b'c', 0xa0]);
    assert!(reply.windows(7).any(|words| words == b"Version"), "{reply:?}");
}

#[test]
fn who_joins_a_group_of_another_version_learns_both() {
    let mut fleet = Fleet::new(2);
    let listener = TcpListener::bind(fleet[2].settings.address).unwrap();
    // [4, { "Refused": { "Version": { "group": 4 } } }], and what a listener of another version
    // says.
    let words: &[&[u8]] = &[
        &[0x82, 4, 0xa1, 0x67],
        b"Refused",
        &[0xa1, 0x67],
        b"Version",
        &[0xa1, 0x65],
        b"group",
        &[4],
    ];
    let replies = [framed(words), vec![6, 0, 0, 0]];
    let introducer = thread::spawn(move || {
        for reply in replies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            stream
                .read_exact(&mut vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()])
                .unwrap();
            stream.write_all(&reply).unwrap();
        }
    });
    fleet[1].start();
    let introducer_address = fleet[2].settings.address.to_string();
    for (status, said) in [
        (6, "it speaks protocol version 4, this daemon 2: upgrade the older"),
        (1, "it speaks another version of the protocol: upgrade the older"),
    ] {
        let output = fleet[1].ctl(&["join", &introducer_address]);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{complaint}");
        assert!(complaint.contains(said) && complaint.lines().count() == 1, "{complaint}");
    }
    introducer.join().unwrap();
    wait_until("it is in no group", SOON, || {
        let listed = fleet[1].ctl(&["list"]);
        holds(listed.status.code() == Some(1), || format!("{listed:?}"))
    });
}
