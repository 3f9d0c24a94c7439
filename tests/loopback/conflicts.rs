//! Two machines that claim one name, one address, or different settings. The second is refused, and
//! the refusal names both sides.

use memberd_tests::Fleet;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;
use std::fs;

/// Asserts that a daemon is not let in, and returns the line that says why.
fn refused(fleet: &Fleet, number: usize) -> String {
    let output = fleet[number].ctl(&["join"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn a_second_machine_of_one_name_is_refused_and_both_are_named() {
    let mut fleet = Fleet::start(3);
    let before = fleet.wait_until_whole();
    fleet.add().settings.name = "vm2".to_owned();
    fleet[4].start();
    let said = refused(&fleet, 4);
    for number in [2, 4] {
        assert!(said.contains(&format!("vm2@{}/", fleet[number].settings.address)), "{said}");
    }
    assert_eq!(fleet[1].control().alive().unwrap(), before, "the first is not disturbed");
}

/// A second machine at the address of a live member is refused until that member has failed.
#[test]
fn a_second_machine_at_one_address_is_refused() {
    let mut fleet = Fleet::start(3);
    let crash = fleet.crash(&[2]).remove(0);
    // For the others vm2 is still alive when its address is taken.
    let address = fleet[2].settings.address;
    fleet.add().settings.address = address;
    fleet[4].start();
    let said = refused(&fleet, 4);
    assert!(said.contains(&crash.id) && said.contains(&format!("vm4@{address}/")), "{said}");
    wait_until("the crash of vm2 is noticed", SOON, || {
        let list = fleet[1].control().alive().map_err(|error| error.to_string())?;
        holds(!list.contains(&crash.id), || format!("{list:?}"))
    });
    let output = fleet[4].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    fleet.wait_until_whole();
}

/// The refusal names both values.
#[test]
fn a_machine_with_other_group_settings_is_refused() {
    for (line, key, ours, theirs) in [
        ("failure_timeout = \"3210ms\"", "failure_timeout", "3.21", "1.75"),
        ("max_simultaneous_failures = 7", "max_simultaneous_failures", "7", "4"),
    ] {
        let mut fleet = Fleet::start(2);
        let daemon = fleet.add();
        let settings =
            daemon.settings.to_toml().replace("[group]\n", &format!("[group]\n{line}\n"));
        fs::write(daemon.config(), settings).unwrap();
        daemon.launch_as_configured();
        daemon.wait_until_it_answers();
        let said = refused(&fleet, 3);
        assert!(said.contains(key) && said.contains(ours) && said.contains(theirs), "{said}");
    }
}
