//! Tests which members are followed as members come and go. Nobody listens at their addresses.

use super::super::context::{Asker, QueryContext};
use super::super::limits::Limits;
use super::super::local::LocalSearcher;
use super::super::service::held_connections;
use super::*;
use memberd_control::grep::{GrepMembers, GrepRequest};
use memberd_control::message::Reply;
use memberd_membership::{Incarnation, VersionedTags, WallTime};
use memberd_search::ExposedFiles;
use memberd_transport::{Caller, Seal, Source};
use tokio::sync::mpsc;

fn member(name: &str, incarnation: u64, liveness: &Liveness) -> Member {
    Member {
        identity: Identity {
            name: Name::new(name).unwrap(),
            address: ([127, 0, 0, 1], 2).into(),
            incarnation: Incarnation(incarnation),
        },
        liveness: liveness.clone(),
        since: WallTime(0),
        suspected_by: None,
        tags: VersionedTags::default(),
        this_machine: false,
    }
}

/// Applies a member's state, and returns the client's notice about it.
async fn notice(
    following: &mut Following,
    client: &mut mpsc::Receiver<Reply>,
    member: Member,
) -> String {
    following.take(&member, ChangeKind::Liveness).await;
    loop {
        match client.recv().await {
            // Notices about members without an answer come in between.
            Some(Reply::GrepNotice(text)) if !text.contains("trying again") => return text,
            Some(_) => {}
            None => return String::new(),
        }
    }
}

#[tokio::test]
async fn each_followed_member_has_a_place_until_it_goes() {
    let places = held_connections(2);
    let (replies, mut client) = mpsc::channel(100);
    let caller = Caller {
        address: ([127, 0, 0, 1], 1).into(),
        bind: [127, 0, 0, 1].into(),
        seal: Seal::plain(),
    };
    let searcher = Arc::new(LocalSearcher::new(
        "vm1".to_owned(),
        ExposedFiles::new::<&str>(&[]).unwrap(),
        Limits::default(),
    ));
    let request = GrepRequest::default();
    let asker = Asker { caller, user: Source::Anyone };
    let context = QueryContext::new(asker, searcher, request, None, replies).unwrap();
    let relay = Arc::new(LineRelay::new(Arc::new(context)));
    let held = places.try_enter_many(1).unwrap();
    let choice = MemberChoice::new(&GrepMembers::default()).unwrap();
    let mut following = Following::new(relay, choice, Handle::new().0, held);
    let (alive, failed) = (&Liveness::Alive, &Liveness::Failed(None));

    following.start(member("vm1", 1, alive).identity).unwrap();
    assert_eq!(places.taken(), 1, "that of those that were up was taken before");
    let mut notice = async |member| notice(&mut following, &mut client, member).await;
    assert_eq!(notice(member("vm2", 1, alive)).await, "vm2 joined: its logs are followed too");
    assert_eq!(places.taken(), 2);
    let full = "its logs are not followed, since greps keep connections to 2 members open already";
    assert_eq!(notice(member("vm3", 1, alive)).await, format!("vm3 joined: {full}"));
    assert_eq!(
        notice(member("vm1", 2, alive)).await,
        "vm1 joined: its logs are followed too",
        "it takes its own place"
    );
    assert_eq!(
        notice(member("vm2", 1, failed)).await,
        "vm2 failed: its logs are not followed any more"
    );
    assert_eq!(places.taken(), 1);
    assert_eq!(notice(member("vm3", 2, alive)).await, "vm3 joined: its logs are followed too");
    assert_eq!(places.taken(), 2);
    // A member that was followed before has written lines that nobody has read.
    assert_eq!(
        notice(member("vm3", 2, &Liveness::Left)).await,
        "vm3 left: its logs are not followed any more"
    );
    let back = notice(member("vm2", 2, alive)).await;
    let begin = "vm2 joined: its logs are followed too, without the lines of the last ";
    assert!(back.starts_with(begin) && back.ends_with(" s or more"), "{back}");
    assert_eq!(places.taken(), 2);
    drop(following);
    assert_eq!(places.taken(), 0);
}
