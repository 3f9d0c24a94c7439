//! Messages over real connections on loopback: their order, and what happens when a connection
//! breaks.

use super::*;
use crate::agreement::incoming::Incoming;
use crate::incoming::REQUEST_CAP;
use memberd_control::keyring::Keyring;
use memberd_council::{Body, Lineage, Message, Term, Voter, VoterId};
use memberd_transport::{PeerServer, PeerServices, Seal, SealingKeys, listen};
use std::time::Instant;
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Builder;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(30);

fn name() -> Name {
    Name::new("vm2").unwrap()
}

fn message(term: u64) -> Message {
    let sender = Voter { name: Name::new("vm1").unwrap(), id: VoterId(1) };
    let lineage = Lineage { founding: [1; 16], recoveries: 0, recovery: [0; 16] };
    Message { lineage, sender, body: Body::Release { term: Term(term) } }
}

fn term(message: &Message) -> u64 {
    let Body::Release { term } = &message.body else { panic!("{message:?}") };
    term.0
}

fn seal() -> Seal {
    let text = format!("memberd-key:{}\n", "a".repeat(64));
    Seal::with(SealingKeys::new(&Keyring::parse(&text).unwrap()).unwrap()).0
}

/// A member that takes messages at this address, until the task is aborted.
fn serve(at: SocketAddr, seal: Seal) -> (SocketAddr, Receiver<Message>, JoinHandle<()>) {
    let listener = listen(at).unwrap();
    let address = listener.local_addr().unwrap();
    let (incoming, received) = Incoming::new();
    let services = PeerServices::default()
        .with_stream(AGREEMENT, REQUEST_CAP, move |request, stream| {
            let incoming = incoming.clone();
            async move { incoming.serve(request, stream).await }
        })
        .unwrap();
    let server = PeerServer::new(address, seal, services);
    (address, received, tokio::spawn(server.listen(listener, PeerServer::crowd())))
}

/// The same in a runtime of its own. It ends when the sender is dropped, and all that belongs to it
/// is closed, as when a process ends.
fn process(seal: Seal) -> (SocketAddr, Receiver<Message>, oneshot::Sender<()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (address, received, _server) = {
        let _within = runtime.enter();
        serve(([127, 0, 0, 1], 0).into(), seal)
    };
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = runtime.block_on(ended);
    });
    (address, received, end)
}

fn links(seal: Seal) -> Links {
    Links::new(Caller { address: ([127, 0, 0, 1], 1).into(), bind: [127, 0, 0, 1].into(), seal })
}

async fn next(received: &mut Receiver<Message>) -> u64 {
    term(&timeout(LIMIT, received.recv()).await.expect("it comes in time").expect("it comes"))
}

#[tokio::test]
async fn messages_of_one_member_keep_their_order() {
    for seal in [Seal::plain(), seal()] {
        let (address, mut received, _server) = serve(([127, 0, 0, 1], 0).into(), seal.clone());
        let mut links = links(seal);
        for round in 0..100 {
            links.send(&name(), address, Keep::Voter, || message(round).encode());
        }
        for round in 0..100 {
            assert_eq!(next(&mut received).await, round);
        }
        assert_eq!((links.count(), links.dropped()), (1, 0));
    }
}

/// The other side is gone for a while, and its place is taken again.
#[tokio::test]
async fn a_broken_connection_is_opened_again() {
    let (address, mut received, server) = serve(([127, 0, 0, 1], 0).into(), Seal::plain());
    let mut links = links(Seal::plain());
    links.send(&name(), address, Keep::Voter, || message(0).encode());
    assert_eq!(next(&mut received).await, 0);
    server.abort();
    drop(received);
    let begun = Instant::now();
    let (_, mut received, _server) = loop {
        links.send(&name(), address, Keep::Voter, || message(1).encode());
        sleep(Duration::from_millis(20)).await;
        // The old connections end with the task, a moment after its abort.
        if std::net::TcpStream::connect(address).is_err() {
            break serve(address, Seal::plain());
        }
        assert!(begun.elapsed() < LIMIT);
    };
    // What was sent meanwhile may be lost. The protocol repeats, and so does this.
    let mut repeated = 2;
    loop {
        links.send(&name(), address, Keep::Voter, || message(repeated).encode());
        match timeout(Duration::from_millis(100), received.recv()).await {
            Ok(Some(_)) => break,
            _ => assert!(begun.elapsed() < LIMIT),
        }
        repeated += 1;
    }
}

#[tokio::test]
async fn nobody_who_is_not_there_takes_more_than_a_queue() {
    let nobody: SocketAddr = ([127, 0, 0, 1], 9).into();
    let mut links = links(Seal::plain());
    let large = vec![0; 1 << 20];
    for _ in 0..QUEUE + 10 {
        links.send(&name(), nobody, Keep::Voter, || large.clone());
    }
    assert!(links.dropped() > 0);
    assert!(links.waiting.load(Ordering::Relaxed) <= MOST_BYTES);
}

