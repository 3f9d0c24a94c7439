//! The daemon goes on whatever strangers send: random bytes, cut and oversized frames, and
//! connections without a byte.

use memberd_control::frame::encode;
use memberd_control::grep::GrepRequest;
use memberd_control::message::{Hello, PROTOCOL_VERSION, Request};
use memberd_membership::{Instant as Mono, Name, Node, Now, Output, Settings, WallTime};
use memberd_tests::proc::peak_kib;
use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet, Followers, wait_until};
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

/// By how many KiB all of it may raise the daemon's memory.
const GROWTH_KIB: u64 = 64 * 1024;

/// The first two bytes of a request between members: version, and kind "of the membership
/// protocol".
const RING_REQUEST: [u8; 2] = [1, 0];

/// The same of a grep.
const GREP_REQUEST: [u8; 2] = [1, 1];

/// Pseudo-random bytes, the same in each run (xorshift).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| byte()).collect()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

/// A request to join as a newcomer would send it.
fn join_request(daemon: &Daemon) -> Vec<u8> {
    let stranger = "127.0.0.9:9".parse().unwrap();
    let mut node =
        Node::new(Settings::default(), Name::new("stranger").unwrap(), stranger, None, 7);
    let now = Now { mono: Mono::EPOCH, wall: WallTime(1_795_000_000_000) };
    node.join(now, vec![daemon.settings.address], Vec::new()).unwrap();
    match node.poll_output(&mut Vec::new()) {
        Some(Output::Call(call)) => call.payload,
        other => panic!("it does not ask to join: {other:?}"),
    }
}

