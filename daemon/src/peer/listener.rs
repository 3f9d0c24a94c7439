//! Accepts connections from other members and hands each request to whom it concerns.

use super::{PEER_VERSION, PeerRequestKind, frame};
use crate::membership::{Command, Handle};
use crate::search::Searches;
use crate::search::serve;
use memberd_ring::join::MAX_CALL;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// The most connections served at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 256;

/// A request up to this many bytes is read without waiting for others.
const SMALL: usize = 64 * 1024;

/// How many larger ones are read at once.
const LARGE_REQUESTS: usize = 4;

/// How long the request may take to arrive, and the reply to be taken.
const LIMIT: Duration = Duration::from_secs(5);

/// The pause after the kernel could not give a connection, for want of file descriptors for instance.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Serves connections until the task is dropped.
pub async fn listen(listener: TcpListener, membership: Handle, searches: Arc<Searches>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let large = Arc::new(Semaphore::new(LARGE_REQUESTS));
    let mut failing = false;
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                failing = false;
                let (membership, searches, large) = (membership.clone(), Arc::clone(&searches), Arc::clone(&large));
                tokio::spawn(async move {
                    if let Err(error) = serve_connection(stream, &membership, &searches, &large).await {
                        debug!(%from, %error, "connection ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                if !failing {
                    warn!(%error, "cannot accept connections from members");
                }
                failing = true;
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// Reads a request. Of large ones, which only the exchange of lists makes, a few are read at a time, so that what all connections
/// together hold in memory is bounded.
async fn read_request(stream: &mut TcpStream, large: &Semaphore) -> io::Result<Vec<u8>> {
    let length = frame::read_length(stream, MAX_CALL + 2).await?;
    let _turn = if length > SMALL { Some(large.acquire().await.map_err(io::Error::other)?) } else { None };
    frame::read_body(stream, length).await
}

async fn serve_connection(
    mut stream: TcpStream,
    membership: &Handle,
    searches: &Arc<Searches>,
    large: &Semaphore,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let request = timeout(LIMIT, read_request(&mut stream, large)).await??;
    let [PEER_VERSION, kind, request @ ..] = request.as_slice() else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a request of this version"));
    };
    match PeerRequestKind::from_code(*kind) {
        Some(PeerRequestKind::Ring) => {
            let bytes = request.to_vec();
            let reply = membership.ask(|reply| Command::Request { bytes, reply }).await.map_err(io::Error::other)?;
            timeout(LIMIT, frame::write(&mut stream, &[&reply])).await?
        }
        Some(PeerRequestKind::Grep) => serve::serve(stream, request, searches).await,
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "no request is of that kind")),
    }
}
