//! One control client: hello, one request, its replies.

use super::server::Door;
use crate::handler::{Context, handle};
use crate::peer::frame::write_both;
use memberd_control::frame::{FrameError, HEADER_BYTES, Message, decode, encode, length};
use memberd_control::message::{Hello, PROTOCOL_VERSION, Refusal, RefusalKind, Reply, Request};
use memberd_control::output;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// How long a client may take to say hello and what it wants.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// How long a client may take to read an answer that is not a stream.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// What is said to who would change something by the socket for looking.
const LOOKING_ONLY: &str = "this socket is for list, status and events only: use the control socket, which is for members of group memberd \
                            (sudo usermod -aG memberd $USER, then log in again)";

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

/// Serves one client.
///
/// # Errors
/// When it breaks the protocol, hangs or goes away; nobody else is harmed by that.
pub async fn serve_client(stream: UnixStream, door: &Door, context: &Context) -> Result<(), ClientError> {
    let (reader, writer) = stream.into_split();
    let mut client = Client { reader, writer };
    let hello: Hello = timeout(REQUEST_LIMIT, client.read()).await??;
    let program = format!("memberd {}", env!("CARGO_PKG_VERSION"));
    client.write(&Hello { protocol: PROTOCOL_VERSION, program: program.clone() }).await?;
    if hello.protocol != PROTOCOL_VERSION {
        let message = format!(
            "{} speaks control protocol {}, {program} speaks {PROTOCOL_VERSION}: install the same version of both",
            hello.program, hello.protocol
        );
        return client.send(&Reply::Refused(Refusal { kind: RefusalKind::Version, message })).await;
    }
    let request: Request = match timeout(REQUEST_LIMIT, client.read()).await? {
        Ok(request) => request,
        Err(error @ ClientError::Frame(FrameError::Malformed(_) | FrameError::TooLong { .. } | FrameError::TrailingBytes(_))) => {
            let refusal = Refusal { kind: RefusalKind::Usage, message: error.to_string() };
            return client.send(&Reply::Refused(refusal)).await;
        }
        Err(error) => return Err(error),
    };
    if !door.access.allows(&request) {
        let refusal = Refusal { kind: RefusalKind::NotPermitted, message: LOOKING_ONLY.to_owned() };
        return client.send(&Reply::Refused(refusal)).await;
    }
    handle(request, &mut client, door, context).await
}

impl Client {
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

    async fn write<M: Message>(&mut self, message: &M) -> Result<(), ClientError> {
        Ok(self.writer.write_all(&encode(message)?).await?)
    }

    async fn read<M: Message>(&mut self) -> Result<M, ClientError> {
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
