//! Tests zones: the laws of the spread ring, and in the simulator a whole rack that crashes at
//! once, and changing tags.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use memberd_membership::{
    Claim, Identity, Incarnation, Instant, List, Name, Ring, TagKey, TagValue, Tags, Update,
    VersionedTags, ZONE_CELL_MAX,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;
use world::prelude::*;

with_each_detector!(a_whole_rack_that_crashes_at_once_is_noticed_in_time,);

const K: usize = 4;

fn zone(zone: u8) -> Tags {
    let value = TagValue::new(&format!("rack{zone}")).unwrap();
    Tags::new([(TagKey::new("zone").unwrap(), value)]).unwrap()
}

fn update(i: usize, in_zone: Option<u8>) -> Update {
    let identity = Identity { name: name(i), address: address(i), incarnation: Incarnation(1) };
    let tags =
        in_zone.map_or_else(VersionedTags::default, |in_zone| VersionedTags::first(zone(in_zone)));
    Update { identity, claim: Claim::Alive, tags, ended: None }
}

fn list(zones: &[Option<u8>]) -> List {
    let mut list = List::new();
    for (i, zone) in zones.iter().enumerate() {
        list.merge(update(i, *zone), Instant::EPOCH);
    }
    list
}

fn monitors(list: &List, of: usize) -> BTreeSet<Name> {
    let monitors = Ring::of_up(list).monitors(&name(of), K);
    monitors.into_iter().map(|entry| entry.identity.name.clone()).collect()
}

/// Up to five zones, also of very different sizes, and members without a zone.
fn any_zones(most: usize) -> impl Strategy<Value = Vec<Option<u8>>> {
    let weights = vec(0..20u32, 6);
    (weights, vec(any::<u32>(), 1..most)).prop_map(|(weights, members)| {
        let all = weights.iter().sum::<u32>().max(1);
        let zone_of = |mut number: u32| {
            number %= all;
            let zone = weights.iter().position(|weight| {
                let here = number < *weight;
                number = number.saturating_sub(*weight);
                here
            });
            zone.filter(|zone| *zone > 0).map(|zone| zone as u8)
        };
        members.into_iter().map(zone_of).collect()
    })
}

/// How many members of a fleet have no monitor outside of their zone, and how many have all
/// monitors in any one zone.
fn badly_placed(list: &List, size: usize) -> (usize, usize) {
    let zone_of = |name: &Name| list.get(name).unwrap().zone().cloned();
    let zones = |of: usize| -> BTreeSet<_> { monitors(list, of).iter().map(zone_of).collect() };
    let alone = (0..size).filter(|i| zones(*i) == BTreeSet::from([zone_of(&name(*i))])).count();
    (alone, (0..size).filter(|i| zones(*i).len() == 1).count())
}

