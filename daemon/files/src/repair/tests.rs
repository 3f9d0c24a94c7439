//! One repairer, by hand: who repairs, when, in which order, and what is recorded.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's values are known")]

mod returned;

use super::{RepairOutput, Repairer, SetAnswer, SetChange};
use crate::content::HolderSet;
use crate::disk::StoredExtent;
use crate::ids::{Epoch, ExtentId};
use crate::path::ShareName;
use crate::placement::Hints;
use crate::settings::ExtentSettings;
use crate::transfer::Transfer;
use crate::view::{FilesView, MemberOfView};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

fn at(seconds: u64) -> BootTime {
    BootTime::from_epoch(Duration::from_secs(1_000 + seconds))
}

/// A view of all of `size` but these, two in a zone.
fn view(epoch: u64, size: usize, gone: &[usize]) -> Arc<FilesView> {
    let member = |i: usize| (name(i), MemberOfView { zone: Some(format!("z{}", i / 2)) });
    let members = (0..size).filter(|i| !gone.contains(i)).map(member).collect();
    Arc::new(FilesView { epoch: Epoch(epoch), members, ..FilesView::default() })
}

fn stored(id: u128, length: u64, members: &[usize]) -> StoredExtent {
    let members = members.iter().map(|i| name(*i)).collect();
    let set = Some(HolderSet { version: 1, members });
    let share = ShareName::new("share").unwrap();
    StoredExtent { extent: ExtentId(id), share, length, root: [7; 32], set }
}

/// vm0 in a view of `size` at second 0, with these extents.
fn repairer(size: usize, extents: &[StoredExtent]) -> Repairer {
    let mut repairer = Repairer::new(name(0), ExtentSettings::default(), at(0));
    show(&mut repairer, 0, view(1, size, &[]));
    for extent in extents {
        repairer.handle_held(at(0), extent.clone());
    }
    repairer
}

fn show(repairer: &mut Repairer, seconds: u64, view: Arc<FilesView>) {
    repairer.handle_view(at(seconds), view, Hints::default(), &BTreeSet::new());
}

/// The extents that are being fetched from now on, in their order, and by whom, if the catalog says
/// that the set is as it is known here.
fn pulls(repairer: &mut Repairer) -> Vec<(Name, u128)> {
    let mut pulls = Vec::new();
    while let Some(output) = repairer.poll_output() {
        match output {
            RepairOutput::Send { to, message: Transfer::Pull(order) } => {
                pulls.push((to, order.extent.0));
            }
            RepairOutput::AskHolders { extent, .. } => {
                let set = repairer.known[&extent].set.clone();
                repairer.handle_set(repairer.now, extent, SetAnswer::Is(set));
            }
            _ => {}
        }
    }
    pulls
}

/// Whether the catalog is asked for the first extent, and nobody is to fetch anything.
fn only_asks(repairer: &mut Repairer) -> bool {
    let outputs: Vec<RepairOutput> = std::iter::from_fn(|| repairer.poll_output()).collect();
    let share = ShareName::new("share").unwrap();
    let asked = RepairOutput::AskHolders { share, extent: ExtentId(1) };
    let is_pull = |output: &RepairOutput| {
        matches!(output, RepairOutput::Send { message: Transfer::Pull(_), .. })
    };
    outputs.contains(&asked) && !outputs.iter().any(is_pull)
}

/// While a repair runs, its extent may be sealed anew here, and who holds it is not known then.
#[test]
fn a_repair_whose_set_is_not_known_waits_between_its_tries() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    show(&mut repairer, 5, view(2, 8, &[4]));
    repairer.handle_timeout(at(35));
    assert_eq!(pulls(&mut repairer).len(), 1);
    repairer.handle_held(at(36), StoredExtent { set: None, ..stored(1, 500, &[]) });
    repairer.handle_timeout(at(40));
    let next = repairer.poll_timeout().unwrap();
    assert!(next > at(40), "it would be woken again and again: {next:?}");
}

