//! Makes requests of other members, each over a connection of its own. Owns nothing: a [`Caller`]
//! is this member's address and keys.

use super::stream::PeerStream;
use super::{RequestKind, write_request};
use crate::frame;
use crate::seal::Seal;
use crate::seal::handshake;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// A member that makes requests of others; cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its own address, as others know it.
    pub address: SocketAddr,
    /// The address of its machine from which it connects.
    pub bind: IpAddr,
    /// What it seals connections with.
    pub seal: Seal,
}

impl Caller {
    /// Opens a connection, sends a request, and leaves the rest of the conversation to the caller.
    ///
    /// # Errors
    /// When there is no connection within `limit`, when the other side turns this one away, or when
    /// the connection breaks.
    pub async fn open(
        &self,
        to: SocketAddr,
        kind: RequestKind,
        request: &[u8],
        limit: Duration,
    ) -> io::Result<PeerStream> {
        let open = async {
            let mut stream = self.connect(to).await?;
            write_request(&mut stream, kind, false, request).await?;
            Ok(stream)
        };
        timeout(limit, open).await.unwrap_or_else(|_| Err(timed_out("no connection in time")))
    }

    /// Makes a request, and returns its reply of at most `max_reply_bytes`.
    ///
    /// # Errors
    /// As [`Caller::open`], and when there is no whole reply within `limit`.
    pub async fn call(
        &self,
        to: SocketAddr,
        kind: RequestKind,
        request: &[u8],
        max_reply_bytes: usize,
        limit: Duration,
    ) -> io::Result<Vec<u8>> {
        let call = async {
            let mut stream = self.open(to, kind, request, limit).await?;
            frame::read(&mut stream, max_reply_bytes).await
        };
        timeout(limit, call).await.unwrap_or_else(|_| Err(timed_out("no reply in time")))
    }

    /// Opens a connection, and seals it where there is a key.
    pub(super) async fn connect(&self, to: SocketAddr) -> io::Result<PeerStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if self.bind.is_ipv4() == to.is_ipv4() {
            socket.bind(SocketAddr::new(self.bind, 0))?;
        }
        let mut stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        let Some(keys) = self.seal.keys() else { return Ok(PeerStream::Plain(stream)) };
        let session = handshake::initiate(&mut stream, &keys, to).await?;
        Ok(PeerStream::sealed(stream, session, &self.seal))
    }
}

pub(super) fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}
