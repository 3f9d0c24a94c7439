//! Tests of what a start needs: a sink of its own, and files that can be made.

use super::*;

/// Rows of two jobs in one file would be rows of none.
#[test]
fn two_jobs_never_have_the_same_sink() {
    let mut pair = Pair::new();
    let (mut out, taken) = (VecDeque::new(), CommandError::SinkTaken("shop".to_owned()));
    let same = JobSpec { name: "other".to_owned(), ..spec() };
    assert_eq!(pair.leader.command(pair.now, Command::Start(same), &mut out), Err(taken));
    pair.leader.command(pair.now, Command::Start(other("new")), &mut out).unwrap();
    let taken = CommandError::SinkTaken("new".to_owned());
    let same = JobSpec { name: "third".to_owned(), ..other("new") };
    let answer = pair.leader.command(pair.now, Command::Start(same), &mut out);
    assert_eq!(answer, Err(taken), "its files are being made");
}
