//! The connection to one keeper. One task owns it; it ends with the connection.
//!
//! The source queues whole messages, and bounds what is under way by what the keeper has
//! acknowledged. So the queue is never full, unless the keeper misbehaves.

use crate::links::limit_unacknowledged;
use crate::peer::COPIES;
use memberd_control::frame::{FrameDecoder, Part};
use memberd_copies::store::Refused;
use memberd_copies::wire::{
    self, FROM_KEEPER_CAP as CAP, FromKeeper, ToKeeper, VERSION, WINDOW_BLOCKS,
};
use memberd_membership::Name;
use memberd_transport::{Caller, PeerStream, frame};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The most messages that wait for one keeper: its window, and the heads of all streams twice.
const QUEUE: usize = WINDOW_BLOCKS + 4096;

/// How long a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long a message may wait to be taken, and a begun one to arrive.
const MESSAGE_LIMIT: Duration = Duration::from_secs(20);

/// A connection whose bytes are not acknowledged for this long is broken.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// The memory that is reserved for a message before its bytes have come.
const RESERVE_BYTES: usize = 4 * 1024;

/// Which connection it is: a later one has a greater number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct LinkId(pub(super) u64);

/// What comes from a connection.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// The keeper said this.
    Said(FromKeeper),
    /// It ended, or did not open.
    Ended {
        /// Why, in one line.
        why: String,
        /// Whether the other side is no keeper, because it is older, or has copies switched off.
        is_no_keeper: bool,
    },
}

/// Whose event it is.
#[derive(Debug)]
pub(super) struct FromLink {
    pub(super) keeper: Name,
    pub(super) link: LinkId,
    pub(super) event: LinkEvent,
}

/// A connection, or an attempt to open one. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: LinkId,
    queue: mpsc::Sender<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What opens a connection.
pub(super) struct Opening<'o> {
    pub(super) id: LinkId,
    pub(super) keeper: &'o Name,
    pub(super) to: SocketAddr,
    pub(super) source: &'o Name,
}

impl Link {
    /// Opens a connection. What comes from it goes to `events`.
    pub(super) fn open(
        opening: &Opening<'_>,
        caller: Caller,
        events: mpsc::Sender<FromLink>,
    ) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        let (id, to) = (opening.id, opening.to);
        let talk = Talk { keeper: opening.keeper.clone(), link: id, events };
        let source = opening.source.to_string();
        let task = tokio::spawn(async move {
            let ended = talk.run(caller, to, source, messages).await;
            let error = ended.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
            let is_no_keeper = error.kind() == io::ErrorKind::PermissionDenied;
            talk.tell(LinkEvent::Ended { why: error.to_string(), is_no_keeper }).await;
        });
        Link { id, queue, task }
    }

    /// A connection whose messages the test takes.
    #[cfg(test)]
    pub(super) fn for_test(id: LinkId) -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (queue, messages) = mpsc::channel(QUEUE);
        (Link { id, queue, task: tokio::spawn(std::future::pending()) }, messages)
    }

    /// Queues a message; false if there is no room, or the connection has ended.
    pub(super) fn send(&self, message: Vec<u8>) -> bool {
        self.queue.try_send(message).is_ok()
    }
}

struct Talk {
    keeper: Name,
    link: LinkId,
    events: mpsc::Sender<FromLink>,
}

impl Talk {
    async fn tell(&self, event: LinkEvent) {
        let from = FromLink { keeper: self.keeper.clone(), link: self.link, event };
        // At the end nobody listens.
        let _ = self.events.send(from).await;
    }

    async fn run(
        &self,
        caller: Caller,
        to: SocketAddr,
        source: String,
        mut messages: mpsc::Receiver<Vec<u8>>,
    ) -> io::Result<()> {
        let mut stream = caller.open(to, COPIES, &[VERSION], CONNECT_LIMIT).await?;
        limit_unacknowledged(&stream, UNACKNOWLEDGED)?;
        let begin = wire::encode(&ToKeeper::Begin { source }).map_err(io::Error::other)?;
        write(&mut stream, &begin).await?;
        let mut decoder = FrameDecoder::<0>::new(RESERVE_BYTES);
        loop {
            tokio::select! {
                begun = frame::read_part(&mut stream, &mut decoder, Part::Head, CAP) => {
                    begun.map_err(frame::io_error)?;
                    let rest =
                        frame::read_part(&mut stream, &mut decoder, Part::Whole, CAP);
                    timeout(MESSAGE_LIMIT, rest).await?.map_err(frame::io_error)?;
                    let said = wire::decode(&decoder.take_owned()).map_err(io::Error::other)?;
                    self.tell(LinkEvent::Said(with_short_reason(said))).await;
                }
                message = messages.recv() => match message {
                    Some(message) => write(&mut stream, &message).await?,
                    None => return Ok(()),
                },
            }
        }
    }
}

async fn write(stream: &mut PeerStream, message: &[u8]) -> io::Result<()> {
    timeout(MESSAGE_LIMIT, frame::write(stream, &[message])).await?
}

/// The longest reason of a keeper, in characters: it goes to the log and the status.
const REASON_CHARACTERS: usize = 200;

/// What a keeper said, with a reason of one short line.
fn with_short_reason(said: FromKeeper) -> FromKeeper {
    let short = |reason: String| -> String {
        let printable = reason.chars().map(|one| if one.is_control() { ' ' } else { one });
        printable.take(REASON_CHARACTERS).collect()
    };
    match said {
        FromKeeper::Stopped { reason } => FromKeeper::Stopped { reason: short(reason) },
        FromKeeper::Refused { stream, reason: Refused::Failed(reason) } => {
            FromKeeper::Refused { stream, reason: Refused::Failed(short(reason)) }
        }
        said => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_copies::stream::StreamId;

    #[test]
    fn the_reasons_of_a_keeper_are_short() {
        let long = format!("full\n\u{1b}[2J{}", "x".repeat(500_000));
        let stream = StreamId { device: 1, inode: 2, begun_ms: 3 };
        let failed = Refused::Failed(long.clone());
        for said in
            [FromKeeper::Stopped { reason: long }, FromKeeper::Refused { stream, reason: failed }]
        {
            match with_short_reason(said) {
                FromKeeper::Stopped { reason: said }
                | FromKeeper::Refused { reason: Refused::Failed(said), .. } => {
                    assert!(said.starts_with("full  [2Jxxx") && said.len() == 200, "{said}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
