//! When a member failed or left is part of what all members know.

use memberd_control::message::{ChangeKinds, Follow, Reply};
use memberd_control::message::{EventRecord, EventsFrom, EvidenceRecord, MemberStatus, Request};
use memberd_tests::control::reply;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Daemon, Fleet, wait_until};

/// What a daemon's list says of the end of a member.
type End = (MemberStatus, u64, Option<EvidenceRecord>);

fn end(daemon: &Daemon, name: &str) -> Result<End, String> {
    let members = daemon.control().list(true).map_err(|error| error.to_string())?;
    let member = members.into_iter().find(|member| member.name == name);
    let member = member.ok_or_else(|| format!("{} does not list {name}", daemon.name()))?;
    Ok((member.status, member.since, member.evidence))
}

/// What all that run say of the end of a member, once they say the same.
fn agreed(fleet: &Fleet, name: &str, status: MemberStatus) -> End {
    let mut said = None;
    wait_until("all say the same of an end", stretched(SOON), || {
        let first = end(fleet.running().next().ok_or("none runs")?, name)?;
        for daemon in fleet.running() {
            let other = end(daemon, name)?;
            holds(other == first && other.0 == status, || {
                format!("{}: {other:?}, not {first:?}", daemon.name())
            })?;
        }
        said = Some(first);
        Ok(())
    });
    said.unwrap()
}

/// The newest change that a daemon remembers of a member.
fn newest_change(daemon: &Daemon, name: &str) -> Option<EventRecord> {
    let until = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let follow =
        Follow { from: EventsFrom::Last(100), kinds: ChangeKinds::Liveness, until: Some(until) };
    let mut stream = daemon.control().ask(&Request::Follow(follow), Some(SOON)).unwrap();
    let mut newest = None;
    while let Reply::Event(event) = reply(&mut stream).unwrap() {
        newest = Some(event).filter(|event| event.member.name == name).or(newest);
    }
    newest
}

/// A restart, or a look from another machine, does not date a failure anew. The changes that are
/// remembered give the same time.
#[test]
fn a_restart_changes_nothing_about_when_a_member_ended() {
    let mut fleet = Fleet::start(6);
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[4]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm4"]);
    fleet[5].control().leave().unwrap();
    fleet[5].kill();
    let (failed, left) =
        (agreed(&fleet, "vm4", MemberStatus::Failed), agreed(&fleet, "vm5", MemberStatus::Left));
    assert!(failed.2.is_some() && failed.1 < left.1, "{failed:?} {left:?}");
    for daemon in fleet.running() {
        let told = newest_change(daemon, "vm4").unwrap();
        assert_eq!(
            (told.member.status, told.member.since, told.member.evidence),
            failed,
            "{}'s changes and its list",
            daemon.name()
        );
    }
    // As in an upgrade, one after the other.
    fleet.wait_until_remembered();
    for restarted in [1, 2, 3, 6] {
        fleet[restarted].kill();
        fleet.restart(&[restarted]);
        assert_eq!(agreed(&fleet, "vm4", MemberStatus::Failed), failed, "vm{restarted}");
        assert_eq!(agreed(&fleet, "vm5", MemberStatus::Left), left, "vm{restarted}");
    }
}
