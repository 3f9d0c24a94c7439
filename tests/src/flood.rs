//! A flood of datagrams from a machine that belongs to no group, at a fixed rate until it is
//! stopped.

use crate::namespaces;
use memberd_control::keyring::KeyId;
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many datagrams one call passes to the kernel, which separates them (udp(7), `UDP_SEGMENT`).
/// A call for each would use the processors that the flooded daemons need.
const BURST: usize = 32;

/// How far a flood may fall behind its rate before it gives up the rest. A machine that stood still
/// must not be drowned afterwards.
const FORGIVEN: Duration = Duration::from_millis(50);

/// The pause between two looks at the clock.
const PAUSE: Duration = Duration::from_micros(200);

/// What the datagrams are.
#[derive(Debug, Clone, Copy)]
pub enum Payload {
    /// Random bytes.
    Garbage,
    /// The right form, a key of the group, a plausible incarnation of the sender, and a random
    /// ciphertext. Anyone who listens can know that much. Only opening it shows that it is forged.
    Forged(KeyId),
}

/// A flood that goes on until it is stopped or dropped.
#[derive(Debug)]
pub struct Flood {
    ended: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    began: Instant,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Sends this many datagrams of this many bytes a second from a network namespace to this
    /// address.
    ///
    /// # Panics
    /// When there is no such namespace, or no socket in it.
    pub fn start(
        namespace: &Path,
        to: SocketAddr,
        payload: Payload,
        length: usize,
        rate: u32,
    ) -> Self {
        let (ended, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let socket = namespaces::within(namespace, move || {
            UdpSocket::bind(("0.0.0.0", 0)).expect("a socket")
        });
        socket.connect(to).expect("a way to the address");
        setsockopt(&socket, UdpGsoSegment, &i32::try_from(length).expect("a datagram's length"))
            .expect("a kernel of Linux 4.18");
        let thread = thread::spawn({
            let (ended, sent) = (Arc::clone(&ended), Arc::clone(&sent));
            move || send(&socket, payload, length, f64::from(rate), &ended, &sent)
        });
        Flood { ended, sent, began: Instant::now(), thread: Some(thread) }
    }

    /// How many datagrams the kernel has taken so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many a second it has taken.
    pub fn rate(&self) -> f64 {
        self.sent() as f64 / self.began.elapsed().as_secs_f64()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn send(
    socket: &UdpSocket,
    payload: Payload,
    length: usize,
    rate: f64,
    ended: &AtomicBool,
    sent: &AtomicU64,
) {
    let mut noise = Noise(1);
    let mut burst = vec![0; length * BURST];
    let mut due = Instant::now();
    while !ended.load(Ordering::Relaxed) {
        if due.elapsed() > FORGIVEN {
            due = Instant::now();
        }
        if Instant::now() < due {
            thread::sleep(PAUSE);
            continue;
        }
        due += Duration::from_secs_f64(BURST as f64 / rate);
        burst.chunks_mut(length).for_each(|datagram| fill(datagram, payload, &mut noise));
        // Refused while the flooded is not there: such a datagram is lost.
        if socket.send(&burst).is_ok() {
            sent.fetch_add(u64::try_from(BURST).expect("a small number"), Ordering::Relaxed);
        }
    }
}

/// The first bytes are new each time, and the others may be the same.
fn fill(datagram: &mut [u8], payload: Payload, noise: &mut Noise) {
    let fresh = noise.next();
    match payload {
        Payload::Garbage => datagram.copy_within(0..datagram.len() - 8, 8),
        Payload::Forged(KeyId(key)) => {
            // As in `memberd_transport::Sealer`: 1, key id, number; the rest is ciphertext,
            // incarnation and tag.
            let head = [&[1][..], &key].concat();
            datagram[..head.len()].copy_from_slice(&head);
            datagram[head.len()..head.len() + 8].copy_from_slice(&fresh);
            return;
        }
    }
    datagram[..8].copy_from_slice(&fresh);
}

/// Pseudo-random numbers, the same in each run (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> [u8; 8] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_be_bytes()
    }
}
