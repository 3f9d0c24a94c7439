//! Tests of `join` and `leave`.

use memberd_control::message::{Founded, Reply, Request};

use crate::fake::Daemon;

fn joined(alive: u64, already: bool) -> Daemon {
    let id = "vm3@127.0.0.1:8946/1763688033123".to_owned();
    Daemon::answering(vec![Reply::Joined { id, alive, already, founded: None }])
}

#[test]
fn join_says_as_whom_and_among_how_many() {
    joined(10, false)
        .run(&["join"])
        .printed("joined as vm3@127.0.0.1:8946/1763688033123; 10 members are alive\n");
    joined(1, false)
        .run(&["join"])
        .printed("joined as vm3@127.0.0.1:8946/1763688033123; 1 member is alive\n");
}

/// Whoever forgot the introducers reads that the group has one member.
#[test]
fn join_says_that_a_group_was_founded() {
    for (founded, reason) in [
        (Founded::NoIntroducers, "no introducers are set"),
        (Founded::NobodyAnswered, "no other introducer answered"),
    ] {
        let id = "vm3@127.0.0.1:8946/1763688033123".to_owned();
        let (alive, already, founded) = (1, false, Some(founded));
        Daemon::answering(vec![Reply::Joined { id, alive, already, founded }])
            .run(&["join"])
            .printed(&format!(
                "joined as vm3@127.0.0.1:8946/1763688033123; 1 member is alive\n\
                vm3 founded a new group; {reason}\n"
            ));
    }
}

#[test]
fn join_can_be_repeated() {
    joined(10, true).run(&["join"]).printed(
        "already in the group as vm3@127.0.0.1:8946/1763688033123; 10 members are alive\n",
    );
}

#[test]
fn join_passes_the_introducers_on() {
    let daemon = joined(2, false);
    daemon.run(&["join", "vm1:8946", "[::1]:8946"]);
    assert_eq!(
        daemon.request(),
        Request::Join { introducers: vec!["vm1:8946".to_owned(), "[::1]:8946".to_owned()] }
    );
    let daemon = joined(2, false);
    daemon.run(&["join"]);
    assert_eq!(daemon.request(), Request::Join { introducers: vec![] });
}

#[test]
fn leave_can_be_repeated() {
    Daemon::answering(vec![Reply::Left { was_member: true }])
        .run(&["leave"])
        .printed("left the group\n");
    Daemon::answering(vec![Reply::Left { was_member: false }])
        .run(&["leave"])
        .printed("was not in a group\n");
}
