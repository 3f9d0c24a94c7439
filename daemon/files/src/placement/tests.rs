//! Figures of the placement, and what holds for every view.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test's numbers are small")]

use super::{Hints, choose};
use crate::ids::{Epoch, ExtentId};
use crate::view::{FilesView, MemberOfView};
use memberd_membership::Name;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

fn view(members: usize, zones: usize) -> FilesView {
    let member = |i: usize| {
        let zone = (zones > 0).then(|| format!("z{}", i % zones.max(1)));
        (name(i), MemberOfView { zone })
    };
    FilesView { epoch: Epoch(1), members: (0..members).map(member).collect(), ..Default::default() }
}

fn extent(i: u128) -> ExtentId {
    let hash = blake3::hash(&i.to_be_bytes());
    ExtentId(u128::from_be_bytes(hash.as_bytes()[..16].try_into().unwrap()))
}

fn place(view: &FilesView, id: ExtentId) -> Vec<Name> {
    choose(view, id, 3, &Hints::default(), &[], &BTreeSet::new())
}

/// The most copies on one member by the mean, and the part of all copies that a join would take.
fn figures(members: usize, zones: usize) -> (f64, f64) {
    let (before, after) = (view(members, zones), view(members + 1, zones));
    let (mut load, mut moved) = (BTreeMap::<Name, usize>::new(), 0);
    let extents = 6_000;
    for i in 0..extents {
        let old = place(&before, extent(i));
        let new = place(&after, extent(i));
        moved += new.iter().filter(|name| !old.contains(name)).count();
        for name in old {
            *load.entry(name).or_default() += 1;
        }
    }
    let copies = 3.0 * extents as f64;
    let most = *load.values().max().unwrap() as f64;
    (most / (copies / members as f64), moved as f64 / copies)
}

/// 100 members in 5 zones: nobody has much more than its part, and a join would take only its own.
#[test]
fn load_and_movement_of_a_hundred_members() {
    let (load, moved) = figures(100, 5);
    println!("100 members, 5 zones: load {load:.2}, moved {moved:.4}");
    assert!(load < 1.3, "the fullest member has {load} of the mean");
    assert!(moved < 0.015, "a join takes {moved} of all copies");
}

#[test]
fn load_and_movement_of_many_members() {
    let (load, moved) = figures(250, 10);
    println!("250 members, 10 zones: load {load:.2}, moved {moved:.4}");
    assert!(load < 1.5 && moved < 0.008, "load {load}, moved {moved}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// As many as there can be, each once, none that is excluded, and in as many zones as can be.
    #[test]
    fn zones_are_apart_and_exclusions_hold(
        members in 1usize..24, zones in 0usize..6, id: u128,
        failed in proptest::collection::btree_set(0usize..24, 0..6),
        slow in proptest::collection::btree_set(0usize..24, 0..6),
    ) {
        let view = view(members, zones);
        let names = |set: &BTreeSet<usize>| set.iter().map(|i| name(*i)).collect::<BTreeSet<_>>();
        let hints = Hints { failed: names(&failed), slow: names(&slow), ..Hints::default() };
        let chosen = choose(&view, ExtentId(id), 3, &hints, &[], &BTreeSet::new());
        let able: Vec<_> =
            view.members.keys().filter(|name| !hints.failed.contains(*name)).collect();
        prop_assert_eq!(chosen.len(), able.len().min(3));
        let distinct: BTreeSet<_> = chosen.iter().collect();
        prop_assert_eq!(distinct.len(), chosen.len());
        prop_assert!(chosen.iter().all(|name| able.contains(&name)));
        let quick: Vec<_> = able.iter().filter(|name| !hints.slow.contains(**name)).collect();
        let slow_chosen = chosen.iter().filter(|name| hints.slow.contains(*name)).count();
        prop_assert_eq!(slow_chosen, chosen.len().saturating_sub(quick.len()));
        if zones > 0 && slow_chosen == 0 {
            let zones_of = |names: &mut dyn Iterator<Item = &Name>| {
                names.filter_map(|name| view.members[name].zone.clone()).collect::<BTreeSet<_>>()
            };
            let possible = zones_of(&mut quick.iter().map(|name| **name)).len().min(3);
            prop_assert_eq!(zones_of(&mut chosen.iter()).len(), possible);
        }
    }

    /// One that replaces another is in no zone of those that stay, if there are zones enough.
    #[test]
    fn a_replacement_keeps_zones_apart(id: u128, gone in 0usize..3) {
        let view = view(12, 4);
        let mut keep = choose(&view, ExtentId(id), 3, &Hints::default(), &[], &BTreeSet::new());
        let without = BTreeSet::from([keep.remove(gone)]);
        let next = choose(&view, ExtentId(id), 1, &Hints::default(), &keep, &without);
        keep.extend(next);
        let zones: BTreeSet<_> = keep.iter().map(|name| &view.members[name].zone).collect();
        prop_assert_eq!((keep.len(), zones.len()), (3, 3));
    }
}
