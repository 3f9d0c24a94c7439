//! Tests of the candidates.

use super::*;
use crate::list::tags::VersionedTags;
use crate::testing::{Fixture, address, identity, name, tags, update};

/// Tells that a member is alive who is not in the list.
fn tell(candidates: &mut Candidates, fixture: &mut Fixture, i: u8, from: u8) -> Option<Update> {
    candidates.hear(update(i), address(from), &mut fixture.context)
}

/// Says that another member has heard it.
fn heard(candidates: &mut Candidates, fixture: &Fixture, i: u8, by: u8) -> Option<Update> {
    let (members, context) = (&fixture.members, &fixture.context);
    candidates.on_evidence(&name(i), identity(i).incarnation, address(by), members, context)
}

fn ask(candidates: &mut Candidates, fixture: &mut Fixture) -> Vec<(SocketAddr, Body)> {
    candidates.ask_if_due(&fixture.members, &mut fixture.context);
    fixture.sent()
}

fn probe(i: u8) -> Body {
    Body::Probe { name: name(i), incarnation: identity(i).incarnation }
}

#[test]
fn a_second_machine_that_tells_it_is_enough() {
    let mut fixture = Fixture::new(4);
    let mut candidates = Candidates::new();
    assert_eq!(tell(&mut candidates, &mut fixture, 9, 1), None);
    assert_eq!(tell(&mut candidates, &mut fixture, 9, 1), None, "the same one again");
    let mut other_port = address(1);
    other_port.set_port(7);
    let again = candidates.hear(update(9), other_port, &mut fixture.context);
    assert_eq!(again, None, "the same machine");
    assert_eq!(tell(&mut candidates, &mut fixture, 9, 2), Some(update(9)));
    fixture.pass(1_000);
    assert_eq!(ask(&mut candidates, &mut fixture), []);
    assert_eq!(candidates.next_at(), None);
}

/// So two that lie fill no list: beyond the allowance whoever is told of has to answer.
#[test]
fn two_reporters_are_enough_for_so_many_only() {
    let mut fixture = Fixture::new(4);
    let mut candidates = Candidates::new();
    let mut believed = 0;
    for i in 0..2_000_u64 {
        let mut told = update(9);
        told.identity.incarnation.0 += i;
        candidates.hear(told.clone(), address(1), &mut fixture.context);
        let second = candidates.hear(told, address(2), &mut fixture.context);
        believed += u32::from(second.is_some());
    }
    assert_eq!(believed, 512);
}

#[test]
fn one_that_a_single_member_reports_is_asked_for_a_while() {
    let mut fixture = Fixture::new(4);
    let mut candidates = Candidates::new();
    tell(&mut candidates, &mut fixture, 9, 1);
    assert_eq!(ask(&mut candidates, &mut fixture), [], "it may be told again");
    fixture.pass(110);
    assert_eq!(ask(&mut candidates, &mut fixture), [(address(9), probe(9))]);
    assert_eq!(candidates.incarnation_at(address(9)), Some(identity(9).incarnation));
    let mut asked = Vec::new();
    for _ in 0..6 {
        fixture.pass(175);
        asked.extend(ask(&mut candidates, &mut fixture));
    }
    let asked_of = |i| asked.iter().filter(|(to, _)| *to == address(i)).count();
    let others = [1, 2, 3].map(asked_of);
    assert_eq!(
        (asked_of(9), others),
        (6, [1, 2, 2]),
        "its reporter and monitors may have heard it"
    );
    assert_eq!(asked.len(), 11);
    assert_eq!(fixture.context.counters.unconfirmed, 0);
    fixture.pass(175);
    let denied = ask(&mut candidates, &mut fixture);
    let evidence = FailureEvidence { detected_by: name(0), silent_ms: 1_150 };
    let denial = Update::new(identity(9), Claim::Failed(evidence));
    let denial = denial.ended_at(fixture.context.now.wall);
    assert_eq!(denied, [(address(1), Body::Updates(vec![denial]))]);
    assert_eq!(fixture.context.counters.unconfirmed, 1);
    assert_eq!(candidates.incarnation_at(address(9)), None);
}

/// Its monitor hears it, and this machine does not: one bad link accuses nobody.
#[test]
fn one_that_its_reporter_has_heard_is_not_denied() {
    let mut fixture = Fixture::new(4);
    let mut candidates = Candidates::new();
    tell(&mut candidates, &mut fixture, 9, 1);
    fixture.pass(110);
    ask(&mut candidates, &mut fixture);
    assert_eq!(heard(&mut candidates, &fixture, 9, 1), None);
    fixture.pass(1_200);
    assert_eq!(ask(&mut candidates, &mut fixture), []);
    tell(&mut candidates, &mut fixture, 9, 1);
    fixture.pass(110);
    ask(&mut candidates, &mut fixture);
    let believed = heard(&mut candidates, &fixture, 9, 2);
    assert_eq!(believed, Some(update(9)), "another has heard it, so there are two");
}

