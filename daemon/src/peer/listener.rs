//! Accepts connections from other members and hands each request to whom it concerns.

use super::stream::PeerStream;
use super::{PeerRequestKind, frame};
use crate::accept::serve_all;
use crate::membership::{Command, Handle};
use crate::seal::handshake::{self, Alert, HandshakeError};
use crate::seal::refusal::Refusal;
use crate::seal::stream::SealedStream;
use crate::seal::{SEALED, Seal};
use crate::search::Searches;
use crate::search::serve;
use memberd_ring::join::MAX_CALL;
use memberd_ring::settings::is_understood;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

/// The most connections served at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 256;

/// A request up to this many bytes is read without waiting for others.
const SMALL: usize = 64 * 1024;

/// How many larger ones are read at once.
const LARGE_REQUESTS: usize = 4;

/// How long the handshake may take, the request to arrive, and the reply to be taken.
const LIMIT: Duration = Duration::from_secs(5);

/// How much of what a stranger says is read before it is let go, and for how long: were anything left unread, the connection would be
/// reset, and it might not read why it was turned away.
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
    pub searches: Arc<Searches>,
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

/// Reads a request. Of large ones, which only the exchange of lists makes, a few are read at a time, so that what all connections
/// together hold in memory is bounded.
async fn read_request(stream: &mut PeerStream, large: &Semaphore) -> io::Result<Vec<u8>> {
    let length = frame::read_length(stream, MAX_CALL + 2).await?;
    let _turn = if length > SMALL { Some(large.acquire().await.map_err(io::Error::other)?) } else { None };
    frame::read_body(stream, length).await
}

impl Service {
    async fn serve(&self, stream: TcpStream, from: SocketAddr, large: &Semaphore) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let greeted = timeout(LIMIT, self.greet(stream, from)).await;
        let mut stream = greeted.inspect_err(|_| self.refuse(Refusal::Late, from))??;
        let request = timeout(LIMIT, read_request(&mut stream, large)).await??;
        let [version, kind, request @ ..] = request.as_slice() else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no request"));
        };
        match PeerRequestKind::from_code(*kind).filter(|_| is_understood(*version)) {
            Some(PeerRequestKind::Ring) => {
                let bytes = request.to_vec();
                let reply = self.membership.ask(|reply| Command::Request { bytes, reply }).await.map_err(io::Error::other)?;
                timeout(LIMIT, frame::write(&mut stream, &[&reply])).await?
            }
            Some(PeerRequestKind::Grep) => serve::serve(stream, request, &self.searches).await,
            None => {
                stream.write_all(&Alert::Version.to_bytes()).await?;
                stream.shutdown().await?;
                Err(io::Error::new(io::ErrorKind::InvalidData, "not a request of this version"))
            }
        }
    }

    fn refuse(&self, refusal: Refusal, from: SocketAddr) {
        self.seal.refusals().note(refusal, "connection", from);
    }

    /// Sees to it that the other side is a member, if this one has keys. Who is turned away is told why, and counted.
    async fn greet(&self, mut stream: TcpStream, from: SocketAddr) -> io::Result<PeerStream> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            self.refuse(Refusal::Broken, from);
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (refusal, alert) = match (self.seal.keys(), first == [SEALED]) {
            (None, false) => return Ok(PeerStream::Plain(stream)),
            (None, true) => (Refusal::Sealed, Alert::NoKey),
            (Some(_), false) => (Refusal::Plain, Alert::NotSealed),
            (Some(keys), true) => match handshake::respond(&mut stream, &keys, self.address).await {
                Ok(noise) => return Ok(PeerStream::Sealed(Box::new(SealedStream::new(stream, noise)))),
                Err(HandshakeError::Io(error)) => {
                    self.refuse(Refusal::Broken, from);
                    return Err(error);
                }
                Err(HandshakeError::Refused(refusal)) => {
                    self.refuse(refusal, from);
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, refusal));
                }
            },
        };
        self.refuse(refusal, from);
        stream.write_all(&alert.to_bytes()).await?;
        stream.shutdown().await?;
        let (bytes, limit) = HEAR_OUT;
        // How that ends makes no difference.
        let _ = timeout(limit, tokio::io::copy(&mut stream.take(bytes), &mut tokio::io::sink())).await;
        Err(io::Error::new(io::ErrorKind::PermissionDenied, refusal))
    }
}