proptest! {
    /// Each member watches exactly those whose monitor it is.
    #[test]
    fn everyone_has_four_monitors_in_any_zones(
        zones in any_zones(120),
        gone in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut list = list(&zones);
        let size = zones.len();
        let gone: BTreeSet<usize> = gone.iter().map(|gone| gone.index(size)).collect();
        for gone in &gone {
            let left = Update { claim: Claim::Left, ..update(*gone, zones[*gone]) };
            list.merge(left, Instant::EPOCH);
        }
        let up: Vec<usize> = (0..size).filter(|i| !gone.contains(i)).collect();
        for k in [1, 3, 4] {
            let watched = list.iter().filter(|entry| entry.is_up());
            let watching: Vec<(&Name, BTreeSet<&Name>)> = watched.map(|entry| {
                let name = &entry.identity.name;
                let monitors = Ring::of_up(&list).monitors(name, k).into_iter();
                (name, monitors.map(|entry| &entry.identity.name).collect())
            }).collect();
            for (name, monitors) in &watching {
                prop_assert_eq!(monitors.len(), k.min(up.len() - 1));
                prop_assert!(!monitors.contains(name));
                let targets = Ring::of_up(&list).targets(name, k).into_iter();
                let targets: BTreeSet<&Name> = targets.map(|entry| &entry.identity.name).collect();
                let watched_by = watching.iter().filter(|(_, monitors)| monitors.contains(name));
                let expected: BTreeSet<&Name> = watched_by.map(|(other, _)| *other).collect();
                prop_assert_eq!(targets, expected);
            }
        }
        // The drawn ring is the ring that watches.
        let order = Ring::of_up(&list).order();
        prop_assert_eq!(order.len(), size);
        let order = order.into_iter().filter(|entry| entry.is_up());
        let order: Vec<&Name> = order.map(|entry| &entry.identity.name).collect();
        prop_assert_eq!(order.len(), up.len());
        for (place, name) in order.iter().enumerate().filter(|_| order.len() > K) {
            let near = [1, 2, order.len() - 1, order.len() - 2]
                .map(|step| order[(place + step) % order.len()].clone());
            let monitors = Ring::of_up(&list).monitors(name, K).into_iter();
            let monitors: BTreeSet<Name> =
                monitors.map(|entry| entry.identity.name.clone()).collect();
            prop_assert_eq!(monitors, BTreeSet::from(near));
        }
    }

    /// No zone has more than half of the members, and any one zone may end.
    #[test]
    fn small_zones_that_end_leave_everyone_a_monitor(zones in any_zones(ZONE_CELL_MAX + 1)) {
        let members = |zone| zones.iter().filter(|of| of.unwrap_or(0) == zone).count();
        let most = (0..6).map(members).max().unwrap();
        if zones.len() > K && most * 2 <= zones.len() {
            prop_assert_eq!(badly_placed(&list(&zones), zones.len()), (0, 0));
        }
    }

    /// This holds where no zone has more than three quarters of the members.
    #[test]
    fn everyone_has_a_monitor_outside_of_its_own_zone(zones in any_zones(ZONE_CELL_MAX + 1)) {
        let members = |zone| zones.iter().filter(|of| of.unwrap_or(0) == zone).count();
        let most = (0..6).map(members).max().unwrap();
        if zones.len() > K && most * 4 <= zones.len() * 3 {
            prop_assert_eq!(badly_placed(&list(&zones), zones.len()).0, 0);
        }
    }

    #[test]
    fn one_zone_or_none_leaves_the_ring_as_the_positions_have_it(size in 1..200usize) {
        let plain = list(&vec![None; size]);
        let in_one = list(&vec![Some(1); size]);
        for i in 0..size {
            prop_assert_eq!(monitors(&plain, i), monitors(&in_one, i));
        }
    }

    #[test]
    fn one_more_member_moves_others_in_its_own_cell_only(
        zones in any_zones(600),
        newcomer in 0..4u8,
    ) {
        let size = zones.len();
        let before = list(&zones);
        let mut after = before.clone();
        after.merge(update(size, Some(newcomer)), Instant::EPOCH);
        let moved = (0..size).filter(|i| monitors(&before, *i) != monitors(&after, *i)).count();
        // Its cell may have been halved, and on either side two more members have neighbours in it.
        prop_assert!(moved <= ZONE_CELL_MAX + K, "{moved} of {size}");
    }
}

/// A formed world whose members are of these zones.
fn in_zones(detector: &Detector, zones: &[u8], seed: u64) -> World {
    let mut world = World::formed(zones.len(), seed, detector.settings.clone());
    for (i, of) in zones.iter().enumerate() {
        world.tag(i, &zone(*of));
    }
    world.run_for(Duration::from_secs(12));
    world
}

/// Crashes all of zone 0 at once. Returns when the last of them was in some list and in every list,
/// and how many were late for some list.
fn crash_rack(detector: &Detector, world: &mut World, zones: &[u8]) -> (Duration, Duration, usize) {
    let rack: Vec<usize> = (0..zones.len()).filter(|i| zones[*i] == 0).collect();
    world.run_for(ms(world.seed * 137 % 600));
    let crashed = world.now;
    rack.iter().for_each(|i| world.crash(*i));
    let survivors = world.all_but(&rack);
    world.run_until_whole(&survivors, detector.many * 2);
    let times: Vec<(Duration, Duration)> = rack
        .iter()
        .map(|i| world.noticed(*i, crashed, &survivors).expect("it is in every list"))
        .collect();
    let falsely = world
        .failures_since(crashed)
        .into_iter()
        .find(|(.., failed)| !rack.iter().any(|i| name(*i) == *failed));
    assert_eq!(falsely, None);
    let late = times.iter().filter(|(first, _)| *first > detector.some_list).count();
    let last =
        |of: fn(&(Duration, Duration)) -> Duration| times.iter().map(of).max().unwrap_or_default();
    (last(|times| times.0), last(|times| times.1), late)
}

/// Deals this many members of each zone at random.
fn racks(sizes: &[usize], seed: u64) -> Vec<u8> {
    let mut zones: Vec<u8> =
        sizes.iter().enumerate().flat_map(|(zone, size)| vec![zone as u8; *size]).collect();
    // Any fixed shuffle will do, because the ring does not depend on the addresses of a rack.
    let size = zones.len();
    for i in 0..size {
        zones.swap(i, (i * 7 + seed as usize * 13) % size);
    }
    zones
}

/// It is in some list within 2 s and in all within 6 s.
fn a_whole_rack_that_crashes_at_once_is_noticed_in_time(detector: &Detector) {
    for sizes in [&[10, 10, 10][..], &[18, 8, 4], &[4, 20, 6], &[15, 15], &[20, 5, 5]] {
        let (mut some, mut every) = (Duration::ZERO, Duration::ZERO);
        for seed in seeds(0..8) {
            let zones = racks(sizes, seed);
            let (first, all, _) =
                crash_rack(detector, &mut in_zones(detector, &zones, seed), &zones);
            (some, every) = (some.max(first), every.max(all));
        }
        println!(
            "racks of {sizes:?}, the first crashes: in some list within {some:?}, in every list \
            within {every:?}"
        );
        assert!(
            some <= detector.some_list && every <= detector.every_list,
            "{sizes:?}: {some:?}, {every:?}"
        );
    }
}

