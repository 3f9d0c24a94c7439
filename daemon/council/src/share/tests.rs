//! Who keeps a share, and when that changes.

use super::*;
use crate::operation::{ApplyError, Operation};
use crate::view::{Term, ViewNumber, Voter, VoterId};
use memberd_membership::Incarnation;
use std::collections::BTreeMap;

fn name(index: usize) -> Name {
    Name::new(&format!("vm{index}")).unwrap()
}

fn identity(index: usize, incarnation: u64) -> Identity {
    let address = format!("192.0.2.{}:8946", index % 250 + 1).parse().unwrap();
    Identity { name: name(index), address, incarnation: Incarnation(incarnation) }
}

fn share(text: &str) -> ShareName {
    ShareName::new(text).unwrap()
}

fn add_with(text: &str, keepers: KeeperCount) -> Operation {
    Operation::Share(ShareChange::Add { name: share(text), keepers })
}

fn add(text: &str) -> Operation {
    add_with(text, KeeperCount::THREE)
}

fn after(view: &View, operations: Vec<Operation>) -> View {
    let proposal = view.propose(operations).unwrap();
    view.apply(&proposal).unwrap()
}

/// A view with these members.
fn of_members(members: impl IntoIterator<Item = usize>) -> View {
    let voter = Voter { name: name(1), id: VoterId(1) };
    let mut operations: Vec<Operation> =
        members.into_iter().map(|index| Operation::Add(identity(index, 1))).collect();
    operations.push(Operation::Seat(vec![voter.clone()]));
    operations.push(Operation::Leader { term: Term(1), voter });
    after(&View::genesis(&[name(1)]), operations)
}

fn keepers(view: &View, text: &str) -> Vec<Name> {
    view.share(&share(text)).unwrap().keepers.iter().map(|keeper| keeper.name.clone()).collect()
}

/// All keepers have the catalog.
fn filled(view: &View, text: &str) -> View {
    let keepers = view.share(&share(text)).unwrap().keepers.clone();
    let fill = |Keeper { name: keeper, since, .. }| {
        Operation::Share(ShareChange::Fill { name: share(text), keeper, since })
    };
    after(view, keepers.into_iter().map(fill).collect())
}

fn delete(view: &View, those: &[Name]) -> View {
    let gone = those.iter().map(|name| Operation::Delete(view.member(name).unwrap().clone()));
    after(view, gone.collect())
}

#[test]
fn names_have_plain_bytes_alone() {
    for good in ["a", "spark-2.x_Y", &"a".repeat(64)] {
        assert_eq!(ShareName::new(good).unwrap().as_str(), good);
    }
    for bad in ["", ".", "..", "a/b", "a b", "ä", &"a".repeat(65)] {
        assert_eq!(ShareName::new(bad), Err(ShareNameError(bad.to_owned())));
    }
}

#[test]
fn three_members_keep_a_share() {
    let view = after(&of_members(1..=9), vec![add("spark")]);
    let kept: Vec<_> = view.shares().collect();
    let [(named, three)] = kept[..] else { panic!("{kept:?}") };
    assert_eq!((named.as_str(), three.len()), ("spark", 3));
    let founds = |keeper: &Keeper| {
        view.member(&keeper.name).is_some() && keeper.whole && keeper.since == view.epoch()
    };
    assert!(three.iter().all(founds), "{three:?}");
    let spark = view.share(named).unwrap();
    assert_eq!((spark.added, spark.changed), (view.epoch(), view.epoch()));
}

/// As many as it wants, and never more than there are members.
#[test]
fn a_share_has_as_many_keepers_as_it_wants() {
    for (wanted, members, kept) in [(1, 9, 1), (3, 2, 2), (5, 4, 4), (5, 9, 5)] {
        let wanted = KeeperCount::try_from(wanted).unwrap();
        let view = after(&of_members(1..=members), vec![add_with("streams", wanted)]);
        assert_eq!(keepers(&view, "streams").len(), kept, "{wanted:?} of {members}");
        // Another wish for it changes nothing.
        let again = after(&view, vec![add("streams")]);
        assert_eq!(again.shares[0].wanted, wanted);
    }
    // Those of three are the first of five.
    let [three, five] = [KeeperCount::THREE, KeeperCount::FIVE]
        .map(|wanted| keepers(&after(&of_members(1..=9), vec![add_with("s", wanted)]), "s"));
    assert_eq!(three[..], five[..3]);
    for none in [0, 6, 255] {
        assert_eq!(KeeperCount::try_from(none), Err(KeeperCountError(none)));
    }
}

