//! A crowd of TCP connections from machines that belong to no group. They are opened and held, and
//! opened again when they are closed.

use crate::namespaces;
use crate::wait::{SOON, holds};
use crate::wait_until;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Descriptors that this process needs beside them.
const OTHERS: u64 = 1_000;

/// The pause between two looks at all connections.
const PAUSE: Duration = Duration::from_millis(200);

/// What a connection says once it stands.
#[derive(Debug, Clone)]
pub enum Says {
    /// Not a byte.
    Nothing,
    /// These bytes at once, and then nothing.
    AtOnce(Vec<u8>),
    /// These bytes, one of them at each look at all connections.
    Slowly(Vec<u8>),
}

/// Connections that are held until this is dropped.
#[derive(Debug)]
pub struct Crowd {
    ended: Arc<AtomicBool>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    opened: AtomicUsize,
    most_held: AtomicUsize,
}

impl Crowd {
    /// Opens this many connections from a network namespace to this address. None of them sends a
    /// byte.
    ///
    /// # Panics
    /// When this process may not have this many descriptors, or there is no such namespace.
    pub fn start(namespace: &Path, to: SocketAddr, size: usize) -> Self {
        raise_limit(u64::try_from(size).expect("a small number") + OTHERS);
        let (ended, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()));
        let thread = thread::spawn({
            let (ended, counts, namespace) =
                (Arc::clone(&ended), Arc::clone(&counts), namespace.to_owned());
            let ways = Ways { to, from: Vec::new(), says: Says::Nothing };
            move || namespaces::within(&namespace, || hold(&ways, size, &ended, &counts))
        });
        Crowd { ended, counts, thread: Some(thread) }
    }

    /// Opens this many connections on loopback to this address, from each of these addresses in
    /// turn.
    ///
    /// # Panics
    /// When this process may not have this many descriptors.
    pub fn on_loopback(from: Vec<IpAddr>, to: SocketAddr, size: usize, says: Says) -> Self {
        raise_limit(u64::try_from(size).expect("a small number") + OTHERS);
        let (ended, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()));
        let thread = thread::spawn({
            let (ended, counts) = (Arc::clone(&ended), Arc::clone(&counts));
            let ways = Ways { to, from, says };
            move || hold(&ways, size, &ended, &counts)
        });
        Crowd { ended, counts, thread: Some(thread) }
    }

    /// Waits until this many connections were begun.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait_until_opened(&self, count: usize) {
        wait_until("the crowd is there", SOON, || {
            holds(self.opened() >= count, || format!("{} connections", self.opened()))
        });
    }

    /// How many connections were begun so far. Those that replaced closed ones count as well.
    pub fn opened(&self) -> usize {
        self.counts.opened.load(Ordering::Relaxed)
    }

    /// The most connections that were open at the same time, as this side sees it.
    pub fn most_held(&self) -> usize {
        self.counts.most_held.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Where the connections come from and go to, and what they say.
struct Ways {
    to: SocketAddr,
    /// None for the address that the kernel chooses.
    from: Vec<IpAddr>,
    says: Says,
}

fn hold(ways: &Ways, size: usize, ended: &AtomicBool, counts: &Counts) {
    let mut held: Vec<(TcpStream, usize)> = Vec::new();
    let mut sources = ways.from.iter().cycle();
    while !ended.load(Ordering::Relaxed) {
        while held.len() < size && !ended.load(Ordering::Relaxed) {
            held.push((begin(ways.to, sources.next()), 0));
            counts.opened.fetch_add(1, Ordering::Relaxed);
        }
        for (stream, said) in &mut held {
            *said += say(stream, &ways.says, *said);
        }
        held.retain(|(stream, _)| is_open(stream));
        let open = held.iter().filter(|(stream, _)| stream.peer_addr().is_ok()).count();
        counts.most_held.fetch_max(open, Ordering::Relaxed);
        thread::sleep(PAUSE);
    }
}

/// A connection that is under way; nobody waits for it.
fn begin(to: SocketAddr, from: Option<&IpAddr>) -> TcpStream {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let begun = socket(AddressFamily::Inet, SockType::Stream, flags, None).expect("a socket");
    if let Some(from) = from {
        let from = SockaddrStorage::from(SocketAddr::new(*from, 0));
        bind(begun.as_raw_fd(), &from).expect("an address of this machine");
    }
    match connect(begun.as_raw_fd(), &SockaddrStorage::from(to)) {
        // A later look shows whether it was established.
        Ok(()) | Err(Errno::EINPROGRESS) => TcpStream::from(begun),
        Err(error) => panic!("cannot connect to {to}: {error}"),
    }
}

/// Sends what is due on a connection that has sent so many bytes, and returns how many more it
/// sent.
fn say(mut stream: &TcpStream, says: &Says, said: usize) -> usize {
    let due = match says {
        Says::Nothing => &[][..],
        Says::AtOnce(bytes) => bytes.get(said..).unwrap_or_default(),
        Says::Slowly(bytes) => bytes.get(said..=said).unwrap_or_default(),
    };
    // A connection that does not stand yet, or not any more, takes nothing.
    if due.is_empty() { 0 } else { stream.write(due).unwrap_or(0) }
}

/// Whether it is established, or may still be.
fn is_open(mut stream: &TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected),
    }
}

/// Raises the limit of descriptors of this process, where it is lower.
///
/// # Panics
/// When this process has not the right to.
pub fn raise_limit(wanted: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of descriptors");
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted))
            .expect("the right to this many descriptors");
    }
}
