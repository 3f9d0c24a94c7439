//! One machine, one group: a join into another group is refused, and a group that is founded is
//! said aloud.

use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::process::Output;

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it complains of, with status 1.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn join(daemon: &Daemon, introducer: &Daemon) -> Output {
    daemon.ctl(&["join", &introducer.settings.address.to_string()])
}

fn warnings(daemon: &Daemon) -> Vec<String> {
    daemon.control().status().unwrap().warnings
}

/// Stops it as systemctl does. It leaves.
fn stop(daemon: &mut Daemon) {
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_end(SOON);
}

/// vm1 and vm2 are a group. vm3 has no introducers.
fn two_and_a_loner() -> Fleet {
    let mut fleet = Fleet::start(2);
    let loner = fleet.add();
    loner.settings.introducers = Vec::new();
    loner.start();
    fleet
}

/// Whoever forgot the introducers reads it at once, and how to come to the others.
#[test]
fn who_founds_a_group_hears_of_it_and_can_change() {
    let fleet = two_and_a_loner();
    let said = stdout(&fleet[3].ctl(&["join"]));
    assert!(said.ends_with("\nvm3 founded a new group; no introducers are set\n"), "{said}");
    fleet[3].wait_until_logged("founded a new group; no introducers are set");
    let warned = warnings(&fleet[3]);
    assert!(warned.len() == 1 && warned[0].starts_with("founded a new group"), "{warned:?}");

    let said = complaint(&join(&fleet[3], &fleet[1]));
    let address = fleet[1].settings.address;
    let start = format!("memberctl: already in a group as {}, but {address}", fleet.id(3));
    let end = format!(
        " is in another group, of 2 members: to change, memberctl leave, then memberctl join \
        {address}\n"
    );
    assert_eq!(said, start + &end);
    // Its own address is of its group.
    assert!(stdout(&join(&fleet[3], &fleet[3])).starts_with("already in the group as "));

    stdout(&fleet[3].ctl(&["leave"]));
    let said = stdout(&join(&fleet[3], &fleet[1]));
    assert!(said.starts_with("joined as vm3@") && !said.contains("founded"), "{said}");
    assert!(stdout(&join(&fleet[3], &fleet[2])).starts_with("already in the group as "));
    assert_eq!(warnings(&fleet[3]), [""; 0]);
    fleet.wait_until_whole();
}

/// Nobody was there to hear of it at the start.
#[test]
fn who_founded_at_its_start_hears_of_it_at_the_next_join() {
    let mut fleet = Fleet::new(1);
    fleet[1].settings.join_on_start = true;
    fleet[1].start();
    fleet[1].wait_until_logged("in the group");
    let said = stdout(&fleet[1].ctl(&["join"]));
    assert!(said.starts_with("already in the group as vm1@"), "{said}");
    assert!(said.ends_with("\nvm1 founded a new group; no other introducer answered\n"), "{said}");
}

/// What is not of the group is told, whatever it is.
#[test]
fn an_introducer_that_is_of_no_group_is_told_too() {
    let mut fleet = two_and_a_loner();
    let said = complaint(&join(&fleet[1], &fleet[3]));
    assert!(said.contains("it is not in a group itself"), "{said}");
    fleet[3].kill();
    let said = complaint(&join(&fleet[1], &fleet[3]));
    assert!(said.contains("does not answer as a member of this group: "), "{said}");
    // One that has failed is of the group all the same.
    fleet.crash(&[2]);
    assert!(stdout(&join(&fleet[1], &fleet[2])).starts_with("already in the group as "));
}

/// It goes on asking those that it remembers, and says so. It comes back when one of them does.
#[test]
fn a_machine_that_remembers_members_founds_nothing() {
    let mut fleet = two_and_a_loner();
    stdout(&join(&fleet[3], &fleet[1]));
    fleet.wait_until_whole();
    fleet.wait_until_remembered();
    fleet.crash(&[1, 2]);
    stop(&mut fleet[3]);
    fleet[3].start();
    let said = complaint(&fleet[3].ctl(&["join"]));
    let start = "memberctl: no member that this machine remembers let it in, and it founds no \
                 group beside theirs: ";
    assert!(said.starts_with(start), "{said}");
    assert!(fleet[3].control().status().unwrap().id.is_none());

    stop(&mut fleet[3]);
    fleet[3].settings.join_on_start = true;
    fleet[3].start();
    wait_until("the status says whom it asks", SOON, || {
        let warned = warnings(&fleet[3]);
        let start = "not in the group yet; trying to join: no member that this machine remembers";
        holds(warned.iter().any(|warning| warning.starts_with(start)), || format!("{warned:?}"))
    });
    fleet[1].start();
    fleet.wait_until_whole_within(2 * SOON);
}

/// A machine that is named by its own address founds, though it remembers others.
#[test]
fn the_own_address_founds_a_group() {
    let mut fleet = two_and_a_loner();
    stdout(&join(&fleet[3], &fleet[1]));
    fleet.wait_until_whole();
    fleet.crash(&[1, 2]);
    stdout(&fleet[3].ctl(&["leave"]));
    complaint(&fleet[3].ctl(&["join"]));
    let said = stdout(&join(&fleet[3], &fleet[3]));
    assert!(said.ends_with("\nvm3 founded a new group; no other introducer answered\n"), "{said}");
}
