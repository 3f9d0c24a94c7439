//! The introducer dies and comes back. Only joins depend on it.

use memberd_control::message::MemberStatus;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
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

/// Whether it is in a group, and its warnings.
fn standing(daemon: &Daemon) -> (bool, Vec<String>) {
    let status = daemon.control().status().unwrap();
    (status.id.is_some(), status.warnings)
}

/// The group may live behind the name. A machine that founds its own would hide that something is
/// wrong.
#[test]
fn an_introducer_without_an_address_is_waited_for() {
    let mut fleet = Fleet::new(3);
    fleet[1].start();
    fleet[1].control().join().unwrap();
    let port = fleet[1].settings.address.port();
    for (number, introducer, reason) in [
        (2, format!("no-such-host.invalid:{port}"), "introducer no-such-host.invalid:"),
        (3, format!("[::1]:{port}"), "no IPv4 address, and this member uses IPv4"),
    ] {
        fleet[number].settings.introducers = vec![introducer];
        fleet[number].settings.join_on_start = true;
        fleet[number].start();
        let (in_group, warnings) = wait_until("the status names the introducer", SOON, || {
            let (in_group, warnings) = standing(&fleet[number]);
            let is_named = warnings.iter().any(|warning| warning.contains(reason));
            if is_named { Ok((in_group, warnings)) } else { Err(format!("{warnings:?}")) }
        });
        assert!(!in_group && warnings.len() == 1, "{warnings:?}");
        assert!(warnings[0].starts_with("not in the group yet; trying to join: "), "{warnings:?}");
        let metrics = fleet[number].ctl(&["metrics"]);
        let metrics = String::from_utf8_lossy(&metrics.stdout).into_owned();
        assert!(metrics.contains("\nmemberd_warnings 1\n"), "{metrics}");
    }
    // The name has an address now, and the machine joins without help.
    for number in [2, 3] {
        fleet[number].settings.introducers = vec![fleet[1].settings.address.to_string()];
        fleet[number].write_settings();
        fleet[number].reload();
    }
    assert_eq!(fleet.wait_until_whole().len(), 3);
    for number in [1, 2, 3] {
        assert_eq!(standing(&fleet[number]), (true, Vec::new()));
    }
}

/// Many images have the machine's own name at 127.0.0.1, and Debian at 127.0.1.1. getaddrinfo(3)
/// reads 127.0.257 as the latter.
#[test]
fn a_machine_whose_own_name_is_a_loopback_address_founds() {
    let mut fleet = Fleet::new(2);
    let port = fleet[1].settings.address.port();
    for own in ["localhost", "127.0.257"] {
        let other = fleet[2].settings.address.to_string();
        fleet[1].settings.introducers = vec![format!("{own}:{port}"), other];
        fleet[1].settings.join_on_start = true;
        fleet[1].start();
        wait_until(&format!("{own} founds the group"), SOON, || {
            let (in_group, warnings) = standing(&fleet[1]);
            holds(in_group, || format!("{warnings:?}"))
        });
        fleet[1].wait_until_logged(&format!("introducer {own}:{port} is this machine itself"));
        fleet[1].control().leave().unwrap();
        fleet[1].kill();
        fs::remove_dir_all(&fleet[1].settings.state_dir).unwrap();
    }
}
