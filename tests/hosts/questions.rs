//! Questions over logs: the systemd of each host starts its worker, which has no rights.

use crate::{ALL, all_but};
use memberd_tests::hosts::outside::text;
use memberd_tests::hosts::{Host, Hosts};
use std::collections::BTreeMap;

/// The words of every start, and where they are.
const LINES: &str = "memberd starting";
const FILES: &str = "machine.*.log";

const WORKER: &str = "memberd-worker.service";

/// The numbers behind the names of members.
fn numbers<'t>(lines: impl Iterator<Item = (&'t str, &'t str)>) -> BTreeMap<String, u64> {
    lines.map(|(name, number)| (name.to_owned(), number.parse().unwrap())).collect()
}

/// How many starts grep finds on each host.
fn grepped(host: &Host) -> BTreeMap<String, u64> {
    let found = host.run(&["memberctl", "grep", "-c", LINES, FILES]);
    numbers(found.lines().map(|line| {
        let (name, rest) = line.split_once(':').unwrap();
        (name, rest.rsplit(':').next().unwrap())
    }))
}

/// How many the workers count.
fn counted(host: &Host, user: &str) -> BTreeMap<String, u64> {
    let question = format!("'{LINES}' | count by member");
    let (rows, said) = text(&host.try_run_as(user, &["memberctl", "stats", &question, FILES]));
    assert!(said.is_empty(), "{}, {user}: {said}{rows}", host.name());
    numbers(rows.lines().map(|row| row.split_once('\t').unwrap()))
}

/// Each host counts what grep finds there, and a worker that was killed is started anew.
pub(crate) fn counted_by_the_workers_of_systemd(hosts: &Hosts) {
    let found = grepped(hosts.host(1));
    assert_eq!(found.len(), ALL.len(), "{found:?}");
    for (number, user) in [(1, "root"), (8, "alice")] {
        assert_eq!(counted(hosts.host(number), user), found, "vm{number}, {user}");
    }
    for host in hosts.all() {
        let process = host.show_of(WORKER, "MainPID");
        assert_ne!(process, "0", "{}: {}", host.name(), host.show_of(WORKER, "ActiveState"));
        // It is a user of its own, in no group of others.
        let status = host.run(&["cat", &format!("/proc/{process}/status")]);
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        let service = host.run(&["id", "-u", "memberd"]);
        let user = of("Uid:").remove(0);
        assert!(user != "0" && user != service.trim(), "{}: {user}", host.name());
        assert!(of("Groups:").iter().all(|group| *group == user), "{status}");
        assert_eq!(of("CapEff:"), ["0000000000000000"], "{status}");
    }
    for number in all_but(&[1, 2, 3, 4, 5]) {
        hosts.host(number).run(&["systemctl", "kill", "--signal=KILL", WORKER]);
    }
    assert_eq!(counted(hosts.host(1), "root"), found, "after some were killed");
}
