//! Who stands for election, who is allowed to, and that nobody leads without a reason.

use super::*;

fn leader(fleet: &Fleet) -> Name {
    fleet.agreed().leader.as_ref().unwrap().name.clone()
}

/// The elections in which each machine that runs has stood.
fn stood(fleet: &Fleet) -> Vec<(usize, u64)> {
    let machines = fleet.councils.iter().enumerate();
    let of = machines.filter_map(|(index, one)| Some((index, one.as_ref()?.election.count)));
    of.filter(|(_, count)| *count > 0).collect()
}

/// All learn in one moment that the leader has failed. They stand in an order, and not by chance.
#[test]
fn after_a_crash_the_next_stands_alone() {
    let mut fleet = Fleet::new(7, 7);
    fleet.run(MS * 2_000);
    assert_eq!(stood(&fleet), [(0, 1)]);
    fleet.crash(0);
    fleet.run(MS * 5_000);
    assert_eq!((stood(&fleet), leader(&fleet)), (vec![(1, 1)], name(1)));
}

/// The list has the next candidates as up, and they are not: the one after them does not wait until
/// the list says so.
#[test]
fn one_stands_although_those_before_it_do_not() {
    let mut fleet = Fleet::new(7, 7);
    fleet.run(MS * 2_000);
    fleet.councils[1] = None;
    fleet.councils[2] = None;
    fleet.councils[0] = None;
    let list = [false, true, true, true, true, true, true];
    (3..7).for_each(|index| fleet.show_list(index, &list));
    fleet.run(MS * 400);
    assert_eq!((stood(&fleet), leader(&fleet)), (vec![(3, 1)], name(3)));
    assert_eq!(fleet.agreed().members.len(), 6, "only the leader is known to have failed");
}

/// It cannot hear the leader. The others do, and know by their lists that it is up.
#[test]
fn one_that_is_deaf_to_the_leader_unseats_nobody() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    let term = fleet.agreed().term;
    fleet.cut = vec![(0, 3)];
    fleet.sent.clear();
    for _ in 0..30 {
        fleet.run(MS * 1_000);
        assert_eq!((fleet.exclusive(), stood(&fleet)), (vec![0], vec![(0, 1)]));
    }
    let asks = |(_, from, _, body): &&(BootTime, usize, Name, Body)| {
        *from == 3 && matches!(body, Body::May { .. })
    };
    assert!(fleet.sent.iter().filter(asks).count() > 0, "it has asked whether it may");
    assert_eq!(fleet.agreed().term, term);
}

/// What a voter with an older view says to a candidate, which it knows to have no seat.
#[test]
fn who_has_an_older_view_lets_the_newer_one_decide() {
    let mut fleet = Fleet::new(5, 3);
    fleet.run(MS * 4_000);
    fleet.crash(0);
    let (number, leader) = (fleet.at(1).id.number, fleet.at(1).view().leader.clone());
    let stranger = Voter { name: name(7), id: VoterId(77) };
    let mut answer = |number: ViewNumber| {
        fleet.sent.clear();
        let body = Body::May { attempt: 1, number, leader: leader.clone(), asked: false };
        let lineage = fleet.at(2).id.lineage;
        let message = Message { lineage, sender: stranger.clone(), body };
        fleet.give(2, |council, now| council.handle_message(now, message));
        let said = fleet.sent.iter().find_map(|(_, from, to, body)| match body {
            Body::Might { yes, .. } if *from == 2 && *to == name(7) => Some(*yes),
            _ => None,
        });
        said.unwrap()
    };
    assert!(!answer(number), "it has no seat in this view");
    assert!(answer(number.next()), "it may have one in a newer view");
}
