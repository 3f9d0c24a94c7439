//! Accepts connections from other members and hands each request to whom it concerns.

use crate::membership::{Command, Handle};
use crate::search::LocalSearcher;
use crate::search::serve;
use memberd_control::frame::{FrameDecoder, Part, REQUEST_CAP};
use memberd_membership::{MAX_CALL, is_understood};
use memberd_transport::{
    Alert, HandshakeError, PeerRequestKind, PeerStream, Refusal, Refusals, SEALED, Seal, Session,
    frame, respond, serve_all,
};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tracing::debug;

/// The most connections served at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 256;

/// What is turned away here.
const CONNECTION: &str = "connection";

/// A request up to this many bytes is read without waiting for others. No grep is longer: no
/// client's is longer than [`REQUEST_CAP`], and the rest is room for what its daemon fills in.
const SMALL: usize = REQUEST_CAP + 1024;

/// The memory that is taken for a request before its bytes have come.
const RESERVE_BYTES: usize = 64 * 1024;

/// How many larger ones are in memory at once.
const LARGE_REQUESTS: usize = 4;

/// How long the handshake may take, the request to arrive, and the reply to be taken.
const LIMIT: Duration = Duration::from_secs(5);

/// How much of what a stranger says is read before it is let go, and for how long: were anything
/// left unread, the connection would be reset, and it might not read why it was turned away.
const HEAR_OUT: (u64, Duration) = (64 * 1024, Duration::from_secs(1));

/// What connections are served with.
#[derive(Debug)]
pub struct Service {
    /// This member's address, as the others know it.
    pub address: SocketAddr,
    /// How it speaks.
    pub seal: Seal,
    /// The way to the group.
    pub membership: Handle,
    /// Greps.
    pub searches: Arc<LocalSearcher>,
}

/// Serves connections until the task is dropped.
pub async fn listen(listener: TcpListener, service: Service) {
    let service = Arc::new(service);
    let large = Arc::new(Semaphore::new(LARGE_REQUESTS));
    serve_all(listener, CONNECTIONS, "members", move |stream, from| {
        let (service, large) = (Arc::clone(&service), Arc::clone(&large));
        async move {
            if let Err(error) = service.serve(stream, from, &large).await {
                debug!(%from, %error, "connection ended");
            }
        }
    })
    .await;
}

/// A request as it came.
struct Request<'l> {
    version: u8,
    /// None if it is of no known kind.
    kind: Option<PeerRequestKind>,
    body: Vec<u8>,
    /// Of large ones, which only the exchange of lists makes, a few are in memory at a time, so
    /// that what all connections together hold is bounded.
    _turn: Option<SemaphorePermit<'l>>,
}

async fn read_request<'l>(
    stream: &mut PeerStream,
    large: &'l Semaphore,
) -> io::Result<Request<'l>> {
    let mut decoder = FrameDecoder::<2>::new(RESERVE_BYTES);
    read_part(stream, &mut decoder, Part::Head).await?;
    let ([version, kind], length) = (decoder.prefix(), decoder.body_bytes());
    let kind = PeerRequestKind::from_code(kind);
    if kind == Some(PeerRequestKind::Grep) && length > SMALL {
        return Err(invalid("a grep that is longer than any client's"));
    }
    let _turn =
        if length > SMALL { Some(large.acquire().await.map_err(io::Error::other)?) } else { None };
    read_part(stream, &mut decoder, Part::Whole).await?;
    Ok(Request { version, kind, body: decoder.take_owned(), _turn })
}

async fn read_part(
    stream: &mut PeerStream,
    decoder: &mut FrameDecoder<2>,
    part: Part,
) -> io::Result<()> {
    frame::read_part(stream, decoder, part, MAX_CALL + 2).await.map_err(frame::io_error)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Service {
    async fn serve(
        &self,
        mut stream: TcpStream,
        from: SocketAddr,
        large: &Semaphore,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = match timeout(LIMIT, self.greet(&mut stream)).await {
            Ok(Ok(None)) => PeerStream::Plain(stream),
            Ok(Ok(Some(session))) => PeerStream::sealed(stream, session, &self.seal),
            Ok(Err(HandshakeError::Refused(refusal))) => {
                return turn_away(stream, refusal, from, self.seal.refusals()).await;
            }
            Ok(Err(HandshakeError::Io(error))) => {
                self.seal.refusals().note(Refusal::Broken, CONNECTION, from);
                return Err(error);
            }
            Err(late) => {
                self.seal.refusals().note(Refusal::Late, CONNECTION, from);
                return Err(late.into());
            }
        };
        let Request { version, kind, body, _turn } =
            timeout(LIMIT, read_request(&mut stream, large)).await??;
        match kind.filter(|_| is_understood(version)) {
            // Its turn is over when the reply, which may be as large, is taken.
            Some(PeerRequestKind::Ring) => {
                let reply = self
                    .membership
                    .ask(|reply| Command::Request { bytes: body, reply })
                    .await
                    .map_err(io::Error::other)?;
                timeout(LIMIT, frame::write(&mut stream, &[&reply])).await?
            }
            Some(PeerRequestKind::Grep) => {
                let request = ciborium::from_reader(body.as_slice()).map_err(io::Error::other)?;
                // It may follow for days.
                drop(body);
                serve::serve(stream, request, &self.searches).await
            }
            None => {
                stream.write_all(&Alert::Version.to_bytes()).await?;
                stream.shutdown().await?;
                Err(invalid("not a request of this version"))
            }
        }
    }

    /// Sees to it that the other side is a member, if this one has keys: what the connection is
    /// sealed with, or that nothing is.
    async fn greet(&self, stream: &mut TcpStream) -> Result<Option<Session>, HandshakeError> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match (self.seal.keys(), first == [SEALED]) {
            (None, false) => Ok(None),
            (None, true) => Err(Refusal::Sealed.into()),
            (Some(_), false) => Err(Refusal::Plain.into()),
            (Some(keys), true) => respond(stream, &keys, self.address).await.map(Some),
        }
    }
}

