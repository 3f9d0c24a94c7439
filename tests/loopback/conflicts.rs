//! Two machines that claim one name, one address, or different settings. The second is refused, and
//! the refusal names both sides.

use memberd_tests::Fleet;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

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
    // For the others vm2 is still alive when its address is taken, also on a busy machine.
    let late = || vec!["failure_timeout = \"10s\""];
    let mut fleet = Fleet::start_with(3, |daemon| daemon.settings.group = late());
    let crash = fleet.crash(&[2]).remove(0);
    let address = fleet[2].settings.address;
    let second = fleet.add();
    second.settings.address = address;
    second.settings.group = late();
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

/// Asserts that a newcomer with these lines in `[group]` is refused by a group with those, and that
/// the refusal has these words.
fn assert_they_disagree(newcomer: &[&'static str], group: &[&'static str], words: &str) {
    let mut fleet = Fleet::start_with(2, |daemon| daemon.settings.group = group.to_vec());
    let before = fleet.wait_until_whole();
    fleet.add().settings.group = newcomer.to_vec();
    fleet[3].start();
    let said = refused(&fleet, 3);
    assert!(said.contains(words), "{said}");
    assert_eq!(fleet[1].control().alive().unwrap(), before, "the group is not disturbed");
}

/// The refusal names both values.
#[test]
fn a_machine_with_other_group_settings_is_refused() {
    for (line, words) in [
        (
            "failure_timeout = \"3210ms\"",
            "failure_timeout is 3.21s here and 1.75s in the group: they must agree",
        ),
        (
            "max_simultaneous_failures = 7",
            "max_simultaneous_failures is 7 here and 4 in the group: they must agree",
        ),
    ] {
        assert_they_disagree(&[line], &[], words);
    }
}

const SWIM: &str = "detector = \"swim\"";

/// Nobody of one detector hears what the other one waits for.
#[test]
fn a_machine_with_another_detector_is_refused() {
    let words = "detector is swim here and ring in the group: they must agree";
    assert_they_disagree(&[SWIM], &[], words);
    let words = "detector is ring here and swim in the group: they must agree";
    assert_they_disagree(&[], &[SWIM], words);
}

#[test]
fn a_machine_with_other_settings_of_swim_is_refused() {
    for (line, words) in [
        (
            "ping_interval = \"2s\"",
            "ping_interval is 2s here and 2.5s in the group: they must agree",
        ),
        (
            "suspicion_timeout = \"1s\"",
            "suspicion_timeout is 1s here and 2.5s in the group: they must agree",
        ),
        ("indirect_pings = 2", "indirect_pings is 2 here and 3 in the group: they must agree"),
    ] {
        assert_they_disagree(&[SWIM, line], &[SWIM], words);
    }
}