/// With two copies left it waits 30 s. The target is neither a holder nor in their zones.
#[test]
fn two_copies_wait_and_then_a_third_is_recorded() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    show(&mut repairer, 5, view(2, 8, &[4]));
    repairer.handle_timeout(at(34));
    assert_eq!(pulls(&mut repairer), []);
    repairer.handle_timeout(at(35));
    let [(target, 1)] = &pulls(&mut repairer)[..] else { panic!("it is not repaired") };
    assert!([5, 6, 7].map(name).contains(target), "{target} shares a zone");
    let sealed = Transfer::Sealed { extent: ExtentId(1), length: 500, root: [7; 32] };
    repairer.handle_message(at(36), &name(3), &sealed);
    assert_eq!(repairer.poll_output(), None, "somebody else does not count");
    repairer.handle_message(at(36), target, &sealed);
    let Some(RepairOutput::AskSet(change)) = repairer.poll_output() else {
        panic!("the catalog is not asked")
    };
    let members = vec![name(0), name(2), target.clone()];
    assert_eq!((change.version, &change.members), (1, &members));
    let set = HolderSet { version: 2, members };
    repairer.handle_set(at(37), ExtentId(1), SetAnswer::Is(set.clone()));
    let told = std::iter::from_fn(|| repairer.poll_output()).filter(|output| {
        matches!(output, RepairOutput::Send { message: Transfer::SetIs { set: one, .. }, .. }
            if *one == set)
    });
    assert_eq!(told.count(), 3);
    assert_eq!(repairer.work(), (0, 0));
}

/// A repairer that has asked for a change of the holders of extent 1 from 0, 2, 4, and the change.
fn asked_for_a_change() -> (Repairer, SetChange) {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    show(&mut repairer, 5, view(2, 8, &[4]));
    repairer.handle_timeout(at(35));
    let [(target, 1)] = &pulls(&mut repairer)[..] else { panic!("it is not repaired") };
    let sealed = Transfer::Sealed { extent: ExtentId(1), length: 500, root: [7; 32] };
    repairer.handle_message(at(36), &target.clone(), &sealed);
    let Some(RepairOutput::AskSet(change)) = repairer.poll_output() else {
        panic!("the catalog is not asked")
    };
    (repairer, change)
}

fn recorded(change: &SetChange) -> HolderSet {
    HolderSet { version: change.version + 1, members: change.members.clone() }
}

/// A change may be recorded although nobody answers. Then the member that it replaces is back, and
/// all seems well here: the change is asked for until it is known whether it is recorded.
#[test]
fn a_change_that_may_be_recorded_is_followed_to_its_end() {
    let (mut repairer, change) = asked_for_a_change();
    show(&mut repairer, 37, view(3, 8, &[]));
    while repairer.poll_output().is_some() {}
    repairer.handle_timeout(at(700));
    let asked = RepairOutput::AskSet(change.clone());
    assert!(std::iter::from_fn(|| repairer.poll_output()).any(|output| output == asked));
    repairer.handle_set(at(701), ExtentId(1), SetAnswer::Is(recorded(&change)));
    while repairer.poll_output().is_some() {}
    // The new holder is gone for good: somebody must know that it was one.
    let target = change.members.last().unwrap();
    let gone = (0..8).find(|i| name(*i) == *target).unwrap();
    show(&mut repairer, 710, view(4, 8, &[gone]));
    repairer.handle_timeout(at(745));
    assert_eq!(pulls(&mut repairer).len(), 1);
}

/// The new holder is gone before the answer: the change counts, and is repaired in its turn.
#[test]
fn a_change_to_a_member_that_is_gone_counts() {
    let (mut repairer, change) = asked_for_a_change();
    let target = change.members.last().unwrap();
    let gone = (0..8).find(|i| name(*i) == *target).unwrap();
    show(&mut repairer, 37, view(3, 8, &[gone]));
    repairer.handle_set(at(38), ExtentId(1), SetAnswer::Is(recorded(&change)));
    while repairer.poll_output().is_some() {}
    repairer.handle_timeout(at(745));
    let [(next, 1)] = &pulls(&mut repairer)[..] else { panic!("it is not repaired") };
    assert!(next != target, "{next} is gone");
}

/// The answer comes after the repair was given up: it counts all the same.
#[test]
fn a_late_answer_counts() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    let set = HolderSet { version: 2, members: [0, 2, 6].map(name).to_vec() };
    repairer.handle_set(at(5), ExtentId(1), SetAnswer::Is(set));
    while repairer.poll_output().is_some() {}
    show(&mut repairer, 6, view(2, 8, &[6]));
    repairer.handle_timeout(at(36));
    assert_eq!(pulls(&mut repairer).len(), 1);
}

