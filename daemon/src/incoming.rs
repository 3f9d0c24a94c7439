//! Reads the messages of connections that other members keep for one purpose: the other end of
//! [`crate::links`]. A [`KeptConnection`] owns one of them. A [`Lane`] owns the memory that the
//! messages of all of them may have.

use crate::files::members::{Peers, check_is_at, is_at};
use memberd_control::frame::{FrameDecoder, FrameError, Part};
use memberd_membership::Name;
use memberd_transport::{PeerStream, StreamRequest, frame};
use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc, watch};
use tokio::time::timeout;

/// The longest body of the request that begins a connection: a version.
pub(crate) const REQUEST_CAP: usize = 16;

/// The longest first message, in bytes: a name, and little else.
const BEGIN_CAP: usize = 1_024;

/// How long the first message may take to arrive.
const BEGIN_LIMIT: Duration = Duration::from_secs(10);

/// A connection on which nothing comes for this long is closed. The other side closes it earlier.
pub(crate) const IDLE: Duration = Duration::from_secs(90);

/// The same, if others are idle already.
const IDLE_BEYOND: Duration = Duration::from_secs(5);

/// The memory that is reserved for a message before its bytes have come.
const RESERVE_BYTES: usize = 4 * 1024;

/// How many messages of a lane wait for its task at most. Connections wait when there are more.
const QUEUE: usize = 256;

/// What connections are kept for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    /// What their messages are about, for errors.
    pub(crate) about: &'static str,
    /// The version that their requests say.
    pub(crate) version: u8,
    /// The longest message, in bytes.
    pub(crate) most_bytes: usize,
    /// How long a message may take to arrive once it has begun.
    pub(crate) arrival_limit: Duration,
}

/// A connection that another member keeps. Messages come over it, one after the other.
#[derive(Debug)]
pub(crate) struct KeptConnection<S = PeerStream> {
    /// With which it is answered, if it is.
    pub(crate) stream: S,
    decoder: FrameDecoder<0>,
    purpose: Purpose,
    from: Option<IpAddr>,
}

impl<S: AsyncRead + Unpin> KeptConnection<S> {
    /// The connection that this request begins. The turn of the request ends.
    ///
    /// # Errors
    /// When it has another version.
    pub(crate) fn begin(request: StreamRequest, stream: S, purpose: Purpose) -> io::Result<Self> {
        let StreamRequest { body, turn, from, .. } = request;
        drop(turn);
        if body != [purpose.version] {
            let about = purpose.about;
            return Err(invalid(format!(
                "the version of the connections for {about} is not known"
            )));
        }
        let decoder = FrameDecoder::new(RESERVE_BYTES);
        Ok(KeptConnection { stream, decoder, purpose, from })
    }

    /// The address from which it comes.
    ///
    /// # Errors
    /// When the system does not tell it: nobody knows then who speaks.
    pub(crate) fn from(&self) -> io::Result<IpAddr> {
        let from = self.from.map(|from| from.to_canonical());
        from.ok_or_else(|| invalid("the address of the member is not known"))
    }

    /// The first message, which says who speaks.
    ///
    /// # Errors
    /// When it does not come in time, or is too long.
    pub(crate) async fn first(&mut self) -> io::Result<&[u8]> {
        let whole = frame::read_part(&mut self.stream, &mut self.decoder, Part::Whole, BEGIN_CAP);
        timeout(BEGIN_LIMIT, whole).await?.map_err(frame::io_error)?;
        Ok(self.decoder.take())
    }

    /// Waits until the next message has begun, and returns its length in bytes; none once the other
    /// side has closed the connection. It can be dropped and called again.
    ///
    /// # Errors
    /// When the connection breaks, or the message is too long.
    pub(crate) async fn begun(&mut self) -> io::Result<Option<usize>> {
        let cap = self.purpose.most_bytes;
        match frame::read_part(&mut self.stream, &mut self.decoder, Part::Head, cap).await {
            Ok(()) => Ok(Some(self.decoder.body_bytes())),
            Err(FrameError::Closed) => Ok(None),
            Err(error) => Err(frame::io_error(error)),
        }
    }