/// Counts a stranger and tells it why it is turned away, in this order: who was told finds it
/// counted.
async fn turn_away<S>(
    mut stream: S,
    refusal: Refusal,
    from: SocketAddr,
    refusals: &Refusals,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    refusals.note(refusal, CONNECTION, from);
    let (bytes, limit) = HEAR_OUT;
    let tell = async {
        stream.write_all(&Alert::from(refusal).to_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(bytes), &mut tokio::io::sink()).await
    };
    // How that ends makes no difference.
    let _ = timeout(limit, tell).await;
    Err(io::Error::new(io::ErrorKind::PermissionDenied, refusal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::limits::Limits;
    use memberd_membership::PROTOCOL_VERSION;
    use memberd_search::Offer;
    use tokio::io::duplex;
    use tokio::sync::{mpsc, oneshot};

    /// Where one listens that has no group: who holds the other end obeys its commands.
    async fn start() -> (SocketAddr, mpsc::Receiver<Command>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (membership, commands) = Handle::new();
        let searches = LocalSearcher::new(
            "vm1".to_owned(),
            Offer::new::<&str>(&[]).unwrap(),
            Limits::default(),
        );
        tokio::spawn(listen(
            listener,
            Service { address, seal: Seal::plain(), membership, searches: Arc::new(searches) },
        ));
        (address, commands)
    }

    async fn send(to: SocketAddr, kind: PeerRequestKind, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(to).await.unwrap();
        frame::write(&mut stream, &[&[PROTOCOL_VERSION, kind.code()], request]).await.unwrap();
        stream
    }

    /// How long the next request is that the group is asked, and where its answer goes.
    async fn asked(commands: &mut mpsc::Receiver<Command>) -> (usize, oneshot::Sender<Vec<u8>>) {
        match commands.recv().await {
            Some(Command::Request { bytes, reply }) => (bytes.len(), reply),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn of_large_requests_a_few_are_in_memory_until_they_are_answered_and_small_ones_pass_by()
    {
        let (address, mut commands) = start().await;
        let (large, small) = (vec![0; SMALL + 1], [0; 3]);
        let (mut connections, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..LARGE_REQUESTS {
            connections.push(send(address, PeerRequestKind::Ring, &large).await);
            answers.push(asked(&mut commands).await);
        }
        connections.push(send(address, PeerRequestKind::Ring, &large).await);
        connections.push(send(address, PeerRequestKind::Ring, &small).await);
        assert_eq!(asked(&mut commands).await.0, small.len());
        let (_, answer) = answers.remove(0);
        answer.send(vec![7]).unwrap();
        assert_eq!(frame::read(&mut connections[0], 1).await.unwrap(), [7]);
        assert_eq!(asked(&mut commands).await.0, large.len());
    }

    #[tokio::test]
    async fn a_grep_that_is_longer_than_any_client_makes_it_is_let_go_before_it_is_read() {
        let (address, _commands) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = u32::try_from(SMALL + 3).unwrap().to_be_bytes();
        stream
            .write_all(&[&length[..], &[PROTOCOL_VERSION, PeerRequestKind::Grep.code()]].concat())
            .await
            .unwrap();
        let read = timeout(LIMIT / 2, stream.read_u8()).await.expect("it waits for the rest");
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn who_is_told_why_it_is_turned_away_is_counted_already() {
        let (mut stranger, near) = duplex(1);
        let refusals = Arc::new(Refusals::default());
        let counting = Arc::clone(&refusals);
        let turning = tokio::spawn(async move {
            turn_away(near, Refusal::Sealed, SocketAddr::from(([127, 0, 0, 1], 1)), &counting).await
        });
        // No more than the first byte of what it is told fits in between.
        assert_eq!(stranger.read_u8().await.unwrap(), Alert::NoKey.to_bytes()[0]);
        assert_eq!(refusals.named().iter().map(|(_, count)| count).sum::<u64>(), 1);
        assert_eq!(stranger.read_to_end(&mut Vec::new()).await.unwrap(), 3);
        // It goes on talking, and is let go all the same.
        stranger.write_all(&[0; 10]).await.unwrap();
        drop(stranger);
        assert_eq!(turning.await.unwrap().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
