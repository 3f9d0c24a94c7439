//! Tests the order of output with members on loopback that answer as each test says.

use super::super::context::Asker;
use super::super::limits::Limits;
use super::super::local::LocalSearcher;
use super::super::reply::{MAX_PIECE, PeerReply};
use super::*;
use memberd_control::grep::{GrepOutcome, GrepRequest, GrepTotals};
use memberd_control::message::Reply;
use memberd_membership::{Identity, Incarnation, Name};
use memberd_search::ExposedFiles;
use memberd_transport::{Caller, Seal};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A member that is asked for nothing yet.
async fn member(name: &str) -> (Identity, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let identity = Identity {
        name: Name::new(name).unwrap(),
        address: listener.local_addr().unwrap(),
        incarnation: Incarnation(1),
    };
    (identity, listener)
}

/// Accepts a connection, and reads the request.
async fn asked(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = vec![0; 64 * 1024];
    assert!(stream.read(&mut request).await.unwrap() > 0);
    stream
}

async fn say(stream: &mut TcpStream, replies: impl IntoIterator<Item = PeerReply>) {
    for reply in replies {
        reply.write(stream).await.unwrap();
    }
}

fn lines(text: &str) -> PeerReply {
    PeerReply::Lines(text.as_bytes().to_vec())
}

fn done() -> PeerReply {
    PeerReply::Done(GrepTotals::default())
}

/// A relay with this patience, its room, and what the client receives.
fn relay(patience: Option<Duration>) -> (OrderedRelay, Admission, mpsc::Receiver<Reply>) {
    let (address, bind) = (([127, 0, 0, 1], 1).into(), [127, 0, 0, 1].into());
    let caller = Caller { address, bind, seal: Seal::plain() };
    let offer = ExposedFiles::new::<&str>(&[]).unwrap();
    let searcher = Arc::new(LocalSearcher::new("vm0".to_owned(), offer, Limits::default()));
    let (replies, client) = mpsc::channel(2);
    let mut request = GrepRequest::default();
    request.printing.no_names = true;
    let asker = Asker { caller, user: memberd_transport::Source::Anyone };
    let context = QueryContext::new(asker, searcher, request, None, replies);
    let (context, room) = (Arc::new(context.unwrap()), room_for_waiting_output());
    let relay = OrderedRelay::new(context, GrepOrder::Name, room.clone());
    (OrderedRelay { patience, ..relay }, room, client)
}

/// Everything that the client receives as output.
async fn output(client: mpsc::Receiver<Reply>) -> String {
    watched_output(client, |_| ()).await
}

/// The same. Tells each piece to `watch`.
async fn watched_output(mut client: mpsc::Receiver<Reply>, mut watch: impl FnMut(&[u8])) -> String {
    let mut text = Vec::new();
    while let Some(reply) = client.recv().await {
        match reply {
            Reply::GrepOutput { bytes, .. } => {
                watch(&bytes);
                text.extend(bytes);
            }
            Reply::GrepMember { outcome: GrepOutcome::Searched(_), .. } => {}
            Reply::GrepMember { outcome, .. } => text.extend(format!("{outcome:?}\n").bytes()),
            other => panic!("{other:?}"),
        }
    }
    String::from_utf8(text).unwrap()
}

/// The last member answers first, and yet comes last.
#[tokio::test]
async fn members_come_in_their_order_whoever_answers_first() {
    let (relay, _, client) = relay(None);
    let (mut members, answered) = (Vec::new(), Arc::new(AtomicUsize::new(3)));
    for number in 0..3 {
        let (identity, listener) = member(&format!("vm{number}")).await;
        members.push(Target::Member(identity));
        let answered = Arc::clone(&answered);
        tokio::spawn(async move {
            let mut stream = asked(&listener).await;
            while answered.load(Ordering::Relaxed) != number + 1 {
                tokio::task::yield_now().await;
            }
            say(&mut stream, [lines("a\n"), lines(&format!("{number}\n")), done()]).await;
            answered.fetch_sub(1, Ordering::Relaxed);
        });
    }
    let relayed = tokio::spawn(relay.run(members, 64));
    assert_eq!(output(client).await, "a\n0\na\n1\na\n2\n");
    relayed.await.unwrap();
}