/// Asserts that the daemon answers, that nobody was reported failed, that its memory is in bounds,
/// and that a real crash is still noticed.
fn assert_unharmed(fleet: &mut Fleet, followers: &mut Followers, peak: u64) {
    let output = fleet[1].ctl(&["list"]);
    assert!(output.status.success(), "{output:?}");
    followers.assert_none_failed_but(&[]);
    assert_eq!(fleet.wait_until_whole().len(), fleet.daemons().len());
    let growth = peak_kib(fleet[1].pid()) - peak;
    assert!(growth <= GROWTH_KIB, "it grew by {growth} KiB");
    let crash = fleet.crash(&[3]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm3"]);
    followers.assert_none_failed_but(&[&crash.id]);
    let said = fleet[1].stderr();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn senseless_datagrams_change_nothing() {
    let mut fleet = Fleet::start(4);
    let mut followers = fleet.follow();
    let peak = peak_kib(fleet[1].pid());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let real = join_request(&fleet[1]);
    for burst in 0..100 {
        for number in 0..40 {
            let seed = burst * 40 + number;
            let mut bytes = noise(seed, usize::try_from(seed * 37 % 1_500).unwrap());
            // Data that begins with the protocol's version gets further.
            if let Some(first) = bytes.first_mut().filter(|_| number % 2 == 0) {
                *first = 1;
            }
            socket.send_to(&bytes, fleet[1].settings.address).unwrap();
        }
        // A daemon that answers has taken in what came before.
        fleet[1].control().status().unwrap();
    }
    for length in 0..real.len() {
        socket.send_to(&real[..length], fleet[1].settings.address).unwrap();
    }
    socket.send_to(&[1; 65_000], fleet[1].settings.address).unwrap();
    assert_unharmed(&mut fleet, &mut followers, peak);
}

#[test]
fn cut_oversized_and_senseless_requests_over_tcp_change_nothing() {
    let mut fleet = Fleet::start(4);
    let mut followers = fleet.follow();
    let peak = peak_kib(fleet[1].pid());
    let request = [&RING_REQUEST[..], &join_request(&fleet[1])].concat();
    let mut attacks: Vec<Vec<u8>> =
        (0..100).map(|seed| noise(seed, 1 + usize::try_from(seed).unwrap() * 31)).collect();
    attacks.extend((0..100).map(|seed| framed(&noise(seed, 600))));
    attacks.extend((0..100).map(|seed| framed(&[&RING_REQUEST[..], &noise(seed, 300)].concat())));
    attacks.extend((0..100).map(|seed| framed(&[&[1, 1][..], &noise(seed, 300)].concat())));
    attacks.extend((0..request.len()).map(|length| framed(&request[..length])));
    attacks.extend((0..request.len()).map(|length| framed(&request)[..length].to_vec()));
    attacks.push(vec![0xff; 64]);
    attacks.push([&[0xff, 0xff, 0xff, 0xff][..], &vec![1; 8 << 20]].concat());
    attacks.push([&(4_u32 << 20).to_be_bytes()[..], &vec![0x9b; 4 << 20]].concat());
    for attack in &attacks {
        let mut stream = TcpStream::connect(fleet[1].settings.address).unwrap();
        // The daemon may hang up at any byte.
        let _ = stream.write_all(attack);
    }
    assert_unharmed(&mut fleet, &mut followers, peak);
}

/// The requests are cut off, too large, or make no sense.
#[test]
fn bad_requests_at_the_control_socket_change_nothing() {
    let mut fleet = Fleet::start(4);
    let mut followers = fleet.follow();
    let peak = peak_kib(fleet[1].pid());
    let hello =
        encode(&Hello { protocol: PROTOCOL_VERSION, program: "stranger".to_owned() }).unwrap();
    let request = encode(&Request::List { all: true }).unwrap();
    let whole = [hello.clone(), request].concat();
    let mut attacks: Vec<Vec<u8>> =
        (0..100).map(|seed| noise(seed, 1 + usize::try_from(seed).unwrap() * 17)).collect();
    attacks.extend((0..100).map(|seed| [hello.clone(), framed(&noise(seed, 200))].concat()));
    attacks.extend((0..whole.len()).map(|length| whole[..length].to_vec()));
    attacks.push([hello.clone(), vec![0xff; 1 << 20]].concat());
    attacks.push([&[0, 1, 0, 0][..], &vec![0x9b; 64 << 10]].concat());
    for attack in &attacks {
        let mut stream = UnixStream::connect(&fleet[1].settings.socket).unwrap();
        // The daemon may hang up at any byte.
        let _ = stream.write_all(attack);
    }
    assert_unharmed(&mut fleet, &mut followers, peak);
}

/// A list of 4 MiB would take 100 MiB once it is decoded. Some come at once, from members and from
/// clients.
#[test]
fn long_lists_in_greps_take_bounded_memory() {
    let mut fleet = Fleet::start(4);
    let mut followers = fleet.follow();
    let peak = peak_kib(fleet[1].pid());
    let mut grep = GrepRequest::default();
    grep.files.globs = vec![String::new(); 4 << 20];
    let (mut to_member, mut to_client) = (GREP_REQUEST.to_vec(), Vec::new());
    ciborium::into_writer(&grep, &mut to_member).unwrap();
    ciborium::into_writer(&Request::Grep(Box::new(grep)), &mut to_client).unwrap();
    let hello =
        encode(&Hello { protocol: PROTOCOL_VERSION, program: "stranger".to_owned() }).unwrap();
    let (member, client) = (framed(&to_member), [hello, framed(&to_client)].concat());
    let answers = std::thread::scope(|scope| {
        let asked = [&member, &member, &member, &member, &client, &client].map(|bytes| {
            let (fleet, to_member) = (&fleet, bytes == &member);
            scope.spawn(move || match to_member {
                true => answer(|| TcpStream::connect(fleet[1].settings.address), bytes),
                false => answer(|| UnixStream::connect(&fleet[1].settings.socket), bytes),
            })
        });
        asked.map(|thread| thread.join().unwrap())
    });
    for (answer, cap) in answers.iter().zip([91_136, 91_136, 91_136, 91_136, 81_920, 81_920]) {
        assert!(answer.contains(&format!(" bytes; at most {cap} are allowed")), "{answer:?}");
    }
    assert_unharmed(&mut fleet, &mut followers, peak);
}

/// All that a daemon says to these bytes. They have a few seconds to arrive. On a busy machine the
/// daemon spends these on decoding others' bytes. Then it hangs up, and is asked again.
fn answer<S: Read + Write>(connect: impl Fn() -> std::io::Result<S>, bytes: &[u8]) -> String {
    wait_until("the daemon answers", SOON, || {
        let mut stream = connect().unwrap();
        let written = stream.write_all(bytes);
        let mut answer = Vec::new();
        // The daemon may have hung up, and what it said before that counts.
        let read = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let has_words = answer.contains(" bytes; at most ");
        if has_words { Ok(answer) } else { Err(format!("{written:?} {read:?} {answer:?}")) }
    })
}

#[test]
fn a_client_of_another_version_learns_both_versions() {
    let fleet = Fleet::idle(1);
    let mut stream = UnixStream::connect(&fleet[1].settings.socket).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
        .write_all(&encode(&Hello { protocol: 4_711, program: "stranger 9".to_owned() }).unwrap())
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let words = String::from_utf8_lossy(&answer);
    assert!(
        words.contains("4711") && words.contains(&format!("speaks {PROTOCOL_VERSION}")),
        "{words}"
    );
}

/// There are two hundred of them.
#[test]
fn idle_connections_and_silent_clients_delay_nobody() {
    let mut fleet = Fleet::start(4);
    let mut followers = fleet.follow();
    let peak = peak_kib(fleet[1].pid());
    let address = fleet[1].settings.address;
    let idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    let silent: Vec<UnixStream> =
        (0..20).map(|_| UnixStream::connect(&fleet[1].settings.socket).unwrap()).collect();
    fleet.add().start();
    let output = fleet[5].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    assert_unharmed(&mut fleet, &mut followers, peak);
    drop((idle, silent));
}

#[test]
fn more_connections_than_are_served_hide_no_crash() {
    let mut fleet = Fleet::start(4);
    let mut followers = fleet.follow();
    let address = fleet[1].settings.address;
    let idle: Vec<TcpStream> = (0..350).map(|_| TcpStream::connect(address).unwrap()).collect();
    let silent: Vec<UnixStream> =
        (0..100).map(|_| UnixStream::connect(&fleet[1].settings.socket).unwrap()).collect();
    let (id, killed) = (fleet[3].control().status().unwrap().id.unwrap(), fleet[3].kill());
    followers.assert_crash_noticed(&id, killed, &["vm3"]);
    // Silent clients are dropped in the end, and then others are served.
    assert_eq!(fleet.wait_until_whole_within(2 * SOON).len(), 3);
    fleet.add().start();
    let output = fleet[5].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    followers.assert_none_failed_but(&[&id]);
    drop((idle, silent));
}
