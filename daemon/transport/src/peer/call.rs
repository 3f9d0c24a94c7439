//! Makes requests of other members over TCP.

use super::PeerRequestKind;
use super::stream::PeerStream;
use crate::frame;
use crate::seal::Seal;
use crate::seal::handshake;
use memberd_membership::{MAX_CALL, PROTOCOL_VERSION};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// A member that makes requests of others; cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its own address, from which it connects.
    pub address: SocketAddr,
    /// What it seals connections with.
    pub seal: Seal,
}

impl Caller {
    /// Opens a connection and sends the request.
    ///
    /// # Errors
    /// When there is no connection within `limit`, when the other side turns this one away, or when
    /// it breaks.
    pub async fn open(
        &self,
        to: SocketAddr,
        kind: PeerRequestKind,
        request: &[u8],
        limit: Duration,
    ) -> io::Result<PeerStream> {
        let open = async {
            let mut stream = self.connect(to).await?;
            frame::write(&mut stream, &[&[PROTOCOL_VERSION, kind.code()], request]).await?;
            Ok(stream)
        };
        timeout(limit, open).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))
        })
    }

    /// One request of the membership protocol, and its reply.
    ///
    /// # Errors
    /// When there is no whole reply within `limit`.
    pub async fn ring(
        &self,
        to: SocketAddr,
        request: &[u8],
        limit: Duration,
    ) -> io::Result<Vec<u8>> {
        let call = async {
            let mut stream = self.open(to, PeerRequestKind::Ring, request, limit).await?;
            frame::read(&mut stream, MAX_CALL).await
        };
        timeout(limit, call)
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no reply in time")))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<PeerStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if self.address.is_ipv4() == to.is_ipv4() {
            socket.bind(SocketAddr::new(self.address.ip(), 0))?;
        }
        let mut stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        let Some(keys) = self.seal.keys() else { return Ok(PeerStream::Plain(stream)) };
        let session = handshake::initiate(&mut stream, &keys, to).await?;
        Ok(PeerStream::sealed(stream, session, &self.seal))
    }
}
