//! Who tells whom of a failure is in the events, so that a log shows the way of the news.

#![cfg(test)]

mod world;

use memberd_membership::{MemberEvent, MemberEventKind};
use world::prelude::*;

/// The failures that a world has seen: by whom, who noticed it, and who told of it.
fn failures(world: &World, of: usize) -> Vec<(usize, Name, Option<Name>)> {
    let failed = |seen: &world::Seen| match &seen.event {
        Event::Member(MemberEvent { member, kind: MemberEventKind::Failed(evidence), told_by })
            if member.name == name(of) =>
        {
            Some((seen.by, evidence.detected_by.clone(), told_by.clone()))
        }
        _ => None,
    };
    world.seen.iter().filter_map(failed).collect()
}

/// Whoever notices a failure is told by nobody, and every other names a member that knew.
#[test]
fn every_failure_names_who_told_of_it() {
    for Detector { name: detector, settings, .. } in Detector::all() {
        for (size, seed) in [(10, 1), (100, 2)] {
            let mut world = World::formed(size, seed, settings.clone());
            world.crash(3);
            world.run_until_whole(&world.all_but(&[3]), SECOND * 15);
            let failures = failures(&world, 3);
            assert_eq!(failures.len(), size - 1, "{detector}");
            for (by, noticed_by, told_by) in failures {
                match told_by {
                    None => assert_eq!(noticed_by, name(by), "{detector}"),
                    Some(told_by) => {
                        assert!(told_by != name(by) && told_by != name(3), "{detector}: {told_by}");
                    }
                }
            }
        }
    }
}

/// Each of a group that is too large to tell everyone reports a failure once, with all rounds.
#[test]
fn each_member_reports_once_whom_it_told() {
    let (size, victims) = (100, [3, 40]);
    let mut world = World::formed(size, 3, with_suspicion());
    victims.iter().for_each(|victim| world.crash(*victim));
    world.run_until_whole(&world.all_but(&victims), SECOND * 15);
    world.run_for(SECOND);
    let told = |by: usize, of: usize| {
        let reports = world.seen.iter().filter(move |seen| {
            matches!(&seen.event, Event::FailureTold { member, told }
                if seen.by == by && member.name == name(of) && !told.is_empty())
        });
        reports.count()
    };
    for by in world.all_but(&victims) {
        assert_eq!(victims.map(|of| told(by, of)), [1, 1], "vm{by}");
    }
}
