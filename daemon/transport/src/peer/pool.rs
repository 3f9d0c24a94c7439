//! Calls of other members over connections that are kept for the next call, so that most calls
//! need no handshake. One task owns the idle connections.

use super::call::{Caller, timed_out};
use super::stream::PeerStream;
use super::{RequestKind, write_request};
use crate::frame;
use crate::seal::alert::Alert;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// How many commands to the pool's task wait at most.
const QUEUE: usize = 16;

/// How many connections are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// How long a connection may be idle. Less than the other side waits for the next request.
    pub idle: Duration,
    /// How many idle connections are kept, to all members together. The longest idle one goes.
    pub connections: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits { idle: Duration::from_secs(30), connections: 32 }
    }
}

/// Makes calls, and keeps their connections. Cheap to clone: clones share the connections, which
/// are closed when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct CallPool {
    caller: Caller,
    idle: mpsc::Sender<Command>,
}

impl CallPool {
    /// A pool without connections. Its task runs on the present runtime of tokio.
    pub fn new(caller: Caller, limits: PoolLimits) -> Self {
        let (idle, commands) = mpsc::channel(QUEUE);
        tokio::spawn(IdleConnections { limits, connections: VecDeque::new() }.run(commands));
        CallPool { caller, idle }
    }

    /// Makes a request, over an idle connection if there is one, and returns its reply of at most
    /// `max_reply_bytes`.
    ///
    /// A request is made again when an idle connection turns out to have ended. The other side may
    /// have received it already, so its service must stand a request that comes twice. A member
    /// that keeps no connections is called over one for this request alone.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn call(
        &self,
        to: SocketAddr,
        kind: RequestKind,
        request: &[u8],
        max_reply_bytes: usize,
        limit: Duration,
    ) -> io::Result<Vec<u8>> {
        let call = async {
            if let Some(stream) = self.take(to).await {
                match self.exchange(stream, to, kind, request, max_reply_bytes).await {
                    Err(error) if has_ended(&error) => {}
                    exchanged => return exchanged,
                }
            }
            let stream = self.caller.connect(to).await?;
            match self.exchange(stream, to, kind, request, max_reply_bytes).await {
                Err(error) if is_not_understood(&error) => {
                    self.caller.call(to, kind, request, max_reply_bytes, limit).await
                }
                exchanged => exchanged,
            }
        };
        timeout(limit, call).await.unwrap_or_else(|_| Err(timed_out("no reply in time")))
    }

    /// One request and its reply, after which the connection is idle.
    async fn exchange(
        &self,
        mut stream: PeerStream,
        to: SocketAddr,
        kind: RequestKind,
        request: &[u8],
        max_reply_bytes: usize,
    ) -> io::Result<Vec<u8>> {
        write_request(&mut stream, kind, true, request).await?;
        let reply = frame::read(&mut stream, max_reply_bytes).await?;
        // A pool that is busy, or has ended, keeps nothing.
        let _ = self.idle.try_send(Command::Keep(to, stream));
        Ok(reply)
    }

    async fn take(&self, to: SocketAddr) -> Option<PeerStream> {
        let (reply, taken) = oneshot::channel();
        self.idle.send(Command::Take(to, reply)).await.ok()?;
        taken.await.ok()?
    }
}

/// Whether the other side has closed a connection that was idle.
fn has_ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

/// Whether the other side does not understand the request, as one that keeps no connections.
fn is_not_understood(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref()) == Some(&Alert::Version)
}

/// What the pool's task is asked to do.
enum Command {
    /// Give a connection to this member away, if there is one.
    Take(SocketAddr, oneshot::Sender<Option<PeerStream>>),
    /// Keep this connection to that member.
    Keep(SocketAddr, PeerStream),
}

/// The state of the pool's task.
struct IdleConnections {
    limits: PoolLimits,
    /// The longest idle one first.
    connections: VecDeque<Idle>,
}

struct Idle {
    to: SocketAddr,
    stream: PeerStream,
    until: Instant,
}

impl IdleConnections {
    /// Runs until the last sender of commands is dropped.
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let due = self.connections.front().map(|idle| idle.until);
            tokio::select! {
                command = commands.recv() => match command {
                    // Who asked may have given up; then the connection is closed.
                    Some(Command::Take(to, reply)) => drop(reply.send(self.take(to))),
                    Some(Command::Keep(to, stream)) => self.keep(to, stream),
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.connections.pop_front();
                }
            }
        }
    }

    fn keep(&mut self, to: SocketAddr, stream: PeerStream) {
        self.connections.push_back(Idle { to, stream, until: Instant::now() + self.limits.idle });
        if self.connections.len() > self.limits.connections {
            self.connections.pop_front();
        }
    }

    /// The most recently used connection to this member that has not ended.
    fn take(&mut self, to: SocketAddr) -> Option<PeerStream> {
        while let Some(at) = self.connections.iter().rposition(|idle| idle.to == to) {
            let mut stream = self.connections.remove(at)?.stream;
            if is_silent(&mut stream) {
                return Some(stream);
            }
        }
        None
    }
}

