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

/// Without copies files cannot be made. Commands behind such a start go on nevertheless.
#[test]
fn a_start_whose_files_cannot_be_made_is_given_up() {
    let mut pair = Pair::new();
    let (id, _) = pair.job();
    pair.refuses_files = true;
    pair.give(|leader, now, out| leader.command(now, Command::Start(other("new")), out).unwrap());
    pair.give(|leader, now, out| leader.command(now, Command::Cancel(id), out).unwrap());
    pair.now.boot_ms += 29_000;
    pair.give(Leader::handle_timeout);
    assert!(pair.noted.is_empty() && !pair.job().1.is_cancelled, "it may still begin");
    pair.now.boot_ms += 1_000;
    pair.give(Leader::handle_timeout);
    assert_eq!(pair.noted, [Note::NotMade("new".to_owned())]);
    assert!(pair.job().1.is_cancelled);
    pair.refuses_files = false;
    pair.give(|leader, now, out| leader.command(now, Command::Start(other("new")), out).unwrap());
    assert_eq!(read_table(&pair.bytes).unwrap().jobs.len(), 2);
}
