//! The administrator's own programs that run at membership changes: memberd-hooks@.service.

use crate::ALL;
use crate::group::{id, wait_until_whole};
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

/// A hook that writes to the journal which user runs it, and what it got in both ways.
const HOOK: &str = r#"#!/bin/sh
printf '%s %s %s %s\n' "$(id -u)" "$MEMBERD_EVENT" "$MEMBERD_ID" "$(cat)"
"#;

/// On hosts of both releases: one member fails, and another leaves.
pub(crate) fn hears_of_changes(hosts: &Hosts) {
    let hooked = [hosts.host(1), hosts.host(8)];
    for host in hooked {
        host.write_inside("/etc/memberd/hooks/teller", HOOK);
        host.shell(
            "chmod +x /etc/memberd/hooks/teller; systemctl enable --quiet --now \
        memberd-hooks@teller",
        );
        let connections = || host.run(&["ss", "-xH", "src", "/run/memberd/control.sock"]);
        wait_until("the hook follows", SOON, || {
            holds(connections().contains("ESTAB"), connections)
        });
    }
    let (killed, stopped) = (hosts.host(3), hosts.host(4));
    let changes = [("failed", id(killed)), ("left", id(stopped))];
    killed.run(&["systemctl", "kill", "-s", "KILL", "memberd"]);
    stopped.run(&["systemctl", "restart", "memberd"]);
    for host in hooked {
        changes.iter().for_each(|(event, id)| wait_until_hooked(host, event, id));
        host.shell(
            "systemctl disable --quiet --now memberd-hooks@teller; rm -r /etc/memberd/hooks",
        );
    }
    wait_until_whole(hosts, &ALL);
}

/// Waits until the hook has run for that change once, as an unprivileged user.
fn wait_until_hooked(host: &Host, event: &str, id: &str) {
    let lines = || {
        host.run(&[
            "journalctl",
            "-q",
            "-o",
            "cat",
            "-u",
            "memberd-hooks@teller",
            "_TRANSPORT=stdout",
        ])
    };
    let change = format!(" {event} {id} ");
    let line =
        wait_until(&format!("the hook of {} hears that {id} {event}", host.name()), SOON, || {
            let lines = lines();
            let found = lines.lines().find(|line| line.contains(&change)).map(str::to_owned);
            found.ok_or(lines)
        });
    assert_eq!(lines().matches(&change).count(), 1, "{}", lines());
    let (user, json) = line.split_once(&change).unwrap();
    assert_ne!(user, "0", "{line}");
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(
        (json["event"].as_str(), json["member"]["id"].as_str()),
        (Some(event), Some(id)),
        "{line}"
    );
}
