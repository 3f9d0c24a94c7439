//! A stranger on the network that records the datagrams of a fleet. It plays them back under their
//! senders' addresses.
//!
//! Both need raw sockets (raw(7)), which only root has.

use crate::left_out;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes of an IPv4 header without options, and of a UDP header.
const IP: usize = 20;
const UDP: usize = 8;

/// How often the thread looks whether it is to end.
const PAUSE: Duration = Duration::from_millis(50);

/// A datagram, as it was on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Datagram {
    /// Where it came from.
    pub from: SocketAddrV4,
    /// Where it went.
    pub to: SocketAddrV4,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// Records all datagrams between addresses of one /24.
#[derive(Debug)]
pub struct Recorder {
    heard: Arc<Mutex<Vec<Datagram>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Whether this process may record and play back. If not, that is reported. With `CI=true` in the
/// environment it is a failure.
///
/// # Panics
/// When it may not, and `CI=true`.
pub fn is_permitted(test: &str) -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    left_out(&format!("{test} needs root, for raw sockets"));
    false
}

impl Recorder {
    /// Records from now on what goes between addresses in the same /24 as this one.
    ///
    /// # Panics
    /// When this process may not.
    pub fn start(within: SocketAddr) -> Self {
        let raw = raw_socket(SockProtocol::Udp);
        raw.set_read_timeout(Some(PAUSE)).expect("a time limit on a socket");
        let (heard, ended) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let SocketAddr::V4(within) = within else { panic!("{within} is not IPv4") };
        let [a, b, c, _] = within.ip().octets();
        let thread = thread::spawn({
            let (heard, ended) = (Arc::clone(&heard), Arc::clone(&ended));
            move || record(&raw, [a, b, c], &heard, &ended)
        });
        Recorder { heard, ended, thread: Some(thread) }
    }

    /// All that was recorded so far.
    pub fn heard(&self) -> Vec<Datagram> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn record(raw: &UdpSocket, prefix: [u8; 3], heard: &Mutex<Vec<Datagram>>, ended: &AtomicBool) {
    let (mut buffer, mut known) = (vec![0; 65_535], HashSet::new());
    while !ended.load(Ordering::Relaxed) {
        let Ok(length) = raw.recv(&mut buffer) else { continue };
        let Some(datagram) = parse(&buffer[..length]) else { continue };
        let ours = |address: &SocketAddrV4| address.ip().octets().starts_with(&prefix);
        if ours(&datagram.from) && ours(&datagram.to) && known.insert(datagram.clone()) {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(datagram);
        }
    }
}

/// Sends datagrams under any address.
#[derive(Debug)]
pub struct Player(UdpSocket);

impl Player {
    /// A player for any number of datagrams.
    ///
    /// # Panics
    /// When this process may not.
    pub fn new() -> Self {
        Player(raw_socket(SockProtocol::Raw))
    }

    /// Sends a datagram as if its sender did.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn play(&self, datagram: &Datagram) {
        let sent = self.0.send_to(&to_packet(datagram), datagram.to);
        sent.unwrap_or_else(|error| panic!("cannot send a packet to {}: {error}", datagram.to));
    }
}

impl Default for Player {
    fn default() -> Self {
        Player::new()
    }
}

/// A raw socket in the shape of a UDP one, which has the calls that it takes.
fn raw_socket(protocol: SockProtocol) -> UdpSocket {
    let raw = socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol);
    UdpSocket::from(raw.expect("a raw socket"))
}

fn parse(packet: &[u8]) -> Option<Datagram> {
    let header = usize::from(packet.first()? & 15) * 4;
    let ip = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?));
    let udp = packet.get(header..)?;
    let port = |at: usize| Some(u16::from_be_bytes(*udp.get(at..)?.first_chunk()?));
    Some(Datagram {
        from: SocketAddrV4::new(ip(12)?, port(0)?),
        to: SocketAddrV4::new(ip(16)?, port(2)?),
        payload: udp.get(UDP..)?.to_vec(),
    })
}

/// With the headers of IPv4 (RFC 791), whose checksum the kernel fills in, and of UDP (RFC 768)
/// without a checksum.
fn to_packet(datagram: &Datagram) -> Vec<u8> {
    let length = |headers: usize| {
        u16::try_from(datagram.payload.len() + headers).expect("a datagram's length").to_be_bytes()
    };
    let mut packet = vec![0x45, 0];
    packet.extend(length(IP + UDP));
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(datagram.from.ip().octets());
    packet.extend(datagram.to.ip().octets());
    packet.extend(datagram.from.port().to_be_bytes());
    packet.extend(datagram.to.port().to_be_bytes());
    packet.extend(length(UDP));
    packet.extend([0, 0]);
    packet.extend(&datagram.payload);
    packet
}
