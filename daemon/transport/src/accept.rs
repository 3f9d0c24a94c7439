//! Accepts connections, at whatever socket: a bounded number at a time, and one warning a minute
//! while the kernel gives none.

use crate::seal::refusal::Count;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, unix};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::warn;

/// The pause after the kernel could not give a connection, for want of file descriptors for
/// instance.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// A socket at which others connect.
pub trait Listener {
    /// A connection.
    type Stream;
    /// The other end's address.
    type Address;
    /// Waits for the next connection.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Address)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Address = std::net::SocketAddr;

    async fn accept(&self) -> io::Result<(Self::Stream, Self::Address)> {
        self.accept().await
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Address = unix::SocketAddr;

    async fn accept(&self) -> io::Result<(Self::Stream, Self::Address)> {
        self.accept().await
    }
}

/// Serves each connection by a task of its own, until this one is dropped: at most `at_once` at a
/// time; further ones wait in the kernel's queue. `peers` is who connects, for the warning.
pub async fn serve_all<L, F>(
    listener: L,
    at_once: usize,
    peers: &str,
    serve: impl Fn(L::Stream, L::Address) -> F,
) where
    L: Listener,
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(at_once));
    let mut failed = Count::default();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                let served = serve(stream, from);
                tokio::spawn(async move {
                    served.await;
                    drop(slot);
                });
            }
            Err(error) => {
                if let Some(times) = failed.note(Instant::now()) {
                    warn!(%error, times, "cannot accept connections of {peers}; further failures \
                    are told once a minute");
                }
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::io::AsyncReadExt;
    use tokio::sync::Notify;

    /// Gives an error at first, and then connections without end.
    struct Reluctant(Mutex<usize>);

    impl Listener for Reluctant {
        type Stream = ();
        type Address = ();

        async fn accept(&self) -> io::Result<((), ())> {
            let mut errors = self.0.lock().unwrap();
            if *errors == 0 {
                return Ok(((), ()));
            }
            *errors -= 1;
            Err(io::ErrorKind::OutOfMemory.into())
        }
    }

    #[tokio::test]
    async fn it_goes_on_after_an_error_and_serves_no_more_at_once_than_it_may() {
        let served = Arc::new((Semaphore::new(0), Notify::new()));
        let serving = Arc::clone(&served);
        let accepting = tokio::spawn(async move {
            serve_all(Reluctant(Mutex::new(3)), 2, "tests", move |(), ()| {
                let served = Arc::clone(&serving);
                async move {
                    served.0.add_permits(1);
                    served.1.notified().await;
                }
            })
            .await;
        });
        let served_soon =
            |count| tokio::time::timeout(Duration::from_secs(10), served.0.acquire_many(count));
        served_soon(2).await.unwrap().unwrap().forget();
        // All run on one thread: whatever could be served would have been by then.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(served.0.available_permits(), 0, "a third one was served");
        served.1.notify_one();
        served_soon(1).await.unwrap().unwrap().forget();
        accepting.abort();
    }

    #[tokio::test]
    async fn a_connection_is_closed_when_it_was_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting =
            tokio::spawn(serve_all(listener, 1, "tests", |stream, _| async { drop(stream) }));
        let mut client = TcpStream::connect(address).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        accepting.abort();
    }
}
