//! The list as Ansible's inventory, read by the real ansible.

use memberd_tests::binaries::{memberctl, mortal};
use memberd_tests::{Daemon, Fleet, process, tools};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// ansible starts a Python interpreter or two.
const LIMIT: Duration = Duration::from_secs(90);

/// The two lines that make memberctl an inventory script, as OPERATIONS.md has them.
fn inventory_script(daemon: &Daemon) -> PathBuf {
    let path = daemon.directory().join("inventory");
    let (program, socket) = (memberctl(), &daemon.settings.socket);
    let text = format!(
        "#!/bin/sh\nexec {} --socket {} list --all --format ansible\n",
        program.display(),
        socket.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

fn ansible(program: &str, inventory: &Path, arguments: &[&str]) -> String {
    let mut command = mortal(Path::new(program), None);
    // With a home of its own, this machine's settings have no effect.
    command
        .env("HOME", inventory.parent().unwrap())
        .env("ANSIBLE_LOCALHOST_WARNING", "False")
        .env("ANSIBLE_NOCOLOR", "1");
    let output = process::run(command.arg("-i").arg(inventory).args(arguments), LIMIT);
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(!stderr.contains("WARNING"), "{stderr}");
    stdout.into_owned()
}

#[test]
fn ansible_takes_the_list_for_its_inventory() {
    if !tools::is_there("ansible", "ansible-core") {
        return;
    }
    let mut fleet = Fleet::start(3);
    fleet.crash(&[3]);
    memberd_tests::wait_until("the crash is listed", memberd_tests::wait::SOON, || {
        let status = fleet[1].control().status_of("vm3").map_err(|error| error.to_string())?;
        let failed = status.map(|(status, _)| status)
            == Some(memberd_control::message::MemberStatus::Failed);
        memberd_tests::wait::holds(failed, || format!("{status:?}"))
    });
    let inventory = inventory_script(&fleet[1]);
    let hosts = |pattern: &str| -> Vec<String> {
        let text = ansible("ansible", &inventory, &[pattern, "--list-hosts"]);
        text.lines().skip(1).map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(hosts("memberd"), ["vm1", "vm2", "vm3"]);
    assert_eq!(hosts("memberd_alive"), ["vm1", "vm2"]);
    // A module runs on a host of the inventory, with the address that the list has.
    let ran = ansible(
        "ansible",
        &inventory,
        &["memberd_alive", "-c", "local", "-m", "raw", "-a", "echo at {{ ansible_host }}"],
    );
    for number in [1, 2] {
        assert!(ran.contains(&format!("at {}", fleet[number].settings.address.ip())), "{ran}");
    }
}

/// What a member says of itself reaches the machine where Ansible runs. Nothing of it is evaluated
/// there, and zones whose names have no ASCII letters are two groups.
#[test]
fn ansible_evaluates_no_tag_and_keeps_zones_apart() {
    if !tools::is_there("ansible", "ansible-core") {
        return;
    }
    let fleet = Fleet::start_with(2, |daemon| {
        let zone = if daemon.name() == "vm1" { "北京" } else { "東京" };
        daemon.settings.tags =
            vec![("tpl", "{{ 1+1 }}{% if %}"), ("zone", zone), ("__ansible_vault", "x")];
    });
    let inventory = inventory_script(&fleet[1]);
    memberd_tests::wait_until("the tags are known", memberd_tests::wait::SOON, || {
        let list = String::from_utf8(fleet[1].ctl(&["list", "--tags"]).stdout).unwrap();
        memberd_tests::wait::holds(list.matches("zone=").count() == 2, || list)
    });
    let shown = ansible(
        "ansible",
        &inventory,
        &["memberd", "-c", "local", "-m", "debug", "-a", "var=memberd_tags.tpl"],
    );
    assert_eq!(shown.matches("\"memberd_tags.tpl\": \"{{ 1+1 }}{% if %}\"").count(), 2, "{shown}");
    let hosts = ansible("ansible", &inventory, &["tag_zone____7b0ee99a", "--list-hosts"]);
    assert_eq!(hosts.lines().skip(1).map(str::trim).collect::<Vec<_>>(), ["vm1"]);
}
