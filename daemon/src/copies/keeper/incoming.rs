//! Takes what sources send, over the connections that they keep. It owns the places for them.

use super::kept_state::End;
use super::places::{Addresses, Memory};
use super::thread::{ConnectionId, Job};
use crate::copies::members::{Peer, Peers};
use crate::incoming::{KeptConnection, Purpose, invalid};
use memberd_copies::standing::Standing;
use memberd_copies::wire::{self, FromKeeper, STANDINGS_IN_ONE, TO_KEEPER_CAP, ToKeeper, VERSION};
use memberd_membership::Name;
use memberd_transport::{PeerStream, StreamRequest, frame};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

const PURPOSE: Purpose = Purpose {
    about: "copies",
    version: VERSION,
    most_bytes: TO_KEEPER_CAP,
    arrival_limit: MESSAGE_LIMIT,
};

/// The most sources at once.
const PLACES: usize = 256;

/// The most connections whose source is not known yet.
const UNCHECKED: usize = 32;

/// How many connections an address may have for each member at it: one may be broken, and not known
/// to be.
const PER_MEMBER: usize = 2;

/// How many messages wait for the store at most. Connections wait when there are more.
pub(super) const JOBS: usize = 256;

/// The most messages that wait for one source.
const TOLD: usize = 64;

/// How long a message may take to arrive once it has begun, and to be taken.
const MESSAGE_LIMIT: Duration = Duration::from_secs(20);

/// How long the membership may take to learn of a source.
const KNOWN_LIMIT: Duration = Duration::from_secs(10);

/// Takes what all sources send. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    jobs: mpsc::Sender<Job>,
    peers: watch::Receiver<Peers>,
    places: Arc<Semaphore>,
    unchecked: Arc<Semaphore>,
    addresses: Addresses,
    memory: Memory,
    connections: Arc<AtomicU64>,
}

impl Incoming {
    /// Passes everything on to the thread of the store.
    pub(super) fn new(jobs: mpsc::Sender<Job>, peers: watch::Receiver<Peers>) -> Self {
        Incoming {
            jobs,
            peers,
            places: Arc::new(Semaphore::new(PLACES)),
            unchecked: Arc::new(Semaphore::new(UNCHECKED)),
            addresses: Addresses::default(),
            memory: Memory::new(),
            connections: Arc::default(),
        }
    }

