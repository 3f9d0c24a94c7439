use super::*;
use memberd_membership::{Incarnation, Name};

fn identity(name: &str) -> Identity {
    Identity {
        name: Name::new(name).unwrap(),
        address: ([127, 0, 0, 1], 1).into(),
        incarnation: Incarnation(1),
    }
}

fn missed() -> Missed {
    Missed { name: Name::new("vm4").unwrap(), since: 10_000, heard: 8_000, left: false }
}

fn answer(read_ms: u64, bytes: u64, whole_ms: Option<u64>) -> KeptAnswer {
    let member = "vm4".to_owned();
    KeptAnswer { member, read_ms, bytes, whole_ms, streams: 1, ..KeptAnswer::default() }
}

/// Of those that go as far, the one that keeps more comes first.
#[test]
fn the_copy_that_goes_farthest_comes_first() {
    let answers = vec![
        (identity("vm10"), answer(7_000, 90, None)),
        (identity("vm9"), answer(7_000, 90, None)),
        (identity("vm1"), answer(6_999, 500, None)),
        (identity("vm7"), answer(7_000, 91, None)),
    ];
    let logs = of(missed(), answers);
    let order: Vec<&str> = logs.keepers.iter().map(|keeper| keeper.member.name.as_str()).collect();
    assert_eq!(order, ["vm7", "vm9", "vm10", "vm1"]);
}

/// Its newest block is new, but what was before it is not all there.
#[test]
fn a_copy_that_its_member_had_not_filled_comes_last() {
    let behind = KeptAnswer { is_behind: true, ..answer(8_000, 900, None) };
    let logs =
        of(missed(), vec![(identity("vm1"), behind), (identity("vm2"), answer(7_000, 1, None))]);
    let told: Vec<(&str, Option<u64>)> = logs
        .keepers
        .iter()
        .map(|keeper| (keeper.member.name.as_str(), keeper.copy.behind_ms))
        .collect();
    assert_eq!(told, [("vm2", Some(1_000)), ("vm1", None)]);
}

/// Of copies that go to the end, one that can be read comes first.
#[test]
fn a_damaged_copy_comes_after_a_whole_one() {
    let damaged = KeptAnswer { unread: 1, ..answer(8_000, 900, None) };
    let whole = answer(7_900, 1, None);
    let old = answer(3_000, 900, None);
    let answers =
        vec![(identity("vm1"), old), (identity("vm2"), damaged), (identity("vm3"), whole)];
    let logs = of(missed(), answers);
    let order: Vec<&str> = logs.keepers.iter().map(|keeper| keeper.member.name.as_str()).collect();
    assert_eq!(order, ["vm3", "vm2", "vm1"]);
}

/// The answers of two of three members, vm1 and vm2.
fn two_of_three(one: KeptReply, other: KeptReply) -> Answers {
    let mut answers =
        Answers::new(vec![missed()], &[identity("vm1"), identity("vm2"), identity("vm3")]);
    answers.add(&identity("vm1"), one);
    answers.add(&identity("vm2"), other);
    answers
}

/// Where nobody keeps copies, a member that hangs is not waited for, nor told.
#[test]
fn members_that_hang_do_not_matter_where_copies_are_off() {
    let off = || KeptReply { off: true, ..KeptReply::default() };
    let answers = two_of_three(off(), off());
    assert!(answers.is_enough());
    assert_eq!(answers.end().unknown, None);
    let mut few = Answers::new(vec![missed()], &[identity("vm1"), identity("vm2")]);
    few.add(&identity("vm1"), off());
    assert!(!few.is_enough());
}

/// It may have the only copy, so "no line" would not be the truth.
#[test]
fn a_keeper_that_does_not_answer_is_told() {
    let on = || KeptReply::default();
    let answers = two_of_three(KeptReply { off: true, ..on() }, on());
    assert!(!answers.is_enough());
    let found = answers.end();
    assert_eq!(found.unkept, [missed()]);
    let words = "it is gone, and vm3, which may keep its logs, did not answer";
    assert_eq!(found.unknown.as_deref(), Some(words));
    let whole = || KeptReply { kept: vec![answer(7_900, 1, None)], off: false };
    let answers = two_of_three(whole(), on());
    assert!(answers.is_enough(), "a whole copy is there");
    assert_eq!(answers.end().unknown, None);
    let old = KeptReply { kept: vec![answer(5_000, 1, None)], off: false };
    assert!(!two_of_three(old, on()).is_enough());
}

/// A log in which nothing is written is whole all the same.
#[test]
fn a_copy_ends_where_its_member_said_so_last() {
    let behind = |answer: &KeptAnswer| copy(&missed(), &identity("vm6"), answer).behind_ms;
    assert_eq!(behind(&answer(7_200, 1, None)), Some(800));
    assert_eq!(behind(&answer(100, 1, Some(7_900))), Some(100));
    assert_eq!(behind(&answer(9_000, 1, Some(7_900))), Some(0));
}

/// Whoever answers for others than it was asked for is not heard.
#[tokio::test]
async fn what_nobody_keeps_is_missed() {
    use crate::search::limits::Limits;
    use memberd_search::ExposedFiles;
    use memberd_transport::Seal;
    let caller = Caller {
        address: ([127, 0, 0, 1], 1).into(),
        bind: [127, 0, 0, 1].into(),
        seal: Seal::plain(),
    };
    let offer = ExposedFiles::new::<&str>(&[]).unwrap();
    let searcher = Arc::new(LocalSearcher::new("vm1".to_owned(), offer, Limits::default()));
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut gone = identity("vm2");
    gone.address = closed.local_addr().unwrap();
    drop(closed);
    let may_keep = vec![identity("vm1"), gone];
    let found = find(&caller, &searcher, vec![missed()], may_keep, Source::Anyone).await.unwrap();
    assert!(found.kept.is_empty());
    assert_eq!(found.unkept, [missed()]);
    assert!(found.unknown.is_some_and(|words| words.contains("vm2")));
}
