//! Sends messages of the agreement to other members, each over one kept connection. It owns the
//! queues; one task for each member owns its connection.
//!
//! The messages of one member keep their order. What a broken connection or a full queue loses is
//! lost: the protocol repeats everything.

use crate::backoff::Backoff;
use crate::peer::AGREEMENT;
use memberd_council::Name;
use memberd_transport::{Caller, PeerStream, frame};
use nix::sys::socket::{setsockopt, sockopt::TcpUserTimeout};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::debug;

/// The most members that messages are sent to at once. A council has 15. The others are members
/// that fetch a view.
const MOST_LINKS: usize = 128;

/// The most messages that wait for one member.
const QUEUE: usize = 256;

/// The most bytes that wait for all members together, but one message always may.
const MOST_BYTES: usize = 48 << 20;

/// How long a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A connection whose bytes are not acknowledged for this long is broken: tcp(7),
/// `TCP_USER_TIMEOUT`. After a cut, the kernel would wait ever longer before it tries again.
const UNACKNOWLEDGED: Duration = Duration::from_millis(1_500);

/// How long a message may wait to be taken.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// A connection between two voters is closed after this time without a message. A leader renews its
/// lease more often.
const IDLE: Duration = Duration::from_secs(30);

/// One of others is closed after this time: a large group fetches each view at once, and members
/// serve a bounded number of connections.
const IDLE_OF_OTHERS: Duration = Duration::from_secs(1);

/// How long a connection is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// It is between two voters.
    Voter,
    /// It is not.
    Other,
}

impl Keep {
    fn idle(self) -> Duration {
        match self {
            Keep::Voter => IDLE,
            Keep::Other => IDLE_OF_OTHERS,
        }
    }
}

/// The pauses between attempts to connect.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));

/// The version of the agreement's connections, which their requests say.
pub(super) const STREAM_VERSION: u8 = 1;

/// The connections to other members.
#[derive(Debug)]
pub(super) struct Links {
    caller: Caller,
    links: BTreeMap<Name, Link>,
    /// The bytes that wait in all queues.
    waiting: Arc<AtomicUsize>,
    /// How many messages were dropped since a queue was full.
    dropped: u64,
}

#[derive(Debug)]
struct Link {
    to: SocketAddr,
    queue: mpsc::Sender<Queued>,
    task: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A message that waits. Its bytes count until it is dropped.
#[derive(Debug)]
struct Queued {
    bytes: Vec<u8>,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Links {
    /// No connections yet.
    pub(super) fn new(caller: Caller) -> Self {
        Links { caller, links: BTreeMap::new(), waiting: Arc::default(), dropped: 0 }
    }

    /// Sends a message to the member of this name, which is at this address. It never waits.
    pub(super) fn send(&mut self, name: &Name, to: SocketAddr, keep: Keep, bytes: Vec<u8>) {
        let before = self.waiting.load(Ordering::Relaxed);
        if before > 0 && before + bytes.len() > MOST_BYTES {
            self.dropped += 1;
            return;
        }
        self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        let queued = Queued { bytes, waiting: Arc::clone(&self.waiting) };
        let Some(queued) = self.queue(name, to, queued) else { return };
        self.links.retain(|_, link| !link.task.is_finished());
        if self.links.len() >= MOST_LINKS && !self.links.contains_key(name) {
            self.dropped += 1;
            return;
        }
        self.links.insert(name.clone(), self.open(to, keep.idle()));
        if self.queue(name, to, queued).is_some() {
            self.dropped += 1;
        }
    }

    /// Queues a message at a connection that is there. It comes back if there is none.
    fn queue(&mut self, name: &Name, to: SocketAddr, queued: Queued) -> Option<Queued> {
        let Some(link) = self.links.get(name).filter(|link| link.to == to) else {
            return Some(queued);
        };
        match link.queue.try_send(queued) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.dropped += 1;
                None
            }
            // It was idle, and is closed.
            Err(mpsc::error::TrySendError::Closed(queued)) => Some(queued),
        }
    }

    fn open(&self, to: SocketAddr, idle: Duration) -> Link {
        let (queue, messages) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(self.caller.clone(), to, idle, messages));
        Link { to, queue, task }
    }

    /// How many members there are connections to, or attempts.
    pub(super) fn count(&self) -> usize {
        self.links.values().filter(|link| !link.task.is_finished()).count()
    }

    /// How many messages were dropped since a queue was full.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Sends the messages of one queue, until it is idle.
async fn run(caller: Caller, to: SocketAddr, idle: Duration, mut messages: mpsc::Receiver<Queued>) {
    let mut pauses = PAUSES;
    while let Ok(Some(first)) = timeout(idle, messages.recv()).await {
        let error = match caller.open(to, AGREEMENT, &[STREAM_VERSION], CONNECT_LIMIT).await {
            Ok(stream) => {
                pauses = PAUSES;
                match send_all(stream, first, idle, &mut messages).await {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        debug!(%to, %error, "a connection of the agreement is broken");
        sleep(pauses.next_pause()).await;
        // What waited meanwhile is old, and is repeated.
        while messages.try_recv().is_ok() {}
    }
}

/// Sends messages over one connection, until it is idle.
///
/// # Errors
/// When it breaks, or the other side closes it.
async fn send_all(
    mut stream: PeerStream,
    first: Queued,
    idle: Duration,
    messages: &mut mpsc::Receiver<Queued>,
) -> io::Result<()> {
    let limit = u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
    setsockopt(&stream, TcpUserTimeout, &limit)?;
    let mut next = Some(first);
    let mut byte = [0];
    loop {
        if let Some(message) = next.take() {
            timeout(WRITE_LIMIT, frame::write(&mut stream, &[&message.bytes])).await??;
        }
        tokio::select! {
            message = timeout(idle, messages.recv()) => match message {
                Ok(Some(message)) => next = Some(message),
                Ok(None) | Err(_) => return Ok(()),
            },
            // The other side says nothing on this connection, so this is its end.
            read = stream.read(&mut byte) => {
                read?;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
