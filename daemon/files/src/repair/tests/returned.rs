//! What a member is asked that has returned, and what is made again of what it lacks.

use super::*;
use crate::transfer::RefusalReason;

/// A member that lacked its copy has it again: a copy that was made meanwhile is not recorded.
#[test]
fn a_set_does_not_grow_when_who_lacked_a_copy_has_it_again() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    repairer.handle_restarted(at(5), &name(4));
    lacks(&mut repairer, 6, 4, &[1]);
    repairer.handle_set(at(6), ExtentId(1), in_use(&[0, 2, 4]));
    let refused = Transfer::Refused { extent: ExtentId(1), why: RefusalReason::Full };
    repairer.handle_message(at(7), &name(4), &refused);
    repairer.handle_set(at(7), ExtentId(1), in_use(&[0, 2, 4]));
    let Some((target, 1)) = pulls(&mut repairer).pop() else { panic!("it is not repaired") };
    assert!(target != name(4), "it has just refused");
    repairer.handle_restarted(at(8), &name(4));
    lacks(&mut repairer, 8, 4, &[]);
    let sealed = Transfer::Sealed { extent: ExtentId(1), length: 500, root: [7; 32] };
    repairer.handle_message(at(9), &target, &sealed);
    assert_eq!(repairer.work(), (0, 0));
    let asks = |output| matches!(output, RepairOutput::AskSet(_));
    assert!(!std::iter::from_fn(|| repairer.poll_output()).any(asks));
}

/// A member that is back in time costs nothing but a question.
#[test]
fn a_member_that_is_back_is_asked_and_nothing_moves() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4]), stored(2, 9, &[2, 0, 4])]);
    show(&mut repairer, 5, view(2, 8, &[4]));
    while repairer.poll_output().is_some() {}
    show(&mut repairer, 25, view(3, 8, &[]));
    assert_eq!(verified(&mut repairer, 4)[..2], [1, 2]);
    lacks(&mut repairer, 26, 4, &[]);
    repairer.handle_timeout(at(60));
    assert_eq!((pulls(&mut repairer), repairer.work()), (vec![], (0, 0)));
}

/// What a member that is back has lost, it fetches itself, at once.
#[test]
fn a_member_that_is_back_without_its_disk_fetches() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    repairer.handle_restarted(at(5), &name(4));
    lacks(&mut repairer, 6, 4, &[1]);
    assert!(only_asks(&mut repairer));
    repairer.handle_set(at(6), ExtentId(1), in_use(&[0, 2, 4]));
    assert_eq!(pulls(&mut repairer), [(name(4), 1)]);
    let sealed = Transfer::Sealed { extent: ExtentId(1), length: 500, root: [7; 32] };
    repairer.handle_message(at(7), &name(4), &sealed);
    let set = stored(1, 500, &[0, 2, 4]).set.unwrap();
    let told = Transfer::SetIs { extent: ExtentId(1), set };
    assert_eq!(repairer.poll_output(), Some(RepairOutput::Send { to: name(4), message: told }));
    assert_eq!((repairer.poll_output(), repairer.work()), (None, (0, 0)));
}

/// A holder that asked the catalog first has removed what no file has: it does not come back.
#[test]
fn what_no_file_has_is_not_fetched_again() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    repairer.handle_restarted(at(5), &name(4));
    lacks(&mut repairer, 6, 4, &[1]);
    assert!(only_asks(&mut repairer));
    repairer.handle_set(at(7), ExtentId(1), SetAnswer::Unknown);
    repairer.handle_timeout(at(600));
    assert_eq!((pulls(&mut repairer), repairer.work()), (vec![], (0, 0)));
}

/// The member that lacks it is no holder any more, by a set that was not heard of here.
#[test]
fn a_newer_set_decides_who_fetches() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    repairer.handle_restarted(at(5), &name(4));
    lacks(&mut repairer, 6, 4, &[1]);
    let members = [0, 2, 6].map(name).to_vec();
    let set = HolderSet { version: 2, members };
    while repairer.poll_output().is_some() {}
    repairer.handle_set(at(7), ExtentId(1), SetAnswer::Is(set.clone()));
    let outputs: Vec<RepairOutput> = std::iter::from_fn(|| repairer.poll_output()).collect();
    let message = Transfer::SetIs { extent: ExtentId(1), set };
    let told = [0, 2, 4, 6].map(|i| RepairOutput::Send { to: name(i), message: message.clone() });
    assert_eq!((outputs, repairer.work()), (told.to_vec(), (0, 0)));
}

/// The first of the set repairs it, and may have been away when the set was changed.
#[test]
fn who_is_to_repair_is_told_the_set() {
    let mut repairer = repairer(8, &[stored(1, 500, &[2, 0, 4])]);
    repairer.handle_restarted(at(5), &name(4));
    while repairer.poll_output().is_some() {}
    lacks(&mut repairer, 6, 4, &[1]);
    let set = stored(1, 500, &[2, 0, 4]).set.unwrap();
    let message = Transfer::SetIs { extent: ExtentId(1), set };
    assert_eq!(repairer.poll_output(), Some(RepairOutput::Send { to: name(2), message }));
    assert_eq!(repairer.poll_output(), None);
}

/// What a member is asked for.
fn verified(repairer: &mut Repairer, of: usize) -> Vec<u128> {
    let outputs = std::iter::from_fn(|| repairer.poll_output());
    let extents = outputs.filter_map(|output| match output {
        RepairOutput::Send { to, message: Transfer::Verify { extents, .. } } if to == name(of) => {
            Some(extents)
        }
        _ => None,
    });
    extents.flatten().map(|(extent, _)| extent.0).collect()
}

