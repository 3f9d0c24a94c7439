//! Installation, the settings, and what systemd finds in the units.

use crate::logs::journal;
use crate::transcript::Transcript;
use crate::units::MOST_EXPOSED;
use memberd_tests::hosts::outside::text;
use memberd_tests::hosts::{Host, Hosts, Package};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

/// The hosts on which it is done by hand: one of each release.
const BY_HAND: [usize; 2] = [1, 8];

/// Installs a package file of any version.
pub(crate) fn install(host: &Host, package: &Package) -> String {
    host.push(package.path(), "/root/memberd.deb");
    host.shell("DEBIAN_FRONTEND=noninteractive dpkg -i --force-downgrade /root/memberd.deb 2>&1")
}

pub(crate) fn first(hosts: &Hosts, package: &Package, transcript: &mut Transcript) {
    // packaging/INSTALL.md shows the first of them.
    for (number, transcript) in BY_HAND.into_iter().zip([transcript, &mut Transcript::default()]) {
        let host = hosts.host(number);
        host.push(package.path(), "/root/memberd_0.1.0_amd64.deb");
        host.shell(
            "echo 'debconf debconf/frontend select noninteractive' | debconf-set-selections",
        );
        // Before that apt prints more than all the rest.
        transcript.shown_from("Unpacking", host, "apt install -y ./memberd_0.1.0_amd64.deb");
        assert_eq!(host.show("UnitFileState"), "enabled");
        assert_eq!(host.show("ActiveState"), "inactive");
        host.shell("getent passwd memberd && getent group memberd && test -d /run/memberd");
        for (words, status, said) in [
            (["memberctl", "list"], 4, "systemctl start memberd"),
            (["memberctl", "check"], 1, "node.address"),
        ] {
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
    let plain = journal(host, &["_TRANSPORT=stdout"]);
    assert!(
        !plain.is_empty() && plain.iter().all(|entry| entry["PRIORITY"] == "3"),
        "no errors: {plain:?}"
    );
}

pub(crate) fn units(hosts: &Hosts) {
    for host in BY_HAND.map(|number| hosts.host(number)) {
        // Their manual pages are not on these small hosts.
        let output = host.try_run(&[
            "sh",
            "-euc",
            "systemd-analyze verify --man=no /usr/lib/systemd/system/memberd*",
        ]);
        // systemd 252 prints what is wrong and still exits with 0.
        assert_eq!(text(&output), (String::new(), String::new()), "on {}", host.name());
        let score = host.run(&[
            "systemd-analyze",
            "security",
            MOST_EXPOSED,
            "--no-pager",
            "memberd.service",
        ]);
        let version = host.run(&["systemctl", "--version"]);
        eprintln!(
            "{}: {}",
            version.lines().next().unwrap_or_default(),
            score.lines().last().unwrap_or_default()
        );
    }
}

pub(crate) fn by_hand(hosts: &Hosts, transcript: &mut Transcript) {
    let host = hosts.host(1);
    transcript.shown(host, "memberctl key generate /etc/memberd/group.key");
    // All machines have the same introducers, the introducer too.
    let settings = concat!(
        r#"[node]\naddress = "10.88.0.1"\n"#,
        r#"[group]\nintroducers = ["10.88.0.1:8946"]\njoin_on_start = true\n"#
    );
    transcript.shown(host, &format!("printf '{settings}' >/etc/memberd/memberd.toml"));
    transcript.shown(host, "memberctl check");
    transcript.shown(host, "systemctl start memberd");
    // It founds the group while it starts, mostly before it is asked to join.
    let joined = transcript.shown(host, "memberctl join");
    assert!(joined.contains(" as vm1@10.88.0.1:8946/"), "{joined}");
    assert!(
        joined.ends_with("vm1 founded a new group; no other introducer answered\n"),
        "{joined}"
    );
    assert!(transcript.shown(host, "memberctl list").contains("* vm1"));
}

/// What an administrator looks at while vm5 is off, and everybody has noticed.
pub(crate) fn looked_at(hosts: &Hosts, transcript: &mut Transcript) {
    let host = hosts.host(1);
    transcript.note("The other seven are brought in by Ansible, and the plug of vm5 is pulled.");
    assert!(transcript.shown(host, "memberctl list --all").contains("failed"));
    let journal =
        "journalctl -q --no-pager -o short-iso -u memberd MEMBERD_EVENT=failed MEMBERD_NAME=vm5";
    wait_until("the journal tells of vm5", SOON, || {
        holds(!host.shell(journal).is_empty(), || "nothing".to_owned())
    });
    assert!(transcript.shown(host, journal).contains("noticed_by="));
    let grep = "memberctl grep -o 'member failed name=vm5'";
    let found = || host.shell(&format!("{grep} 2>&1"));
    wait_until("all the others' logs tell of vm5", SOON, || {
        holds(found().matches(":member").count() == 7, found)
    });
    transcript.shown(host, grep);
    assert!(
        transcript
            .shown(host, "systemctl status --no-pager --lines=0 memberd")
            .contains("Status: \"")
    );
}

pub(crate) fn size(hosts: &Hosts, package: &Package) {
    let file = std::fs::metadata(package.path()).unwrap().len();
    let installed =
        hosts.host(1).run(&["dpkg-query", "--show", "--showformat=${Installed-Size}", "memberd"]);
    eprintln!("the package: {file} bytes, installed {installed} KiB");
}