/// It comes behind all others then, also behind those that are asked later.
#[tokio::test]
async fn a_silent_member_lets_others_go_first() {
    let (relay, _, client) = relay(Some(Duration::from_millis(20)));
    let others_are_out = Arc::new(Notify::new());
    let mut members = Vec::new();
    for number in 0..4 {
        let (identity, listener) = member(&format!("vm{number}")).await;
        members.push(Target::Member(identity));
        let others_are_out = Arc::clone(&others_are_out);
        tokio::spawn(async move {
            let mut stream = asked(&listener).await;
            if number == 0 {
                others_are_out.notified().await;
            }
            say(&mut stream, [lines(&format!("{number}\n")), done()]).await;
        });
    }
    // Two places, one of which the silent member has.
    let relayed = tokio::spawn(relay.run(members, 2));
    let mut out = 0;
    let text = watched_output(client, |_| {
        out += 1;
        if out == 3 {
            others_are_out.notify_one();
        }
    });
    let mut last = text.await;
    assert_eq!(last.split_off(6), "0\n", "{last}");
    let mut others: Vec<&str> = last.lines().collect();
    others.sort_unstable();
    assert_eq!(others, ["1", "2", "3"]);
    relayed.await.unwrap();
}

#[tokio::test]
async fn a_lost_member_is_told_and_its_last_line_ended() {
    let (relay, _, client) = relay(None);
    let (first, at_first) = member("vm0").await;
    let (second, at_second) = member("vm1").await;
    tokio::spawn(async move {
        let mut stream = asked(&at_first).await;
        say(&mut stream, [lines("a\n"), PeerReply::Part(b"cut".to_vec())]).await;
    });
    tokio::spawn(async move {
        say(&mut asked(&at_second).await, [lines("b\n"), done()]).await;
    });
    let relayed = tokio::spawn(relay.run(vec![Target::Member(first), Target::Member(second)], 64));
    let reported = "Lost(\"the connection ended before its search did\")\n";
    let text = output(client).await;
    assert_eq!(text.replace(reported, ""), "a\ncut\nb\n", "{text}");
    assert!(text.contains(reported), "{text}");
    relayed.await.unwrap();
}

/// Later members wait as soon as their share of the room is full. Nothing is lost.
#[tokio::test]
async fn waiting_output_is_bounded_and_comes_whole() {
    const FRAMES: usize = 64;
    let (relay, room, client) = relay(None);
    let (first, at_first) = member("vm0").await;
    let (second, at_second) = member("vm1").await;
    let others_wait = Arc::new(Notify::new());
    let (seen, first_waits) = (room.clone(), Arc::clone(&others_wait));
    tokio::spawn(async move {
        let mut stream = asked(&at_first).await;
        first_waits.notified().await;
        say(&mut stream, [lines("first\n"), done()]).await;
    });
    tokio::spawn(async move {
        let mut stream = asked(&at_second).await;
        let frame = vec![b'x'; MAX_PIECE - 1];
        for _ in 0..FRAMES {
            say(&mut stream, [PeerReply::Lines([&frame[..], b"\n"].concat())]).await;
            assert!(seen.taken() * STEP_BYTES <= held::MOST_HELD_BYTES);
            if (seen.taken() + 1) * STEP_BYTES >= held::MOST_HELD_BYTES {
                others_wait.notify_one();
            }
        }
        say(&mut stream, [done()]).await;
    });
    let relayed = tokio::spawn(relay.run(vec![Target::Member(first), Target::Member(second)], 64));
    let text = output(client).await;
    assert!(text.starts_with("first\nxxx") && text.len() == 6 + FRAMES * MAX_PIECE);
    relayed.await.unwrap();
    assert_eq!(room.taken(), 0);
}
