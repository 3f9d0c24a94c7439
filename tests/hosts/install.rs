//! Installing, the settings, and what systemd thinks of the units.

use crate::units::MOST_EXPOSED;
use memberd_tests::hosts::outside::text;
use memberd_tests::hosts::{Host, Hosts, Package};

/// The hosts on which it is done by hand: one of each release.
const BY_HAND: [usize; 2] = [1, 8];

/// Installs a package file, of whatever version.
pub(crate) fn install(host: &Host, package: &Package) -> String {
    host.push(package.path(), "/root/memberd.deb");
    host.shell("DEBIAN_FRONTEND=noninteractive dpkg -i --force-downgrade /root/memberd.deb 2>&1")
}

/// Does what an administrator does, and shows it as a terminal would.
fn shown(host: &Host, line: &str) -> String {
    let printed = host.shell(&format!("cd; {line} 2>&1"));
    eprintln!("{}# {line}\n{}", host.name(), printed.trim_end());
    printed
}

pub(crate) fn first(hosts: &Hosts, package: &Package) {
    for host in BY_HAND.map(|number| hosts.host(number)) {
        host.push(package.path(), "/root/memberd_0.1.0_amd64.deb");
        host.shell("echo 'debconf debconf/frontend select noninteractive' | debconf-set-selections");
        shown(host, "apt install -y ./memberd_0.1.0_amd64.deb");
        assert_eq!(host.show("UnitFileState"), "enabled");
        assert_eq!(host.show("ActiveState"), "inactive");
        host.shell("getent passwd memberd && getent group memberd && test -d /run/memberd");
        for (words, status, said) in
            [(["memberctl", "list"], 4, "systemctl start memberd"), (["memberctl", "check"], 1, "node.address")]
        {
            let output = host.try_run(&words);
            assert_eq!(output.status.code(), Some(status), "{output:?}");
            assert!(text(&output).1.contains(said), "{output:?}");
        }
    }
}

pub(crate) fn settings_come_first(hosts: &Hosts) {
    let host = hosts.host(1);
    let output = host.try_run(&["systemctl", "start", "memberd"]);
    assert!(!output.status.success(), "it starts without settings");
    assert_eq!(host.show("ExecMainStatus"), "78");
    assert_eq!(host.show("NRestarts"), "0", "bad settings are tried again");
    let said = host.run(&["journalctl", "-q", "-u", "memberd", "-o", "cat"]);
    assert!(said.contains("memberd.toml") && said.contains("node.address"), "{said}");
}

pub(crate) fn units(hosts: &Hosts) {
    for host in BY_HAND.map(|number| hosts.host(number)) {
        let units =
            ["memberd.service", "memberd.socket", "memberd-read.socket"].map(|unit| format!("/usr/lib/systemd/system/{unit}"));
        let [service, socket, read] = &units;
        let output = host.try_run(&["systemd-analyze", "verify", "--man=no", service, socket, read]);
        // 252 says what is wrong and ends well nevertheless.
        assert_eq!(text(&output), (String::new(), String::new()), "on {}", host.name());
        let score = host.run(&["systemd-analyze", "security", MOST_EXPOSED, "--no-pager", "memberd.service"]);
        let version = host.run(&["systemctl", "--version"]);
        eprintln!("{}: {}", version.lines().next().unwrap_or_default(), score.lines().last().unwrap_or_default());
    }
}

pub(crate) fn by_hand(hosts: &Hosts) {
    let host = hosts.host(1);
    shown(host, "memberctl key generate /etc/memberd/group.key");
    shown(host, r#"printf '[node]\naddress = "10.88.0.1"\n' >/etc/memberd/memberd.toml"#);
    shown(host, "memberctl check");
    shown(host, "systemctl start memberd");
    assert!(shown(host, "memberctl join").starts_with("joined as vm1@10.88.0.1:8946/"));
}

/// What an administrator looks at, when all is well and vm5 had failed.
pub(crate) fn looked_at(hosts: &Hosts) {
    let host = hosts.host(1);
    assert!(shown(host, "systemctl status --no-pager --lines=0 memberd").contains("Status: \""));
    assert!(shown(host, "memberctl list").contains("* vm1"));
    assert!(
        shown(host, "journalctl -q --no-pager -o short-iso -u memberd MEMBERD_EVENT=failed MEMBERD_NAME=vm5")
            .contains("noticed_by=")
    );
    for host in BY_HAND.map(|number| hosts.host(number)) {
        let size = host.run(&["dpkg-query", "--show", "--showformat=${Installed-Size}", "memberd"]);
        let resident =
            host.shell("awk '/^Rss|^Pss:/ {print $1, $2, $3}' /proc/$(systemctl show -P MainPID memberd)/smaps_rollup");
        eprintln!(
            "{}: installed {size} KiB, {}; memory as systemd accounts it: {}",
            host.name(),
            resident.replace('\n', " ").trim(),
            host.show("MemoryCurrent")
        );
    }
}
