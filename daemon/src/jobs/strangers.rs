//! Tests of who is heard: strangers and members that speak for others are refused.

use super::calls::Call;
use super::incoming::{Incoming, Received};
use super::links::STREAM_VERSION;
use super::source::Sources;
use super::store::JobStore;
use super::{COMMANDS, Command, Handle};
use crate::files::group::Group as FileGroup;
use crate::files::members::{Peers, Standing, peer_at};
use crate::search::LocalSearcher;
use crate::search::limits::Limits;
use memberd_control::streams::StreamRequest as Request;
use memberd_jobs::{JobId, Message, Name};
use memberd_search::ExposedFiles;
use memberd_transport::{Caller, PeerStream, Seal, Source, StreamRequest, frame};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

/// Members at these addresses.
fn peers(all: &[(&str, &str)]) -> Peers {
    let peer = |(one, address): &(&str, &str)| {
        (name(one), peer_at(address.parse().unwrap(), Standing::Up))
    };
    Arc::new(all.iter().map(peer).collect::<BTreeMap<_, _>>())
}

/// A handle, and what comes to the task by it.
fn handle(peers: Peers, files: &FileGroup) -> (Handle, mpsc::Receiver<Command>) {
    let (commands, received) = mpsc::channel(COMMANDS);
    let offer = ExposedFiles::new::<&str>(&[]).unwrap();
    let searcher = LocalSearcher::new("vm1".to_owned(), offer, Limits::default());
    let (address, bind) = (([127, 0, 0, 1], 1).into(), [127, 0, 0, 1].into());
    let handle = Handle {
        own: name("vm1"),
        commands,
        group: watch::channel(super::group::Group::default()).1,
        peers: watch::channel(peers).1,
        caller: Caller { address, bind, seal: Seal::plain() },
        store: JobStore::new(&files.handle),
        sources: Sources::new(name("vm1"), Arc::new(searcher)),
    };
    (handle, received)
}

fn bytes(call: &Call) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(call, &mut bytes).unwrap();
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_told_nothing_and_changes_nothing() {
    let files = FileGroup::start(4);
    let (handle, mut received) = handle(peers(&[("vm2", "10.0.0.2:7946")]), &files);
    let cancel = Request::Cancel { name: "shop".to_owned(), force: true };
    let stranger = Source::from("10.0.0.9:7946".parse::<std::net::SocketAddr>().unwrap());
    for source in [stranger, Source::Anyone, Source::User(0)] {
        for call in [Call::Status(JobId(1)), Call::Change(cancel.clone())] {
            let refused = handle.answer(&bytes(&call), source).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{source:?}");
        }
    }
    assert!(received.try_recv().is_err(), "nothing comes to the task");
    // A member is heard, from whichever port it calls.
    let member = Source::from("10.0.0.2:50000".parse::<std::net::SocketAddr>().unwrap());
    let task = async {
        let Some(Command::Status(job, reply)) = received.recv().await else { panic!("no status") };
        assert_eq!(job, JobId(1));
        reply.send(super::describe::Here::default()).unwrap();
    };
    let question = bytes(&Call::Status(JobId(1)));
    let (answer, ()) = tokio::join!(handle.answer(&question, member), task);
    assert!(answer.is_ok());
    let malformed = handle.answer(b"\xff", member).await;
    assert!(malformed.is_err());
}

/// A connection to this machine from itself, on which somebody says to be this member.
async fn connect(said: &str) -> (PeerStream, PeerStream, StreamRequest) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, from) = listener.accept().await.unwrap();
    let mut client = PeerStream::Plain(client);
    frame::write(&mut client, &[said.as_bytes()]).await.unwrap();
    let request = StreamRequest {
        body: vec![STREAM_VERSION],
        turn: None,
        source: Source::from(from),
        from: Some(from.ip()),
    };
    (client, PeerStream::Plain(server), request)
}

async fn say(client: &mut PeerStream, version: u64) {
    let message = memberd_jobs::encode(&Message::Beat { term: 1, version }).unwrap();
    frame::write(client, &[&message]).await.unwrap();
}

#[tokio::test]
async fn no_member_speaks_for_another() {
    let (_known, known) = watch::channel(peers(&[("vm2", "127.0.0.2:1"), ("vm3", "127.0.0.1:1")]));
    let (incoming, mut received) = Incoming::new(known);
    let (mut client, server, request) = connect("vm2").await;
    say(&mut client, 7).await;
    let refused = incoming.serve(request, server).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    let (_client, server, request) = connect("no name!").await;
    assert!(incoming.serve(request, server).await.is_err());
    assert!(received.try_recv().is_err(), "nothing is heard");
}

/// Its machine may be another's by now.
#[tokio::test]
async fn who_has_moved_is_not_heard_any_more() {
    let (moves, known) = watch::channel(peers(&[("vm3", "127.0.0.1:1")]));
    let (incoming, mut received) = Incoming::new(known);
    let (mut client, server, request) = connect("vm3").await;
    let served = tokio::spawn(async move { incoming.serve(request, server).await });
    say(&mut client, 7).await;
    let Received { from, message, .. } = received.recv().await.unwrap();
    assert_eq!((from, message), (name("vm3"), Message::Beat { term: 1, version: 7 }));
    moves.send(peers(&[("vm3", "127.0.0.3:1")])).unwrap();
    say(&mut client, 8).await;
    let refused = served.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    assert!(received.recv().await.is_none(), "nothing more is heard");
}
