//! Messages over real connections on loopback: their order, and what happens when a connection
//! breaks.

use super::*;
use crate::agreement::incoming::{Incoming, REQUEST_CAP};
use memberd_control::keyring::Keyring;
use memberd_council::{Body, Lineage, Message, Term, Voter, VoterId};
use memberd_transport::{PeerServer, PeerServices, Seal, SealingKeys, listen};
use std::time::Instant;
use tokio::sync::mpsc::Receiver;

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
            links.send(&name(), address, Keep::Voter, message(round).encode());
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
    links.send(&name(), address, Keep::Voter, message(0).encode());
    assert_eq!(next(&mut received).await, 0);
    server.abort();
    drop(received);
    let begun = Instant::now();
    let (_, mut received, _server) = loop {
        links.send(&name(), address, Keep::Voter, message(1).encode());
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
        links.send(&name(), address, Keep::Voter, message(repeated).encode());
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
        links.send(&name(), nobody, Keep::Voter, large.clone());
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
    links.send(&name(), address, Keep::Other, message(1).encode());
    assert_eq!(next(&mut received).await, 1);
    let closed = async {
        while links.count() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(IDLE - Duration::from_secs(1), closed).await.expect("it is closed before it is idle");
}
