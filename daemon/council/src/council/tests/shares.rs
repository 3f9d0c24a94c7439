//! Shares: whoever asks for a change of them hears what became of it.

use super::*;
use crate::share::{Epoch, KeeperCount, Share, ShareChange, ShareError, ShareName};

fn share(name: &str) -> ShareName {
    ShareName::new(name).unwrap()
}

fn add(name: &str) -> ShareChange {
    ShareChange::Add { name: share(name), keepers: KeeperCount::THREE }
}

impl Fleet {
    fn change(&mut self, index: usize, token: u64, change: &ShareChange) {
        let change = change.clone();
        self.give(index, |council, now| council.change_share(now, token, change).unwrap());
    }

    /// What a machine was told of its wishes, in the order of time.
    fn settled(&self, index: usize) -> Vec<(u64, Result<Option<Share>, ShareError>)> {
        let of = |(at, event): &(usize, Event)| match event {
            Event::ShareSettled { token, result } if *at == index => Some((*token, result.clone())),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}

#[test]
fn a_member_adds_a_share_and_another_removes_it() {
    let mut fleet = Fleet::new(5, 3);
    fleet.run(MS * 3_000);
    fleet.change(4, 70, &add("spark"));
    fleet.run(MS * 1_000);
    let spark = fleet.agreed().share(&share("spark")).unwrap().clone();
    assert_eq!(spark.keepers.len(), 3);
    assert_eq!(fleet.settled(4), [(70, Ok(Some(spark.clone())))]);
    // It is there already.
    fleet.change(3, 71, &add("spark"));
    assert_eq!(fleet.settled(3), [(71, Ok(Some(spark.clone())))]);
    let remove = ShareChange::Remove { name: spark.name, added: spark.added };
    fleet.change(3, 72, &remove);
    fleet.change(0, 73, &remove);
    fleet.run(MS * 1_000);
    assert!(fleet.agreed().shares.is_empty());
    assert_eq!(fleet.settled(3)[1..], [(72, Ok(None))]);
    assert_eq!(fleet.settled(0), [(73, Ok(None))]);
}

/// Its keepers must hear of a share before their lists tell them that there is a newer view.
#[test]
fn the_keepers_of_a_share_are_told_by_the_leader() {
    let mut fleet = Fleet::new(16, 3);
    fleet.run(MS * 4_000);
    fleet.sent.clear();
    fleet.change(0, 70, &add("spark"));
    fleet.run(MS * 1_000);
    let view = fleet.agreed();
    let voters = names(&view.council);
    let keepers = &view.share(&share("spark")).unwrap().keepers;
    let unseated = keepers.iter().map(|keeper| &keeper.name);
    let unseated: Vec<&Name> = unseated.filter(|name| !voters.contains(&name.as_str())).collect();
    assert!(!unseated.is_empty(), "{keepers:?} of {voters:?}");
    for keeper in unseated {
        let told = fleet.sent.iter().any(|(_, from, to, body)| {
            *from == 0 && to == keeper && matches!(body, Body::NewView(_))
        });
        assert!(told, "{keeper:?}");
    }
}

#[test]
fn a_wish_for_a_share_outlives_the_leader() {
    let mut fleet = Fleet::new(5, 3);
    fleet.run(MS * 3_000);
    fleet.cut = vec![(0, 4)];
    fleet.change(4, 70, &add("spark"));
    fleet.run(MS * 300);
    fleet.crash(0);
    fleet.run(MS * 4_000);
    let spark = fleet.agreed().share(&share("spark")).unwrap().clone();
    assert_eq!(fleet.settled(4), [(70, Ok(Some(spark)))]);
}

/// A change that can never be done must not make one view after the other.
#[test]
fn of_two_wishes_for_the_last_place_one_is_told_so() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    for index in 0..63 {
        fleet.change(0, index, &add(&format!("share-{index}")));
    }
    fleet.run(MS * 1_000);
    assert_eq!(fleet.agreed().shares.len(), 63);
    fleet.change(1, 70, &add("one"));
    fleet.change(2, 71, &add("other"));
    fleet.run(MS * 1_000);
    assert_eq!(fleet.agreed().shares.len(), View::MAX_SHARES);
    let mut told = [fleet.settled(1), fleet.settled(2)].concat();
    told.retain(|(_, result)| *result == Err(ShareError::Full));
    assert_eq!(told.len(), 1);
    let number = fleet.agreed().number;
    fleet.change(2, 72, &add("another"));
    assert_eq!(fleet.settled(2).last(), Some(&(72, Err(ShareError::Full))));
    fleet.run(MS * 2_000);
    assert_eq!(fleet.agreed().number, number);
}

#[test]
fn wishes_for_shares_are_bounded() {
    let mut fleet = Fleet::new(2, 3);
    let early = fleet.councils[0].as_mut().unwrap().change_share(fleet.now, 1, add("spark"));
    assert_eq!(early, Err(ShareError::NotInView));
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.cut = vec![(0, 2), (1, 2)];
    for token in 0..64 {
        fleet.change(2, token, &add("spark"));
    }
    let council = fleet.councils[2].as_mut().unwrap();
    assert_eq!(council.change_share(fleet.now, 64, add("a")), Err(ShareError::TooMany));
    council.abandon_share(7);
    assert_eq!(council.change_share(fleet.now, 64, add("a")), Ok(()));
    fleet.cut.clear();
    fleet.run(MS * 8_000);
    assert_eq!(fleet.agreed().shares.len(), 2);
    assert_eq!(fleet.settled(2).len(), 64);
}

/// A recovery deletes members as a view does.
#[test]
fn a_recovery_replaces_the_lost_keepers() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.change(0, 70, &add("spark"));
    fleet.run(MS * 1_000);
    fleet.crash(1);
    fleet.crash(2);
    fleet.give(0, |council, now| council.recover(now, &[name(1), name(2)]).unwrap());
    fleet.run(MS * 11_000);
    let view = fleet.agreed();
    assert_eq!(view.lineage.recoveries, 1);
    let spark = view.share(&share("spark")).unwrap();
    assert_eq!(spark.keepers.iter().map(|keeper| &keeper.name).collect::<Vec<_>>(), [&name(0)]);
    assert!(spark.changed > Epoch(1 << 40) && spark.changed <= view.epoch(), "{spark:?}");
}