#[tokio::test]
async fn a_member_of_another_version_is_turned_away() {
    let (address, mut received, _server) = serve(([127, 0, 0, 1], 0).into(), Seal::plain());
    let caller = links(Seal::plain()).caller;
    let mut stream = caller.open(address, AGREEMENT, &[99], LIMIT).await.unwrap();
    let mut byte = [0];
    assert_eq!(timeout(LIMIT, stream.read(&mut byte)).await.unwrap().unwrap_or(0), 0);
    assert!(received.try_recv().is_err());
}

/// A large group fetches each view at once, and members serve a bounded number of connections.
#[tokio::test]
async fn a_connection_to_no_voter_is_closed_soon() {
    let (address, mut received, _server) = serve(([127, 0, 0, 1], 0).into(), seal());
    let mut links = links(seal());
    links.send(&name(), address, Keep::Other, || message(1).encode());
    assert_eq!(next(&mut received).await, 1);
    let closed = async {
        while links.count() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(IDLE - Duration::from_secs(1), closed).await.expect("it is closed before it is idle");
}

/// The process at the other end is gone and its machine is not: nobody sends anything, and it is
/// noticed nevertheless, once. Then it is there again.
#[tokio::test]
async fn a_member_whose_process_ended_is_noticed() {
    for seal in [Seal::plain(), seal()] {
        let (address, mut received, process) = process(seal.clone());
        let mut links = links(seal.clone());
        links.send(&name(), address, Keep::Voter, || message(0).encode());
        assert_eq!(next(&mut received).await, 0);
        drop(process);
        let sign = |noticed| Some(Sign { name: name(), to: address, noticed });
        assert_eq!(timeout(LIMIT, links.sign()).await.unwrap(), sign(Noticed::Refused));
        let (_, mut received, _server) = serve(address, seal);
        let open = loop {
            links.send(&name(), address, Keep::Voter, || message(1).encode());
            if let Ok(sign) = timeout(Duration::from_millis(100), links.sign()).await {
                break sign;
            }
        };
        assert_eq!(open, sign(Noticed::Open));
        assert_eq!(next(&mut received).await, 1);
    }
}

/// Whoever closes each connection and still listens is connected to a few times more, and no more.
#[tokio::test]
async fn a_member_that_closes_connections_is_not_refused() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept =
        || async { timeout(LIMIT, listener.accept()).await.expect("it connects").unwrap().0 };
    let mut links = links(Seal::plain());
    for (keep, tries) in [(Keep::Voter, TRIES), (Keep::Other, 0)] {
        let bytes = message(0).encode();
        links.send(&name(), address, keep, || bytes.clone());
        let (mut stream, mut read) = (accept().await, Vec::new());
        while !read.ends_with(&bytes) {
            assert_ne!(timeout(LIMIT, stream.read_buf(&mut read)).await.unwrap().unwrap(), 0);
        }
        drop(stream);
        for _ in 0..tries {
            drop(accept().await);
        }
        let more = timeout(PAUSES.longest() * 2, listener.accept()).await;
        assert!(more.is_err(), "it connects again with nothing to send");
    }
    assert!(links.signs.1.try_recv().is_err());
}

/// A first connection that is refused is no sign: there was none that was closed.
#[tokio::test]
async fn a_refusal_alone_is_no_sign() {
    let nobody: SocketAddr = ([127, 0, 0, 1], 9).into();
    let mut links = links(Seal::plain());
    for round in 0..5 {
        links.send(&name(), nobody, Keep::Voter, || message(round).encode());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(links.signs.1.try_recv().is_err());
}

fn named(index: usize) -> Name {
    Name::new(&format!("observer{index}")).unwrap()
}

/// The council decides for all, and members that fetch a view may come again.
#[tokio::test]
async fn voters_take_the_places_of_others() {
    let (address, mut received, _server) = serve(([127, 0, 0, 1], 0).into(), Seal::plain());
    let nobody: SocketAddr = ([127, 0, 0, 1], 9).into();
    let mut links = links(Seal::plain());
    for index in 0..MOST_LINKS {
        links.send(&named(index), nobody, Keep::Other, || vec![0]);
    }
    assert_eq!((links.count(), links.dropped()), (MOST_LINKS, 0));
    links.send(&named(MOST_LINKS), nobody, Keep::Other, || panic!("it is made for nothing"));
    assert_eq!((links.count(), links.dropped()), (MOST_LINKS, 1));
    links.send(&name(), address, Keep::Voter, || message(7).encode());
    assert_eq!(next(&mut received).await, 7);
    assert_eq!(links.dropped(), 1);
}

/// A view of a large group has hundreds of kilobytes.
#[tokio::test]
async fn a_message_that_would_be_dropped_is_not_made() {
    let nobody: SocketAddr = ([127, 0, 0, 1], 9).into();
    let mut links = links(Seal::plain());
    let mut made = 0;
    for _ in 0..QUEUE + 10 {
        links.send(&name(), nobody, Keep::Other, || {
            made += 1;
            vec![0]
        });
    }
    assert!(links.dropped() >= 9);
    assert_eq!(made + links.dropped(), QUEUE as u64 + 10);
}
