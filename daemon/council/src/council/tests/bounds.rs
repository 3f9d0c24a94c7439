//! What others say without end, or without truth, costs no more than its bound.

use super::*;

/// Nobody can stand any more. That must not keep a processor busy.
#[test]
fn the_largest_term_makes_nobody_spin() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.councils[1].as_mut().unwrap().note_term(Term::MAX);
    fleet.crash(0);
    for _ in 0..100 {
        fleet.run(MS * 10);
        let due = fleet.at(1).poll_timeout().unwrap();
        assert!(due > fleet.now.boot, "it is to be woken at {due:?}, which is past");
    }
}

#[test]
fn refusals_count_for_seats_alone() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    let term = fleet.agreed().term;
    let promised = crate::Ballot { term: Term(term.0 + 1), candidate: fleet.at(1).own().clone() };
    for id in 1_000..1_100 {
        let sender = Voter { name: name(7), id: VoterId(id) };
        fleet.councils[0].as_mut().unwrap().on_no(&sender, term, &promised);
    }
    let lead = fleet.at(0).lead.as_ref().unwrap();
    assert_eq!(lead.refused(), 0);
    assert_eq!(fleet.exclusive(), [0]);
}

/// A script that asks without a pause must not take the lease away.
#[test]
fn many_questions_send_few_renewals() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.sent.clear();
    for round in 0..500 {
        fleet.give(0, |council, now| council.confirm(now, ConfirmId(round)));
    }
    let renewals = fleet.sent.iter().filter(|(.., body)| matches!(body, Body::Renew { .. }));
    assert!(renewals.count() <= 2);
    assert_eq!(fleet.exclusive(), [0]);
}

/// Its machine fell out of the list and came back while its claim waited.
#[test]
fn a_claim_is_that_of_the_machine_as_it_is_now() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.cut = vec![(0, 1)];
    fleet.give(1, |council, now| council.claim(now, "backup", 70, false).unwrap());
    fleet.incarnations[1] = 9;
    fleet.show_lists();
    fleet.run(MS * 500);
    fleet.cut.clear();
    fleet.run(MS * 4_000);
    let granted = fleet.agreed().claim("backup").unwrap();
    assert_eq!(granted.holder.incarnation, Incarnation(9));
    assert!(fleet.has_event(1, |event| matches!(event, Event::ClaimSettled { token: 70, .. })));
}