    /// Serves one connection, until the source closes it or is no longer a member that is up.
    ///
    /// # Errors
    /// When it breaks, when a message cannot be read, or when the daemon ends.
    pub(crate) async fn serve(&self, request: StreamRequest, stream: PeerStream) -> io::Result<()> {
        let mut connection = KeptConnection::begin(request, stream, PURPOSE)?;
        let from = connection.from()?;
        let Some(_address) = self.addresses.enter(from, self.most_of(from)) else {
            return Err(invalid("there are connections for copies from this address already"));
        };
        let source = self.source(&mut connection, from).await?;
        let Ok(_place) = self.places.try_acquire() else {
            let reason = format!("it keeps copies of {PLACES} members already");
            return tell(&mut connection.stream, &FromKeeper::Stopped { reason }).await;
        };
        let id = ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed));
        let (told, messages) = mpsc::channel(TOLD);
        let (reply, standings) = oneshot::channel();
        let begin = Job::Begin { connection: id, source: source.clone(), told, reply };
        if self.send(begin).await.is_err() {
            let reason = "its store cannot be opened".to_owned();
            return tell(&mut connection.stream, &FromKeeper::Stopped { reason }).await;
        }
        let served = async {
            // Without standings, what it is told says why.
            if let Ok(standings) = standings.await {
                tell_standings(&mut connection.stream, standings).await?;
            }
            self.talk(id, (&source, from), connection, messages).await
        };
        let served = served.await;
        let is_up = is_up(&self.peers.borrow(), &source);
        self.send(Job::Ended(id, if is_up { End::Closed } else { End::NotUp })).await?;
        served
    }

    /// How many connections this address may have.
    fn most_of(&self, from: IpAddr) -> usize {
        let peers = self.peers.borrow();
        let at_it = |peer: &&Peer| peer.address.ip().to_canonical() == from;
        let members = peers.as_ref().map_or(0, |peers| peers.iter().filter(at_it).count());
        PER_MEMBER * members.max(1)
    }

    /// Reads who the source is, and waits until that is known to be so.
    async fn source(&self, connection: &mut KeptConnection, from: IpAddr) -> io::Result<Name> {
        let unchecked = timeout(KNOWN_LIMIT, self.unchecked.acquire()).await?;
        let _unchecked = unchecked.map_err(io::Error::other)?;
        let begin = wire::decode(connection.first().await?).map_err(io::Error::other)?;
        let ToKeeper::Begin { source } = begin else {
            return Err(invalid("a connection for copies begins without the source's name"));
        };
        let source = Name::new(&source).map_err(io::Error::other)?;
        self.check(&source, from).await?;
        Ok(source)
    }

    /// Waits until the membership knows this source, at the address from which it came.
    async fn check(&self, source: &Name, from: IpAddr) -> io::Result<()> {
        let mut peers = self.peers.clone();
        let known = timeout(KNOWN_LIMIT, peers.wait_for(|peers| is_up(peers, source))).await;
        let address = match known {
            Ok(Ok(peers)) => address(&peers, source),
            Ok(Err(_)) | Err(_) => None,
        };
        let address = address.ok_or_else(|| invalid("no member of this name is up"))?;
        // No member may write into the copies of another.
        if from != address {
            return Err(invalid("the source connects from another address than that member's"));
        }
        Ok(())
    }

    async fn talk(
        &self,
        id: ConnectionId,
        (source, from): (&Name, IpAddr),
        mut connection: KeptConnection,
        mut messages: mpsc::Receiver<FromKeeper>,
    ) -> io::Result<()> {
        let mut peers = self.peers.clone();
        loop {
            tokio::select! {
                begun = connection.begun() => {
                    let Some(bytes) = begun? else { return Ok(()) };
                    // The wait for memory does not count as a wait for the source.
                    let memory = self.memory.take(bytes).await.map_err(io::Error::other)?;
                    let message = connection.message(wire::decode).await?;
                    self.pass_on(id, message, memory).await?;
                }
                message = messages.recv() => match message {
                    Some(message) => tell(&mut connection.stream, &message).await?,
                    None => return Ok(()),
                },
                changed = peers.changed() => {
                    changed.map_err(io::Error::other)?;
                    if address(&peers.borrow_and_update(), source) != Some(from) {
                        return Err(invalid("the source is no longer up, or is elsewhere"));
                    }
                }
            }
        }
    }

    async fn pass_on(
        &self,
        id: ConnectionId,
        message: ToKeeper,
        memory: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        self.send(match message {
            ToKeeper::Head(head) => Job::Head(id, head),
            ToKeeper::Block(block) => Job::Block(id, block, memory),
            ToKeeper::Behind { bytes, every_ms } => Job::Behind(id, bytes, every_ms),
            ToKeeper::Begin { .. } => return Err(invalid("a source begins twice")),
        })
        .await
    }

    async fn send(&self, job: Job) -> io::Result<()> {
        self.jobs.send(job).await.map_err(|_| invalid("nothing is kept here"))
    }
}

fn is_up(peers: &Peers, source: &Name) -> bool {
    address(peers, source).is_some()
}

fn address(peers: &Peers, source: &Name) -> Option<IpAddr> {
    let peer = peers.as_ref()?.iter().find(|peer| peer.name == *source)?;
    Some(peer.address.ip().to_canonical())
}

async fn tell_standings(stream: &mut PeerStream, standings: Vec<Standing>) -> io::Result<()> {
    let mut left = standings.into_iter().peekable();
    loop {
        let standings: Vec<Standing> = left.by_ref().take(STANDINGS_IN_ONE).collect();
        let more = left.peek().is_some();
        tell(stream, &FromKeeper::Standings { standings, more }).await?;
        if !more {
            return Ok(());
        }
    }
}

async fn tell(stream: &mut PeerStream, message: &FromKeeper) -> io::Result<()> {
    let bytes = wire::encode(message).map_err(io::Error::other)?;
    timeout(MESSAGE_LIMIT, frame::write(stream, &[&bytes])).await?
}

#[cfg(test)]
#[path = "incoming_tests.rs"]
mod tests;
