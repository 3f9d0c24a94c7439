//! Accepts connections from other members, and hands each request to the service of its kind. Owns
//! the limits that connections and their requests share.

use super::services::{Handler, PeerServices, StreamRequest};
use super::stream::PeerStream;
use super::{KEEP, RequestKind};
use crate::accept::{Listener, serve_all};
use crate::admission::{Admission, Permit};
use crate::crowd::{Arrival, Crowd};
use crate::frame;
use crate::seal::alert::Alert;
use crate::seal::handshake::{HandshakeError, Session, respond};
use crate::seal::refusal::{Refusals, SealRefusal};
use crate::seal::{SEALED, Seal};
use crate::source::Source;
use memberd_control::frame::{FrameDecoder, FrameError, Part};
use memberd_membership::is_understood;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

/// The most connections that have proven nothing. When more come, silent ones are ended.
const SILENT_CONNECTIONS: usize = 256;

/// The most connections of members that are served at once; further ones wait for [`LIMIT`]. Where
/// there is no key, whoever has sent a whole request counts as a member.
const CONNECTIONS: usize = 256;

/// How many of them may be kept for further requests. The others end after their first, so that
/// idle connections never use up all places.
const KEPT_CONNECTIONS: usize = 64;

/// What is turned away here, for the log.
const CONNECTION: &str = "connection";

/// A request up to this many bytes is read without waiting for others.
pub const SMALL_REQUEST_BYTES: usize = 89 * 1024;

/// How many larger ones are in memory at once. They are shared out: a large request may arrive byte
/// by byte, so one machine must not have all turns.
const LARGE_REQUESTS: usize = 4;

/// How long the handshake may take, the request to arrive, and the reply to be taken.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a kept connection may be idle: longer than a [`CallPool`](crate::CallPool) keeps it.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// How many bytes of a stranger are read before its connection is closed, and for how long. If any
/// were left unread, the connection would be reset, and the stranger might not read the alert.
const DRAIN: (u64, Duration) = (64 * 1024, Duration::from_secs(1));

/// Serves other members.
#[derive(Debug)]
pub struct PeerServer {
    /// This member's address, as the others know it.
    address: SocketAddr,
    seal: Seal,
    services: PeerServices,
    /// A place for each large request that may be in memory.
    large: Admission,
    /// A place for each connection that may be kept.
    kept: Admission,
}

/// A request as it came.
struct Request {
    version: u8,
    /// With [`KEEP`], where the connection is to be kept.
    kind: u8,
    body: Vec<u8>,
    /// Of large requests a few are in memory at a time, so that what all connections together hold
    /// is bounded.
    turn: Option<Permit>,
}

impl Request {
    fn kind(&self) -> RequestKind {
        RequestKind(self.kind & !KEEP)
    }

    fn keeps(&self) -> bool {
        self.kind & KEEP != 0
    }
}

/// What is known of whoever is at the other end.
enum Standing {
    /// Nothing yet, so that the connection may be ended for another.
    Silent(Arrival),
    /// That it has a place to be served in.
    Served(#[expect(dead_code, reason = "it is held as long as the connection")] Permit),
}

impl Standing {
    /// Gives a member a place, and remembers where it connects from.
    async fn proven(self) -> io::Result<Standing> {
        if let Standing::Silent(arrival) = &self {
            arrival.note_known();
        }
        self.served().await
    }

