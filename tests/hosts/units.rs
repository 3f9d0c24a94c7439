//! The unit files, looked at without a host.

use memberd_tests::hosts::outside::{text, try_run};
use memberd_tests::tools;
use std::path::Path;
use std::process::Command;

/// The most that `systemd-analyze security` may find, times ten. A network daemon's floor is 10.
/// Two more are for the users, whom it must know apart. One is for /proc/sys, which says what the
/// kernel protects.
pub(crate) const MOST_EXPOSED: &str = "--threshold=14";

/// The same for what only counts lines: that needs no more than a socket.
const MOST_EXPOSED_WORKER: &str = "--threshold=6";

#[test]
fn the_service_is_exposed_as_little_as_a_network_daemon_can_be() {
    is_exposed_at_most("memberd.service", MOST_EXPOSED);
}

#[test]
fn the_worker_is_exposed_less_than_the_service() {
    is_exposed_at_most("memberd-worker.service", MOST_EXPOSED_WORKER);
}

fn is_exposed_at_most(unit: &str, threshold: &str) {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(unit);
    if !tools::is_there("systemd-analyze", "systemd") {
        return;
    }
    let output = try_run(
        Command::new("systemd-analyze")
            .args(["security", "--offline=yes", threshold, "--no-pager"])
            .arg(unit),
    );
    assert!(output.status.success(), "{}", text(&output).0);
}

/// What a unit's first lines and its [Install] say for themselves.
const PLAIN: [&str; 3] = ["Description", "Documentation", "WantedBy"];

/// A comment is for the directives below it, to the next blank line.
#[test]
fn every_directive_of_the_units_has_its_reason_above() {
    for unit in [
        "memberd.service",
        "memberd.socket",
        "memberd-read.socket",
        "memberd-search.socket",
        "memberd-worker.socket",
        "memberd-worker.service",
        "memberd-hooks@.service",
        "memberd-leader.service",
        "memberd-once@.service",
        "memberd-once@.timer",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(unit);
        let mut explained = false;
        for line in std::fs::read_to_string(path).unwrap().lines() {
            match line.split_once('=') {
                _ if line.starts_with('#') => explained = true,
                Some((directive, _)) => {
                    assert!(explained || PLAIN.contains(&directive), "{unit}: why {directive}?");
                }
                None => explained = false,
            }
        }
    }
}

/// systemd restarts the sockets with the service. A limit of one of them is a limit of all.
#[test]
fn no_unit_of_the_service_has_a_limit_of_starts() {
    for unit in [
        "memberd.service",
        "memberd.socket",
        "memberd-read.socket",
        "memberd-search.socket",
        "memberd-worker.socket",
        "memberd-worker.service",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(unit);
        let text = std::fs::read_to_string(path).unwrap();
        let first = text.split("\n\n").next().unwrap_or_default();
        assert!(first.lines().any(|line| line == "StartLimitIntervalSec=0"), "{unit}: {first}");
    }
}