/// Four of five keepers are lost at once: the last one has all, and gets four others beside it.
#[test]
fn a_share_of_five_keepers_survives_four_crashes() {
    let view = after(&of_members(1..=9), vec![add_with("streams", KeeperCount::FIVE)]);
    let before = keepers(&view, "streams");
    let view = delete(&view, &before[..4]);
    let now = view.share(&share("streams")).unwrap();
    assert_eq!((now.keepers.len(), &now.keepers[0].name), (5, &before[4]));
    let whole: Vec<bool> = now.keepers.iter().map(|keeper| keeper.whole).collect();
    assert_eq!(whole, [true, false, false, false, false]);
}

/// It is a part of what members agree on.
#[test]
fn shares_change_the_hash_of_a_view() {
    let view = after(&of_members(1..=9), vec![add("spark")]);
    let changes: [fn(&mut View); 8] = [
        |view| view.shares.clear(),
        |view| view.shares[0].name = share("sparks"),
        |view| view.shares[0].added = Epoch(9),
        |view| view.shares[0].changed = Epoch(9),
        |view| view.shares[0].wanted = KeeperCount::FIVE,
        |view| view.shares[0].keepers.reverse(),
        |view| view.shares[0].keepers[0].since = Epoch(9),
        |view| view.shares[0].keepers[0].whole = false,
    ];
    for change in changes {
        let mut other = view.clone();
        change(&mut other);
        assert_ne!(other.hash(), view.hash(), "{other:?}");
    }
}

/// The rank is part of the protocol: members of two versions must choose the same keepers.
#[test]
fn the_keepers_of_these_names_are_these() {
    let view = after(&of_members(1..=9), vec![add("spark"), add("artifacts")]);
    let told = ["artifacts", "spark"]
        .map(|text| keepers(&view, text).iter().map(Name::to_string).collect::<Vec<_>>().join(" "));
    assert_eq!(told, ["vm6 vm1 vm4", "vm3 vm5 vm9"]);
}

#[test]
fn a_gone_keeper_is_replaced_in_the_same_view() {
    let before = after(&of_members(1..=9), vec![add("spark")]);
    let old = keepers(&before, "spark");
    let view = delete(&before, &old[..1]);
    let new = keepers(&view, "spark");
    assert_eq!(new[..2], old[1..], "the others stay, the oldest first");
    assert_eq!(new.len(), 3);
    assert!(view.member(&new[2]).is_some() && !old.contains(&new[2]), "{new:?}");
    let newcomer = &view.share(&share("spark")).unwrap().keepers[2];
    assert!(!newcomer.whole && newcomer.since == view.epoch(), "{newcomer:?}");
    assert_eq!(view.share(&share("spark")).unwrap().changed, view.epoch());
    // Back again, it is one member of many.
    let index = before.members.iter().position(|member| member.name == old[0]).unwrap() + 1;
    let back = after(&view, vec![Operation::Add(identity(index, 2))]);
    assert_eq!(keepers(&back, "spark"), new);
}

/// A daemon that was started again has its disk.
#[test]
fn another_incarnation_keeps_on() {
    let view = after(&of_members(1..=9), vec![add("spark")]);
    let old = keepers(&view, "spark");
    let keeper = view.member(&old[0]).unwrap().clone();
    let again = Identity { incarnation: Incarnation(7), ..keeper.clone() };
    let view = after(&view, vec![Operation::Delete(keeper), Operation::Add(again)]);
    assert_eq!(keepers(&view, "spark"), old);
}

#[test]
fn joins_move_no_keeper() {
    let mut view = after(&of_members(1..=5), vec![add("spark")]);
    let old = keepers(&view, "spark");
    for index in 6..60 {
        view = after(&view, vec![Operation::Add(identity(index, 1))]);
        assert_eq!(keepers(&view, "spark"), old);
    }
}

#[test]
fn few_members_are_few_keepers_until_more_join() {
    let mut view = after(&of_members(1..=1), vec![add("spark")]);
    assert_eq!(keepers(&view, "spark"), [name(1)]);
    for (index, expected) in [(2, 2), (3, 3), (4, 3)] {
        view = after(&view, vec![Operation::Add(identity(index, 1))]);
        assert_eq!(keepers(&view, "spark").len(), expected);
        assert_eq!(keepers(&view, "spark")[0], name(1));
    }
}

/// Their disks have the catalog, and nobody else's has.
#[test]
fn the_last_keepers_stay_recorded_until_one_is_back() {
    let before = after(&of_members(1..=9), vec![add("spark")]);
    let old = keepers(&before, "spark");
    let mut view = delete(&before, &old);
    assert_eq!(keepers(&view, "spark"), old);
    view = after(&view, vec![Operation::Add(identity(40, 1))]);
    assert_eq!(keepers(&view, "spark"), old);
    let back = Identity { incarnation: Incarnation(2), ..before.member(&old[1]).unwrap().clone() };
    view = after(&view, vec![Operation::Add(back)]);
    let new = keepers(&view, "spark");
    assert_eq!((new.len(), &new[0]), (3, &old[1]));
    assert!(new.iter().all(|keeper| view.member(keeper).is_some()), "{new:?}");
}

