//! Takes messages about jobs from other members, over the connections that they keep. It owns the
//! memory that these messages may have.

use super::links::STREAM_VERSION;
use crate::files::members::{Peers, check_is_at, is_at};
use memberd_control::frame::{FrameDecoder, FrameError, Part};
use memberd_jobs::{MESSAGE_CAP, Message, Name};
use memberd_transport::{PeerStream, StreamRequest, frame};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tracing::debug;

/// The longest body of the request that begins a connection.
pub const REQUEST_CAP: usize = 16;

/// How many messages wait for the task at most. Connections wait when there are more.
const QUEUE: usize = 256;

/// The memory of messages, in KiB. Decoding copies one.
const MEMORY_KIB: usize = 16 << 10;

/// The longest first message: a name.
const BEGIN_CAP: usize = 1_024;

/// A connection on which nothing comes for this long is closed. The other side closes it earlier.
const IDLE: Duration = Duration::from_secs(90);

/// So many connections may be idle for so long, and others only for a moment: all kinds of requests
/// of members share their places (`daemon/transport/src/peer/listener.rs`).
const MAY_BE_IDLE: usize = 48;
const MOMENT: Duration = Duration::from_secs(5);

/// How long the first message, and one that has begun, may take to arrive.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);

/// The memory that is reserved for a message before its bytes have come.
const RESERVE_BYTES: usize = 4 * 1024;

/// A message of another member.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) from: Name,
    pub(super) message: Message,
    /// Its memory, until it is handled.
    _memory: OwnedSemaphorePermit,
}

/// Takes the messages of all connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Incoming {
    messages: mpsc::Sender<Received>,
    memory: Arc<Semaphore>,
    peers: watch::Receiver<Peers>,
    /// The places of those that may be idle.
    idle: Arc<Semaphore>,
}

impl Incoming {
    /// The taker, and where its messages arrive.
    pub(super) fn new(peers: watch::Receiver<Peers>) -> (Incoming, mpsc::Receiver<Received>) {
        let (messages, received) = mpsc::channel(QUEUE);
        let memory = Arc::new(Semaphore::new(MEMORY_KIB));
        (
            Incoming { messages, memory, peers, idle: Arc::new(Semaphore::new(MAY_BE_IDLE)) },
            received,
        )
    }

    /// Serves one connection, until the other side closes it.
    ///
    /// # Errors
    /// When it breaks, when a message cannot be read, when the sender is not the member that it
    /// says, or when the daemon ends.
    pub async fn serve(&self, request: StreamRequest, mut stream: PeerStream) -> io::Result<()> {
        let (body, from) = (request.body, request.from);
        drop(request.turn);
        if body != [STREAM_VERSION] {
            return Err(invalid("the version of the connections for jobs is not known"));
        }
        let mut decoder = FrameDecoder::<0>::new(RESERVE_BYTES);
        let begun = frame::read_part(&mut stream, &mut decoder, Part::Whole, BEGIN_CAP);
        timeout(ARRIVAL_LIMIT, begun).await?.map_err(frame::io_error)?;
        let name = std::str::from_utf8(decoder.take()).ok().and_then(|name| Name::new(name).ok());
        let name = name.ok_or_else(|| invalid("a connection for jobs begins without a name"))?;
        let at = from.map(|from| from.to_canonical());
        let at = at.ok_or_else(|| invalid("the address of the member is not known"))?;
        check_is_at(&self.peers, &name, at).await?;
        let place = self.idle.try_acquire();
        let idle = if place.is_ok() { IDLE } else { MOMENT };
        loop {
            let begun = frame::read_part(&mut stream, &mut decoder, Part::Head, MESSAGE_CAP);
            match timeout(idle, begun).await? {
                Ok(()) => {}
                Err(FrameError::Closed) => return Ok(()),
                Err(error) => return Err(frame::io_error(error)),
            }
            let memory = self.memory(decoder.body_bytes()).await?;
            let rest = frame::read_part(&mut stream, &mut decoder, Part::Whole, MESSAGE_CAP);
            timeout(ARRIVAL_LIMIT, rest).await?.map_err(frame::io_error)?;
            let message = memberd_jobs::decode(decoder.take()).map_err(|error| {
                debug!(%error, %name, "a message about jobs cannot be read");
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            if !is_at(&self.peers, &name, at) {
                return Err(invalid("the member is elsewhere now"));
            }
            let received = Received { from: name.clone(), message, _memory: memory };
            self.messages.send(received).await.map_err(io::Error::other)?;
        }
    }

    /// Waits for the memory of a message of so many bytes.
    async fn memory(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let kib = u32::try_from(2 * bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).acquire_many_owned(kib).await.map_err(io::Error::other)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
