//! The Ansible role, over ssh from a machine beside the hosts.

use crate::group::{follow, id, wait_until_whole};
use crate::{ALL, all_but};
use memberd_control::message::MemberStatus;
use memberd_tests::hosts::outside::{text, try_run};
use memberd_tests::hosts::{Host, Hosts, Package};
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::wait_until;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a connection by ssh may take.
const CONNECTED: Duration = Duration::from_secs(30);

/// The silence of a host after which the role's ssh asks whether it is alive, as the role's
/// settings have it.
const ASKED: (&str, Duration) = ("ServerAliveInterval=", Duration::from_secs(5));

/// Writes an inventory of these hosts, and of those from which memberd is to be removed.
fn inventory(hosts: &Hosts, package: &Package, numbers: &[usize], removed: &[usize]) {
    let lines = |numbers: &[usize]| -> String {
        numbers
            .iter()
            .map(|number| hosts.host(*number))
            .map(|host| format!("{} ansible_host={}\n", host.name(), host.address()))
            .collect()
    };
    let text = format!(
        "[memberd]\n{}[memberd_removed]\n{}[all:vars]\nansible_user=root\n\
         ansible_ssh_private_key_file={}\nmemberd_deb={}\n",
        lines(numbers),
        lines(removed),
        hosts.ssh_key().display(),
        package.path().display()
    );
    fs::write(hosts.directory().join("inventory.ini"), text).unwrap();
}

/// A new key, from the memberctl that was installed by hand.
fn new_key(hosts: &Hosts) -> String {
    let made = hosts.host(1).run(&["memberctl", "key", "generate"]);
    made.lines().find(|line| !line.starts_with('#')).unwrap().to_owned()
}

/// Writes down the group's key for Ansible.
fn keep_key(hosts: &Hosts, key: &str) {
    fs::create_dir_all(hosts.directory().join("group_vars")).unwrap();
    let variables = serde_json::json!({ "memberd_keyring": [key] });
    fs::write(hosts.directory().join("group_vars/all.json"), variables.to_string()).unwrap();
}

/// The key that was written down.
fn kept_key(hosts: &Hosts) -> String {
    let text = fs::read_to_string(hosts.directory().join("group_vars/all.json")).unwrap();
    let variables: serde_json::Value = serde_json::from_str(&text).unwrap();
    variables["memberd_keyring"][0].as_str().unwrap().to_owned()
}

/// Runs the playbook, asserts that it succeeds, and returns what it printed.
fn play(hosts: &Hosts, arguments: &[&str]) -> String {
    try_play(hosts, "site.yml", arguments).unwrap_or_else(|words| panic!("{words}"))
}

/// The ssh arguments of the role's settings. A slow host may be silent while it lets somebody in.
fn ssh_arguments(role: &Path) -> String {
    let settings = fs::read_to_string(role.join("ansible.cfg")).unwrap();
    let arguments = settings.lines().find_map(|line| line.strip_prefix("ssh_args = ")).unwrap();
    let asked = |after: Duration| format!("{}{}", ASKED.0, after.as_secs());
    assert!(arguments.contains(&asked(ASKED.1)), "{arguments}");
    arguments.replace(&asked(ASKED.1), &asked(stretched(ASKED.1)))
}

/// Runs the playbook and returns what it printed, as an error if it failed.
fn try_play(hosts: &Hosts, playbook: &str, arguments: &[&str]) -> Result<String, String> {
    let role = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/ansible");
    let mut command = hosts.manager("ansible-playbook");
    command
        .current_dir(&role)
        .arg("-i")
        .arg(hosts.directory().join("inventory.ini"))
        .arg(playbook)
        .args(arguments);
    command
        .env("ANSIBLE_HOST_KEY_CHECKING", "False")
        .env("ANSIBLE_LOCAL_TEMP", hosts.directory().join("ansible"))
        // Another fleet may have the same addresses. Its connections lead to other hosts.
        .env("ANSIBLE_SSH_CONTROL_PATH_DIR", hosts.directory().join("ssh"));
    command.env("ANSIBLE_TIMEOUT", stretched(CONNECTED).as_secs().to_string());
    command.env("ANSIBLE_SSH_ARGS", ssh_arguments(&role));
    // The hosts' keys are new each time.
    command.env("ANSIBLE_SSH_COMMON_ARGS", "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR");
    let output = try_run(&mut command);
    let (stdout, stderr) = text(&output);
    if output.status.success() { Ok(stdout) } else { Err(stdout + &stderr) }
}

/// The sum of a column of the recap.
fn sum(recap: &str, column: &str) -> u32 {
    let counts = recap.lines().filter(|line| line.contains("unreachable="));
    let numbers = counts.filter_map(|line| {
        line.split_whitespace().find_map(|word| word.strip_prefix(column)?.strip_prefix('='))
    });
    numbers.map(|number| number.parse::<u32>().unwrap()).sum()
}

pub(crate) fn installed(hosts: &Hosts, package: &Package) {
    inventory(hosts, package, &ALL, &[]);
    keep_key(hosts, &new_key(hosts));
    let checked = play(hosts, &["--check", "-e", "memberd_serial=4"]);
    assert!(sum(&checked, "changed") > 0, "{checked}");
    hosts.host(2).shell("! test -e /usr/sbin/memberd");
    play(hosts, &["-e", "memberd_serial=2"]);
    wait_until_whole(hosts, &ALL);
}