    /// Waits for a place if it has none.
    async fn served(self) -> io::Result<Standing> {
        match self {
            Standing::Silent(arrival) => {
                arrival.serve_within(LIMIT).await.map(Standing::Served).map_err(io::Error::other)
            }
            Standing::Served(_) => Ok(self),
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl PeerServer {
    /// Serves at this address, as the others know it, with these keys.
    pub fn new(address: SocketAddr, seal: Seal, services: PeerServices) -> Self {
        PeerServer {
            address,
            seal,
            services,
            large: Admission::unanswered("large requests", LARGE_REQUESTS)
                .shared(|taken| format!("{taken} large requests from there are read already")),
            kept: Admission::unanswered("kept connections", KEPT_CONNECTIONS)
                .shared(|taken| format!("{taken} connections are kept already")),
        }
    }

    /// The connections of members, of which there are none yet.
    pub fn crowd() -> Crowd {
        let served = Admission::unanswered("connections of members", CONNECTIONS)
            .shared(|taken| format!("{taken} connections from there are served already"));
        Crowd::new("members", SILENT_CONNECTIONS, served)
    }

    /// Serves connections until the future is dropped. They are in this crowd.
    pub async fn listen<L>(self, listener: L, crowd: Crowd)
    where
        L: Listener<Stream = TcpStream, Address = SocketAddr>,
    {
        let server = Arc::new(self);
        serve_all(listener, crowd, move |stream, from, arrival| {
            let server = Arc::clone(&server);
            async move {
                if let Err(error) = server.serve(stream, from, arrival).await {
                    debug!(%from, %error, "connection ended");
                }
            }
        })
        .await;
    }

    async fn serve(
        &self,
        mut stream: TcpStream,
        from: SocketAddr,
        arrival: Arrival,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (source, mut standing) = (arrival.source(), Standing::Silent(arrival));
        let stream = match timeout(LIMIT, self.handshake(&mut stream)).await {
            Ok(Ok(None)) => PeerStream::Plain(stream),
            Ok(Ok(Some(session))) => {
                // Only a member's record opens.
                standing = standing.proven().await?;
                PeerStream::sealed(stream, session, &self.seal)
            }
            Ok(Err(HandshakeError::Refused(refusal))) => {
                return turn_away(stream, refusal, from, self.seal.refusals()).await;
            }
            Ok(Err(HandshakeError::Io(error))) => {
                self.seal.refusals().note(SealRefusal::Broken, CONNECTION, from);
                return Err(error);
            }
            Err(late) => {
                self.seal.refusals().note(SealRefusal::Late, CONNECTION, from);
                return Err(late.into());
            }
        };
        self.serve_requests(stream, source, standing).await
    }

    /// Checks that the other side is a member, if this one has keys. Returns the session that the
    /// connection is sealed with, or none.
    async fn handshake(&self, stream: &mut TcpStream) -> Result<Option<Session>, HandshakeError> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match (self.seal.keys(), first == [SEALED]) {
            (None, false) => Ok(None),
            (None, true) => Err(SealRefusal::Sealed.into()),
            (Some(_), false) => Err(SealRefusal::Plain.into()),
            (Some(keys), true) => respond(stream, &keys, self.address).await.map(Some),
        }
    }

    /// Serves one request, or as many as come on a connection that is kept.
    async fn serve_requests(
        &self,
        mut stream: PeerStream,
        source: Source,
        mut standing: Standing,
    ) -> io::Result<()> {
        let mut decoder = FrameDecoder::new(frame::RESERVE_BYTES);
        let mut place = None;
        loop {
            let read = self.read_request(&mut stream, &mut decoder, source);
            let request = timeout(LIMIT, read).await??;
            standing = standing.served().await?;
            let service =
                self.services.get(request.kind()).filter(|_| is_understood(request.version));
            let Some(service) = service else {
                stream.write_all(&Alert::Version.to_bytes()).await?;
                stream.shutdown().await?;
                return Err(invalid("not a request of this version"));
            };
            let keeps = request.keeps();
            match &service.handler {
                Handler::Stream(serve) => {
                    let Request { body, turn, .. } = request;
                    let from = stream.peer_address();
                    return serve(StreamRequest { body, turn, source, from }, stream).await;
                }
                Handler::Call(answer) => {
                    let Request { body, turn, .. } = request;
                    let reply = answer(body, source).await?;
                    timeout(LIMIT, frame::write(&mut stream, &[&reply])).await??;
                    // The reply may be as large, so the turn ends only now.
                    drop(turn);
                }
            }
            if place.is_none() && keeps {
                place = self.kept.try_enter_as(source).ok();
            }
            if !keeps || place.is_none() {
                return Ok(());
            }
            if !self.next_begins(&mut stream, &mut decoder).await? {
                return Ok(());
            }
        }
    }

    async fn read_request(
        &self,
        stream: &mut PeerStream,
        decoder: &mut FrameDecoder<2>,
        source: Source,
    ) -> io::Result<Request> {
        self.read_part(stream, decoder, Part::Head).await.map_err(frame::io_error)?;
        let ([version, kind], length) = (decoder.prefix(), decoder.body_bytes());
        let service = self.services.get(RequestKind(kind & !KEEP));
        if service.is_some_and(|service| length > service.max_bytes) {
            return Err(invalid("the request is longer than any of its kind"));
        }
        let turn = match length > SMALL_REQUEST_BYTES {
            true => Some(self.large.enter_as(source).await),
            false => None,
        };
        self.read_part(stream, decoder, Part::Whole).await.map_err(frame::io_error)?;
        Ok(Request { version, kind, body: decoder.take_owned(), turn })
    }

    /// Whether another request begins on a kept connection before that has been idle for too long.
    async fn next_begins(
        &self,
        stream: &mut PeerStream,
        decoder: &mut FrameDecoder<2>,
    ) -> io::Result<bool> {
        match timeout(IDLE_LIMIT, self.read_part(stream, decoder, Part::Head)).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(FrameError::Closed)) | Err(_) => Ok(false),
            Ok(Err(error)) => Err(frame::io_error(error)),
        }
    }

