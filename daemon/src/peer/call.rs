//! Asking another member over TCP.

use super::{PEER_VERSION, PeerRequestKind, frame};
use memberd_ring::join::MAX_CALL;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Opens a connection from this member's address and sends the request.
///
/// # Errors
/// When there is no connection within `limit`, or it breaks.
pub async fn open(
    from: SocketAddr,
    to: SocketAddr,
    kind: PeerRequestKind,
    request: &[u8],
    limit: Duration,
) -> io::Result<TcpStream> {
    let open = async {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if from.is_ipv4() == to.is_ipv4() {
            socket.bind(SocketAddr::new(from.ip(), 0))?;
        }
        let mut stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        frame::write(&mut stream, &[&[PEER_VERSION, kind.code()], request]).await?;
        Ok(stream)
    };
    timeout(limit, open).await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time")))
}

/// One request of the membership protocol, and its reply.
///
/// # Errors
/// When there is no whole reply within `limit`.
pub async fn ring(from: SocketAddr, to: SocketAddr, request: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
    let call = async {
        let mut stream = open(from, to, PeerRequestKind::Ring, request, limit).await?;
        frame::read(&mut stream, MAX_CALL).await
    };
    timeout(limit, call).await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no reply in time")))
}
