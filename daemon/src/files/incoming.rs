//! Takes messages about files from other members, over the connections that they keep. It owns
//! nothing: [`crate::incoming`] has what their messages may take.

use super::links::{Channel, STREAM_VERSION};
use super::members::Peers;
use crate::incoming::{self, IdlePlaces, KeptConnection, Lane, Purpose, Speaker, invalid};
use memberd_files::FilesMessage;
use memberd_membership::Name;
use memberd_transport::{PeerStream, StreamRequest};
use std::io;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

const PURPOSE: Purpose = Purpose {
    about: "files",
    version: STREAM_VERSION,
    most_bytes: FilesMessage::MAX_BYTES,
    arrival_limit: Duration::from_secs(10),
};

/// The memory of messages, in KiB: of control, and of the bytes of extents.
const MEMORY_KIB: (usize, usize) = (8 << 10, 16 << 10);

/// How many connections may be idle for long.
const MAY_BE_IDLE: usize = 96;

/// A message of another member.
pub(super) type Received = incoming::Received<FilesMessage>;

/// Where messages arrive.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) control: mpsc::Receiver<Received>,
    pub(super) bulk: mpsc::Receiver<Received>,
}

/// Takes the messages of all connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Incoming {
    control: Lane<FilesMessage>,
    bulk: Lane<FilesMessage>,
    peers: watch::Receiver<Peers>,
    idle: IdlePlaces,
}

impl Incoming {
    /// The taker, and where its messages arrive.
    pub(super) fn new(peers: watch::Receiver<Peers>) -> (Incoming, Arrivals) {
        let (control, of_control) = Lane::new(MEMORY_KIB.0);
        let (bulk, of_bulk) = Lane::new(MEMORY_KIB.1);
        let arrivals = Arrivals { control: of_control, bulk: of_bulk };
        (Incoming { control, bulk, peers, idle: IdlePlaces::new(MAY_BE_IDLE) }, arrivals)
    }

    /// Serves one connection, until the other side closes it.
    ///
    /// # Errors
    /// When it breaks, when a message cannot be read, when the sender is not the member that it
    /// says, or when the daemon ends.
    pub async fn serve(&self, request: StreamRequest, stream: PeerStream) -> io::Result<()> {
        let mut connection = KeptConnection::begin(request, stream, PURPOSE)?;
        let (channel, name) = read_begin(connection.first().await?)?;
        let speaker = Speaker::known(name, connection.from()?, &self.peers).await?;
        let lane = match channel {
            Channel::Control => &self.control,
            Channel::Bulk => &self.bulk,
        };
        lane.serve(connection, &speaker, &self.idle, |bytes| read_message(channel, bytes)).await
    }
}

/// Reads the first message of a connection.
fn read_begin(bytes: &[u8]) -> io::Result<(Channel, Name)> {
    let begin = bytes.split_first().and_then(|(channel, name)| {
        Some((Channel::from_byte(*channel)?, Speaker::read_name(name)?))
    });
    begin.ok_or_else(|| invalid("a connection for files begins without channel and name"))
}

/// Reads a message that came over the connection of this channel.
fn read_message(channel: Channel, bytes: &[u8]) -> Result<FilesMessage, String> {
    let message = FilesMessage::decode(bytes).map_err(|error| error.to_string())?;
    match Channel::of(&message) == channel {
        true => Ok(message),
        false => Err("it came over the other connection".to_owned()),
    }
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
