//! Upgrades, downgrades, and the end of a package.

use crate::group::{follow, id, wait_until_whole};
use crate::install::install;
use crate::{ALL, all_but};
use memberd_control::message::MemberStatus;
use memberd_tests::control::incarnation;
use memberd_tests::hosts::{Host, Hosts, Package};
use memberd_tests::wait::{IN_EVERY_LIST, SOON};
use memberd_tests::{Followers, wait_until};
use std::collections::BTreeSet;
use std::time::Instant;

/// Each host in turn; the others see one leave and one join.
pub(crate) fn replaced(hosts: &Hosts, package: &Package, numbers: &[usize]) {
    for number in numbers {
        let host = hosts.host(*number);
        let old = id(host);
        let settings = host.run(&["cat", "/etc/memberd/memberd.toml"]);
        let mut followers = follow(hosts, &all_but(&[*number]));
        install(host, package);
        let version = host.run(&["dpkg-query", "--show", "--showformat=${Version}", "memberd"]);
        assert_eq!(version, package.version());
        let installed = Instant::now();
        followers.assert_in_every_list(&old, MemberStatus::Left, installed, &[]);
        wait_until_whole(hosts, &ALL);
        assert!(
            installed.elapsed() < IN_EVERY_LIST,
            "{} is back after {:?} only",
            host.name(),
            installed.elapsed()
        );
        let new = id(host);
        assert!(incarnation(&new) > incarnation(&old));
        followers.assert_none_failed_but(&[]);
        assert_one_leave_and_one_join(&mut followers, host);
        assert_eq!(host.run(&["cat", "/etc/memberd/memberd.toml"]), settings);
    }
}

/// For each of the others. The last of it may come a moment after the lists.
fn assert_one_leave_and_one_join(followers: &mut Followers, host: &Host) {
    let own = format!("{}@", host.name());
    let wanted = 2 * (ALL.len() - 1);
    let changes = wait_until("all others have told of a leave and a join", SOON, || {
        let of_this = followers.seen().iter().filter(|seen| seen.id.starts_with(&own));
        let changes: BTreeSet<(String, String, MemberStatus)> =
            of_this.map(|seen| (seen.observer.clone(), seen.id.clone(), seen.status)).collect();
        if changes.len() >= wanted { Ok(changes) } else { Err(format!("{changes:?}")) }
    });
    assert_eq!(changes.len(), wanted, "{changes:?}");
}

pub(crate) fn replaced_while_stopped(hosts: &Hosts, package: &Package) {
    let host = hosts.host(3);
    host.run(&["systemctl", "stop", "memberd"]);
    install(host, package);
    assert_eq!(host.show("ActiveState"), "inactive", "an upgrade starts what was stopped");
    host.run(&["systemctl", "start", "memberd"]);
    wait_until_whole(hosts, &ALL);
}

pub(crate) fn purged(hosts: &Hosts) {
    let host = hosts.host(8);
    let old = id(host);
    let mut followers = follow(hosts, &all_but(&[8]));
    let at = Instant::now();
    host.run(&["dpkg", "--remove", "memberd"]);
    followers.assert_in_every_list(&old, MemberStatus::Left, at, &[]);
    host.shell(
        "test -e /etc/memberd/memberd.toml; test -e /etc/memberd/group.key; test -d \
    /var/lib/memberd",
    );
    host.run(&["dpkg", "--purge", "memberd"]);
    // The user, the journal and dpkg's records may stay, and the package's file where this test and
    // Ansible put it.
    let left = host.shell(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /var/log/journal -o -path /root -o \
        -path /var/cache/apt -o -path /var/log/dpkg.log \\) -prune \
         -o -name '*memberd*' -print",
    );
    assert_eq!(left, "", "this is left on {}", host.name());
    assert_eq!(host.shell("ls /run | grep memberd || true"), "");
    host.run(&["systemctl", "daemon-reload"]);
    assert_eq!(host.shell("systemctl list-units --all --no-legend 'memberd*'"), "");
    wait_until_whole(hosts, &all_but(&[8]));
}
