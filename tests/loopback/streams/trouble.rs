//! What becomes of jobs when their files are lost, or do not answer.

use super::Counting;
use memberd_control::streams::StreamState;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

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
