//! Placement: zones, stickiness, and balance.

use super::{Candidate, keepers};
use memberd_membership::Name;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn names(count: usize) -> Vec<Name> {
    (0..count).map(|number| Name::new(&format!("vm{number}")).unwrap()).collect()
}

fn in_zones<'a>(names: &'a [Name], zones: &'a [String]) -> Vec<Candidate<'a>> {
    let zone = |place: usize| Some(zones.get(place % zones.len().max(1))?.as_str());
    names.iter().enumerate().map(|(place, name)| Candidate { name, zone: zone(place) }).collect()
}

fn zones(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("zone{number}")).collect()
}

fn zone_of<'a>(members: &[Candidate<'a>], name: &Name) -> &'a str {
    members.iter().find(|member| member.name == name).and_then(|member| member.zone).unwrap()
}

/// Three zones of three: the keepers of each member are in the two others.
#[test]
fn keepers_are_in_other_zones() {
    let (names, zones) = (names(9), zones(3));
    let members = in_zones(&names, &zones);
    for source in &members {
        let keepers = keepers(*source, &members, 2, &[]);
        let mut used = BTreeSet::from([source.zone.unwrap()]);
        used.extend(keepers.iter().map(|keeper| zone_of(&members, keeper)));
        assert_eq!((keepers.len(), used.len()), (2, 3));
    }
}

/// Two zones: one keeper is in the other zone, and so is the second, away from the source.
#[test]
fn few_zones_keep_away_from_the_source() {
    let (names, zones) = (names(8), zones(2));
    let members = in_zones(&names, &zones);
    for source in &members {
        for keeper in keepers(*source, &members, 2, &[]) {
            assert_ne!(Some(zone_of(&members, &keeper)), source.zone);
        }
    }
}

/// A thousand members, two copies: nobody keeps the logs of more than a dozen, zones or not.
#[test]
fn a_thousand_members_share_the_load() {
    let names = names(1_000);
    for count in [0, 3, 10] {
        let zones = zones(count);
        let members = in_zones(&names, &zones);
        let mut load: BTreeMap<Name, usize> = BTreeMap::new();
        for source in &members {
            for keeper in keepers(*source, &members, 2, &[]) {
                *load.entry(keeper).or_default() += 1;
            }
        }
        let idle = 1_000 - load.len();
        let most = load.values().max().copied().unwrap();
        assert!(most <= 12 && idle <= 200, "{count} zones: at most {most}, {idle} keep nothing");
    }
}

/// A keeper that goes moves only the copies it kept; one that joins moves none.
#[test]
fn only_what_must_move_moves() {
    let names = names(100);
    let members = in_zones(&names, &[]);
    let (source, others) = members.split_first().unwrap();
    let before = keepers(*source, others, 2, &[]);
    let fewer: Vec<Candidate> =
        others.iter().filter(|other| *other.name != before[0]).copied().collect();
    let after = keepers(*source, &fewer, 2, &before);
    assert_eq!(after[0], before[1]);
    assert!(!before.contains(&after[1]));
    assert_eq!(keepers(*source, others, 2, &after), after, "the former keeper came back");
}

proptest! {
    /// Any members: as many keepers as asked for or possible, all different, none the source, the
    /// same in any order of the candidates, and present ones stay.
    #[test]
    fn keepers_are_distinct_and_stay(
        count in 1_usize..30,
        zone_count in 0_usize..5,
        copies in 0_usize..5,
        rotation in 0_usize..30,
        present in proptest::collection::vec(0_usize..40, 0..4),
    ) {
        let (all, zones) = (names(40), zones(zone_count));
        let mut members = in_zones(&all[..count], &zones);
        let source = members[0];
        let present: Vec<Name> = present.iter().map(|place| all[*place].clone()).collect();
        let keepers = keepers(source, &members, copies, &present);
        let distinct: BTreeSet<&Name> = keepers.iter().collect();
        prop_assert_eq!(keepers.len(), copies.min(count - 1));
        prop_assert_eq!(distinct.len(), keepers.len());
        prop_assert!(!keepers.contains(source.name));
        let stay = present.iter().filter(|name| {
            *name != source.name && members.iter().any(|member| member.name == *name)
        });
        let stay: BTreeSet<&Name> = stay.collect();
        let stayed = stay.iter().filter(|name| keepers.contains(name)).count();
        prop_assert!(stayed >= stay.len().min(copies));
        members.rotate_left(rotation % count);
        prop_assert_eq!(super::keepers(source, &members, copies, &present), keepers);
    }
}