/// One copy left goes at once and first; then the small ones.
#[test]
fn the_last_copy_goes_first_then_small_ones() {
    let extents = [
        stored(1, 900, &[0, 2, 4]),
        stored(2, 100, &[0, 2, 4]),
        stored(3, 64 << 20, &[0, 4, 6]),
        stored(4, 10, &[2, 0, 4]),
    ];
    let mut repairer = repairer(10, &extents);
    show(&mut repairer, 5, view(2, 10, &[4, 6]));
    let now = pulls(&mut repairer);
    assert_eq!(now.iter().map(|(_, id)| *id).collect::<Vec<_>>(), [3]);
    repairer.handle_timeout(at(35));
    let later: Vec<u128> = pulls(&mut repairer).into_iter().map(|(_, id)| id).collect();
    // The fourth has another first member. The third is asked for again.
    assert_eq!(later, [3, 2, 1]);
}

fn in_use(members: &[usize]) -> SetAnswer {
    SetAnswer::Is(stored(1, 500, members).set.unwrap())
}

/// A rack is gone: what has two copies left waits for ten minutes, what has one does not.
#[test]
fn the_brake_holds_after_the_loss_of_a_rack() {
    let extents = [stored(1, 500, &[0, 2, 4]), stored(2, 500, &[0, 4, 5])];
    let mut repairer = repairer(12, &extents);
    show(&mut repairer, 5, view(2, 12, &[4]));
    show(&mut repairer, 9, view(3, 12, &[4, 5]));
    assert_eq!(pulls(&mut repairer).iter().map(|(_, id)| *id).collect::<Vec<_>>(), [2]);
    repairer.handle_timeout(at(300));
    assert!(pulls(&mut repairer).iter().all(|(_, id)| *id == 2));
    repairer.handle_timeout(at(609));
    assert!(pulls(&mut repairer).iter().any(|(_, id)| *id == 1));
}

/// The copy here goes while another is made of it: nobody does or waits for anything more.
#[test]
fn what_is_dropped_is_repaired_no_more() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    show(&mut repairer, 40, view(2, 8, &[4]));
    repairer.handle_timeout(at(70));
    assert_eq!(pulls(&mut repairer).len(), 1);
    repairer.handle_dropped(at(71), ExtentId(1));
    repairer.handle_timeout(at(77));
    assert_eq!(repairer.work(), (0, 0));
    assert!(repairer.poll_timeout() > Some(at(77)));
}

/// Holders are not told of a delete: the catalog is asked before a copy is made of what is left.
#[test]
fn what_was_deleted_is_not_copied() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    show(&mut repairer, 5, view(2, 8, &[4]));
    repairer.handle_timeout(at(35));
    assert!(only_asks(&mut repairer));
    repairer.handle_timeout(at(40));
    assert!(only_asks(&mut repairer), "an answer may be lost");
    repairer.handle_set(at(41), ExtentId(1), SetAnswer::Unknown);
    repairer.handle_timeout(at(600));
    assert_eq!((pulls(&mut repairer), repairer.work()), (vec![], (0, 0)));
}

/// Nobody answers for the catalog: what has one copy left is copied nevertheless.
#[test]
fn the_last_copy_does_not_wait_for_the_catalog() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    show(&mut repairer, 5, view(2, 8, &[2, 4]));
    assert!(only_asks(&mut repairer));
    repairer.handle_timeout(at(10));
    assert_eq!(pulls(&mut repairer).len(), 1);
    repairer.handle_set(at(11), ExtentId(1), in_use(&[0, 2, 4]));
    assert_eq!((repairer.poll_output(), repairer.work()), (None, (0, 1)));
}

/// The target leaves before it has the extent: another one fetches it.
#[test]
fn a_target_that_leaves_is_replaced() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    show(&mut repairer, 5, view(2, 8, &[4]));
    repairer.handle_timeout(at(35));
    let [(target, 1)] = &pulls(&mut repairer)[..] else { panic!("it is not repaired") };
    let left = (5..8).find(|i| name(*i) == *target).unwrap();
    show(&mut repairer, 36, view(3, 8, &[4, left]));
    let [(next, 1)] = &pulls(&mut repairer)[..] else { panic!("it is not repaired") };
    assert!(next != target && *next != name(4), "{next} is gone");
}
