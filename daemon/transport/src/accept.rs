//! Accepts connections at any socket: a bounded number at a time, and with one warning a minute
//! while `accept` fails.

use crate::admission::Admission;
use crate::rate_limit::LogRateLimit;
use std::io;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, unix};
use tokio::time::sleep;
use tracing::warn;

/// The pause after `accept` has failed, for lack of file descriptors for instance.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// A listening socket.
pub trait Listener {
    /// A connection.
    type Stream;
    /// The other end's address.
    type Address;
    /// Waits for the next connection.
    ///
    /// # Errors
    /// Those of accept(2); the listener can be used again afterwards.
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

/// Serves each connection in its own task, until this future is dropped. At most `at_once` are
/// served at a time; further ones wait in the kernel's queue. `peers` says who connects, for the
/// log.
pub async fn serve_all<L, F>(
    listener: L,
    at_once: usize,
    peers: &'static str,
    serve: impl Fn(L::Stream, L::Address) -> F,
) where
    L: Listener,
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Admission::unanswered(peers, at_once);
    let mut failures = LogRateLimit::default();
    loop {
        let slot = slots.enter().await;
        match listener.accept().await {
            Ok((stream, from)) => {
                let served = serve(stream, from);
                tokio::spawn(async move {
                    served.await;
                    drop(slot);
                });
            }
            Err(error) => {
                if let Some(times) = failures.count(Instant::now()) {
                    warn!(%error, times, "cannot accept connections of {peers} (repeated at most \
                    once a minute)");
                }
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tokio::io::AsyncReadExt;
    use tokio::sync::{Notify, Semaphore};

    /// Fails this many times, and then accepts connections without end.
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

    /// Accepting goes on after errors, and never serves more connections than it may.
    #[tokio::test]
    async fn accepting_survives_errors_and_stays_within_its_limit() {
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
        // All tasks run on one thread: a third connection would have been served by now.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(served.0.available_permits(), 0, "a third one was served");
        served.1.notify_one();
        served_soon(1).await.unwrap().unwrap().forget();
        accepting.abort();
    }

    #[tokio::test]
    async fn a_connection_is_closed_once_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting =
            tokio::spawn(serve_all(listener, 1, "tests", |stream, _| async { drop(stream) }));
        let mut client = TcpStream::connect(address).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        accepting.abort();
    }
}