    /// The message that has begun.
    ///
    /// # Errors
    /// When it does not arrive in time, or cannot be read.
    pub(crate) async fn message<M, E: Display>(
        &mut self,
        decode: impl FnOnce(&[u8]) -> Result<M, E>,
    ) -> io::Result<M> {
        let Purpose { about, most_bytes: cap, arrival_limit, .. } = self.purpose;
        let whole = frame::read_part(&mut self.stream, &mut self.decoder, Part::Whole, cap);
        timeout(arrival_limit, whole).await?.map_err(frame::io_error)?;
        decode(&self.decoder.take_owned())
            .map_err(|error| invalid(format!("a message about {about} cannot be read: {error}")))
    }
}

/// The member at the other end of a connection. No member may speak for another.
#[derive(Debug)]
pub(crate) struct Speaker {
    name: Name,
    at: IpAddr,
    peers: watch::Receiver<Peers>,
}

impl Speaker {
    /// The member of this name, once the membership knows it at the address from which it comes.
    ///
    /// # Errors
    /// When it does not in time, or has another address.
    pub(crate) async fn known(
        name: Name,
        at: IpAddr,
        peers: &watch::Receiver<Peers>,
    ) -> io::Result<Speaker> {
        check_is_at(peers, &name, at).await?;
        Ok(Speaker { name, at, peers: peers.clone() })
    }

    /// Reads a name, as the first message of a connection has it.
    pub(crate) fn read_name(bytes: &[u8]) -> Option<Name> {
        std::str::from_utf8(bytes).ok().and_then(|name| Name::new(name).ok())
    }

    fn check_still_there(&self) -> io::Result<()> {
        match is_at(&self.peers, &self.name, self.at) {
            true => Ok(()),
            false => Err(invalid("the member is elsewhere now")),
        }
    }
}

/// The connections that may be idle for [`IDLE`]. Others may only for a moment: all kinds of
/// requests of members share their places (`daemon/transport/src/peer/listener.rs`).
#[derive(Debug, Clone)]
pub(crate) struct IdlePlaces(Arc<Semaphore>);

impl IdlePlaces {
    /// Places for so many.
    pub(crate) fn new(most: usize) -> IdlePlaces {
        IdlePlaces(Arc::new(Semaphore::new(most)))
    }

    /// How long a connection may be idle, and its place while it lasts.
    fn take(&self) -> (Duration, Option<SemaphorePermit<'_>>) {
        match self.0.try_acquire() {
            Ok(place) => (IDLE, Some(place)),
            Err(_) => (IDLE_BEYOND, None),
        }
    }
}

/// A message of another member.
#[derive(Debug)]
pub(crate) struct Received<M> {
    pub(crate) from: Name,
    pub(crate) message: M,
    /// Its memory, until it is handled.
    _memory: OwnedSemaphorePermit,
}

/// Passes messages of all connections on to one task. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Lane<M> {
    messages: mpsc::Sender<Received<M>>,
    memory: Arc<Semaphore>,
}

impl<M> Clone for Lane<M> {
    fn clone(&self) -> Self {
        Lane { messages: self.messages.clone(), memory: Arc::clone(&self.memory) }
    }
}

impl<M: Send + Sync + 'static> Lane<M> {
    /// A lane with memory for so many KiB of messages, and where they arrive.
    pub(crate) fn new(memory_kib: usize) -> (Lane<M>, mpsc::Receiver<Received<M>>) {
        let (messages, received) = mpsc::channel(QUEUE);
        (Lane { messages, memory: Arc::new(Semaphore::new(memory_kib)) }, received)
    }

    /// Passes on what comes over a connection, until the other side closes it.
    ///
    /// # Errors
    /// When it breaks, when a message cannot be read, when the speaker is elsewhere, or when the
    /// daemon ends.
    pub(crate) async fn serve<S: AsyncRead + Unpin, E: Display>(
        &self,
        mut connection: KeptConnection<S>,
        speaker: &Speaker,
        idle: &IdlePlaces,
        decode: impl Fn(&[u8]) -> Result<M, E>,
    ) -> io::Result<()> {
        let (idle, _place) = idle.take();
        while let Some(bytes) = timeout(idle, connection.begun()).await?? {
            let memory = self.memory(bytes).await?;
            let message = connection.message(&decode).await?;
            speaker.check_still_there()?;
            let received = Received { from: speaker.name.clone(), message, _memory: memory };
            self.messages.send(received).await.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Waits for the memory of a message of so many bytes. Decoding copies it.
    async fn memory(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let kib = u32::try_from(2 * bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).acquire_many_owned(kib).await.map_err(io::Error::other)
    }
}

/// The error of a connection that says what it may not.
pub(crate) fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
#[path = "incoming_tests.rs"]
mod tests;
