//! What becomes of jobs when their files are lost, or do not answer.

use super::{Counting, RIGHT};
use memberd_control::streams::StreamState;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

/// Its jobs go on, and each line counts once.
#[test]
fn a_table_that_is_lost_is_made_anew() {
    let mut counting = Counting::start(3);
    counting.write(0);
    counting.wait_until_right();
    counting.run(1, "memberctl file rm /streams/.jobs/table").unwrap();
    counting.write(1);
    counting.wait_until_right();
    // Whoever leads next finds no table.
    let leader = counting.fleet[1].control().leader().unwrap().leader.expect("a leader");
    let leader: usize = leader[2..].parse().unwrap();
    counting.fleet.crash(&[leader]);
    let other = leader % 3 + 1;
    wait_until("the table is there", RIGHT, || {
        counting.run(other, "memberctl file stat /streams/.jobs/table")
    });
    counting.fleet.restart(&[leader]);
    counting.write(2);
    counting.wait_until_right();
    // Nobody has to change leaders for that: who starts a job sees that it is lost.
    counting.run(other, "memberctl file rm /streams/.jobs/table").unwrap();
    let toml = format!(
        "name = 'mall'\nquery = '| count by member every 1s'\nfiles = ['{}']\n",
        counting.glob()
    );
    std::fs::write(counting.fleet[other].directory().join("mall.toml"), toml).unwrap();
    wait_until("another job begins", RIGHT, || {
        counting.run(other, "memberctl stream start mall.toml")
    });
    counting.run(other, "memberctl stream cancel shop").unwrap();
    let rows = counting.run(leader, "memberctl stream watch shop").unwrap();
    assert_eq!(rows.lines().filter(|row| !row.starts_with('#')).count(), 9, "{rows}");
}

/// It does not wait for its members: the table says so before the command ends. A job that is
/// cancelling already ends so, too.
#[test]
fn a_job_ends_at_once_by_force() {
    let mut counting = Counting::start(3);
    counting.write(0);
    counting.wait_until_right();
    let rows = counting.sink(1).unwrap();
    counting.run(2, "memberctl stream cancel --force shop").unwrap();
    wait_until("all know that it has ended", SOON, || {
        let states = [1, 2, 3].map(|number| counting.status(number).map(|it| it.job.state));
        let has_ended = states.iter().all(|state| *state == Ok(StreamState::Cancelled));
        holds(has_ended, || format!("{states:?}"))
    });
    assert!(counting.sink(3).unwrap().starts_with(&rows), "its rows stay");
    // What is over is over.
    counting.run(1, "memberctl stream cancel --force shop").unwrap();
    let help = counting.run(1, "memberctl stream cancel --help").unwrap();
    assert!(help.contains("--force"), "{help}");
}
