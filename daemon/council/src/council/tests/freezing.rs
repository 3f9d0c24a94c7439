//! Recoveries that end midway, and two at once.

use super::*;

impl Fleet {
    fn recover(&mut self, at: usize, lost: &[usize]) {
        let lost: Vec<Name> = lost.iter().map(|index| name(*index)).collect();
        self.give(at, |council, now| council.recover(now, &lost).unwrap());
    }

    /// What came of the last recovery that was asked for at a machine.
    fn recovered(&self, at: usize) -> Option<Result<u32, RecoveryError>> {
        self.events.iter().rev().find_map(|(index, event)| match event {
            Event::Recovered(result) if *index == at => {
                Some(result.clone().map(|id| id.lineage.recoveries))
            }
            _ => None,
        })
    }

    fn frozen_for(&self, index: usize) -> Option<Name> {
        self.at(index).status(self.now).frozen_for
    }

    fn recoveries(&self, index: usize) -> u32 {
        self.at(index).view_id().lineage.recoveries
    }
}

/// Five, of which three are lost. The recovery waits for the leases.
fn halfway() -> Fleet {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    [2, 3, 4].iter().for_each(|index| fleet.crash(*index));
    fleet.recover(0, &[2, 3, 4]);
    fleet.run(MS * 1_500);
    for index in [0, 1] {
        assert_eq!(fleet.frozen_for(index), Some(name(0)));
    }
    fleet
}

/// Its coordinator was started again, and one of the lost came back.
#[test]
fn a_recovery_that_ends_midway_leaves_nobody_frozen() {
    let mut fleet = halfway();
    fleet.restart(0);
    fleet.run(MS * 1_500);
    assert_eq!((fleet.frozen_for(0), fleet.frozen_for(1)), (None, None));
    fleet.restart(2);
    fleet.run(MS * 9_000);
    assert_eq!(fleet.exclusive().len(), 1, "three of five are a majority again");
    assert_eq!(fleet.recoveries(0), 0);
    // A later one is another attempt.
    assert_eq!(fleet.agreed().council.len(), 3);
    [0, 2].iter().for_each(|index| fleet.crash(*index));
    fleet.recover(1, &[0, 2]);
    fleet.run(MS * 12_000);
    assert_eq!((fleet.recovered(1), fleet.exclusive()), (Some(Ok(1)), vec![1]));
}

/// The one that took part at first is heard again only after the end.
#[test]
fn one_that_missed_the_end_of_a_recovery_asks_for_it() {
    let mut fleet = halfway();
    fleet.cut = vec![(0, 1)];
    fleet.restart(0);
    fleet.run(MS * 20_000);
    assert_eq!((fleet.frozen_for(0), fleet.frozen_for(1)), (None, Some(name(0))));
    fleet.cut.clear();
    fleet.run(MS * 1_500);
    assert_eq!(fleet.frozen_for(1), None);
}

/// The coordinator is gone for good. Those that it has frozen count for no majority.
#[test]
fn frozen_voters_count_for_no_majority() {
    let mut fleet = halfway();
    fleet.crash(0);
    fleet.restart(2);
    fleet.restart(3);
    fleet.run(MS * 5_000);
    assert_eq!(fleet.exclusive(), [0; 0]);
    fleet.give(2, |council, now| council.confirm(now, ConfirmId(1)));
    fleet.run(MS * 1_100);
    let said = fleet.events.iter().rev().find_map(|(_, event)| match event {
        Event::Confirmed { result, .. } => Some(result.clone()),
        _ => None,
    });
    let said = said.unwrap();
    assert_eq!((said.majority, said.confirmed_by, said.frozen), (false, 2, vec![name(1)]));
    fleet.recover(2, &[0, 4]);
    fleet.run(MS * 12_000);
    assert_eq!(fleet.recovered(2), Some(Ok(1)));
    assert_eq!(names(&fleet.agreed().council), ["vm1", "vm2", "vm3"]);
    assert_eq!(fleet.exclusive().len(), 1);
}

/// The second operator must not wait for ever.
#[test]
fn of_two_recoveries_at_once_each_ends() {
    let mut fleet = halfway();
    fleet.run(MS * 5_000);
    // The new lineage comes while this one asks who is there.
    fleet.recover(1, &[2, 3, 4]);
    fleet.run(MS * 3_000);
    assert_eq!(fleet.recovered(0), Some(Ok(1)));
    assert_eq!(fleet.recovered(1), Some(Err(RecoveryError::UnderWay)));
    fleet.run(MS * 5_000);
    assert_eq!(fleet.exclusive().len(), 1);
}

/// The later one has frozen the earlier one's coordinator, which then begins nothing.
#[test]
fn a_recovery_ends_when_another_one_takes_over() {
    let mut fleet = halfway();
    fleet.recover(1, &[2, 3, 4]);
    fleet.run(MS * 1_500);
    assert_eq!(fleet.recovered(0), Some(Err(RecoveryError::UnderWay)));
    fleet.run(MS * 10_000);
    assert_eq!(fleet.recovered(1), Some(Ok(1)));
    assert_eq!(fleet.exclusive().len(), 1);
}

/// Two operators, who do not hear of each other, count on the same voter. It has one vote, so one
/// of the two lineages has no majority.
#[test]
fn a_voter_takes_over_only_the_lineage_for_which_it_is_frozen() {
    let mut fleet = halfway();
    fleet.cut = vec![(0, 1), (0, 2)];
    fleet.restart(2);
    fleet.recover(1, &[0, 3, 4]);
    fleet.run(MS * 6_000);
    assert_eq!((fleet.recoveries(0), fleet.recoveries(1)), (1, 0));
    fleet.cut.clear();
    for _ in 0..200 {
        fleet.run(MS * 100);
        assert!(fleet.exclusive().len() <= 1 && !fleet.exclusive().contains(&0));
    }
    assert_eq!(fleet.recovered(1), Some(Ok(1)));
    assert_eq!(fleet.exclusive().len(), 1);
    assert_ne!(fleet.at(0).view_id().lineage, fleet.at(1).view_id().lineage);
    assert!(fleet.has_event(1, |event| matches!(event, Event::OtherLineage { .. })));
}

/// Its coordinator might forget a lineage that is not on its disk, and take part in the old one.
#[test]
fn nobody_hears_of_a_lineage_that_is_not_durable() {
    let mut fleet = halfway();
    fleet.full = Some(0);
    fleet.run(MS * 12_000);
    assert_eq!((fleet.recoveries(0), fleet.recoveries(1)), (1, 0));
    assert_eq!(fleet.recovered(0), Some(Err(RecoveryError::SlowDisk)));
    fleet.full = None;
    fleet.restart(0);
    fleet.run(MS * 3_000);
    assert_eq!((fleet.recoveries(0), fleet.recoveries(1)), (0, 0));
    assert_eq!(fleet.frozen_for(1), None);
}
