//! Members that lack a view ask for it, and not all of them at once.

use super::*;
use crate::message::News;
use std::collections::BTreeMap;

impl Fleet {
    /// When a machine asked for a newer view; all machines if none is named.
    fn fetches(&self, by: Option<usize>) -> Vec<BootTime> {
        self.sent
            .iter()
            .filter(|(_, from, _, body)| {
                matches!(body, Body::Fetch { .. }) && by.is_none_or(|by| by == *from)
            })
            .map(|(at, ..)| *at)
            .collect()
    }

    fn observers(&self) -> Vec<usize> {
        (0..self.councils.len())
            .filter(|index| self.councils[*index].as_ref().is_some_and(|one| !one.has_seat()))
            .collect()
    }
}

/// All see the same change of the list, and hear the same news, at one moment.
#[test]
fn members_without_a_seat_do_not_ask_together() {
    let mut fleet = Fleet::new(60, 3);
    fleet.run(MS * 4_000);
    assert_eq!((fleet.agreed().council.len(), fleet.observers().len()), (9, 51));
    fleet.sent.clear();
    let gone = *fleet.observers().last().unwrap();
    fleet.crash(gone);
    assert_eq!(fleet.fetches(None), [], "the leader is about to make a view");
    fleet.run(MS * 1_500);
    assert_eq!(fleet.agreed().members.len(), 59);
    let mut moments: BTreeMap<BootTime, usize> = BTreeMap::new();
    fleet.fetches(None).into_iter().for_each(|at| *moments.entry(at).or_default() += 1);
    let most = moments.values().max().copied().unwrap();
    assert!(moments.len() > 20 && most <= 6, "{most} of 50 at once, at {} moments", moments.len());
}

/// A view of a large group has hundreds of kilobytes.
#[test]
fn who_lacks_one_view_gets_its_operations() {
    let mut fleet = Fleet::new(12, 3);
    fleet.run(MS * 4_000);
    fleet.sent.clear();
    fleet.crash(fleet.observers()[0]);
    fleet.run(MS * 1_000);
    assert_eq!(fleet.agreed().members.len(), 11);
    let told = |news: fn(&News) -> bool| {
        let of = |body: &Body| matches!(body, Body::NewView(one) if news(one));
        fleet.sent.iter().filter(|(.., body)| of(body)).count()
    };
    assert!(told(|news| matches!(news, News::Operations(_))) >= 10);
    assert_eq!(told(|news| matches!(news, News::Whole(_))), 0);
}

#[test]
fn who_lacks_more_views_gets_the_whole_one() {
    let mut fleet = Fleet::new(12, 3);
    fleet.run(MS * 4_000);
    let [behind, gone, other] = fleet.observers()[..] else { panic!("three observers") };
    fleet.cut = (0..12).map(|index| (behind, index)).collect();
    fleet.crash(gone);
    fleet.run(MS * 1_000);
    fleet.crash(other);
    fleet.run(MS * 1_000);
    assert!(fleet.at(behind).id.number.0 + 1 < fleet.at(0).id.number.0);
    fleet.cut.clear();
    fleet.run(MS * 8_000);
    assert_eq!(fleet.agreed().members.len(), 10);
}

/// One packet may tell of any view.
#[test]
fn news_of_a_view_that_nobody_has_are_forgotten() {
    let mut fleet = Fleet::new(12, 3);
    fleet.run(MS * 4_000);
    let (one, gone) = (fleet.observers()[0], fleet.observers()[1]);
    let mut invented = fleet.at(one).view_id();
    invented.number = ViewNumber::MAX;
    fleet.sent.clear();
    fleet.give(one, |council, now| council.handle_gossip(now, &name(0), invented));
    fleet.run(MS * 20_000);
    let asked = fleet.fetches(Some(one)).len();
    assert!((3..=6).contains(&asked), "asked {asked} times in 20 s");
    fleet.crash(gone);
    fleet.run(MS * 1_500);
    assert_eq!(fleet.agreed().members.len(), 11, "true news count meanwhile");
    fleet.run(MS * 480_000);
    fleet.sent.clear();
    fleet.run(MS * 60_000);
    assert_eq!(fleet.fetches(Some(one)), []);
}

/// The list learns of members one by one at a join.
#[test]
fn a_view_is_stale_only_after_a_second_without_a_majority() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 3_000);
    let is_stale = |event: &Event| matches!(event, Event::ViewStale { .. });
    fleet.show_list(2, &[false, false, true]);
    fleet.run(MS * 900);
    fleet.show_list(2, &[true, true, true]);
    fleet.run(MS * 500);
    assert!(!fleet.has_event(2, is_stale));
    fleet.show_list(2, &[false, false, true]);
    fleet.run(MS * 1_100);
    assert!(fleet.has_event(2, is_stale));
    fleet.show_list(2, &[true, true, true]);
    assert!(fleet.has_event(2, |event| matches!(event, Event::ViewFresh { .. })));
}

