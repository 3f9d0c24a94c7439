//! The view follows the list, and nothing else does: what incarnations, forgotten members and
//! strangers change of it.

use super::*;
use crate::message::News;

/// An incarnation changes at each heal. A seat is that of the agreement file.
#[test]
fn one_that_returns_in_another_incarnation_keeps_its_seat() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    let (council, term) = (fleet.agreed().council.clone(), fleet.agreed().term);
    for (index, incarnation) in [(2, 10), (3, 11)] {
        fleet.incarnations[index] = incarnation;
    }
    fleet.show_lists();
    fleet.run(MS * 1_000);
    let view = fleet.agreed();
    assert_eq!(view.member(&name(2)).unwrap().incarnation, Incarnation(10));
    assert_eq!((&view.council, view.term, view.members.len()), (&council, term, 5));
    assert_eq!(fleet.exclusive(), [0]);
}

/// `memberctl forget` removes a member from the lists. It is out of the view by one more view of
/// the leader, as after any failure, and not by another way.
#[test]
fn a_member_that_was_forgotten_leaves_by_a_view() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    let before = View::clone(fleet.agreed());
    fleet.councils[4] = None;
    (0..4).for_each(|index| fleet.show_list(index, &[true; 4]));
    fleet.run(MS * 4_900);
    assert_eq!(fleet.agreed(), &before, "it may be about to return");
    fleet.run(MS * 400);
    let view = fleet.agreed();
    assert_eq!((view.number.0, view.term), (before.number.0 + 1, before.term));
    assert_eq!((view.members.len(), names(&view.council).len()), (4, 4));
}

/// Two groups that were founded apart meet in one list.
#[test]
fn what_members_of_another_founding_say_changes_nothing() {
    let mut fleet = Fleet::new(3, 3);
    let mut other = Fleet::new(3, 2);
    fleet.run(MS * 2_000);
    other.run(MS * 20_000);
    let (view, term) = (View::clone(fleet.agreed()), fleet.agreed().term);
    assert_ne!(view.lineage.founding, other.agreed().lineage.founding);
    let strange = other.at(0).view().clone();
    let sender = Voter { name: name(9), id: VoterId(900) };
    let proposal = Arc::new(strange.propose(Vec::new()).unwrap());
    let (above, newer) = (Term(term.0 + 50), ViewNumber(view.number.0 + 50));
    let bodies = [
        Body::May { attempt: 1, number: newer, leader: None, asked: true },
        Body::NewLeader { term: above, number: newer, view: Some(strange.clone()) },
        Body::Req { term: above, proposal: proposal.clone() },
        Body::NewView(News::Whole(strange.clone())),
        Body::NewView(News::Operations(proposal)),
        Body::Renew { term: above, sequence: 1, lease: MS * 3_000 },
        Body::Fetch { number: newer },
        Body::Fetch { number: ViewNumber(0) },
        Body::Survey { attempt: 1 },
    ];
    fleet.sent.clear();
    for body in bodies {
        let message = Message { lineage: strange.lineage, sender: sender.clone(), body };
        fleet.give(1, |council, now| council.handle_message(now, message.clone()));
    }
    fleet.give(1, |council, now| council.handle_gossip(now, &name(9), strange.id()));
    assert!(fleet.sent.is_empty(), "{:?}", fleet.sent);
    assert!(fleet.has_event(1, |event| matches!(event, Event::OtherLineage { .. })));
    fleet.run(MS * 10_000);
    assert_eq!((fleet.agreed(), fleet.exclusive()), (&view, vec![0]));
}
