//! Describes the machine and finds the programs on it. It owns no state.

use crate::options::Options;
use crate::results::Run;
use crate::system::System;
use memberd_tests::binaries;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The files that are needed, and the Debian packages that contain them.
const NEEDED: [(&str, &str, Option<System>); 8] = [
    ("/usr/bin/ip", "iproute2", None),
    ("/usr/sbin/nft", "nftables", None),
    ("/usr/bin/nsenter", "util-linux", None),
    ("/usr/bin/strace", "strace", None),
    ("/usr/bin/etcd", "etcd-server", Some(System::Etcd)),
    ("/usr/bin/etcd", "etcd-server", Some(System::EtcdFastest)),
    ("/usr/bin/java", "default-jre-headless", Some(System::Zookeeper)),
    ("/usr/share/java/zookeeper.jar", "zookeeper", Some(System::Zookeeper)),
];

/// Checks that the chosen systems can be measured. The error says what to install.
pub(crate) fn missing_tools(options: &Options) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    let mut missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(_, _, of)| of.is_none_or(|system| options.systems.contains(&system)))
        .filter(|(path, _, _)| !Path::new(path).exists())
        .map(|(_, package, _)| *package)
        .collect();
    missing.dedup();
    if missing.is_empty() { Ok(()) } else { Err(format!("apt-get install {}", missing.join(" "))) }
}

/// Describes the run that begins now: its machine, its programs and its options.
pub(crate) fn run(options: &Options) -> Run {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = first_line(Command::new("git").args([
        "-C",
        env!("CARGO_MANIFEST_DIR"),
        "describe",
        "--always",
        "--dirty",
        "--exclude=*",
    ]));
    let java = Command::new("java").arg("-version").output().map(|output| output.stderr);
    let java = String::from_utf8_lossy(&java.unwrap_or_default()).replace('"', "");
    let java = java.lines().next().unwrap_or_default().to_owned();
    let conditions = vec![
        format!("{} ({commit})", first_line(Command::new(binaries::memberd()).arg("--version"))),
        format!("etcd {}", package("etcd-server")),
        format!("ZooKeeper {} on {java}", package("zookeeper")),
        if cfg!(debug_assertions) { "a build without optimization" } else { "a release build" }
            .to_owned(),
        format!("{cores} cores, Linux {}", kernel.split('-').next().unwrap_or_default().trim()),
        format!("{} rounds of each row", options.rounds),
        format!("at rest: for {} s", options.rest_span().as_secs()),
        format!("load before {}", load()),
    ];
    Run {
        began: first_line(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M:%S UTC"])),
        cores,
        loads: vec![load().parse().unwrap_or_default()],
        conditions,
    }
}

/// The load of the machine over a minute, from proc_loadavg(5).
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// The version of a package of Debian.
fn package(name: &str) -> String {
    first_line(Command::new("dpkg-query").args(["-W", "-f", "${Version} (Debian)", name]))
}

/// The first line of a command's output.
fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned()
}
