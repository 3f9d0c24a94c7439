//! The way to a control client, which sent a request and waits for its replies.

use memberd_control::frame::{FrameDecoder, FrameError, Message, Part, decode, encode};
use memberd_control::message::Reply;
use memberd_control::output;
use memberd_transport::frame::{self, write_both};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// How long a client may take to read an answer that is not a stream.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// The memory that is taken for a message before its bytes have come.
const RESERVE_BYTES: usize = 4 * 1024;

/// Why a client was not served to the end.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It broke the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It has gone, or hangs.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It took too long.
    #[error("too slow")]
    TooSlow(#[from] tokio::time::error::Elapsed),
}

/// The way to a client that waits for its answer.
#[derive(Debug)]
pub struct Client {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
}

impl Client {
    /// The client at the other end of this.
    pub(super) fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Client { reader, writer }
    }

    /// Sends a reply of which there are few; a client that does not read is given up.
    ///
    /// # Errors
    /// When it has gone or is too slow.
    pub async fn send(&mut self, reply: &Reply) -> Result<(), ClientError> {
        timeout(REPLY_LIMIT, self.write(reply)).await?
    }

    /// Sends a part of a stream, which the client reads as fast as it likes.
    ///
    /// # Errors
    /// When it has gone.
    pub async fn stream(&mut self, reply: &Reply) -> Result<(), ClientError> {
        match reply {
            Reply::GrepOutput { member, bytes } => {
                let head = output::head(member, bytes.len())?;
                Ok(write_both(&mut self.writer, &head, bytes).await?)
            }
            reply => self.write(reply).await,
        }
    }

    /// Returns when the client has closed the connection, or said more than it should.
    pub async fn gone(&mut self) {
        // Whatever is read, or fails to be, ends the request.
        let _ = self.reader.read_u8().await;
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When it has gone.
    pub(super) async fn write<M: Message>(&mut self, message: &M) -> Result<(), ClientError> {
        Ok(self.writer.write_all(&encode(message)?).await?)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When it has gone, or says something else.
    pub(super) async fn read<M: Message>(&mut self) -> Result<M, ClientError> {
        let mut decoder = FrameDecoder::<0>::new(RESERVE_BYTES);
        frame::read_part(&mut self.reader, &mut decoder, Part::Whole, M::CAP).await?;
        Ok(decode(decoder.take())?)
    }
}