#[test]
fn whoever_answers_is_let_in_by_its_name() {
    let mut fixture = Fixture::new(4);
    let mut candidates = Candidates::new();
    let mut other = update(9);
    other.identity.name = name(8);
    tell(&mut candidates, &mut fixture, 9, 1);
    fixture.pass(110);
    ask(&mut candidates, &mut fixture);
    let incarnation = identity(9).incarnation;
    assert_eq!(candidates.answered(address(9), incarnation), Some(update(9)));
    assert_eq!(candidates.answered(address(9), Incarnation(1)), None);
    candidates.hear(other, address(1), &mut fixture.context);
    fixture.pass(110);
    ask(&mut candidates, &mut fixture);
    assert_eq!(candidates.answered(address(9), incarnation), None, "it has to say its name");
    assert!(candidates.lets_in(&update(9), &mut fixture.context));
    assert!(!candidates.asked.contains(&(address(9), identity(9))));
}

/// An announce has no tags. Without those that were reported, the list would change twice.
#[test]
fn the_tags_that_were_reported_are_known() {
    let mut fixture = Fixture::new(4);
    let mut candidates = Candidates::new();
    let tagged = Update { tags: VersionedTags::new(1, tags("zone", "a")), ..update(9) };
    candidates.hear(tagged.clone(), address(1), &mut fixture.context);
    assert_eq!(candidates.reported(&identity(9)), Some(tagged));
    assert_eq!(candidates.reported(&identity(8)), None);
}

/// So many invented names are asked at a time, however many there are; so it takes long until a
/// machine has asked them all, and others that are told of do not wait for that.
#[test]
fn few_are_asked_at_a_time_and_each_reporter_has_its_turn() {
    let mut fixture = Fixture::new(4);
    let mut candidates = Candidates::new();
    for i in 0..20_000_u64 {
        let mut told = update(9);
        told.identity.incarnation.0 += i;
        candidates.hear(told, address(1), &mut fixture.context);
    }
    let mut most = 0;
    for _ in 0..400 {
        fixture.pass(10);
        most = most.max(ask(&mut candidates, &mut fixture).len());
        assert!(candidates.asked.len() <= MAX_ASKED);
    }
    assert!(most <= 2 * MAX_ASKED, "{most} datagrams in one step");
    tell(&mut candidates, &mut fixture, 8, 2);
    let mut waited = 0;
    while !candidates.asked.contains(&(address(8), identity(8))) {
        fixture.pass(10);
        ask(&mut candidates, &mut fixture);
        waited += 10;
    }
    assert!(waited <= 300, "{waited} ms");
    let events = std::mem::take(&mut fixture.context.outputs.events);
    assert_eq!(events.len(), 1, "one report: {events:?}");
}

/// One machine with many ports, or many machines: beyond a few, whoever introduces itself answers.
#[test]
fn many_that_introduce_themselves_have_to_answer() {
    let introduce = |address_of: &dyn Fn(u16) -> SocketAddr| {
        let mut fixture = Fixture::new(4);
        let mut candidates = Candidates::new();
        let let_in = (0..2_000_u16).filter(|i| {
            let mut newcomer = update(9);
            newcomer.identity.address = address_of(*i);
            candidates.lets_in(&newcomer, &mut fixture.context)
        });
        let let_in = let_in.count();
        (let_in, candidates.room.len())
    };
    let one_host = |i| SocketAddr::from(([192, 0, 2, 9], 1_000 + i));
    assert_eq!(introduce(&one_host), (32, 1_968));
    let many = |i: u16| SocketAddr::from(([192, 0, i.to_be_bytes()[0], i.to_be_bytes()[1]], 1));
    assert_eq!(introduce(&many), (512, 1_488));
    let network = |i: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 1, i, 0, 0, 1], 1));
    assert_eq!(introduce(&network), (32, 1_968), "one machine may have all these addresses");
}

/// It began another incarnation while it waited, or was asked: that one counts.
#[test]
fn the_newest_incarnation_replaces_the_former_ones() {
    let mut fixture = Fixture::new(4);
    let mut candidates = Candidates::new();
    candidates.introduced = Allowance::new(0, Duration::from_secs(1_000));
    let newer = |by: u64| {
        let mut newer = update(9);
        newer.identity.incarnation.0 += by;
        newer
    };
    for by in 0..3 {
        assert!(!candidates.lets_in(&newer(by), &mut fixture.context));
    }
    assert_eq!(candidates.room.len(), 1);
    fixture.pass(110);
    assert_eq!(ask(&mut candidates, &mut fixture).len(), 1);
    assert_eq!(candidates.incarnation_at(address(9)), Some(newer(2).identity.incarnation));
    assert!(candidates.lets_in(&newer(3), &mut fixture.context), "it is there");
    assert_eq!((candidates.room.len(), candidates.asked.len()), (0, 0));
}

/// In a group of two no second machine can say that it has heard a newcomer. That holds for so many
/// names as two machines may vouch for.
#[test]
fn the_only_other_machine_is_believed_what_it_has_heard() {
    let mut fixture = Fixture::new(2);
    let mut candidates = Candidates::new();
    for left in [1, 0] {
        candidates.vouched_for = Allowance::new(left, Duration::from_secs(1_000));
        assert_eq!(tell(&mut candidates, &mut fixture, 9, 1), None, "it may be hearsay");
        assert_eq!(heard(&mut candidates, &fixture, 9, 1), None, "it was not asked");
        fixture.pass(110);
        ask(&mut candidates, &mut fixture);
        let believed = heard(&mut candidates, &fixture, 9, 1);
        assert_eq!(believed, (left > 0).then(|| update(9)));
    }
}
