//! Tests of a leader: who takes part in a job, and a table that was made anew.

use super::*;
use memberd_membership::{TagKey, TagValue, Tags};

/// A member without jobs owns nothing, and no window waits for it. Once it has them it takes part.
#[test]
fn a_member_without_jobs_is_not_waited_for() {
    let mut pair = Pair::new();
    let give = |pair: &mut Pair, has_jobs: bool, incarnation: u64| {
        let mut members = members(&[0, 1, 2, 3], &[]);
        members[3].has_jobs = has_jobs;
        members[3].member.incarnation = Incarnation(incarnation);
        pair.give(|leader, now, out| leader.handle_members(now, &members, out));
        pair.job().1
    };
    // It was started anew without jobs.
    let job = give(&mut pair, false, 2);
    assert!(!job.sources.contains_key(&name(3)));
    assert!(job.stages.values().all(|stage| stage.owner.name != name(3)));
    let job = give(&mut pair, true, 3);
    assert_eq!(job.sources.get(&name(3)), Some(&SourceState::Live));
}

/// Tags that change by a reload begin and end the part of a member.
#[test]
fn members_with_the_tags_of_a_job_take_part() {
    let mut pair = Pair::new();
    let on_web = JobSpec { tags: vec![("role".to_owned(), "web".to_owned())], ..other("web") };
    pair.give(|leader, now, out| leader.command(now, Command::Start(on_web), out).unwrap());
    let mut give = |version: u32, role: &str| {
        let mut members = members(&[0, 1, 2, 3], &[]);
        let tags =
            Tags::new([(TagKey::new("role").unwrap(), TagValue::new(role).unwrap())]).unwrap();
        members[2].tags = VersionedTags::new(version, tags);
        pair.give(|leader, now, out| leader.handle_members(now, &members, out));
        let table = read_table(&pair.bytes).unwrap();
        let job = table.jobs.into_values().find(|job| job.spec.name == "web").unwrap();
        job.sources.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(give(1, "db"), []);
    assert_eq!(give(2, "web"), [name(2)]);
    assert_eq!(give(0, "web"), [name(2)], "what is not known changes nothing");
    assert_eq!(give(3, "db"), []);
}

/// People removed all jobs with their files. The next table is not older than what members have.
#[test]
fn a_table_that_was_made_anew_is_newer() {
    let mut pair = Pair::new();
    let known = read_table(&pair.bytes).unwrap();
    pair.leader = Leader::new(Arc::new(Settings::default()), 3, Now::default());
    pair.leader.know(&known);
    pair.bytes.clear();
    pair.told.clear();
    pair.give(Leader::handle_timeout);
    pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1], &[]), out));
    pair.give(|leader, now, out| leader.command(now, Command::Start(spec()), out).unwrap());
    let table = read_table(&pair.bytes).unwrap();
    assert!(table.version > known.version && table.newest > known.newest);
    let jobs = [&known, &table].map(|table| *table.jobs.keys().next().unwrap());
    assert!(jobs[0] < jobs[1], "no epoch is given twice: {jobs:?}");
}
