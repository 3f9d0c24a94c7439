//! Connections to other members that are kept for messages in one direction. [`LinkTable`] owns a
//! bounded queue for each; one task for each owns its connection.

use memberd_transport::PeerStream;
use nix::sys::socket::{setsockopt, sockopt::TcpUserTimeout};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Whether a link keeps its place when others need one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It does, and takes one that is lent if there is no other.
    Own,
    /// It may lose it.
    Lent,
}

/// The links of one purpose, by whom they lead to.
#[derive(Debug)]
pub(crate) struct LinkTable<K, M> {
    links: BTreeMap<K, Link<M>>,
    /// The most links.
    most: usize,
    /// The most messages that wait at one link.
    queue: usize,
    /// How many messages were dropped since there was no room.
    dropped: u64,
}

/// A queue, and the task that sends what is in it. The task ends with this.
#[derive(Debug)]
struct Link<M> {
    to: SocketAddr,
    place: Place,
    queue: mpsc::Sender<M>,
    task: JoinHandle<()>,
}

impl<M> Drop for Link<M> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K: Ord + Clone, M> LinkTable<K, M> {
    /// No links, and room for `most` of them, each with a queue of this many messages.
    pub(crate) fn new(most: usize, queue: usize) -> Self {
        LinkTable { links: BTreeMap::new(), most, queue, dropped: 0 }
    }

    /// Whether there is room for a message at the link to this address, or for a link.
    pub(crate) fn has_room(&mut self, key: &K, to: SocketAddr, place: Place) -> bool {
        if let Some(link) = self.links.get_mut(key).filter(|link| link.to == to) {
            if place == Place::Own {
                link.place = place;
            }
            return link.queue.is_closed() || link.queue.capacity() > 0;
        }
        if self.links.len() < self.most || self.links.contains_key(key) {
            return true;
        }
        self.links.retain(|_, link| !link.task.is_finished());
        if self.links.len() >= self.most && place == Place::Own {
            let mut lent = self.links.iter().filter(|(_, link)| link.place == Place::Lent);
            if let Some(other) = lent.next().map(|(key, _)| key.clone()) {
                self.links.remove(&other);
            }
        }
        self.links.len() < self.most
    }

    /// Queues a message at the link to this address. If there is none, `run` opens one: it is given
    /// the queue, and its work ends when it closes the connection.
    pub(crate) fn send<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        key: &K,
        to: SocketAddr,
        place: Place,
        message: M,
        run: impl FnOnce(mpsc::Receiver<M>) -> F,
    ) {
        let Some(message) = self.queue(key, to, message) else { return };
        let (queue, messages) = mpsc::channel(self.queue);
        let task = tokio::spawn(run(messages));
        self.links.insert(key.clone(), Link { to, place, queue, task });
        if self.queue(key, to, message).is_some() {
            self.dropped += 1;
        }
    }

    /// Queues a message at a link that is there. It comes back if there is none.
    fn queue(&mut self, key: &K, to: SocketAddr, message: M) -> Option<M> {
        let Some(link) = self.links.get(key).filter(|link| link.to == to) else {
            return Some(message);
        };
        match link.queue.try_send(message) {
            Ok(()) => None,
            Err(TrySendError::Full(_)) => {
                self.dropped += 1;
                None
            }
            // It was idle, and is closed.
            Err(TrySendError::Closed(message)) => Some(message),
        }
    }

    /// Counts a message that is dropped before it is queued.
    pub(crate) fn note_dropped(&mut self) {
        self.dropped += 1;
    }

    /// How many links there are, or attempts.
    pub(crate) fn count(&self) -> usize {
        self.links.values().filter(|link| !link.task.is_finished()).count()
    }

    /// How many messages were dropped since there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Lets a connection break whose bytes are not acknowledged for this long: tcp(7),
/// `TCP_USER_TIMEOUT`. After a cut, the kernel would wait ever longer before it tries again.
///
/// # Errors
/// Those of setsockopt(2).
pub(crate) fn limit_unacknowledged(stream: &PeerStream, limit: Duration) -> io::Result<()> {
    let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    Ok(setsockopt(stream, TcpUserTimeout, &limit)?)
}

/// The next message for a connection; none once nothing has come for `idle`, or nothing will.
///
/// # Errors
/// When the connection breaks, or the other side closes it. It says nothing on this connection, so
/// all that can be read is its end.
pub(crate) async fn next_message<M>(
    stream: &mut PeerStream,
    idle: Duration,
    messages: &mut mpsc::Receiver<M>,
) -> io::Result<Option<M>> {
    let mut byte = [0];
    tokio::select! {
        message = timeout(idle, messages.recv()) => Ok(message.ok().flatten()),
        read = stream.read(&mut byte) => {
            read?;
            Err(ErrorKind::UnexpectedEof.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    const MOST: usize = 2;
    const QUEUE: usize = 3;

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// A link that sends nothing.
    async fn silent(_messages: mpsc::Receiver<u8>) {
        pending::<()>().await;
    }

    /// Queues a message at such a link, if there is room.
    fn send(links: &mut LinkTable<u16, u8>, key: u16, place: Place) -> bool {
        let has_room = links.has_room(&key, at(key), place);
        if has_room {
            links.send(&key, at(key), place, 0, silent);
        }
        has_room
    }

    #[tokio::test]
    async fn queues_are_bounded() {
        let mut links = LinkTable::new(MOST, QUEUE);
        let sent = (0..QUEUE + 1).filter(|_| send(&mut links, 1, Place::Own)).count();
        assert_eq!(sent, QUEUE);
        assert!(send(&mut links, 2, Place::Own), "each link has its own");
        // What is sent nevertheless is dropped and counted.
        links.send(&1, at(1), Place::Own, 0, silent);
        assert_eq!((links.count(), links.dropped()), (2, 1));
    }

    #[tokio::test]
    async fn links_are_bounded_and_lent_places_are_taken() {
        let mut links = LinkTable::new(MOST, QUEUE);
        assert!(send(&mut links, 1, Place::Lent) && send(&mut links, 2, Place::Lent));
        assert!(!send(&mut links, 3, Place::Lent));
        assert!(send(&mut links, 2, Place::Own), "it has its own place from now on");
        assert!(send(&mut links, 3, Place::Own));
        assert!(!send(&mut links, 4, Place::Own), "nobody has a lent place any more");
        assert_eq!(links.links.keys().collect::<Vec<_>>(), [&2, &3]);
    }

    /// A link to the address that a member had before makes room for one to the present address.
    #[tokio::test]
    async fn a_member_with_another_address_has_another_link() {
        let mut links = LinkTable::new(1, 1);
        assert!(send(&mut links, 1, Place::Own));
        assert!(!links.has_room(&1, at(1), Place::Own));
        assert!(links.has_room(&1, at(2), Place::Own));
        links.send(&1, at(2), Place::Own, 0, silent);
        assert!(!links.has_room(&1, at(2), Place::Own));
        assert_eq!((links.count(), links.dropped()), (1, 0));
    }
}