/// Its file is older than the council that it has now, and all that it knows are gone.
#[test]
fn who_knows_only_a_council_that_is_gone_asks_others() {
    let mut fleet = Fleet::new(6, 3);
    while fleet.at(0).id.number < ViewNumber(1) {
        fleet.run(MS);
    }
    let old = fleet.files[0].clone();
    fleet.run(MS * 4_000);
    for index in 0..3 {
        fleet.crash(index);
        fleet.run(MS * 4_000);
    }
    fleet.files[0] = old;
    fleet.sent.clear();
    fleet.cut = (0..6).map(|index| (0, index)).collect();
    fleet.restart(0);
    fleet.run(MS * 4_000);
    assert!(fleet.at(3).view().member(&name(0)).is_some() && fleet.at(0).view().council.len() == 3);
    let asks = |(_, from, to, body): &(BootTime, usize, Name, Body)| {
        *from == 0 && *to > name(2) && matches!(body, Body::Fetch { .. })
    };
    assert!(fleet.sent.iter().any(asks), "nobody else is left");
    fleet.cut.clear();
    fleet.run(MS * 40_000);
    assert_eq!(fleet.agreed().members.len(), 4);
}

/// The question shows that there is a newer view, and who has it.
#[test]
fn who_is_asked_by_one_with_a_newer_view_fetches_it() {
    let mut fleet = Fleet::new(12, 3);
    fleet.run(MS * 4_000);
    let [behind, gone, ahead] = fleet.observers()[..] else { panic!("three observers") };
    fleet.cut = (0..12).map(|index| (behind, index)).collect();
    fleet.crash(gone);
    fleet.run(MS * 1_000);
    fleet.cut.clear();
    let newest = fleet.at(ahead).id;
    assert!(fleet.at(behind).id.number < newest.number);
    let body = Body::Fetch { number: newest.number };
    let message = fleet.at(ahead).message(body);
    fleet.give(behind, |council, now| council.handle_message(now, message));
    assert_eq!(fleet.at(behind).id, newest, "without any time");
}

/// They are there and elect nobody: they may lack a view that this member has. One with a seat asks
/// as well, since it may be unable to stand.
#[test]
fn voters_without_a_leader_are_asked_after_a_second() {
    let mut fleet = Fleet::new(12, 3);
    fleet.run(MS * 4_000);
    let (observer, leader) = (fleet.observers()[0], name(0));
    fleet.cut = (0..12).flat_map(|one| (0..one).map(move |other| (one, other))).collect();
    let began = fleet.now.boot;
    fleet.sent.clear();
    fleet.crash(0);
    fleet.run(MS * 10_000);
    for by in [observer, 5] {
        let asked = fleet.fetches(Some(by)).into_iter().map(|at| at.since(began).as_secs());
        assert_eq!(asked.collect::<Vec<u64>>(), [1, 2, 4, 8], "vm{by}");
        let asks = |(_, from, _, body): &&(BootTime, usize, Name, Body)| {
            *from == by && matches!(body, Body::Fetch { .. })
        };
        let mut to: Vec<&Name> = fleet.sent.iter().filter(asks).map(|(_, _, to, _)| to).collect();
        let seats = fleet.at(by).other_seats();
        assert!(to.iter().all(|name| seats.contains(name) && **name != leader), "{to:?}");
        to.sort();
        to.dedup();
        assert_eq!(to.len(), 4, "one voter after the other");
    }
}

/// The leader may lack the view that names it. Later, as ever, all others are asked.
#[test]
fn a_leader_that_renews_nothing_is_asked_after_half_a_lease() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    fleet.sent.clear();
    fleet.run(MS * 10_000);
    assert_eq!(fleet.fetches(None), []);
    fleet.cut = vec![(0, 3)];
    let heard = fleet.at(3).election.heard_leader;
    fleet.run(MS * 6_000);
    let asked = fleet.sent.iter().filter_map(|(at, from, to, body)| match body {
        Body::Fetch { .. } if *from == 3 => Some((at.since(heard).as_millis(), to.clone())),
        _ => None,
    });
    assert_eq!(asked.take(3).collect::<Vec<_>>(), [1_500, 2_500, 4_500].map(|at| (at, name(0))));
    assert!(fleet.fetches(None).len() == fleet.fetches(Some(3)).len());
}

/// It lost its election, and another one finished what it had proposed, told others, and failed.
#[test]
fn a_leader_that_lacks_the_view_that_names_it_is_told() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    let view = View::clone(fleet.agreed());
    let (term, voter) = (Term(view.term.0 + 1), fleet.at(1).own().clone());
    let leader = crate::Operation::Leader { term, voter: voter.clone() };
    let news = News::Operations(Arc::new(view.propose(vec![leader]).unwrap()));
    let message = fleet.at(0).message(Body::NewView(news));
    fleet.councils[0] = None;
    fleet.cut = (2..5).map(|index| (1, index)).collect();
    for index in 2..5 {
        fleet.give(index, |council, now| council.handle_message(now, message.clone()));
        fleet.show_list(index, &[false, true, true, true, true]);
    }
    fleet.cut.clear();
    fleet.run(MS * 1_400);
    assert_eq!((fleet.at(1).id, fleet.at(2).view().leader.as_ref()), (view.id(), Some(&voter)));
    fleet.run(MS * 200);
    assert!(fleet.at(1).leads().is_some_and(|own| own > term));
    assert_eq!(fleet.agreed().leader, Some(voter));
}

/// It began again so soon that no list had it as failed, and has forgotten that it led.
#[test]
fn a_leader_that_returned_in_silence_is_replaced_after_a_lease() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    fleet.councils[0] = None;
    fleet.incarnations[0] = 9;
    (1..5).for_each(|index| fleet.show_list(index, &[true; 5]));
    fleet.run(MS * 3_300);
    assert_eq!(fleet.agreed().leader.as_ref().unwrap().name, name(1));
}
