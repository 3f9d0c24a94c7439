//! journald, machine.i.log, logrotate, and disks without room.

use crate::group::{id, wait_until_whole};
use crate::{ALL, all_but};
use memberd_tests::hosts::outside::text;
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Followers, wait_until};
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a fault lasts: longer than a silence that costs a member its place.
const FAULT: Duration = Duration::from_secs(4);

/// The levels of the log, and their priorities in the journal: syslog(3).
const PRIORITIES: [(&str, &str); 3] = [("ERROR", "3"), ("WARN", "4"), ("INFO", "6")];

/// The document that lists the lines of the log.
const GUIDE: &str = include_str!("../../packaging/OPERATIONS.md");

/// The service's entries that match.
pub(crate) fn journal(host: &Host, matches: &[&str]) -> Vec<serde_json::Value> {
    let words = [&["journalctl", "-q", "-u", "memberd", "-o", "json"], matches].concat();
    host.run(&words).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The plugs of vm5 and others were pulled before.
pub(crate) fn fields_in_the_journal(hosts: &Hosts) {
    for host in [hosts.host(1), hosts.host(8)] {
        let failed = journal(host, &["MEMBERD_EVENT=failed", "MEMBERD_NAME=vm5"]);
        let entry = failed.last().unwrap_or_else(|| panic!("{} says nothing of vm5", host.name()));
        let field =
            |name: &str| entry[name].as_str().unwrap_or_else(|| panic!("no {name} in {entry}"));
        assert_eq!(field("PRIORITY"), "6");
        assert_eq!(field("SYSLOG_IDENTIFIER"), "memberd");
        assert!(field("MEMBERD_ID").starts_with("vm5@10.88.0.5:8946/"), "{entry}");
        assert!(field("MEMBERD_ID").ends_with(field("MEMBERD_INCARNATION")), "{entry}");
        assert!(
            field("MESSAGE").starts_with("member failed name=vm5 id=vm5@10.88.0.5:8946/"),
            "{entry}"
        );
        let same_kind = journal(host, &[&format!("MESSAGE_ID={}", field("MESSAGE_ID"))]);
        assert!(same_kind.iter().all(|entry| entry["MEMBERD_EVENT"] == "failed"));
        assert!(same_kind.len() >= failed.len());
    }
}

/// The journal has the log's lines, each with the priority of its level. At the level info it has
/// only documented lines.
pub(crate) fn priorities_in_the_journal(hosts: &Hosts) {
    let mut levels = BTreeSet::new();
    for host in [hosts.host(1), hosts.host(8)] {
        let entries = journal(host, &["SYSLOG_IDENTIFIER=memberd", "_TRANSPORT=journal"]);
        let number = host.number();
        let log = host.run(&["cat", &format!("/var/log/memberd/machine.{number}.log")]);
        // A line of a search goes on there with what the journal has as a field.
        let searches = host.shell(&format!("cat /var/log/memberd/searches.{number}.log || true"));
        for entry in &entries {
            let found = PRIORITIES.iter().find(|(_, priority)| entry["PRIORITY"] == *priority);
            let (level, _) = found.unwrap_or_else(|| panic!("no such priority: {entry}"));
            let words = entry["MESSAGE"].as_str().unwrap();
            assert!(
                log.contains(&format!(" {level} {words}\n"))
                    || searches.contains(&format!(" {level} {words} ")),
                "{} logs at another level than {level}: {words}",
                host.name()
            );
            assert!(
                *level != "INFO" || is_documented(words),
                "no operator knows of such a line: {words}"
            );
            levels.insert(*level);
        }
        let ids = ["joined", "failed", "left"].map(|kind| {
            let of_kind: Vec<_> =
                entries.iter().filter(|entry| entry["MEMBERD_EVENT"] == kind).collect();
            assert!(of_kind.iter().all(|entry| entry["PRIORITY"] == "6"), "{of_kind:?}");
            let ids: BTreeSet<&str> =
                of_kind.iter().map(|entry| entry["MESSAGE_ID"].as_str().unwrap()).collect();
            ids.into_iter().collect::<Vec<_>>().join(" ")
        });
        assert!(ids.iter().all(|id| id.len() == 32), "one id for each kind: {ids:?}");
        assert_eq!(BTreeSet::from(ids).len(), 3, "an id of its own for each kind");
    }
    assert!(levels.contains("WARN"), "the split has made nobody warn: {levels:?}");
}

/// Whether the guide has the line, or how it begins.
fn is_documented(line: &str) -> bool {
    let (_, rest) = GUIDE.split_once("## Reading the log").expect("a section on the log");
    let section = rest.split("\n## ").next().unwrap_or(rest);
    section
        .split('`')
        .skip(1)
        .step_by(2)
        .any(|words| words.contains(' ') && line.starts_with(words))
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

/// A program that makes as many connections as one process can and ends each before it sends a
/// byte. Each gives a line of the log.
const WRITER: &str = "import socket, struct
while True:
    connection = socket.create_connection(('10.88.0.5', 8946))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()
";

/// A machine.i.log gets many lines, is rotated five times meanwhile, and gets many lines again.
const ROTATIONS: &str = "log=/var/log/memberd/machine.5.log
    filled() { until [ \"$(wc -l <$log)\" -gt 2000 ]; do sleep 0.01; done; }
    timeout 60 python3 /root/writer.py &
    for round in 1 2 3 4 5; do filled; logrotate --force /etc/logrotate.d/memberd; done
    filled
    kill $!";

/// Compares the whole log with a file that is not rotated, as far as that goes. Both are sorted,
/// because two threads that log at the same moment may be written in either order.
const SAME: &str =
    "zcat -f $(ls -rv /var/log/memberd/machine.5.log*) | tail -c \"$(stat -c %s /root/console)\" | \
    LC_ALL=C sort >/root/logged
    LC_ALL=C sort /root/console | cmp - /root/logged";

/// The hosts of both releases have no procps. So the only `kill` is that of the shell.
pub(crate) fn reloaded(hosts: &Hosts) {
    for host in [hosts.host(1), hosts.host(8)] {
        let reloads = || journal(host, &["MESSAGE=settings reloaded"]).len();
        let before = reloads();
        host.shell("test ! -e /usr/bin/kill; test ! -e /usr/bin/ps; systemctl reload memberd");
        wait_until("the reload is in the journal", SOON, || {
            holds(reloads() == before + 1, || format!("{} has {}", host.name(), reloads()))
        });
        host.shell("logrotate --force /etc/logrotate.d/memberd");
        wait_until("the rotation reloads it", SOON, || {
            holds(reloads() == before + 2, || format!("{} has {}", host.name(), reloads()))
        });
    }
}

/// Standard error has the same lines as the log. Here it goes to a file that nobody rotates.
pub(crate) fn rotated(hosts: &Hosts) {
    let host = hosts.host(5);
    host.write_inside(
        "/etc/systemd/system/memberd.service.d/console.conf",
        "[Service]\nStandardError=append:/root/console\n",
    );
    host.write_inside("/root/writer.py", WRITER);
    host.shell("systemctl daemon-reload; systemctl restart memberd; memberctl log debug");
    let start = Instant::now();
    host.shell(ROTATIONS);
    let seconds = start.elapsed().as_secs_f64();
    host.run(&["memberctl", "log", "info"]);
    wait_until("every line is in one of the files, once", SOON, || {
        let (differing, said) = text(&host.try_run(&["sh", "-euc", SAME]));
        holds(differing.is_empty() && said.is_empty(), || differing + &said)
    });
    let lines: u32 = host.shell("wc -l </root/console").trim().parse().unwrap();
    eprintln!(
        "{}: {lines} lines in {seconds:.1} s, {:.0} a second",
        host.name(),
        f64::from(lines) / seconds
    );
    assert_eq!(host.shell("grep -c 'log lines lost' /root/console || true").trim(), "0");
    assert_eq!(
        host.shell("stat -c '%a %U:%G' /var/log/memberd/machine.5.log").trim(),
        "640 memberd:memberd"
    );
    assert_eq!(
        host.shell("zgrep -l 'settings reloaded' /var/log/memberd/machine.5.log*").lines().count(),
        5,
        "one reload a rotation"
    );
    host.shell(
        "rm -r /etc/systemd/system/memberd.service.d /root/console /root/logged; systemctl \
    daemon-reload; systemctl restart memberd",
    );
    wait_until_whole(hosts, &ALL);
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
    // dd fails, and the disk is full.
    host.shell(
        "for directory in lib log; do ! dd if=/dev/zero of=/var/$directory/memberd/fill \
    bs=4k 2>/dev/null; done",
    );
    host.run(&["memberctl", "log", "debug"]);
    sleep(FAULT);
    hosts.host(6).run(&["systemctl", "restart", "memberd"]);
    unharmed(hosts, &mut followers, &before, 7);
    host.run(&["memberctl", "log", "info"]);
    host.shell("rm /var/lib/memberd/fill /var/log/memberd/fill");
    let log = || host.shell("cat /var/log/memberd/machine.7.log");
    hosts.host(6).run(&["systemctl", "restart", "memberd"]);
    wait_until("the log says what was lost", SOON, || {
        holds(log().contains("log lines lost here"), log)
    });
    host.shell(
        "systemctl stop memberd
        umount /var/lib/memberd /var/log/memberd
        systemctl start memberd",
    );
    wait_until_whole(hosts, &ALL);
}