/// Whether nothing has come on an idle connection, as it should be: neither its end nor an error,
/// which a removed key is too, nor bytes that nobody asked for.
fn is_silent(stream: &mut PeerStream) -> bool {
    let mut byte = [0];
    // Nobody waits for this connection, so nobody is to be woken.
    let mut context = Context::from_waker(Waker::noop());
    Pin::new(stream).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::Listener;
    use crate::peer::listener::PeerServer;
    use crate::peer::services::PeerServices;
    use crate::seal::Seal;
    use crate::seal::tests::keys;
    use crate::source::Source;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    const ECHO: RequestKind = RequestKind::new(9);
    const LIMIT: Duration = Duration::from_secs(10);

    /// Counts the connections that it accepts. Each begins with a handshake.
    struct Counting(TcpListener, Arc<AtomicUsize>);

    impl Listener for Counting {
        type Stream = TcpStream;
        type Address = SocketAddr;

        async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
            let accepted = self.0.accept().await;
            self.1.fetch_add(1, Ordering::Relaxed);
            accepted
        }

        fn source(stream: &TcpStream, address: &SocketAddr) -> Source {
            TcpListener::source(stream, address)
        }
    }

    /// A member that answers with what it is sent, and the count of its connections.
    async fn start(seal: Seal) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, count) = (listener.local_addr().unwrap(), Arc::default());
        let services =
            PeerServices::default().with_call(ECHO, 1_000, |body, _| async { Ok(body) }).unwrap();
        let server = PeerServer::new(address, seal, services);
        let listener = Counting(listener, Arc::clone(&count));
        tokio::spawn(server.listen(listener, PeerServer::crowd()));
        (address, count)
    }

    fn pool(seal: Seal, limits: PoolLimits) -> CallPool {
        CallPool::new(
            Caller { address: ([127, 0, 0, 1], 1).into(), bind: [127, 0, 0, 1].into(), seal },
            limits,
        )
    }

    async fn echo(pool: &CallPool, to: SocketAddr, request: &[u8]) {
        assert_eq!(pool.call(to, ECHO, request, 1_000, LIMIT).await.unwrap(), request);
    }

    #[tokio::test]
    async fn a_second_call_makes_no_second_handshake() {
        for seal in [Seal::plain(), Seal::with(keys("a")).0] {
            let (address, count) = start(seal.clone()).await;
            let pool = pool(seal, PoolLimits::default());
            for request in [&b"one"[..], b"two", b"three"] {
                echo(&pool, address, request).await;
            }
            assert_eq!(count.load(Ordering::Relaxed), 1);
        }
    }

    /// Two calls at the same time have a connection each.
    #[tokio::test]
    async fn calls_at_once_do_not_share_a_connection() {
        let (address, count) = start(Seal::plain()).await;
        let pool = pool(Seal::plain(), PoolLimits::default());
        tokio::join!(echo(&pool, address, b"one"), echo(&pool, address, b"two"));
        echo(&pool, address, b"three").await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_idle_connection_ends_in_time() {
        let (address, count) = start(Seal::plain()).await;
        let limits = PoolLimits { idle: Duration::ZERO, connections: 8 };
        let pool = pool(Seal::plain(), limits);
        echo(&pool, address, b"one").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        echo(&pool, address, b"two").await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn the_longest_idle_connection_makes_room() {
        let [(one, one_count), (other, other_count)] =
            [start(Seal::plain()).await, start(Seal::plain()).await];
        let limits = PoolLimits { connections: 1, ..PoolLimits::default() };
        let pool = pool(Seal::plain(), limits);
        for to in [one, other, other, one] {
            echo(&pool, to, b"request").await;
        }
        assert_eq!(one_count.load(Ordering::Relaxed), 2);
        assert_eq!(other_count.load(Ordering::Relaxed), 1);
    }

    /// A connection whose key was removed is not used again.
    #[tokio::test]
    async fn a_removed_key_ends_idle_connections() {
        let (server, (client, replace)) = (Seal::with(keys("ab")).0, Seal::with(keys("ab")));
        let (address, count) = start(server).await;
        let pool = pool(client, PoolLimits::default());
        echo(&pool, address, b"one").await;
        replace.send_replace(Arc::new(keys("b")));
        echo(&pool, address, b"two").await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    /// Reads a request in the clear, without its frame's header.
    async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
        frame::read(stream, 1_000).await.unwrap()
    }

    /// A member that keeps no connections refuses to, and is called in the way it knows.
    #[tokio::test]
    async fn a_member_that_keeps_nothing_is_called_all_the_same() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let member = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_eq!(read_request(&mut stream).await[1], ECHO.0 | super::super::KEEP);
            stream.write_all(&Alert::Version.to_bytes()).await.unwrap();
            drop(stream);
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            assert_eq!(request[1], ECHO.0);
            frame::write(&mut stream, &[&request[2..]]).await.unwrap();
            // The caller closes it.
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        });
        echo(&pool(Seal::plain(), PoolLimits::default()), address, b"request").await;
        member.await.unwrap();
    }

    /// A request is made again when the kept connection ends without a reply.
    #[tokio::test]
    async fn a_request_outlives_its_kept_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let member = tokio::spawn(async move {
            for number in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                frame::write(&mut stream, &[&request[2..]]).await.unwrap();
                if number == 0 {
                    // It takes the second request, and is gone.
                    read_request(&mut stream).await;
                }
            }
        });
        let pool = pool(Seal::plain(), PoolLimits::default());
        echo(&pool, address, b"one").await;
        echo(&pool, address, b"two").await;
        member.await.unwrap();
    }
}
