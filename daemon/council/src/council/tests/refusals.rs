//! Leaders whose connections are closed and refused, before the list says anything.

use super::*;

/// What takes a sign back.
type TakesBack = fn(&mut Fleet);

fn refuse(fleet: &mut Fleet, observer: usize, by: usize) {
    fleet.give(observer, |council, now| council.handle_refusal(now, &name(by)));
}

/// A fleet at rest whose leader, vm0, has just ended. No list says so.
fn killed(size: usize) -> Fleet {
    let mut fleet = Fleet::new(size, size);
    fleet.run(MS * 2_000);
    assert_eq!(fleet.exclusive(), [0]);
    fleet.councils[0] = None;
    fleet
}

fn leader(fleet: &Fleet) -> Name {
    fleet.agreed().leader.as_ref().unwrap().name.clone()
}

/// Only the election is early: the old leader stays a member until the list says that it failed,
/// and its lease is waited for.
#[test]
fn a_refused_leader_is_replaced_before_the_list_knows() {
    let mut fleet = killed(5);
    let (term, killed_at) = (fleet.agreed().term, fleet.now.boot);
    (1..5).for_each(|observer| refuse(&mut fleet, observer, 0));
    fleet.run(MS * 60);
    assert_eq!(leader(&fleet), name(1));
    assert!(fleet.agreed().term > term);
    assert_eq!((fleet.agreed().members.len(), fleet.agreed().council.len()), (5, 5));
    fleet.run(MS * 1_300);
    fleet.show_lists();
    fleet.run(MS * 200);
    assert_eq!((fleet.agreed().members.len(), fleet.agreed().council.len()), (4, 4));
    assert_eq!(fleet.exclusive(), [0; 0]);
    while fleet.exclusive().is_empty() {
        fleet.run(MS);
    }
    let after = fleet.now.boot.since(killed_at);
    assert!(after > MS * 2_200 && after < MS * 3_100, "after {after:?}");
}

/// The others hear the leader, and have not been refused.
#[test]
fn one_that_is_refused_alone_unseats_nobody() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    let term = fleet.agreed().term;
    for _ in 0..5 {
        refuse(&mut fleet, 1, 0);
        refuse(&mut fleet, 0, 1);
        fleet.run(MS * 1_000);
    }
    assert_eq!((fleet.agreed().term, fleet.exclusive()), (term, vec![0]));
    assert_eq!(fleet.at(1).status(fleet.now).elections, 0);
}

#[test]
fn a_refusal_by_another_than_the_leader_means_nothing() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    let view = View::clone(fleet.agreed());
    fleet.councils[2] = None;
    (0..2).for_each(|observer| refuse(&mut fleet, observer, 2));
    fleet.run(MS * 1_500);
    assert_eq!(fleet.agreed(), &view);
}

/// A connection that opens, a message, and a list that says something else of it.
#[test]
fn a_sign_is_taken_back_when_the_leader_is_there() {
    let connects: TakesBack = |fleet| {
        fleet.give(2, |council, now| council.handle_connection(now, &name(0)));
    };
    let speaks: TakesBack = |fleet| {
        let view = fleet.at(2).view().clone();
        let (lineage, sender) = (view.lineage, view.leader.clone().unwrap());
        let message = Message { lineage, sender, body: Body::Fetch { number: view.number } };
        fleet.give(2, |council, now| council.handle_message(now, message));
    };
    let is_listed: TakesBack = |fleet| {
        let mut list: Vec<Standing> = fleet.at(2).standings.values().cloned().collect();
        let leader = list.iter_mut().find(|one| one.identity.name == name(0)).unwrap();
        leader.identity.incarnation = Incarnation(99);
        fleet.give(2, |council, now| council.handle_list(now, &list));
    };
    for takes_back in [connects, speaks, is_listed] {
        let mut fleet = killed(3);
        let term = fleet.agreed().term;
        refuse(&mut fleet, 2, 0);
        takes_back(&mut fleet);
        refuse(&mut fleet, 1, 0);
        fleet.run(MS * 1_500);
        assert_eq!((fleet.agreed().term, leader(&fleet)), (term, name(0)));
    }
}

/// After a second the list decides.
#[test]
fn a_sign_counts_for_a_second() {
    let mut fleet = killed(3);
    let term = fleet.agreed().term;
    refuse(&mut fleet, 1, 0);
    fleet.run(MS * 1_010);
    refuse(&mut fleet, 2, 0);
    fleet.run(MS * 600);
    assert_eq!((fleet.agreed().term, leader(&fleet)), (term, name(0)));
    fleet.show_lists();
    fleet.run(MS * 400);
    assert!(fleet.agreed().term > term);
}

/// It has asked because of its own sign when nobody else had one.
#[test]
fn one_that_asked_in_vain_says_yes_to_others() {
    let mut fleet = killed(3);
    refuse(&mut fleet, 1, 0);
    fleet.run(MS * 500);
    assert_eq!((leader(&fleet), fleet.at(1).status(fleet.now).role), (name(0), crate::Role::Voter));
    refuse(&mut fleet, 2, 0);
    fleet.run(MS * 300);
    assert_eq!(leader(&fleet), name(2));
}
