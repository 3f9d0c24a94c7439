//! Sends messages about files to other members, over two kept connections to each: one for control,
//! and one for the bytes of extents. It owns the queues; one task for each connection owns it.
//!
//! The messages of one connection keep their order. What a broken connection or a full queue loses
//! is lost: those who wait for an answer ask again.

use crate::backoff::Backoff;
use crate::links::{LinkTable, Place, limit_unacknowledged, next_message};
use crate::peer::REPLICATED_FILES;
use memberd_files::FilesMessage;
use memberd_membership::Name;
use memberd_transport::{Caller, PeerStream, frame};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tracing::debug;

/// The version of these connections, which their requests say.
pub(super) const STREAM_VERSION: u8 = 1;

/// The most connections. A group of 100 has two to each member.
const MOST_LINKS: usize = 256;

/// The most messages that wait at one connection.
const QUEUE: usize = 1_024;

/// With so many bytes that wait for all members together, clients wait with what they write.
const BUSY_BYTES: usize = 8 << 20;

/// With so many, messages for extents are dropped.
const MOST_BULK_BYTES: usize = 16 << 20;

/// With so many, those of control are, too.
const MOST_BYTES: usize = 24 << 20;

/// How long a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A connection whose bytes are not acknowledged for this long is broken.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);

/// How long a message may wait to be taken.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// A connection is closed after this time without a message.
const IDLE: Duration = Duration::from_secs(60);

/// The pauses between attempts to connect.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));

/// Which of the two connections to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    /// For short messages, and what keepers tell each other.
    Control,
    /// For the bytes of extents.
    Bulk,
}

impl Channel {
    pub(super) fn of(message: &FilesMessage) -> Channel {
        if message.is_bulk() { Channel::Bulk } else { Channel::Control }
    }

    /// It, as the first message of a connection says it.
    pub(super) fn byte(self) -> u8 {
        match self {
            Channel::Control => 0,
            Channel::Bulk => 1,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Channel> {
        [Channel::Control, Channel::Bulk].into_iter().find(|channel| channel.byte() == byte)
    }
}

/// The connections to other members.
#[derive(Debug)]
pub(super) struct Links {
    caller: Caller,
    own: Name,
    table: LinkTable<(Name, Channel), Queued>,
    waiting: Arc<Waiting>,
}

/// What waits in all queues.
#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    /// Told when it falls below [`BUSY_BYTES`].
    eased: Notify,
}

/// A message that waits. Its bytes count until it is dropped.
#[derive(Debug)]
struct Queued {
    bytes: Vec<u8>,
    waiting: Arc<Waiting>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        let before = self.waiting.bytes.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        if before >= BUSY_BYTES && before - self.bytes.len() < BUSY_BYTES {
            self.waiting.eased.notify_one();
        }
    }
}

impl Links {
    /// No connections yet.
    pub(super) fn new(caller: Caller, own: Name) -> Links {
        let table = LinkTable::new(MOST_LINKS, QUEUE);
        Links { caller, own, table, waiting: Arc::default() }
    }

    /// Sends a message to the member of this name, which is at this address. It never waits.
    pub(super) fn send(&mut self, name: &Name, to: SocketAddr, message: &FilesMessage) {
        let channel = Channel::of(message);
        let before = self.waiting.bytes.load(Ordering::Relaxed);
        let most = match channel {
            Channel::Bulk => MOST_BULK_BYTES,
            Channel::Control => MOST_BYTES,
        };
        let key = (name.clone(), channel);
        if before >= most || !self.table.has_room(&key, to, Place::Own) {
            self.table.note_dropped();
            return;
        }
        let bytes = message.encode();
        self.waiting.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        let queued = Queued { bytes, waiting: Arc::clone(&self.waiting) };
        self.table.send(&key, to, Place::Own, queued, |messages| {
            let begin = [&[channel.byte()], self.own.as_str().as_bytes()].concat();
            run(self.caller.clone(), to, begin, messages)
        });
    }

    /// Whether so much waits that clients wait with what they write.
    pub(super) fn is_busy(&self) -> bool {
        self.waiting.bytes.load(Ordering::Relaxed) >= BUSY_BYTES
    }

    /// Returns when that is over. It can be dropped and called again.
    pub(super) async fn eased(&self) {
        self.waiting.eased.notified().await;
    }

    /// How many connections there are, or attempts.
    pub(super) fn count(&self) -> usize {
        self.table.count()
    }

    /// How many messages were dropped since a queue was full.
    pub(super) fn dropped(&self) -> u64 {
        self.table.dropped()
    }
}

/// Sends the messages of one queue, until it is idle.
async fn run(caller: Caller, to: SocketAddr, begin: Vec<u8>, mut messages: mpsc::Receiver<Queued>) {
    let mut pauses = PAUSES;
    loop {
        let Ok(Some(first)) = timeout(IDLE, messages.recv()).await else { return };
        let opened = caller.open(to, REPLICATED_FILES, &[STREAM_VERSION], CONNECT_LIMIT).await;
        let error = match opened {
            Ok(stream) => {
                pauses = PAUSES;
                match send_all(stream, &begin, first, &mut messages).await {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        debug!(%to, %error, "a connection for files is broken");
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
    begin: &[u8],
    first: Queued,
    messages: &mut mpsc::Receiver<Queued>,
) -> io::Result<()> {
    limit_unacknowledged(&stream, UNACKNOWLEDGED)?;
    timeout(WRITE_LIMIT, frame::write(&mut stream, &[begin])).await??;
    let mut next = Some(first);
    loop {
        if let Some(message) = next.take() {
            timeout(WRITE_LIMIT, frame::write(&mut stream, &[&message.bytes])).await??;
        }
        next = match next_message(&mut stream, IDLE, messages).await? {
            Some(message) => Some(message),
            None => return Ok(()),
        };
    }
}