#[test]
fn only_without_zones_a_rack_takes_all_monitors_of_a_member() {
    for (sizes, fleets) in [
        (&[10, 10, 10][..], 20),
        (&[100, 100, 100], 20),
        (&[150, 150], 20),
        (&[200, 50, 50], 20),
        (&[2000, 500, 500], 4),
    ] {
        let size: usize = sizes.iter().sum();
        let (mut without, mut with) = (0, 0);
        for seed in 0..fleets {
            let zones = racks(sizes, seed);
            let plain = list(&vec![None; size]);
            let rack: BTreeSet<Name> = (0..size).filter(|i| zones[*i] == 0).map(name).collect();
            let orphans = |list: &List| {
                (0..size).filter(|i| zones[*i] == 0 && monitors(list, *i).is_subset(&rack)).count()
            };
            without += orphans(&plain);
            with += orphans(&list(&zones.iter().copied().map(Some).collect::<Vec<_>>()));
        }
        println!(
            "racks of {sizes:?}, {fleets} fleets: {without} members of the first rack lose all \
            monitors with it; spread, {with}"
        );
        assert_eq!(with, 0, "of {without}");
        assert!(without > 0 || size < 100, "the shuffle shows it");
    }
}

/// Without zones the report is late for some members, and with zones for none.
#[test]
fn the_crash_of_a_rack_of_100_is_late_only_without_zones() {
    let (detector, zones) = (&Detector::ring(), racks(&[100, 100, 100], 3));
    let (first, every, late) =
        crash_rack(detector, &mut World::formed(300, 3, detector.settings.clone()), &zones);
    println!(
        "100 of 300 without zones: {late} are late, in some list within {first:?}, in every list \
        within {every:?}"
    );
    assert!(late > 0, "spreading is not needed");
    let (first, every, late) = crash_rack(detector, &mut in_zones(detector, &zones, 3), &zones);
    println!(
        "100 of 300 in three zones: in some list within {first:?}, in every list within {every:?}"
    );
    assert_eq!(late, 0);
    assert!(every <= detector.every_list);
}

/// The incarnation stays the same, and nobody fails.
#[test]
fn tags_that_change_are_in_every_list_soon() {
    for (size, loss, fleets) in [(10, 0.0, 3), (50, 0.1, 3), (200, 0.1, 1)] {
        for seed in seeds(0..fleets) {
            let mut world = World::formed(size, seed, Settings::default());
            world.network.loss = loss;
            let began = world.now;
            let is_known = |world: &World, of: usize, zone: u8| {
                (0..size).all(|i| {
                    world
                        .node(i)
                        .list()
                        .get(&name(of))
                        .unwrap()
                        .zone()
                        .is_some_and(|is| is.as_str() == format!("rack{zone}"))
                })
            };
            world.tag(3, &zone(1));
            let took = world.run_until(Duration::from_secs(3), "the tags in every list", |world| {
                is_known(world, 3, 1)
            });
            // All members change at once, so the whole ring re-forms.
            (0..size).for_each(|i| world.tag(i, &zone((i % 3) as u8)));
            let all = world.run_until_at_most_every(
                ms(10),
                Duration::from_secs(6),
                "all tags in every list",
                |world| (0..size).all(|i| is_known(world, i, (i % 3) as u8)),
            );
            println!(
                "{size} members, {} % loss: one change in every list after {took:?}, all after \
                {all:?}",
                loss * 100.0
            );
            world.run_for(Duration::from_secs(15));
            assert_eq!(world.failures_since(began), []);
            for i in 0..size {
                let entry = world.node(0).list().get(&name(i)).unwrap();
                assert_eq!(entry.identity.incarnation, first_incarnation());
                assert_eq!(entry.tags.version(), if i == 3 && 3 % 3 != 1 { 2 } else { 1 });
            }
        }
    }
}

#[test]
fn tags_that_a_member_never_said_are_set_right_by_itself() {
    let whole = whole_list(12);
    let forged =
        Update { tags: VersionedTags::new(7, zone(9)), ..whole.get(&name(5)).unwrap().to_update() };
    let mut wrong = whole.clone();
    wrong.merge(forged, Instant::EPOCH);
    let mut world = World::assumed(12, 1, Settings::default(), |i| {
        if i == 2 { wrong.clone() } else { whole.clone() }
    });
    world.run_until(Duration::from_secs(6), "vm5 has no zone again", |world| {
        (0..12).all(|i| {
            let entry = world.node(i).list().get(&name(5)).unwrap();
            entry.zone().is_none()
                && entry.tags.version() == 8
                && entry.identity.incarnation == first_incarnation()
        })
    });
    assert_eq!(world.failures_since(Duration::ZERO), []);
}
