//! Which logs count: three keepers that hear each other at once, and whose disks are quick.

use super::world::{ms, name, share};
use memberd_files::{
    BootTime, Durable, Epoch, FilesView, Keeper, KeeperOutput, KeeperRole, KeeperSettings,
    MemberOfView, Mutation, Name, Now, OperationId, RequestId, ShareKeepers,
};
use memberd_membership::WallTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

#[derive(Default)]
struct Group {
    keepers: BTreeMap<Name, Keeper>,
    lost: BTreeSet<Name>,
    now: Duration,
}

impl Group {
    fn now(&self) -> Now {
        Now { boot: BootTime::from_epoch(self.now), wall: WallTime(0) }
    }

    /// A keeper that has nothing.
    fn start(&mut self, i: usize) {
        let (settings, durable, now) = (KeeperSettings::default(), Durable::default(), self.now());
        let keeper = Keeper::new(settings, name(i), share(), durable, now).unwrap();
        self.keepers.insert(name(i), keeper);
    }

    fn show(&mut self, epoch: u64, share_keepers: &ShareKeepers) {
        self.show_until(epoch, share_keepers, usize::MAX);
        self.run();
    }

    /// Shows a view, and lets so many outputs happen that follow from it.
    fn show_until(&mut self, epoch: u64, share_keepers: &ShareKeepers, mut most: usize) {
        let view = FilesView {
            epoch: Epoch(epoch),
            members: (0..5).map(|i| (name(i), MemberOfView::default())).collect(),
            shares: BTreeMap::from([(share(), share_keepers.clone())]),
        };
        let (now, view) = (self.now(), Arc::new(view));
        self.keepers.values_mut().for_each(|keeper| keeper.handle_view(now, &view));
        while self.carry_out(now, &mut most) {}
    }

    /// Ten seconds.
    fn run(&mut self) {
        for _ in 0..200 {
            self.now += ms(50);
            let now = self.now();
            self.keepers.values_mut().for_each(|keeper| keeper.handle_timeout(now));
            while self.carry_out(now, &mut { usize::MAX }) {}
        }
    }

    fn carry_out(&mut self, now: Now, most: &mut usize) -> bool {
        let names: Vec<Name> = self.keepers.keys().cloned().collect();
        let mut any = false;
        for from in names {
            while *most > 0
                && let Some(output) = self.keepers.get_mut(&from).and_then(Keeper::poll_output)
            {
                any = true;
                *most -= 1;
                match output {
                    KeeperOutput::Write { id, .. } => {
                        self.keepers.get_mut(&from).unwrap().handle_written(now, id);
                    }
                    KeeperOutput::Send { to, message } => {
                        if let Some(keeper) = self.keepers.get_mut(&to) {
                            keeper.handle_message(now, &from, message);
                        }
                    }
                    KeeperOutput::Lost(name) => drop(self.lost.insert(name)),
                    KeeperOutput::Whole(_) | KeeperOutput::Reply { .. } => {}
                }
            }
        }
        any
    }

    fn role(&self, i: usize) -> KeeperRole {
        self.keepers[&name(i)].status().role
    }
}

fn names(of: [usize; 3]) -> Vec<Name> {
    of.map(name).to_vec()
}

/// Three keepers with one entry, and what the view says of them.
fn founded() -> (Group, ShareKeepers) {
    let mut group = Group::default();
    (0..3).for_each(|i| group.start(i));
    let (added, since, keepers) = (Epoch(1), Epoch(1), names([0, 1, 2]));
    let whole = keepers.iter().cloned().collect();
    let view = ShareKeepers { added, since, keepers, whole, ..ShareKeepers::default() };
    group.show(1, &view);
    let (now, mutation) = (group.now(), Mutation::SetQuota { bytes: None, names: None });
    let operation = (OperationId(1), Epoch(1));
    let primary = group.keepers.get_mut(&name(0)).unwrap();
    primary.propose(now, RequestId(1), operation, mutation);
    group.run();
    assert_eq!(
        (group.role(0), group.keepers[&name(2)].status().applied),
        (KeeperRole::Primary, Some(1))
    );
    assert!(group.lost.is_empty(), "nobody lost anything: {:?}", group.lost);
    (group, view)
}

/// It was away, became a keeper again, and those that acknowledged more meanwhile have lost it.
#[test]
fn a_log_of_before_it_was_a_keeper_does_not_count() {
    let (mut group, mut view) = founded();
    group.keepers.retain(|of, _| *of == name(0));
    (3..5).for_each(|i| group.start(i));
    view.keepers = names([3, 0, 4]);
    view.since = Epoch(9);
    view.joined = BTreeMap::from([(name(3), Epoch(5)), (name(0), Epoch(7)), (name(4), Epoch(9))]);
    view.whole = BTreeSet::from([name(3)]);
    group.show(9, &view);
    let roles = [0, 3, 4].map(|i| group.role(i));
    assert!(!roles.contains(&KeeperRole::Primary), "{roles:?}");
    assert_eq!(group.lost, BTreeSet::from([name(3)]), "the view takes it for whole");
}

/// It is back before any view changes.
#[test]
fn a_keeper_without_its_disk_is_told_to_the_council() {
    for wiped in 0..3 {
        let (mut group, view) = founded();
        group.start(wiped);
        group.show(1, &view);
        group.run();
        assert_eq!(group.lost, BTreeSet::from([name(wiped)]));
        let applied = group.keepers.values().map(|keeper| keeper.status().applied);
        assert!(applied.min().flatten() >= Some(1), "all are whole again");
    }
}

/// It has promised, and what it is sent then follows nothing that it has.
#[test]
fn a_keeper_that_loses_its_disk_amid_a_claim_is_asked_again() {
    for pieces in 0..40 {
        let (mut group, view) = founded();
        group.show_until(2, &view, pieces);
        group.start(2);
        group.show_until(2, &view, usize::MAX);
        group.run();
        let roles = [0, 1, 2].map(|i| group.role(i));
        let ends = [KeeperRole::Primary, KeeperRole::Backup, KeeperRole::Backup];
        assert_eq!(roles, ends, "after {pieces} messages");
        assert_eq!(group.keepers[&name(2)].status().applied, Some(1));
    }
}