pub(crate) fn repeated(hosts: &Hosts) {
    let before: Vec<String> = hosts.all().iter().map(id).collect();
    let again = play(hosts, &["-e", "memberd_serial=4"]);
    assert_eq!(sum(&again, "changed"), 0, "{again}");
    assert_eq!(before, hosts.all().iter().map(id).collect::<Vec<_>>(), "somebody was restarted");
}

pub(crate) fn settings_changed(hosts: &Hosts) {
    let mut followers = follow(hosts, &[1]);
    let bad = r#"{"memberd_serial": 4, "memberd_settings": "[nonsense]"}"#;
    let said = try_play(hosts, "site.yml", &["-e", bad]).unwrap_err();
    assert!(said.contains("nonsense") && said.contains("failed to validate"), "{said}");
    assert!(followers.seen().is_empty(), "bad settings have done something");
    let good = serde_json::json!({
        "memberd_serial": 1,
        "memberd_log_files": ["/var/log/dpkg.log"],
        "memberd_log_journal": true,
    });
    play(hosts, &["-e", &good.to_string()]);
    wait_until_whole(hosts, &ALL);
    followers.assert_none_failed_but(&[]);
    let found = hosts.host(1).run(&["memberctl", "grep", "-l", "memberd", "/var/log/dpkg.log"]);
    assert_eq!(found.lines().count(), ALL.len(), "{found}");
    // Under all restrictions of the unit journalctl can run and read the journal.
    let found = hosts.host(1).run(&[
        "memberctl",
        "grep",
        "-c",
        "--journal",
        "-u",
        "memberd",
        "memberd starting",
    ]);
    for number in ALL {
        let counted =
            found.lines().find_map(|line| line.strip_prefix(&format!("vm{number}:journal:")));
        assert!(counted.is_some_and(|count| count != "0"), "{found}");
    }
}

/// All machines at once change to the other detector, and back. Otherwise nothing is touched.
pub(crate) fn detector_changed(hosts: &Hosts) {
    let mut followers = follow(hosts, &[1]);
    let one_by_one = r#"{"memberd_detector": "swim", "memberd_serial": 4}"#;
    let said = try_play(hosts, "site.yml", &["-e", one_by_one]).unwrap_err();
    assert!(said.contains("run it without --limit, and with -e memberd_serial=100%"), "{said}");
    assert!(followers.seen().is_empty(), "a change that cannot work has done something");
    for detector in ["swim", "ring"] {
        let change = serde_json::json!({ "memberd_detector": detector, "memberd_serial": "100%" });
        play(hosts, &["-e", &change.to_string()]);
        let start = Instant::now();
        wait_until_whole(hosts, &ALL);
        eprintln!("all lists are whole {:?} after the change to {detector}", start.elapsed());
        let settings = ["memberctl", "check", "--effective"];
        for host in hosts.all() {
            let shown = host.run(&settings);
            assert!(shown.contains(&format!("\"{detector}\"")), "{}: {shown}", host.name());
        }
    }
}

/// Goes through the fleet three times. Nobody is out for longer than its restart.
pub(crate) fn key_changed(hosts: &Hosts) {
    let (old, new) = (kept_key(hosts), new_key(hosts));
    let failures = || -> Vec<String> {
        let count = |host: &Host| {
            host.shell("journalctl -q -u memberd -o cat MEMBERD_EVENT=failed | wc -l")
        };
        hosts.all().iter().map(count).collect()
    };
    let before = failures();
    let keys =
        serde_json::json!({ "memberd_old_key": old, "memberd_new_key": new, "memberd_serial": 2 })
            .to_string();
    try_play(hosts, "rotate-key.yml", &["-e", &keys]).unwrap_or_else(|words| panic!("{words}"));
    wait_until_whole(hosts, &ALL);
    assert_eq!(before, failures(), "somebody was reported failed");
    for host in hosts.all() {
        let keyring = host.run(&["cat", "/etc/memberd/group.key"]);
        assert!(
            keyring.contains(&new) && !keyring.contains(&old),
            "the old key is still on {}",
            host.name()
        );
    }
    keep_key(hosts, &new);
}

/// memberd was purged from vm8 before. vm8 comes back like any new machine, and is removed again.
pub(crate) fn added_and_removed(hosts: &Hosts, package: &Package) {
    inventory(hosts, package, &ALL, &[]);
    play(hosts, &["-e", "memberd_serial=4"]);
    wait_until_whole(hosts, &ALL);
    let gone = id(hosts.host(8));
    let mut followers = follow(hosts, &all_but(&[8]));
    inventory(hosts, package, &all_but(&[8]), &[8]);
    play(hosts, &["--limit", "memberd_removed"]);
    wait_until_whole(hosts, &all_but(&[8]));
    wait_until("its leave is told", SOON, || {
        let mut seen = followers.seen().iter();
        let told = seen.any(|seen| seen.id == gone && seen.status == MemberStatus::Left);
        holds(told, || format!("{gone} is not told of"))
    });
    followers.assert_none_failed_but(&[]);
}