/// A member answers the last question.
fn lacks(repairer: &mut Repairer, seconds: u64, of: usize, extents: &[u128]) {
    let request = repairer.verifying.get(&name(of)).map_or(0, |one| one.request);
    let extents = extents.iter().copied().map(ExtentId).collect();
    repairer.handle_message(at(seconds), &name(of), &Transfer::Lacks { request, extents });
}

/// Two questions are under way, the second about more: the answer to the first, which does not name
/// what was not asked for, says nothing of that.
#[test]
fn an_answer_counts_for_its_own_question_only() {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    repairer.handle_restarted(at(5), &name(4));
    let first = repairer.verifying[&name(4)].request;
    repairer.handle_held(at(6), stored(2, 9, &[0, 2, 4]));
    repairer.handle_restarted(at(6), &name(4));
    let message = Transfer::Lacks { request: first, extents: vec![ExtentId(1)] };
    repairer.handle_message(at(7), &name(4), &message);
    assert_eq!(repairer.work(), (0, 0));
    lacks(&mut repairer, 8, 4, &[1, 2]);
    assert_eq!(repairer.work(), (0, 2));
}

/// Both others have lost their disks at once: the third asks both, whoever is first in the set.
#[test]
fn two_that_lost_their_disks_are_both_asked() {
    let mut repairer = repairer(5, &[stored(1, 500, &[2, 4, 0])]);
    repairer.handle_timeout(at(10));
    while repairer.poll_output().is_some() {}
    for (seconds, i) in [(20, 2), (21, 4)] {
        repairer.handle_restarted(at(seconds), &name(i));
        assert_eq!(verified(&mut repairer, i), [1]);
        lacks(&mut repairer, seconds, i, &[1]);
    }
    repairer.handle_set(at(21), ExtentId(1), in_use(&[2, 4, 0]));
    let [(first, 1)] = &pulls(&mut repairer)[..] else { panic!("it is not repaired") };
    let sealed = Transfer::Sealed { extent: ExtentId(1), length: 500, root: [7; 32] };
    repairer.handle_message(at(22), &first.clone(), &sealed);
    // From now on the first of the set goes on: it is told the set, and asks the other by it.
    let message =
        Transfer::SetIs { extent: ExtentId(1), set: stored(1, 500, &[2, 4, 0]).set.unwrap() };
    let told = RepairOutput::Send { to: name(2), message };
    assert_eq!(*first, name(2));
    assert!(std::iter::from_fn(|| repairer.poll_output()).any(|output| output == told));
    assert_eq!(repairer.work(), (0, 0));
}

/// A set becomes known only after one of its members has lost its disk: it is asked soon.
#[test]
fn a_set_that_is_new_here_is_looked_at_soon() {
    let mut repairer = repairer(5, &[]);
    repairer.handle_timeout(at(10));
    repairer.handle_restarted(at(19), &name(2));
    repairer.handle_held(at(20), stored(1, 500, &[2, 4, 0]));
    while repairer.poll_output().is_some() {}
    repairer.handle_timeout(at(49));
    assert_eq!(verified(&mut repairer, 2), []);
    assert_eq!(repairer.poll_timeout(), Some(at(50)));
    repairer.handle_timeout(at(50));
    assert_eq!(verified(&mut repairer, 2), [1]);
}

/// A member that lacks an extent and is no holder of it any more.
fn lacked_by_a_former_holder() -> Repairer {
    let mut repairer = repairer(8, &[stored(1, 500, &[0, 2, 4])]);
    repairer.handle_restarted(at(5), &name(4));
    assert_eq!(verified(&mut repairer, 4), [1]);
    repairer
}

/// vm2 leaves after a minute: its copy is made again after `repair_after`, and not before.
fn expect_patience(repairer: &mut Repairer) {
    while repairer.poll_output().is_some() {}
    show(repairer, 60, view(2, 8, &[2]));
    repairer.handle_timeout(at(89));
    let is_question = |output: &RepairOutput| {
        matches!(output, RepairOutput::Send { message: Transfer::Verify { .. }, .. })
    };
    assert!(std::iter::from_fn(|| repairer.poll_output()).all(|output| is_question(&output)));
    repairer.handle_timeout(at(90));
    assert_eq!(pulls(repairer).len(), 1);
}

fn newer(members: &[usize]) -> StoredExtent {
    let mut stored = stored(1, 500, members);
    stored.set.as_mut().unwrap().version = 2;
    stored
}

/// It said that it lacks the extent before the catalog recorded another holder.
#[test]
fn who_lacked_it_and_was_replaced_hurries_nobody() {
    let mut repairer = lacked_by_a_former_holder();
    lacks(&mut repairer, 6, 4, &[1]);
    repairer.handle_held(at(7), newer(&[0, 2, 6]));
    expect_patience(&mut repairer);
}

/// It says so only after another holder was recorded.
#[test]
fn who_was_replaced_meanwhile_hurries_nobody() {
    let mut repairer = lacked_by_a_former_holder();
    repairer.handle_held(at(6), newer(&[0, 2, 6]));
    lacks(&mut repairer, 7, 4, &[1]);
    expect_patience(&mut repairer);
}

/// It was to be asked, and another holder was recorded before.
#[test]
fn who_was_replaced_is_not_asked() {
    let mut repairer = repairer(8, &[]);
    repairer.handle_timeout(at(10));
    repairer.handle_held(at(20), stored(1, 500, &[0, 2, 4]));
    repairer.handle_held(at(25), newer(&[0, 2, 6]));
    while repairer.poll_output().is_some() {}
    repairer.handle_timeout(at(50));
    assert_eq!(verified(&mut repairer, 4), []);
}
