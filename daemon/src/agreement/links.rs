//! Sends messages of the agreement to other members, each over one kept connection. It owns the
//! queues; one task for each member owns its connection.
//!
//! The messages of one member keep their order. What a broken connection or a full queue loses is
//! lost: the protocol repeats everything.
//!
//! The kernel of a machine closes the connections of a process that ends, however it ends, and then
//! refuses new ones. So a link says when that happens: see [`Sign`].

use crate::backoff::Backoff;
use crate::links::{LinkTable, Place, limit_unacknowledged, next_message};
use crate::peer::AGREEMENT;
use memberd_council::Name;
use memberd_transport::{Caller, PeerStream, frame};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::debug;

/// The most members that messages are sent to at once. A council has 15. The others are members
/// that fetch a view.
const MOST_LINKS: usize = 128;

/// The most messages that wait for one member.
const QUEUE: usize = 256;

/// The most bytes that wait for all members together, but one message always may.
const MOST_BYTES: usize = 48 << 20;

/// The most of them with which anything for others than voters is queued.
const MOST_BYTES_OF_OTHERS: usize = 36 << 20;

/// How long a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A connection whose bytes are not acknowledged for this long is broken.
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

    /// Voters take the places of others.
    fn place(self) -> Place {
        match self {
            Keep::Voter => Place::Own,
            Keep::Other => Place::Lent,
        }
    }
}

/// The pauses between attempts to connect.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));

/// How often a link connects with nothing to send, once the other side has closed a connection over
/// which a message went to a voter. A process that is about to end may still take the first one.
const TRIES: u8 = 2;

/// The most signs that wait for the task. Of more, the newest are lost.
const MOST_SIGNS: usize = MOST_LINKS;

/// What a link noticed of the member at its other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) name: Name,
    /// The address to which it connects.
    pub(super) to: SocketAddr,
    pub(super) noticed: Noticed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noticed {
    /// The connection was closed, and then a new one was refused: its machine is there, and nobody
    /// listens. It is said once for each connection that was closed.
    Refused,
    /// After that, a connection has opened.
    Open,
}

/// The version of the agreement's connections, which their requests say.
pub(super) const STREAM_VERSION: u8 = 1;

/// The connections to other members.
#[derive(Debug)]
pub(super) struct Links {
    caller: Caller,
    table: LinkTable<Name, Queued>,
    /// The bytes that wait in all queues.
    waiting: Arc<AtomicUsize>,
    /// What the links have noticed.
    signs: (mpsc::Sender<Sign>, mpsc::Receiver<Sign>),
}

/// A message that waits. Its bytes count until it is dropped.
#[derive(Debug)]
struct Queued {
    bytes: Vec<u8>,
    keep: Keep,
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
        let signs = mpsc::channel(MOST_SIGNS);
        let table = LinkTable::new(MOST_LINKS, QUEUE);
        Links { caller, table, waiting: Arc::default(), signs }
    }

    /// Sends a message to the member of this name, which is at this address. It never waits. A
    /// message for which there is no room is not made.
    pub(super) fn send(
        &mut self,
        name: &Name,
        to: SocketAddr,
        keep: Keep,
        message: impl FnOnce() -> Vec<u8>,
    ) {
        let before = self.waiting.load(Ordering::Relaxed);
        let is_crowded = keep == Keep::Other && before > MOST_BYTES_OF_OTHERS;
        if is_crowded || !self.table.has_room(name, to, keep.place()) {
            self.table.note_dropped();
            return;
        }
        let bytes = message();
        if before > 0 && before + bytes.len() > MOST_BYTES {
            self.table.note_dropped();
            return;
        }
        self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        let queued = Queued { bytes, keep, waiting: Arc::clone(&self.waiting) };
        self.table.send(name, to, keep.place(), queued, |messages| {
            let end = End { name: name.clone(), to, signs: self.signs.0.clone(), tries: 0 };
            run(self.caller.clone(), end, keep.idle(), messages)
        });
    }

    /// The next sign.
    pub(super) async fn sign(&mut self) -> Option<Sign> {
        self.signs.1.recv().await
    }

    /// How many members there are connections to, or attempts.
    pub(super) fn count(&self) -> usize {
        self.table.count()
    }

    /// How many messages were dropped since a queue was full.
    pub(super) fn dropped(&self) -> u64 {
        self.table.dropped()
    }
}

/// The other end of a link, and what is noticed of it.
#[derive(Debug)]
struct End {
    name: Name,
    to: SocketAddr,
    signs: mpsc::Sender<Sign>,
    /// How often the link still connects with nothing to send.
    tries: u8,
}

impl End {
    fn tell(&self, noticed: Noticed) {
        // Without it, the list says the same a little later.
        let _ = self.signs.try_send(Sign { name: self.name.clone(), to: self.to, noticed });
    }

    /// Only the end of a process closes connections. One whose machine is gone times out.
    fn note_end(&mut self, error: &io::Error) {
        use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        if !matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) {
            self.tries = 0;
        }
    }
}

/// Sends the messages of one queue, until it is idle.
async fn run(caller: Caller, mut end: End, idle: Duration, mut messages: mpsc::Receiver<Queued>) {
    let (mut pauses, mut refused) = (PAUSES, false);
    loop {
        let tries = end.tries > 0;
        let first = if tries {
            end.tries -= 1;
            None
        } else {
            match timeout(idle, messages.recv()).await {
                Ok(Some(first)) => Some(first),
                Ok(None) | Err(_) => return,
            }
        };
        let error = match caller.open(end.to, AGREEMENT, &[STREAM_VERSION], CONNECT_LIMIT).await {
            Ok(stream) => {
                pauses = PAUSES;
                if std::mem::take(&mut refused) {
                    end.tell(Noticed::Open);
                }
                match send_all(stream, first, idle, &mut messages, &mut end.tries).await {
                    Ok(()) => return,
                    Err(error) => {
                        end.note_end(&error);
                        error
                    }
                }
            }
            Err(error) => {
                if tries && error.kind() == ErrorKind::ConnectionRefused {
                    (end.tries, refused) = (0, true);
                    end.tell(Noticed::Refused);
                }
                error
            }
        };
        debug!(to = %end.to, %error, "a connection of the agreement is broken");
        sleep(pauses.next_pause()).await;
        // What waited meanwhile is old, and is repeated.
        while messages.try_recv().is_ok() {}
    }
}

/// Sends messages over one connection, until it is idle. After one to a voter, it is to connect
/// again by itself.
///
/// # Errors
/// When it breaks, or the other side closes it.
async fn send_all(
    mut stream: PeerStream,
    first: Option<Queued>,
    idle: Duration,
    messages: &mut mpsc::Receiver<Queued>,
    tries: &mut u8,
) -> io::Result<()> {
    limit_unacknowledged(&stream, UNACKNOWLEDGED)?;
    let mut next = first;
    loop {
        if let Some(message) = next.take() {
            timeout(WRITE_LIMIT, frame::write(&mut stream, &[&message.bytes])).await??;
            *tries = if message.keep == Keep::Voter { TRIES } else { 0 };
        }
        next = match next_message(&mut stream, idle, messages).await? {
            Some(message) => Some(message),
            None => return Ok(()),
        };
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
