//! The unit files and the package, looked at without a host.

use crate::or_left_out;
use memberd_tests::hosts::Package;
use memberd_tests::hosts::outside::{text, try_run};
use std::path::Path;
use std::process::Command;

/// The most that `systemd-analyze security` may find, times ten. A network daemon's floor is 10.
pub(crate) const MOST_EXPOSED: &str = "--threshold=12";

fn has(program: &str, package: &str) -> Result<(), String> {
    let found = try_run(Command::new("which").arg(program)).status.success();
    found.then_some(()).ok_or_else(|| format!("{program} is missing: apt-get install {package}"))
}

#[test]
fn lintian_has_neither_errors_nor_warnings() {
    let Some(()) = or_left_out(has("lintian", "lintian")) else { return };
    let Some(package) = or_left_out(Package::built()) else { return };
    let output = try_run(Command::new("lintian").args(["--fail-on", "error,warning", "--allow-root"]).arg(package.path()));
    assert!(output.status.success(), "{}", text(&output).0);
}

#[test]
fn the_service_is_exposed_as_little_as_a_network_daemon_can_be() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/memberd.service");
    let Some(()) = or_left_out(has("systemd-analyze", "systemd")) else { return };
    let output =
        try_run(Command::new("systemd-analyze").args(["security", "--offline=yes", MOST_EXPOSED, "--no-pager"]).arg(unit));
    assert!(output.status.success(), "{}", text(&output).0);
}

#[test]
fn every_directive_of_the_units_has_its_reason_above() {
    for unit in ["memberd.service", "memberd.socket", "memberd-read.socket"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(unit);
        let text = std::fs::read_to_string(path).unwrap();
        // Blocks without a blank line in them: a comment is for what follows it.
        for block in text.split("\n\n").filter(|block| !block.contains("[Install]")) {
            assert!(block.lines().any(|line| line.starts_with('#')), "{unit}: {block}");
        }
    }
}