    async fn read_part(
        &self,
        stream: &mut PeerStream,
        decoder: &mut FrameDecoder<2>,
        part: Part,
    ) -> Result<(), FrameError> {
        frame::read_part(stream, decoder, part, self.services.max_bytes() + 2).await
    }
}

/// Counts a refusal and sends the reason to the stranger, in this order: a stranger that reads it
/// finds it counted.
async fn turn_away<S>(
    mut stream: S,
    refusal: SealRefusal,
    from: SocketAddr,
    refusals: &Refusals,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    refusals.note(refusal, CONNECTION, from);
    let (bytes, limit) = DRAIN;
    let send = async {
        stream.write_all(&Alert::from(refusal).to_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(bytes), &mut tokio::io::sink()).await
    };
    // Its end makes no difference.
    let _ = timeout(limit, send).await;
    Err(io::Error::new(io::ErrorKind::PermissionDenied, refusal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::PROTOCOL_VERSION;
    use tokio::io::duplex;
    use tokio::net::{TcpListener, TcpSocket};
    use tokio::sync::{mpsc, oneshot};

    const CALL: RequestKind = RequestKind::new(0);
    const STREAM: RequestKind = RequestKind::new(1);
    const LARGE_STREAM: RequestKind = RequestKind::new(2);

    /// How long a request is, who asks, and where the answer goes.
    type Asked = (usize, Source, oneshot::Sender<Vec<u8>>);

    /// A server whose calls are answered by whoever holds the other end.
    async fn start() -> (SocketAddr, mpsc::Receiver<Asked>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = mpsc::channel(8);
        let services = PeerServices::default()
            .with_call(CALL, 10 << 20, move |body, source| {
                let sender = sender.clone();
                async move {
                    let (reply, answer) = oneshot::channel();
                    sender.send((body.len(), source, reply)).await.map_err(io::Error::other)?;
                    answer.await.map_err(io::Error::other)
                }
            })
            .and_then(|services| {
                services.with_stream(STREAM, SMALL_REQUEST_BYTES, |asked, mut stream| async move {
                    stream.write_all(&asked.body).await?;
                    stream.flush().await
                })
            })
            .and_then(|services| {
                // It says that the request has come, and drops its turn for the next byte.
                services.with_stream(LARGE_STREAM, 10 << 20, |asked, mut stream| async move {
                    stream.write_all(&[7]).await?;
                    stream.flush().await?;
                    stream.read_u8().await?;
                    drop(asked.turn);
                    stream.read_u8().await.map(drop)
                })
            })
            .unwrap();
        tokio::spawn(
            PeerServer::new(address, Seal::plain(), services).listen(listener, PeerServer::crowd()),
        );
        (address, asked)
    }

    async fn write(stream: &mut TcpStream, kind: u8, request: &[u8]) {
        frame::write(stream, &[&[PROTOCOL_VERSION, kind], request]).await.unwrap();
    }

    async fn send(to: SocketAddr, kind: u8, request: &[u8]) -> TcpStream {
        send_as(1, to, kind, request).await
    }

    /// Sends from this machine, as its address of loopback.
    async fn send_as(machine: u8, to: SocketAddr, kind: u8, request: &[u8]) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, machine], 0).into()).unwrap();
        let mut stream = socket.connect(to).await.unwrap();
        write(&mut stream, kind, request).await;
        stream
    }

    /// A few large requests are in memory until they are answered; small ones pass by.
    #[tokio::test]
    async fn a_few_large_requests_are_in_memory_at_once() {
        let (address, mut asked) = start().await;
        let (large, small) = (vec![0; SMALL_REQUEST_BYTES + 1], [0; 3]);
        let (mut connections, mut answers) = (Vec::new(), Vec::new());
        for machine in (2..).take(LARGE_REQUESTS) {
            connections.push(send_as(machine, address, CALL.0, &large).await);
            answers.push(asked.recv().await.unwrap());
        }
        connections.push(send(address, CALL.0, &large).await);
        connections.push(send(address, CALL.0, &small).await);
        assert_eq!(asked.recv().await.unwrap().0, small.len());
        let (_, source, answer) = answers.remove(0);
        assert_eq!(source.to_string(), "127.0.0.2", "the machine that asks");
        answer.send(vec![7]).unwrap();
        assert_eq!(frame::read(&mut connections[0], 1).await.unwrap(), [7]);
        assert_eq!(asked.recv().await.unwrap().0, large.len());
    }

    /// A large request of a stream has its turn until the service has bounded what it keeps.
    #[tokio::test]
    async fn a_service_of_a_stream_ends_its_turn() {
        let (address, mut asked) = start().await;
        let large = vec![0; SMALL_REQUEST_BYTES + 1];
        let mut streams = Vec::new();
        for machine in (2..).take(LARGE_REQUESTS) {
            let mut stream = send_as(machine, address, LARGE_STREAM.0, &large).await;
            assert_eq!(stream.read_u8().await.unwrap(), 7);
            streams.push(stream);
        }
        let mut waiting = send(address, LARGE_STREAM.0, &large).await;
        // A small one comes after it and is answered before it.
        let _small = send(address, CALL.0, &[0; 3]).await;
        assert_eq!(asked.recv().await.unwrap().0, 3);
        let nothing = waiting.try_read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(nothing, Err(io::ErrorKind::WouldBlock));
        streams[0].write_all(&[1]).await.unwrap();
        assert_eq!(waiting.read_u8().await.unwrap(), 7);
    }

    /// Whoever keeps the turns of many large requests leaves one to another machine.
    #[tokio::test]
    async fn no_machine_has_the_turns_of_all_large_requests() {
        let (address, _asked) = start().await;
        let large = vec![0; SMALL_REQUEST_BYTES + 1];
        let mut hoarded = Vec::new();
        for _ in 0..4 * LARGE_REQUESTS {
            hoarded.push(send_as(2, address, LARGE_STREAM.0, &large).await);
        }
        assert_eq!(hoarded[0].read_u8().await.unwrap(), 7);
        for machine in 3..5 {
            let mut other = send_as(machine, address, LARGE_STREAM.0, &large).await;
            let served = timeout(LIMIT / 2, other.read_u8()).await.expect("it waits for its turn");
            assert_eq!(served.unwrap(), 7);
        }
        let has_turn = |stream: &TcpStream| stream.try_read(&mut [0]).is_ok();
        let turns = 1 + hoarded[1..].iter().filter(|stream| has_turn(stream)).count();
        assert!(turns <= LARGE_REQUESTS / 2, "{turns}");
    }

    /// A request that is longer than its kind allows is refused before it is read.
    #[tokio::test]
    async fn a_request_too_long_for_its_kind_is_not_read() {
        let (address, _asked) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = u32::try_from(SMALL_REQUEST_BYTES + 3).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &[PROTOCOL_VERSION, STREAM.0]].concat()).await.unwrap();
        let read = timeout(LIMIT / 2, stream.read_u8()).await.expect("it waits for the rest");
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    /// A service of a stream has the connection for itself, and its end is the connection's.
    #[tokio::test]
    async fn a_stream_has_its_connection() {
        let (address, _asked) = start().await;
        let mut read = Vec::new();
        send(address, STREAM.0, b"body").await.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"body");
    }

    /// A request of an unknown kind or version is answered with the alert that says so.
    #[tokio::test]
    async fn an_unknown_kind_is_refused() {
        let (address, _asked) = start().await;
        for (version, kind) in
            [(PROTOCOL_VERSION, 99), (PROTOCOL_VERSION, 99 | KEEP), (PROTOCOL_VERSION + 2, CALL.0)]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            frame::write(&mut stream, &[&[version, kind]]).await.unwrap();
            let mut read = Vec::new();
            stream.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, Alert::Version.to_bytes());
        }
    }

    /// A connection ends after its call, unless the caller asks to keep it.
    #[tokio::test]
    async fn a_connection_is_kept_for_who_asks() {
        let (address, mut asked) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        for (kind, length) in [(CALL.0 | KEEP, 1), (CALL.0 | KEEP, 2), (CALL.0, 3)] {
            write(&mut stream, kind, &vec![0; length]).await;
            let (came, _, answer) = asked.recv().await.unwrap();
            assert_eq!(came, length);
            answer.send(vec![7; length]).unwrap();
            assert_eq!(frame::read(&mut stream, 9).await.unwrap(), vec![7; length]);
        }
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the last did not ask to keep it");
    }

    #[tokio::test]
    async fn a_refusal_is_counted_before_it_is_sent() {
        let (mut stranger, near) = duplex(1);
        let refusals = Arc::new(Refusals::default());
        let counting = Arc::clone(&refusals);
        let turning = tokio::spawn(async move {
            turn_away(near, SealRefusal::Sealed, SocketAddr::from(([127, 0, 0, 1], 1)), &counting)
                .await
        });
        // Only the first byte of the alert fits in between.
        assert_eq!(stranger.read_u8().await.unwrap(), Alert::NoKey.to_bytes()[0]);
        assert_eq!(refusals.named().iter().map(|(_, count)| count).sum::<u64>(), 1);
        assert_eq!(stranger.read_to_end(&mut Vec::new()).await.unwrap(), 3);
        // It goes on talking, and its connection ends all the same.
        stranger.write_all(&[0; 10]).await.unwrap();
        drop(stranger);
        assert_eq!(turning.await.unwrap().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
