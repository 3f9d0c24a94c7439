//! Takes messages about jobs from other members, over the connections that they keep. It owns
//! nothing: [`crate::incoming`] has what their messages may take.

use super::links::STREAM_VERSION;
use crate::files::members::Peers;
use crate::incoming::{self, IdlePlaces, KeptConnection, Lane, Purpose, Speaker, invalid};
use memberd_jobs::{MESSAGE_CAP, Message};
use memberd_transport::{PeerStream, StreamRequest};
use std::io;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

const PURPOSE: Purpose = Purpose {
    about: "jobs",
    version: STREAM_VERSION,
    most_bytes: MESSAGE_CAP,
    arrival_limit: Duration::from_secs(10),
};

/// The memory of messages, in KiB. Decoding copies one.
const MEMORY_KIB: usize = 16 << 10;

/// How many connections may be idle for long.
const MAY_BE_IDLE: usize = 48;

/// A message of another member.
pub(super) type Received = incoming::Received<Message>;

/// Takes the messages of all connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Incoming {
    lane: Lane<Message>,
    peers: watch::Receiver<Peers>,
    idle: IdlePlaces,
}

impl Incoming {
    /// The taker, and where its messages arrive.
    pub(super) fn new(peers: watch::Receiver<Peers>) -> (Incoming, mpsc::Receiver<Received>) {
        let (lane, received) = Lane::new(MEMORY_KIB);
        (Incoming { lane, peers, idle: IdlePlaces::new(MAY_BE_IDLE) }, received)
    }

    /// Serves one connection, until the other side closes it.
    ///
    /// # Errors
    /// When it breaks, when a message cannot be read, when the sender is not the member that it
    /// says, or when the daemon ends.
    pub async fn serve(&self, request: StreamRequest, stream: PeerStream) -> io::Result<()> {
        let mut connection = KeptConnection::begin(request, stream, PURPOSE)?;
        let name = Speaker::read_name(connection.first().await?);
        let name = name.ok_or_else(|| invalid("a connection for jobs begins without a name"))?;
        let speaker = Speaker::known(name, connection.from()?, &self.peers).await?;
        self.lane.serve(connection, &speaker, &self.idle, memberd_jobs::decode).await
    }
}
