//! Takes messages of the agreement from other members, over the connections that they keep. It owns
//! the places for large messages.

use super::links::STREAM_VERSION;
use crate::incoming::{IDLE, KeptConnection, Purpose};
use memberd_council::{MAX_MESSAGE, Message};
use memberd_transport::{PeerStream, StreamRequest};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

const PURPOSE: Purpose = Purpose {
    about: "agreement",
    version: STREAM_VERSION,
    most_bytes: MAX_MESSAGE,
    arrival_limit: Duration::from_secs(10),
};

/// How many messages wait for the council at most. Connections wait when there are more.
const QUEUE: usize = 256;

/// A message up to this many bytes is read without waiting for others.
const SMALL: usize = 64 * 1024;

/// How many larger ones are in memory at once.
const LARGE: usize = 4;

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
    pub async fn serve(&self, request: StreamRequest, stream: PeerStream) -> io::Result<()> {
        let mut connection = KeptConnection::begin(request, stream, PURPOSE)?;
        while let Some(bytes) = timeout(IDLE, connection.begun()).await?? {
            let _place = match bytes > SMALL {
                true => Some(self.large.acquire().await.map_err(io::Error::other)?),
                false => None,
            };
            let message = connection.message(Message::decode).await?;
            self.messages.send(message).await.map_err(io::Error::other)?;
        }
        Ok(())
    }
}