/// An answer to a removal that was lost is asked for again, when there may be another share.
#[test]
fn a_removal_is_of_one_share_and_not_of_a_later_one() {
    let first = after(&of_members(1..=3), vec![add("spark")]);
    let remove = |view: &View| {
        Operation::Share(ShareChange::Remove { name: share("spark"), added: view.epoch() })
    };
    assert_eq!(after(&first, vec![add("spark")]).shares, first.shares);
    assert!(after(&first, vec![remove(&first)]).shares.is_empty());
    let second = after(&first, vec![remove(&first), add("spark")]);
    assert_eq!(second.share(&share("spark")).unwrap().added, second.epoch());
    assert_eq!(after(&second, vec![remove(&first)]).shares, second.shares);
}

/// A proposal that nobody can apply would stop the leader.
#[test]
fn a_share_too_many_changes_nothing() {
    let names: Vec<String> = (0..64).map(|index| format!("share-{index}")).collect();
    let full = after(&of_members(1..=3), names.iter().map(|text| add(text)).collect());
    assert_eq!(full.shares.len(), View::MAX_SHARES);
    let view = after(&full, vec![add("one-more")]);
    assert_eq!(view.shares, full.shares);
    let outcome =
        ShareChange::Add { name: share("one-more"), keepers: KeeperCount::THREE }.outcome(&view);
    assert_eq!(outcome, Some(Err(ShareError::Full)));
}

#[test]
fn a_view_with_other_keepers_is_refused() {
    let before = of_members(1..=9);
    let mut proposal = before.propose(vec![add("spark")]).unwrap();
    let mut other = before.apply(&proposal).unwrap();
    other.shares[0].keepers.reverse();
    proposal.hash = other.hash();
    assert_eq!(before.apply(&proposal), Err(ApplyError::Hash));
}

/// Each of many shares is kept by others, and each member keeps about as many.
#[test]
fn shares_are_spread_over_the_members() {
    let names: Vec<String> = (0..64).map(|index| format!("share-{index}")).collect();
    let view = after(&of_members(1..=8), names.iter().map(|text| add(text)).collect());
    let mut load: BTreeMap<&Name, usize> = BTreeMap::new();
    for (_, three) in view.shares() {
        three.iter().for_each(|keeper| *load.entry(&keeper.name).or_default() += 1);
    }
    // 24 in the mean.
    assert_eq!(load.len(), 8);
    assert!(load.values().all(|kept| (12..=36).contains(kept)), "{load:?}");
}

/// Two are gone, and the third goes before a newcomer has the catalog.
#[test]
fn newcomers_alone_do_not_take_a_share_over() {
    let before = after(&of_members(1..=9), vec![add("spark")]);
    let old = keepers(&before, "spark");
    let two = delete(&before, &old[..2]);
    let one = delete(&two, &old[2..]);
    assert_eq!(keepers(&one, "spark"), keepers(&two, "spark"));
    // One of them had it, and nobody knew yet.
    let late = filled(&one, "spark");
    assert_eq!(keepers(&late, "spark")[..2], keepers(&two, "spark")[1..]);
    assert!(!late.share(&share("spark")).unwrap().keepers[2].whole);
    // Had they been known to have it, the third would have been replaced at once.
    let known = delete(&filled(&two, "spark"), &old[2..]);
    assert_eq!(keepers(&known, "spark")[..2], keepers(&two, "spark")[1..]);
}

/// Its disk is empty or has failed, and it is a member nevertheless.
#[test]
fn a_keeper_that_lost_its_disk_does_not_let_others_go() {
    let before = after(&of_members(1..=5), vec![add("spark")]);
    let old = before.share(&share("spark")).unwrap().keepers.clone();
    let lose = |of: &Keeper| {
        let (keeper, since) = (of.name.clone(), of.since);
        ShareChange::Lose { name: share("spark"), keeper, since }
    };
    assert!(lose(&old[0]).outcome(&before).is_none());
    let lost = after(&before, vec![Operation::Share(lose(&old[0]))]);
    assert!(lose(&old[0]).outcome(&lost).is_some());
    let whole: Vec<bool> =
        lost.share(&share("spark")).unwrap().keepers.iter().map(|keeper| keeper.whole).collect();
    assert_eq!(
        (keepers(&lost, "spark"), whole),
        (keepers(&before, "spark"), vec![false, true, true])
    );
    let gone = [old[1].name.clone(), old[2].name.clone()];
    assert_eq!(keepers(&delete(&lost, &gone), "spark"), keepers(&before, "spark"), "it is closed");
    assert_ne!(keepers(&delete(&before, &gone), "spark"), keepers(&before, "spark"));
    let refilled = filled(&lost, "spark");
    assert_eq!(refilled.shares, before.shares, "it got all of it from the others");
    let stale = Keeper { since: Epoch(0), ..old[0].clone() };
    assert_eq!(after(&refilled, vec![Operation::Share(lose(&stale))]).shares, before.shares);
}

