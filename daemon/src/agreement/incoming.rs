//! Takes messages of the agreement from other members, over the connections that they keep. It owns
//! the places for large messages.

use super::links::STREAM_VERSION;
use memberd_control::frame::{FrameDecoder, Part};
use memberd_council::{MAX_MESSAGE, Message};
use memberd_transport::{PeerStream, StreamRequest, frame};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::debug;

/// The longest body of the request that begins a connection.
pub const REQUEST_CAP: usize = 16;

/// How many messages wait for the council at most. Connections wait when there are more.
const QUEUE: usize = 256;

/// A message up to this many bytes is read without waiting for others.
const SMALL: usize = 64 * 1024;

/// How many larger ones are in memory at once.
const LARGE: usize = 4;

/// A connection on which nothing comes for this long is closed. The other side closes it earlier.
const IDLE: Duration = Duration::from_secs(90);

/// How long a message may take to arrive once it has begun.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);

/// The memory that is reserved for a message before its bytes have come.
const RESERVE_BYTES: usize = 4 * 1024;

/// Takes the messages of all connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Incoming {
    messages: mpsc::Sender<Message>,
    large: Arc<Semaphore>,
}

impl Incoming {
    /// The taker, and where its messages arrive.
    pub fn new() -> (Self, mpsc::Receiver<Message>) {
        let (messages, received) = mpsc::channel(QUEUE);
        (Incoming { messages, large: Arc::new(Semaphore::new(LARGE)) }, received)
    }

    /// Serves one connection, until the other side closes it.
    ///
    /// # Errors
    /// When it breaks, when a message cannot be read, or when the daemon ends.
    pub async fn serve(&self, request: StreamRequest, mut stream: PeerStream) -> io::Result<()> {
        if request.body != [STREAM_VERSION] {
            return Err(invalid("the version of the agreement's connections is not known"));
        }
        drop(request);
        let mut decoder = FrameDecoder::<0>::new(RESERVE_BYTES);
        loop {
            let begun = frame::read_part(&mut stream, &mut decoder, Part::Head, MAX_MESSAGE);
            match timeout(IDLE, begun).await? {
                Ok(()) => {}
                Err(memberd_control::frame::FrameError::Closed) => return Ok(()),
                Err(error) => return Err(frame::io_error(error)),
            }
            let is_large = decoder.body_bytes() > SMALL;
            let _place = match is_large {
                true => Some(self.large.acquire().await.map_err(io::Error::other)?),
                false => None,
            };
            let rest = frame::read_part(&mut stream, &mut decoder, Part::Whole, MAX_MESSAGE);
            timeout(ARRIVAL_LIMIT, rest).await?.map_err(frame::io_error)?;
            let message = Message::decode(decoder.take());
            let message = message.map_err(|error| {
                debug!(%error, "a message of the agreement cannot be read");
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            self.messages.send(message).await.map_err(io::Error::other)?;
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
