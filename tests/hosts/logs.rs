//! journald, machine.i.log, logrotate, and disks without room.

use crate::group::{id, wait_until_whole};
use crate::{ALL, all_but};
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Followers, wait_until};
use std::thread::sleep;
use std::time::Duration;

/// How long a fault lasts: longer than a silence that costs a member its place.
const FAULT: Duration = Duration::from_secs(4);

fn journal(host: &Host, matches: &[&str]) -> Vec<serde_json::Value> {
    let words = [&["journalctl", "-q", "-u", "memberd", "-o", "json"], matches].concat();
    host.run(&words).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The plugs of vm5 and others were pulled before.
pub(crate) fn fields_in_the_journal(hosts: &Hosts) {
    for host in [hosts.host(1), hosts.host(8)] {
        let failed = journal(host, &["MEMBERD_EVENT=failed", "MEMBERD_NAME=vm5"]);
        let entry = failed.last().unwrap_or_else(|| panic!("{} says nothing of vm5", host.name()));
        let field = |name: &str| entry[name].as_str().unwrap_or_else(|| panic!("no {name} in {entry}"));
        assert_eq!(field("PRIORITY"), "6");
        assert_eq!(field("SYSLOG_IDENTIFIER"), "memberd");
        assert!(field("MEMBERD_ID").starts_with("vm5@10.88.0.5:8946/"), "{entry}");
        assert!(field("MEMBERD_ID").ends_with(field("MEMBERD_INCARNATION")), "{entry}");
        assert!(field("MESSAGE").starts_with("member failed name=vm5 id=vm5@10.88.0.5:8946/"), "{entry}");
        let same_kind = journal(host, &[&format!("MESSAGE_ID={}", field("MESSAGE_ID"))]);
        assert!(same_kind.iter().all(|entry| entry["MEMBERD_EVENT"] == "failed"));
        assert!(same_kind.len() >= failed.len());
    }
}

/// Nobody loses its place over this.
fn unharmed(hosts: &Hosts, followers: &mut Followers, before: &str, number: usize) {
    followers.assert_none_failed_but(&[]);
    assert_eq!(id(hosts.host(number)), before);
    wait_until_whole(hosts, &ALL);
}

pub(crate) fn journald_hangs(hosts: &Hosts) {
    let host = hosts.host(2);
    let before = id(host);
    let mut followers = crate::group::follow(hosts, &all_but(&[2]));
    host.run(&["systemctl", "kill", "-s", "STOP", "systemd-journald"]);
    host.run(&["memberctl", "log", "trace"]);
    sleep(FAULT);
    host.run(&["memberctl", "log", "info"]);
    host.run(&["systemctl", "kill", "-s", "CONT", "systemd-journald"]);
    unharmed(hosts, &mut followers, &before, 2);
}

pub(crate) fn rotated(hosts: &Hosts) {
    let host = hosts.host(5);
    host.run(&["memberctl", "log", "debug"]);
    let lines = |path: &str| host.run(&["sh", "-c", "wc -l <\"$1\"", "sh", path]).trim().parse::<u64>().unwrap();
    let (log, old) = ("/var/log/memberd/machine.5.log", "/var/log/memberd/machine.5.log.1");
    for _ in 0..3 {
        host.run(&["logrotate", "--force", "/etc/logrotate.d/memberd"]);
        wait_until("the new log has lines", SOON, || holds(lines(log) > 0, || "it is empty".to_owned()));
        let kept = lines(old);
        wait_until("the new log has more lines", SOON, || holds(lines(log) > 10, || lines(log).to_string()));
        assert_eq!(lines(old), kept, "the old log has grown");
    }
    host.run(&["memberctl", "log", "info"]);
    assert_eq!(host.shell("stat -c '%a %U:%G' /var/log/memberd/machine.5.log").trim(), "640 memberd:memberd");
    assert_eq!(
        host.shell("zgrep -l 'settings reloaded' /var/log/memberd/machine.5.log*").lines().count(),
        3,
        "one reload a rotation"
    );
    assert!(host.shell("zcat -f /var/log/memberd/machine.5.log*").contains("memberd starts"), "the start is in one of them");
}

pub(crate) fn disks_full(hosts: &Hosts) {
    let host = hosts.host(7);
    host.shell(
        "systemctl stop memberd
        for directory in lib log; do
            cp -a /var/$directory/memberd /root/$directory
            mount -t tmpfs -o size=1m,mode=0750 tmpfs /var/$directory/memberd
            cp -a /root/$directory/. /var/$directory/memberd
            chown --reference=/root/$directory /var/$directory/memberd
        done
        systemctl start memberd",
    );
    wait_until_whole(hosts, &ALL);
    let before = id(host);
    let mut followers = crate::group::follow(hosts, &all_but(&[7]));
    // dd ends badly, and the disk is full.
    host.shell("for directory in lib log; do ! dd if=/dev/zero of=/var/$directory/memberd/fill bs=4k 2>/dev/null; done");
    host.run(&["memberctl", "log", "debug"]);
    sleep(FAULT);
    hosts.host(6).run(&["systemctl", "restart", "memberd"]);
    unharmed(hosts, &mut followers, &before, 7);
    host.run(&["memberctl", "log", "info"]);
    host.shell("rm /var/lib/memberd/fill /var/log/memberd/fill");
    let log = || host.shell("cat /var/log/memberd/machine.7.log");
    hosts.host(6).run(&["systemctl", "restart", "memberd"]);
    wait_until("the log says what was lost", SOON, || holds(log().contains("log lines lost here"), log));
    host.shell(
        "systemctl stop memberd
        umount /var/lib/memberd /var/log/memberd
        systemctl start memberd",
    );
    wait_until_whole(hosts, &ALL);
}
