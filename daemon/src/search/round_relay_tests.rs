use super::*;
use crate::search::context::Asker;
use crate::search::rounds::tests::{Machine, count, request};
use memberd_control::grep::GrepFollow;
use memberd_membership::{Identity, Incarnation, Name};
use memberd_transport::{Caller, Seal, Source};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long what is waited for may take. It comes far sooner.
const LIMIT: Duration = Duration::from_secs(60);

/// What the client has: the parts that count, and those of the round that has not ended.
#[derive(Debug, Default)]
struct Client {
    whole: Vec<Vec<u8>>,
    held: Vec<Vec<u8>>,
    /// Whether the member was asked anew, and nothing has come since.
    is_anew: bool,
}

impl Client {
    fn take(&mut self, reply: Reply) {
        self.is_anew = matches!(reply, Reply::StatsRound { is_whole: false, .. });
        match reply {
            Reply::StatsPartial { bytes, .. } => self.held.push(bytes),
            Reply::StatsRound { is_whole: true, .. } => self.whole.append(&mut self.held),
            Reply::StatsRound { is_whole: false, .. } => self.held.clear(),
            other => panic!("{other:?}"),
        }
    }
}

/// Relays until the client has what is wanted, and then breaks off. Returns whether the relay said
/// that the member follows its files.
async fn relay_until(
    context: &QueryContext,
    stand: &Stand,
    replies: &mut mpsc::Receiver<Reply>,
    client: &mut Client,
    is_enough: impl Fn(&Client) -> bool,
) -> bool {
    let name = Name::new("vm1").unwrap();
    let (address, incarnation) = (([127, 0, 0, 1], 1).into(), Incarnation(1));
    let target = Target::Member(Identity { name, address, incarnation });
    let mut is_connected = false;
    {
        let mut relay = pin!(relay_rounds(context, &target, stand, async || is_connected = true));
        while !is_enough(client) {
            tokio::select! {
                ended = &mut relay => panic!("{ended:?}"),
                reply = timeout(LIMIT, replies.recv()) => client.take(reply.unwrap().unwrap()),
            }
        }
    }
    is_connected
}

/// A relay ends at any moment, as when its member comes back under another incarnation. The next
/// one begins at the last round that the client has.
#[tokio::test]
async fn a_round_that_is_broken_off_is_asked_again() {
    let machine = Machine::new();
    machine.append("a.log", "x old\n");
    let caller = Caller {
        address: ([127, 0, 0, 1], 1).into(),
        bind: [127, 0, 0, 1].into(),
        seal: Seal::plain(),
    };
    // With room for one reply, the end of a round is not there yet when its sums come.
    let (sender, mut replies) = mpsc::channel(1);
    let asker = Asker { caller, user: Source::Anyone };
    let (searcher, request) = (Arc::clone(&machine.searcher), request(GrepFollow::default()));
    let context = QueryContext::new(asker, searcher, request, None, sender).unwrap();
    let (stand, mut client) = (Stand::default(), Client::default());
    let mut until = async |is_enough: &dyn Fn(&Client) -> bool| {
        relay_until(&context, &stand, &mut replies, &mut client, is_enough).await
    };
    until(&|client| client.is_anew).await;
    assert!(!stand.is_known());
    assert!(until(&|_| stand.is_known()).await);
    machine.append("a.log", "x\n");
    until(&|client| !client.held.is_empty()).await;
    until(&|client| client.is_anew && client.held.is_empty()).await;
    until(&|client| count(&client.whole) == ["a.log 1"]).await;
    machine.append("a.log", "x\n");
    until(&|client| count(&client.whole) == ["a.log 2"]).await;
}
