//! The way to a control client, which sent a request and waits for its replies.

use memberd_control::frame::{FrameError, HEADER_BYTES, Message, decode, encode, length};
use memberd_control::message::Reply;
use memberd_control::output;
use memberd_transport::frame::write_both;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// How long a client may take to read an answer that is not a stream.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

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
        let mut header = [0; HEADER_BYTES];
        self.reader.read_exact(&mut header).await?;
        let length = length(header, M::CAP)?;
        // Grown as bytes come: the length alone costs nothing.
        let mut body = Vec::new();
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        let taken = (&mut self.reader).take(wanted).read_to_end(&mut body).await?;
        if taken < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(decode(&body)?)
    }
}
