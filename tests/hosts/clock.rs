//! A wall clock that is stepped under a running daemon, by libfaketime. Monotonic time stays true, as it does on a real machine.

use crate::ALL;
use crate::group::{follow, id, incarnation, wait_until_whole};
use memberd_tests::hosts::Hosts;
use std::thread::sleep;
use std::time::Duration;

/// How long the others look at it: several times what a silence costs.
const LOOK: Duration = Duration::from_secs(5);

pub(crate) fn stepped(hosts: &Hosts) {
    let host = hosts.host(4);
    host.write_inside(
        "/etc/systemd/system/memberd.service.d/clock.conf",
        "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 \
         FAKETIME_TIMESTAMP_FILE=/etc/faketimerc FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1\n",
    );
    host.write_inside("/etc/faketimerc", "+0\n");
    host.shell("systemctl daemon-reload; systemctl restart memberd");
    wait_until_whole(hosts, &ALL);
    let mut followers = follow(hosts, &ALL);
    let before = id(host);
    for step in ["-3600", "+3600"] {
        host.write_inside("/etc/faketimerc", &format!("{step}\n"));
        sleep(LOOK);
        assert_eq!(id(host), before, "a step of {step} s costs nothing");
    }
    followers.assert_none_failed_but(&[]);
    // Started with a clock that was set back, it comes with a larger incarnation nevertheless.
    host.write_inside("/etc/faketimerc", "-7200\n");
    host.run(&["systemctl", "restart", "memberd"]);
    wait_until_whole(hosts, &ALL);
    assert!(incarnation(&id(host)) > incarnation(&before));
    host.shell("rm -r /etc/systemd/system/memberd.service.d; systemctl daemon-reload; systemctl restart memberd");
    wait_until_whole(hosts, &ALL);
}
