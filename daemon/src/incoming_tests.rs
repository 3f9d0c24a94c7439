//! Connections in memory, with time that passes by itself when all wait.

use super::*;
use crate::files::members::{Standing, peer_at};
use memberd_transport::Source;
use std::collections::BTreeMap;
use std::string::FromUtf8Error;
use tokio::io::DuplexStream;
use tokio::time::Instant;

const AT: [u8; 4] = [10, 0, 0, 1];

const PURPOSE: Purpose = Purpose {
    about: "tests",
    version: 1,
    most_bytes: 1 << 20,
    arrival_limit: Duration::from_secs(10),
};

fn request(version: u8, from: Option<IpAddr>) -> StreamRequest {
    StreamRequest { body: vec![version], turn: None, source: Source::Anyone, from }
}

/// A connection, and its other end.
fn connection() -> (KeptConnection<DuplexStream>, DuplexStream) {
    let (here, there) = tokio::io::duplex(4 << 20);
    let request = request(1, Some(IpAddr::from(AT)));
    (KeptConnection::begin(request, here, PURPOSE).unwrap(), there)
}

fn vm1() -> Name {
    Name::new("vm1").unwrap()
}

/// A list in which `vm1` has this address.
fn list(at: [u8; 4]) -> Peers {
    Arc::new(BTreeMap::from([(vm1(), peer_at((at, 1).into(), Standing::Up))]))
}

fn text(bytes: &[u8]) -> Result<String, FromUtf8Error> {
    String::from_utf8(bytes.to_vec())
}

async fn say(stream: &mut DuplexStream, what: &[u8]) {
    frame::write(stream, &[what]).await.unwrap();
}

/// A connection of `vm1` that is served, and all around it.
struct Served {
    there: DuplexStream,
    peers: watch::Sender<Peers>,
    received: mpsc::Receiver<Received<String>>,
    end: tokio::task::JoinHandle<io::Result<()>>,
}

async fn serve(memory_kib: usize, idle: &IdlePlaces) -> Served {
    let (peers, list) = watch::channel(list(AT));
    let (connection, there) = connection();
    let (lane, received) = Lane::new(memory_kib);
    let speaker = Speaker::known(vm1(), connection.from().unwrap(), &list).await.unwrap();
    let idle = idle.clone();
    let end = tokio::spawn(async move { lane.serve(connection, &speaker, &idle, text).await });
    Served { there, peers, received, end }
}

#[tokio::test(start_paused = true)]
async fn only_connections_of_its_version_are_served() {
    let (here, _there) = tokio::io::duplex(1);
    let error = KeptConnection::begin(request(2, None), here, PURPOSE).unwrap_err();
    assert_eq!(error.to_string(), "the version of the connections for tests is not known");
}

/// A connection that is reset has no address, and is nobody's.
#[tokio::test]
async fn who_speaks_is_known_by_the_address() {
    let (_peers, list) = watch::channel(list(AT));
    for (from, is_known) in
        [(None, false), (Some("::ffff:10.0.0.1"), true), (Some("10.0.0.2"), false)]
    {
        let (here, _there) = tokio::io::duplex(1);
        let request = request(1, from.map(|from| from.parse().unwrap()));
        let connection = KeptConnection::begin(request, here, PURPOSE).unwrap();
        let speaks = async { Speaker::known(vm1(), connection.from()?, &list).await };
        assert_eq!(speaks.await.is_ok(), is_known, "{from:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_with_who_sent_them_until_the_end() {
    let mut served = serve(16, &IdlePlaces::new(1)).await;
    say(&mut served.there, b"one").await;
    say(&mut served.there, b"two").await;
    for expected in ["one", "two"] {
        let Received { from, message, .. } = served.received.recv().await.unwrap();
        assert_eq!((from, message.as_str()), (vm1(), expected));
    }
    drop(served.there);
    served.end.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_ends_the_connection() {
    let mut served = serve(16, &IdlePlaces::new(1)).await;
    say(&mut served.there, b"\xff").await;
    let error = served.end.await.unwrap().unwrap_err();
    assert!(error.to_string().starts_with("a message about tests cannot be read: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_the_memory_of_others() {
    let mut served = serve(4, &IdlePlaces::new(1)).await;
    for what in [b"one", b"two", b"six"] {
        say(&mut served.there, what).await;
    }
    let first = served.received.recv().await.unwrap();
    let second = served.received.recv().await.unwrap();
    assert_eq!((first.message.as_str(), second.message.as_str()), ("one", "two"));
    let waited = timeout(Duration::from_secs(60), served.received.recv()).await;
    assert!(waited.is_err(), "there is no memory for it: {waited:?}");
    drop(first);
    assert_eq!(served.received.recv().await.unwrap().message, "six");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_has_moved_is_not_heard() {
    let mut served = serve(4, &IdlePlaces::new(1)).await;
    served.peers.send_replace(list([10, 0, 0, 2]));
    say(&mut served.there, b"one").await;
    let error = served.end.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the member is elsewhere now");
    assert!(served.received.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn connections_may_be_idle_and_some_only_for_a_moment() {
    let (idle, began) = (IdlePlaces::new(1), Instant::now());
    let first = serve(4, &idle).await;
    // It takes its place before the other one does.
    tokio::task::yield_now().await;
    let second = serve(4, &idle).await;
    assert!(second.end.await.unwrap().is_err());
    assert_eq!(began.elapsed().as_secs(), IDLE_BEYOND.as_secs());
    assert!(first.end.await.unwrap().is_err());
    assert_eq!(began.elapsed().as_secs(), IDLE.as_secs());
}

/// There are many connections, and only the messages under way count as memory.
#[tokio::test(start_paused = true)]
async fn a_long_message_leaves_no_memory_behind() {
    let (mut connection, mut there) = connection();
    say(&mut there, &vec![b'x'; PURPOSE.most_bytes]).await;
    assert_eq!(connection.begun().await.unwrap(), Some(PURPOSE.most_bytes));
    let message = connection.message(text).await.unwrap();
    assert_eq!(message.len(), PURPOSE.most_bytes);
    let held = format!("{:?}", connection.decoder).len();
    assert!(held < PURPOSE.most_bytes / 2, "{held} bytes when written");
}
