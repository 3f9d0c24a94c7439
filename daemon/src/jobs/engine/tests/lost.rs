//! Tests of a job table that is lost.

use super::*;

/// Three members of which the first leads, and a job that it has started.
fn fleet_with_a_job() -> (Fleet, JobId) {
    let mut fleet = Fleet::new(3);
    fleet.store.ask(JobFile::Table, Operation::Create { copies: 1 });
    fleet.was_there = true;
    fleet.lead(1, 0);
    (0..50).for_each(|_| fleet.step());
    let Changed { job } = fleet.change(0, Change::Start(spec("shop"))).unwrap();
    (fleet, job)
}

/// The leader makes the table anew of what members know, and no line counts twice.
#[test]
fn a_lost_table_is_made_anew_without_a_restart() {
    let (mut fleet, job) = fleet_with_a_job();
    (0..200).for_each(|_| fleet.step());
    let before = fleet.engines[1].table();
    fleet.store.files.remove(&JobFile::Table);
    // The next leader has seen none: its process is new.
    let fresh = Engine::new(name(2), Arc::new(Settings::default()));
    fleet.engines[2] = fresh;
    fleet.group.members[2].member.incarnation = Incarnation(2);
    fleet.lead(2, 2);
    (0..1_000).for_each(|_| fleet.step());
    let table = fleet.engines[2].table();
    assert!(table.version > before.version && table.newest > before.newest);
    assert_eq!(table.jobs.keys().collect::<Vec<_>>(), [&job]);
    fleet.write(0, 200);
    (0..2_000).for_each(|_| fleet.step());
    assert_eq!(fleet.rows(job), BTreeMap::from([("200".to_owned(), 1)]));
    assert!(fleet.change(2, Change::Cancel("shop".to_owned())).is_ok());
}

/// It is lost while its leader leads on.
#[test]
fn a_leader_notices_that_its_table_is_lost() {
    let (mut fleet, job) = fleet_with_a_job();
    fleet.store.files.remove(&JobFile::Table);
    let lost = fleet.change(0, Change::Cancel("shop".to_owned()));
    assert_eq!(lost, Err(ChangeError::NoTable), "it is asked again");
    (0..500).for_each(|_| fleet.step());
    assert_eq!(fleet.change(0, Change::Cancel("shop".to_owned())), Ok(Changed { job }));
}
