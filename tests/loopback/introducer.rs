//! The introducer dies and comes back. Only joins depend on it.

use memberd_control::message::MemberStatus;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use std::fs;
use std::time::Instant;

/// The group is whole again when the introducer comes back.
#[test]
fn a_group_goes_on_without_its_introducer() {
    let mut fleet = Fleet::start(6);
    fleet.wait_until_remembered();
    fleet.add().start();

    let mut followers = fleet.follow();
    let introducer = fleet.crash(&[1]).remove(0);
    followers.assert_crash_noticed(&introducer.id, introducer.at, &["vm1", "vm7"]);

    // A crash is noticed.
    let crash = fleet.crash(&[2]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm1", "vm2", "vm7"]);

    // A leave works.
    let (id, start) = (fleet.id(3), Instant::now());
    let output = fleet[3].ctl(&["leave"]);
    assert!(output.status.success(), "{output:?}");
    followers.assert_in_every_list(&id, MemberStatus::Left, start, &["vm1", "vm2", "vm3", "vm7"]);

    // A new join is refused, in one line that names the introducer.
    let output = fleet[7].ctl(&["join"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&fleet[1].settings.address.to_string()), "{said}");
    assert!(
        said.ends_with(
            ": have memberd join there, or name a member that is up: memberctl join HOST:PORT\n"
        ),
        "{said}"
    );
    let output = fleet[7].ctl(&["join", "nobody.invalid:8946"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said.ends_with(": name a member by its address: memberctl join ADDRESS:PORT\n"),
        "{said}"
    );

    // The introducer comes back, and everyone is whole without help.
    fleet[1].start();
    wait_until("the introducer is in every list", SOON, || {
        for number in [1, 4, 5, 6] {
            let list = fleet[number].control().alive().map_err(|error| error.to_string())?;
            holds(list.len() == 4 && !list.contains(&introducer.id), || {
                format!("vm{number}: {list:?}")
            })?;
        }
        Ok(())
    });
    let output = fleet[7].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    let output = fleet[3].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    fleet[2].start();
    assert_eq!(fleet.wait_until_whole().len(), 7);
    followers.assert_none_failed_but(&[&introducer.id, &crash.id]);
}

#[test]
fn an_introducer_that_lost_its_disk_is_found_by_the_others() {
    let mut fleet = Fleet::start(5);
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[1]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm1"]);
    fs::remove_dir_all(&fleet[1].settings.state_dir).unwrap();
    fleet[1].settings.join_on_start = true;
    fleet[1].start();
    // It founds a group by itself. The members announce themselves to absent introducers, but
    // rarely.
    fleet.wait_until_whole_within(4 * SOON);
    followers.assert_none_failed_but(&[&crash.id]);
}

#[test]
fn any_member_can_introduce() {
    let mut fleet = Fleet::start(3);
    fleet.crash(&[1]);
    let introducer = fleet[3].settings.address.to_string();
    fleet.add().start();
    let output = fleet[4].ctl(&["join", &introducer]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fleet.wait_until_whole().len(), 3);
}
