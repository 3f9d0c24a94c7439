//! Accepts connections at any socket, and lets each in: its [`Crowd`] bounds how many there are. It
//! warns once a minute while `accept` fails.

use crate::crowd::{Arrival, Crowd};
use crate::rate_limit::LogRateLimit;
use crate::source::Source;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream, unix};
use tokio::time::sleep;
use tracing::warn;

/// The pause after `accept` has failed, for lack of file descriptors for instance.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// How many connections may wait until they are accepted, if the kernel allows that many
/// (`net.core.somaxconn`, tcp(7)). One that finds no room tries again only after a second.
const BACKLOG: u32 = 4_096;

/// Listens at a TCP address, with room for many connections that come at once. It must be called
/// within tokio's runtime.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As tokio's own `bind` does: an address with closing connections can be bound.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

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
    /// Whom a connection is counted for.
    fn source(stream: &Self::Stream, address: &Self::Address) -> Source;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    async fn accept(&self) -> io::Result<(Self::Stream, Self::Address)> {
        self.accept().await
    }

    fn source(_: &TcpStream, address: &Self::Address) -> Source {
        Source::from(*address)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Address = unix::SocketAddr;

    async fn accept(&self) -> io::Result<(Self::Stream, Self::Address)> {
        self.accept().await
    }

    fn source(stream: &UnixStream, _: &Self::Address) -> Source {
        stream.peer_cred().map_or(Source::Anyone, |user| Source::User(user.uid()))
    }
}

/// Serves each connection in its own task, until this future is dropped. None waits for long in the
/// kernel's queue: the crowd ends silent ones when there are too many.
pub async fn serve_all<L, F>(
    listener: L,
    crowd: Crowd,
    serve: impl Fn(L::Stream, L::Address, Arrival) -> F,
) where
    L: Listener,
    F: Future<Output = ()> + Send + 'static,
{
    let mut failures = LogRateLimit::default();
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let arrival = crowd.arrive(L::source(&stream, &from)).await;
                let ended = arrival.ended();
                let served = serve(stream, from, arrival);
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        () = ended.notified() => {}
                        () = served => {}
                    }
                });
            }
            Err(error) => {
                if let Some(times) = failures.count(Instant::now()) {
                    warn!(%error, times, "cannot accept connections of {} (repeated at most once a \
                    minute)", crowd.peers());
                }
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Admission;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;
    use tokio::time::timeout;

    /// Only a hang takes this long.
    const SOON: Duration = Duration::from_secs(10);

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

        fn source((): &(), (): &()) -> Source {
            Source::Anyone
        }
    }

    /// How many are open, and the most that ever were.
    #[derive(Debug, Default)]
    struct Open(AtomicUsize, AtomicUsize);

    struct Connection(Arc<Open>);

    impl Connection {
        fn new(open: &Arc<Open>) -> Self {
            let now = open.0.fetch_add(1, Ordering::Relaxed) + 1;
            open.1.fetch_max(now, Ordering::Relaxed);
            Connection(Arc::clone(open))
        }
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            self.0.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn crowd(silent: usize) -> Crowd {
        Crowd::new("tests", silent, Admission::unanswered("tests", 2))
    }

    /// Accepting goes on after errors and never stops, and no more connections are open than may.
    #[tokio::test]
    async fn accepting_survives_errors_and_stays_within_its_limit() {
        let (open, came) = (Arc::new(Open::default()), Arc::new(Semaphore::new(0)));
        let (counting, coming) = (Arc::clone(&open), Arc::clone(&came));
        let accepting = tokio::spawn(async move {
            serve_all(Reluctant(Mutex::new(3)), crowd(5), move |(), (), arrival| {
                let connection = Connection::new(&counting);
                coming.add_permits(1);
                async move {
                    std::future::pending::<()>().await;
                    drop((connection, arrival));
                }
            })
            .await;
        });
        timeout(SOON, came.acquire_many(1_000)).await.unwrap().unwrap().forget();
        accepting.abort();
        assert_eq!(open.1.load(Ordering::Relaxed), 5);
    }

    /// Two served ones leave room for no third, and silent ones go on coming.
    #[tokio::test]
    async fn who_is_served_has_one_of_few_places() {
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let accepting =
            tokio::spawn(serve_all(listener, crowd(5), |mut stream, _, arrival| async move {
                let Ok(_) = stream.read_u8().await else { return };
                let place = arrival.serve_within(Duration::ZERO).await;
                let _ = stream.write_u8(u8::from(place.is_ok())).await;
                // The place is held as long as the connection.
                let _ = stream.read_u8().await;
            }));
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        // The oldest have been ended.
        for client in &mut clients[..15] {
            assert_eq!(timeout(SOON, client.read(&mut [0])).await.unwrap().unwrap(), 0);
        }
        for (client, is_served) in clients[15..].iter_mut().zip([1, 1, 0, 0, 0]) {
            client.write_u8(1).await.unwrap();
            assert_eq!(timeout(SOON, client.read_u8()).await.unwrap().unwrap(), is_served);
        }
        accepting.abort();
    }

    #[tokio::test]
    async fn a_connection_is_closed_once_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(serve_all(listener, crowd(1), |stream, _, arrival| async {
            drop((stream, arrival));
        }));
        let mut client = TcpStream::connect(address).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        accepting.abort();
    }

    /// A client at a socket of the file system is counted for its user.
    #[tokio::test]
    async fn a_local_client_is_its_user() {
        let (near, _far) = UnixStream::pair().unwrap();
        let address = near.local_addr().unwrap();
        let source = UnixListener::source(&near, &address);
        assert_eq!(source, Source::User(near.peer_cred().unwrap().uid()));
    }
}
