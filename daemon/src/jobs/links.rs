//! Sends messages about jobs to other members, over a kept connection to each. It owns the queues;
//! one task for each connection owns it.
//!
//! The messages of one connection keep their order. What a broken connection or a full queue loses
//! is lost: the protocol asks again.

use crate::backoff::Backoff;
use crate::links::{LinkTable, Place, limit_unacknowledged, next_message};
use crate::peer::JOBS;
use memberd_jobs::Name;
use memberd_transport::{Caller, PeerStream, frame};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::debug;

/// The version of these connections, which their requests say.
pub(super) const STREAM_VERSION: u8 = 1;

/// The most connections.
const MOST_LINKS: usize = 256;

/// The most messages that wait at one connection.
const QUEUE: usize = 1_024;

/// With so many bytes that wait for all members together, messages are dropped.
const MOST_BYTES: usize = 32 << 20;

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

/// The connections to other members.
#[derive(Debug)]
pub(super) struct Links {
    caller: Caller,
    own: Name,
    table: LinkTable<Name, Queued>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// A message that waits. Its bytes count until it is dropped.
#[derive(Debug)]
struct Queued {
    bytes: Vec<u8>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.waiting_bytes.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Links {
    /// No connections yet.
    pub(super) fn new(caller: Caller, own: Name) -> Links {
        let table = LinkTable::new(MOST_LINKS, QUEUE);
        Links { caller, own, table, waiting_bytes: Arc::default() }
    }

    /// Sends a message to the member of this name, which is at this address. It never waits.
    pub(super) fn send(&mut self, name: &Name, to: SocketAddr, bytes: Vec<u8>) {
        let waiting = self.waiting_bytes.load(Ordering::Relaxed);
        if waiting + bytes.len() > MOST_BYTES || !self.table.has_room(name, to, Place::Own) {
            self.table.note_dropped();
            return;
        }
        self.waiting_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        let queued = Queued { bytes, waiting_bytes: Arc::clone(&self.waiting_bytes) };
        self.table.send(name, to, Place::Own, queued, |messages| {
            run(self.caller.clone(), to, self.own.clone(), messages)
        });
    }

    /// How many connections there are, or attempts.
    pub(super) fn count(&self) -> usize {
        self.table.count()
    }

    /// How many messages were dropped since there was no room.
    pub(super) fn dropped(&self) -> u64 {
        self.table.dropped()
    }
}

/// Sends the messages of one queue, until it is idle.
async fn run(caller: Caller, to: SocketAddr, own: Name, mut messages: mpsc::Receiver<Queued>) {
    let mut pauses = PAUSES;
    loop {
        let Ok(Some(first)) = timeout(IDLE, messages.recv()).await else { return };
        let error = match caller.open(to, JOBS, &[STREAM_VERSION], CONNECT_LIMIT).await {
            Ok(stream) => {
                pauses = PAUSES;
                match send_all(stream, &own, first, &mut messages).await {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        debug!(%to, %error, "a connection for jobs is broken");
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
    own: &Name,
    first: Queued,
    messages: &mut mpsc::Receiver<Queued>,
) -> io::Result<()> {
    limit_unacknowledged(&stream, UNACKNOWLEDGED)?;
    timeout(WRITE_LIMIT, frame::write(&mut stream, &[own.as_str().as_bytes()])).await??;
    let mut next = Some(first);
    while let Some(message) = next {
        timeout(WRITE_LIMIT, frame::write(&mut stream, &[&message.bytes])).await??;
        drop(message);
        next = next_message(&mut stream, IDLE, messages).await?;
    }
    Ok(())
}
