//! Steps the wall clock under a running daemon by libfaketime. Monotonic time stays right, as on a
//! real machine.

use crate::ALL;
use crate::group::{follow, id, wait_until_whole};
use memberd_tests::control::incarnation;
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;
use std::thread::sleep;
use std::time::Duration;

/// How long the others watch it: several failure timeouts.
const LOOK: Duration = Duration::from_secs(5);

/// Seconds by which a fake may be off: it is read once a second.
const MARGIN: i64 = 3;

/// Every daemon has the wall clock of the machine below. libfaketime changes it for the daemons of
/// these hosts, one of each release.
pub(crate) fn stepped(hosts: &Hosts) {
    let stepped = [hosts.host(4), hosts.host(8)];
    for host in stepped {
        host.write_inside(
            "/etc/systemd/system/memberd.service.d/clock.conf",
            "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 \
             FAKETIME_TIMESTAMP_FILE=/etc/faketimerc FAKETIME_CACHE_DURATION=1 \
             FAKETIME_DONT_FAKE_MONOTONIC=1\n",
        );
        host.write_inside("/etc/faketimerc", "+0\n");
        host.shell("systemctl daemon-reload; systemctl restart memberd");
    }
    wait_until_whole(hosts, &ALL);
    let mut followers = follow(hosts, &ALL);
    let before = stepped.map(id);
    for step in [-3600, 3600] {
        for host in stepped {
            host.write_inside("/etc/faketimerc", &format!("{step:+}\n"));
            wait_until_seen_ahead(hosts, host, step);
        }
        sleep(LOOK);
        assert_eq!(stepped.map(id), before, "a step of {step} s costs nothing");
    }
    followers.assert_none_failed_but(&[]);
    // It has a larger incarnation although its clock was set back before the start.
    for (host, before) in stepped.into_iter().zip(&before) {
        host.write_inside("/etc/faketimerc", "-7200\n");
        host.run(&["systemctl", "restart", "memberd"]);
        wait_until_whole(hosts, &ALL);
        assert!(incarnation(&id(host)) > incarnation(before));
        wait_until_seen_ahead(hosts, host, -7200);
    }
    for host in stepped {
        host.shell(
            "rm -r /etc/systemd/system/memberd.service.d /etc/faketimerc; systemctl daemon-reload; \
            systemctl restart memberd",
        );
    }
    wait_until_whole(hosts, &ALL);
}

/// Waits until a neighbour with a true clock finds this host this many seconds ahead. The step has
/// then reached the daemon.
fn wait_until_seen_ahead(hosts: &Hosts, stepped: &Host, seconds: i64) {
    let offsets = || -> Vec<i64> {
        let status =
            [1, 2, 3, 5, 6, 7].map(|number| hosts.host(number).control().status().unwrap());
        let neighbours = status.into_iter().flat_map(|status| status.neighbours);
        neighbours
            .filter(|neighbour| neighbour.name == stepped.name())
            .filter_map(|neighbour| neighbour.clock_offset)
            .collect()
    };
    wait_until(&format!("somebody sees {} {seconds} s ahead", stepped.name()), SOON, || {
        let offsets = offsets();
        let near = |offset: &i64| (offset / 1000 - seconds).abs() <= MARGIN;
        holds(offsets.iter().any(near), || format!("{offsets:?} ms"))
    });
}
