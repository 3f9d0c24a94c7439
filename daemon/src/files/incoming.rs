//! Takes messages about files from other members, over the connections that they keep. It owns the
//! memory that these messages may have.

use super::links::{Channel, STREAM_VERSION};
use super::members::{Peers, check_is_at, is_at};
use memberd_control::frame::{FrameDecoder, FrameError, Part};
use memberd_files::FilesMessage;
use memberd_membership::Name;
use memberd_transport::{PeerStream, StreamRequest, frame};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tracing::debug;

/// The longest body of the request that begins a connection.
pub const REQUEST_CAP: usize = 16;

/// How many messages wait for the task at most, of each channel. Connections wait when there are
/// more.
const QUEUE: usize = 256;

/// The memory of messages, in KiB: of control, and of the bytes of extents.
const MEMORY_KIB: (usize, usize) = (8 << 10, 16 << 10);

/// The longest first message: a channel and a name.
const BEGIN_CAP: usize = 1_024;

/// A connection on which nothing comes for this long is closed. The other side closes it earlier.
const IDLE: Duration = Duration::from_secs(90);

/// So many connections may be idle for so long, and others only for a moment: all kinds of requests
/// of members share their places (`daemon/transport/src/peer/listener.rs`).
const MAY_BE_IDLE: usize = 96;
const MOMENT: Duration = Duration::from_secs(5);

/// How long the first message, and one that has begun, may take to arrive.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);

/// The memory that is reserved for a message before its bytes have come.
const RESERVE_BYTES: usize = 4 * 1024;

/// A message of another member.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) from: Name,
    pub(super) message: FilesMessage,
    /// Its memory, until it is handled.
    _memory: OwnedSemaphorePermit,
}

/// Where messages arrive.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) control: mpsc::Receiver<Received>,
    pub(super) bulk: mpsc::Receiver<Received>,
}

/// Takes the messages of all connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Incoming {
    control: Lane,
    bulk: Lane,
    peers: watch::Receiver<Peers>,
    /// The places of those that may be idle.
    idle: Arc<Semaphore>,
}

#[derive(Debug, Clone)]
struct Lane {
    messages: mpsc::Sender<Received>,
    memory: Arc<Semaphore>,
}

impl Lane {
    fn new(memory_kib: usize) -> (Lane, mpsc::Receiver<Received>) {
        let (messages, received) = mpsc::channel(QUEUE);
        (Lane { messages, memory: Arc::new(Semaphore::new(memory_kib)) }, received)
    }

    /// Waits for the memory of a message of so many bytes. Decoding copies it.
    async fn memory(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let kib = u32::try_from(2 * bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).acquire_many_owned(kib).await.map_err(io::Error::other)
    }
}

impl Incoming {
    /// The taker, and where its messages arrive.
    pub(super) fn new(peers: watch::Receiver<Peers>) -> (Incoming, Arrivals) {
        let (control, of_control) = Lane::new(MEMORY_KIB.0);
        let (bulk, of_bulk) = Lane::new(MEMORY_KIB.1);
        let arrivals = Arrivals { control: of_control, bulk: of_bulk };
        (Incoming { control, bulk, peers, idle: Arc::new(Semaphore::new(MAY_BE_IDLE)) }, arrivals)
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
            return Err(invalid("the version of the connections for files is not known"));
        }
        let mut decoder = FrameDecoder::<0>::new(RESERVE_BYTES);
        let begun = frame::read_part(&mut stream, &mut decoder, Part::Whole, BEGIN_CAP);
        timeout(ARRIVAL_LIMIT, begun).await?.map_err(frame::io_error)?;
        let (channel, name) = read_begin(decoder.take())?;
        let at = from.map(|from| from.to_canonical());
        let at = at.ok_or_else(|| invalid("the address of the member is not known"))?;
        check_is_at(&self.peers, &name, at).await?;
        let lane = match channel {
            Channel::Control => &self.control,
            Channel::Bulk => &self.bulk,
        };
        let place = self.idle.try_acquire();
        let idle = if place.is_ok() { IDLE } else { MOMENT };
        loop {
            let begun =
                frame::read_part(&mut stream, &mut decoder, Part::Head, FilesMessage::MAX_BYTES);
            match timeout(idle, begun).await? {
                Ok(()) => {}
                Err(FrameError::Closed) => return Ok(()),
                Err(error) => return Err(frame::io_error(error)),
            }
            let memory = lane.memory(decoder.body_bytes()).await?;
            let rest =
                frame::read_part(&mut stream, &mut decoder, Part::Whole, FilesMessage::MAX_BYTES);
            timeout(ARRIVAL_LIMIT, rest).await?.map_err(frame::io_error)?;
            let message = FilesMessage::decode(decoder.take()).map_err(|error| {
                debug!(%error, %name, "a message about files cannot be read");
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            if Channel::of(&message) != channel {
                return Err(invalid("a message about files came over the other connection"));
            }
            if !is_at(&self.peers, &name, at) {
                return Err(invalid("the member is elsewhere now"));
            }
            let received = Received { from: name.clone(), message, _memory: memory };
            lane.messages.send(received).await.map_err(io::Error::other)?;
        }
    }
}

/// Reads the first message of a connection.
fn read_begin(bytes: &[u8]) -> io::Result<(Channel, Name)> {
    let begin = bytes.split_first().and_then(|(channel, name)| {
        let name = std::str::from_utf8(name).ok().and_then(|name| Name::new(name).ok())?;
        Some((Channel::from_byte(*channel)?, name))
    });
    begin.ok_or_else(|| invalid("a connection for files begins without channel and name"))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_says_its_channel_and_who_speaks() {
        let (channel, name) = read_begin(b"\x01vm4").unwrap();
        assert_eq!((channel, name.as_str()), (Channel::Bulk, "vm4"));
        for wrong in [&b""[..], b"\x00", b"\x02vm4", b"\x00v m", b"\x00\xff"] {
            assert!(read_begin(wrong).is_err(), "{wrong:?}");
        }
    }
}
