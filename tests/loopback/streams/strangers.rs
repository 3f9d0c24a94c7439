//! Who may ask members about jobs: members alone.

use super::Counting;
use memberd_control::streams::StreamRequest;
use memberd_tests::wait::SOON;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd as _;

/// The first two bytes of a question about jobs between members: version, and kind.
const JOB_CALL: [u8; 2] = [1, 13];

/// All that a daemon answers to whoever has this address.
fn answer(daemon: SocketAddr, from: Ipv4Addr, question: &[u8]) -> Vec<u8> {
    let SocketAddr::V4(daemon) = daemon else { panic!("{daemon}") };
    let own = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(own.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(from, 0))).unwrap();
    connect(own.as_raw_fd(), &SockaddrIn::from(daemon)).unwrap();
    let mut stream = TcpStream::from(own);
    stream.set_read_timeout(Some(SOON)).unwrap();
    let length = u32::try_from(JOB_CALL.len() + question.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes(), &JOB_CALL[..], question].concat()).unwrap();
    let mut answer = Vec::new();
    // It may hang up without a word.
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// It neither hears how far a job is, nor ends it.
#[test]
fn a_stranger_can_neither_ask_about_a_job_nor_end_it() {
    let mut counting = Counting::start(3);
    counting.write(0);
    counting.wait_until_right();
    let daemon = counting.fleet[1].settings.address;
    let IpAddr::V4(member) = counting.fleet[2].settings.address.ip() else { panic!("{daemon}") };
    let [a, b, c, _] = member.octets();
    let stranger = Ipv4Addr::new(a, b, c, 200);
    let mut status = Vec::new();
    let job = serde_json::json!({ "Status": counting.status(1).unwrap().job.id });
    ciborium::into_writer(&job, &mut status).unwrap();
    let told = answer(daemon, member, &status);
    assert!(told.windows(5).any(|bytes| bytes == b"parts"), "a member is told: {told:?}");
    let told = answer(daemon, stranger, &status);
    assert!(!told.windows(5).any(|bytes| bytes == b"parts"), "{told:?}");
    let mut change = Vec::new();
    let cancel = StreamRequest::Cancel { name: "shop".to_owned(), force: true };
    let cancel = std::collections::BTreeMap::from([("Change", cancel)]);
    ciborium::into_writer(&cancel, &mut change).unwrap();
    for number in 1..=3 {
        let told = answer(counting.fleet[number].settings.address, stranger, &change);
        assert!(!told.windows(4).any(|bytes| bytes == b"Done"), "{told:?}");
    }
    counting.write(1);
    counting.wait_until_right();
}
