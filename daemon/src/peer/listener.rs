//! Accepts connections from other members and hands each request to whom it concerns.

use super::stream::PeerStream;
use super::{PeerRequestKind, frame};
use crate::accept::serve_all;
use crate::membership::{Command, Handle};
use crate::seal::handshake::{self, Alert, HandshakeError, Session};
use crate::seal::refusal::{Refusal, Refusals};
use crate::seal::{SEALED, Seal};
use crate::search::Searches;
use crate::search::serve;
use memberd_ring::join::MAX_CALL;
use memberd_ring::settings::is_understood;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

/// The most connections served at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 256;

/// What is turned away here.
const CONNECTION: &str = "connection";

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
    async fn serve(&self, mut stream: TcpStream, from: SocketAddr, large: &Semaphore) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = match timeout(LIMIT, self.greet(&mut stream)).await {
            Ok(Ok(None)) => PeerStream::Plain(stream),
            Ok(Ok(Some(session))) => PeerStream::sealed(stream, session, &self.seal),
            Ok(Err(HandshakeError::Refused(refusal))) => return turn_away(stream, refusal, from, self.seal.refusals()).await,
            Ok(Err(HandshakeError::Io(error))) => {
                self.seal.refusals().note(Refusal::Broken, CONNECTION, from);
                return Err(error);
            }
            Err(late) => {
                self.seal.refusals().note(Refusal::Late, CONNECTION, from);
                return Err(late.into());
            }
        };
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

    /// Sees to it that the other side is a member, if this one has keys: what the connection is sealed with, or that nothing is.
    async fn greet(&self, stream: &mut TcpStream) -> Result<Option<Session>, HandshakeError> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match (self.seal.keys(), first == [SEALED]) {
            (None, false) => Ok(None),
            (None, true) => Err(Refusal::Sealed.into()),
            (Some(_), false) => Err(Refusal::Plain.into()),
            (Some(keys), true) => handshake::respond(stream, &keys, self.address).await.map(Some),
        }
    }
}

/// Counts a stranger and tells it why it is turned away, in this order: who was told finds it counted.
async fn turn_away<S>(mut stream: S, refusal: Refusal, from: SocketAddr, refusals: &Refusals) -> io::Result<()>
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
    use tokio::io::duplex;

    #[tokio::test]
    async fn who_is_told_why_it_is_turned_away_is_counted_already() {
        let (mut stranger, near) = duplex(1);
        let refusals = Arc::new(Refusals::default());
        let counting = Arc::clone(&refusals);
        let turning =
            tokio::spawn(async move { turn_away(near, Refusal::Sealed, SocketAddr::from(([127, 0, 0, 1], 1)), &counting).await });
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