/// It was replaced, wiped, and made a keeper again.
#[test]
fn what_a_keeper_had_before_it_was_replaced_does_not_count() {
    let before = after(&of_members(1..=4), vec![add("spark")]);
    let old = before.share(&share("spark")).unwrap().keepers[0].clone();
    let gone = delete(&before, std::slice::from_ref(&old.name));
    let index = (1..=4).find(|index| name(*index) == old.name).unwrap();
    let back = after(&gone, vec![Operation::Add(identity(index, 2))]);
    let other = keepers(&back, "spark")[0].clone();
    let again = delete(&back, &[other]);
    let keeper = again.share(&share("spark")).unwrap().keepers[2].clone();
    assert!(keeper.name == old.name && !keeper.whole, "{keeper:?}");
    let stale = ShareChange::Fill { name: share("spark"), keeper: old.name, since: old.since };
    assert!(stale.outcome(&again).is_some());
    assert_eq!(after(&again, vec![Operation::Share(stale)]).shares, again.shares);
}

/// A recovery goes on with the number of what it has found, and more was decided before.
#[test]
fn epochs_grow_across_recoveries() {
    let mut view = of_members(1..=3);
    view.number = ViewNumber(1 << 30);
    let before = view.epoch();
    view.lineage.recoveries = 1;
    view.number = ViewNumber(2);
    assert!(view.epoch() > before);
    view.lineage.recoveries = u32::MAX;
    view.number = ViewNumber::MAX;
    assert_eq!(view.epoch(), Epoch(u64::MAX));
}

/// Whatever comes and goes: a keeper of before that is whole is left. If one that is whole is a
/// member, all keepers are, and there are as many as there can be; else nobody has come or gone.
#[test]
fn one_keeper_of_before_that_is_whole_is_always_left() {
    // A linear congruential generator (Knuth, TAOCP 2, 3.3.4) is random enough here.
    let mut state = 7_u64;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut view = of_members(1..=4);
    for round in 0..2_000_u64 {
        let mut operations = Vec::new();
        for _ in 0..draw(5) {
            let index = draw(9) + 1;
            operations.push(match view.member(&name(index)) {
                Some(member) if draw(3) > 0 => Operation::Delete(member.clone()),
                _ => Operation::Add(identity(index, round + 2)),
            });
        }
        let (text, mut lost) = (["a", "b", "c"][draw(3)], None);
        operations.extend(match view.share(&share(text)) {
            Some(Share { name, added, .. }) if draw(10) == 0 => {
                let (name, added) = (name.clone(), *added);
                Some(Operation::Share(ShareChange::Remove { name, added }))
            }
            Some(Share { name, keepers, .. }) if !keepers.is_empty() && draw(2) == 0 => {
                let Keeper { name: keeper, since, .. } = keepers[draw(keepers.len())].clone();
                let name = name.clone();
                Some(Operation::Share(if draw(4) == 0 {
                    lost = Some((keeper.clone(), since));
                    ShareChange::Lose { name, keeper, since }
                } else {
                    ShareChange::Fill { name, keeper, since }
                }))
            }
            _ => (draw(4) == 0).then(|| add(text)),
        });
        let next = after(&view, operations);
        for share in &next.shares {
            let is_member = |keeper: &&Keeper| next.member(&keeper.name).is_some();
            let up = share.keepers.iter().filter(is_member).count();
            let opens = share.keepers.iter().filter(is_member).any(|keeper| keeper.whole);
            let old = view.share(&share.name).filter(|old| old.added == share.added);
            if opens {
                let most = next.members.len().min(share.wanted.get());
                assert_eq!((up, share.keepers.len()), (most, most), "{next:?}");
            }
            if let Some(old) = old.filter(|old| !old.keepers.is_empty()) {
                let stays = |keeper: &Keeper| {
                    keeper.whole && old.keeper(&keeper.name, keeper.since).is_some()
                };
                let keeps = |keeper: &Keeper| {
                    let is_it = |(name, since)| (name, since) == (&keeper.name, keeper.since);
                    let lost = lost.as_ref().filter(|_| share.name.as_str() == text);
                    keeper.whole && !lost.map(|(name, since)| (name, *since)).is_some_and(is_it)
                };
                let is_left = share.keepers.iter().any(stays);
                assert!(is_left || !old.keepers.iter().any(keeps), "{old:?} becomes {share:?}");
                let same =
                    keepers(&view, share.name.as_str()) == keepers(&next, share.name.as_str());
                assert!(opens || same, "{old:?} becomes {share:?}");
            }
        }
        view = next;
    }
}
