//! The connection to one control client, which waits for the replies to its request. It owns the
//! socket.

use super::permissions::ListenerPolicy;
use memberd_control::frame::{
    FrameDecoder, FrameError, Message, Part, SMALL_REQUEST_CAP, decode, encode,
};
use memberd_control::message::{FILE_PIECE_BYTES, FileUpload, Hello, Reply, Request};
use memberd_control::output;
use memberd_transport::frame::{self, write_both};
use memberd_transport::{Full, Permit, Source};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// How long a client may take to read a reply that is not part of a stream.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// The memory that is reserved for a message before its bytes arrive.
const RESERVE_BYTES: usize = 4 * 1024;

/// Why a client did not get all replies.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client broke the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Too many clients have long requests.
    #[error(transparent)]
    Full(#[from] Full),
    /// The client took too long.
    #[error("too slow")]
    TooSlow(#[from] tokio::time::error::Elapsed),
}

/// A client that waits for replies.
#[derive(Debug)]
pub struct Client {
    /// Whose requests these are, for the places that they take.
    source: Source,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
}

impl Client {
    /// The client at the other end of this socket.
    pub(super) fn new(stream: UnixStream, source: Source) -> Self {
        let (reader, writer) = stream.into_split();
        Client { source, reader, writer }
    }

    /// Whose client it is: its user.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Sends a reply that is not part of a stream.
    ///
    /// # Errors
    /// When the connection breaks, or the client has not read the reply within 10 s.
    pub async fn send(&mut self, reply: &Reply) -> Result<(), ClientError> {
        timeout(REPLY_LIMIT, self.write(reply)).await?
    }

    /// Sends a part of a stream, which the client may read as slowly as it likes.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn stream(&mut self, reply: &Reply) -> Result<(), ClientError> {
        match reply {
            Reply::GrepOutput { member, bytes } => {
                let head = output::head(member, bytes.len())?;
                Ok(write_both(&mut self.writer, &head, bytes).await?)
            }
            reply => self.write(reply).await,
        }
    }

    /// Sends bytes of a file, which the client may read as slowly as it likes.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn stream_file(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        for piece in bytes.chunks(FILE_PIECE_BYTES) {
            write_both(&mut self.writer, &output::file_head(piece.len())?, piece).await?;
        }
        Ok(())
    }

    /// Takes what the client sends behind its request. The decoder is that of all of it.
    ///
    /// # Errors
    /// When the connection breaks, or when other bytes arrive.
    pub async fn uploaded(
        &mut self,
        decoder: &mut FrameDecoder<0>,
    ) -> Result<FileUpload, ClientError> {
        frame::read_part(&mut self.reader, decoder, Part::Whole, FileUpload::CAP).await?;
        Ok(decode(decoder.take())?)
    }

    /// Returns when the client has closed the connection, or sent more than its request.
    pub async fn gone(&mut self) {
        // A byte, an error and the end of the stream all end the request.
        let _ = self.reader.read_u8().await;
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(super) async fn write<M: Message>(&mut self, message: &M) -> Result<(), ClientError> {
        Ok(self.writer.write_all(&encode(message)?).await?)
    }

    /// Reads the hello.
    ///
    /// # Errors
    /// When the connection breaks, or when other bytes arrive.
    pub(super) async fn read_hello(&mut self) -> Result<Hello, ClientError> {
        let mut decoder = FrameDecoder::<0>::new(RESERVE_BYTES);
        frame::read_part(&mut self.reader, &mut decoder, Part::Whole, Hello::CAP).await?;
        Ok(decode(decoder.take())?)
    }

    /// Reads the request. A long one has a place, which is to be held as long as the request.
    ///
    /// # Errors
    /// When the connection breaks, when other bytes arrive, or when no place is free.
    pub(super) async fn read_request(
        &mut self,
        policy: &ListenerPolicy,
    ) -> Result<(Request, Option<Permit>), ClientError> {
        let (mut decoder, cap) = (FrameDecoder::<0>::new(RESERVE_BYTES), policy.request_cap());
        frame::read_part(&mut self.reader, &mut decoder, Part::Head, cap).await?;
        let is_long = decoder.body_bytes() > SMALL_REQUEST_CAP;
        let place = is_long.then(|| policy.long_requests.try_enter_as(self.source)).transpose()?;
        frame::read_part(&mut self.reader, &mut decoder, Part::Whole, cap).await?;
        Ok((decode(decoder.take())?, place))
    }
}
