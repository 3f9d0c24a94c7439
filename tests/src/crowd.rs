//! A crowd of TCP connections from a machine that belongs to no group. They are opened and held,
//! and opened again when they are closed.

use crate::namespaces;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
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
            move || namespaces::within(&namespace, || hold(to, size, &ended, &counts))
        });
        Crowd { ended, counts, thread: Some(thread) }
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

fn hold(to: SocketAddr, size: usize, ended: &AtomicBool, counts: &Counts) {
    let mut held = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        while held.len() < size && !ended.load(Ordering::Relaxed) {
            held.push(begin(to));
            counts.opened.fetch_add(1, Ordering::Relaxed);
        }
        held.retain(is_open);
        let open = held.iter().filter(|stream| stream.peer_addr().is_ok()).count();
        counts.most_held.fetch_max(open, Ordering::Relaxed);
        thread::sleep(PAUSE);
    }
}

/// A connection that is under way; nobody waits for it.
fn begin(to: SocketAddr) -> TcpStream {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let begun = socket(AddressFamily::Inet, SockType::Stream, flags, None).expect("a socket");
    match connect(begun.as_raw_fd(), &SockaddrStorage::from(to)) {
        // A later look shows whether it was established.
        Ok(()) | Err(Errno::EINPROGRESS) => TcpStream::from(begun),
        Err(error) => panic!("cannot connect to {to}: {error}"),
    }
}

/// Whether it is established, or may still be.
fn is_open(mut stream: &TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected),
    }
}

/// Raises the limit of descriptors of this process.
fn raise_limit(wanted: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of descriptors");
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted))
            .expect("the right to this many descriptors");
    }
}
