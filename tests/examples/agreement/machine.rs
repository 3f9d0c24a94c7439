//! Describes the machine and finds the programs on it. It owns no state.

use crate::options::Options;
use crate::results::Run;
use crate::system::System;
use memberd_tests::bench::machine::{
    commit, cores, cores_and_kernel, first_line, load, now, package,
};
use memberd_tests::binaries;
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
    let java = Command::new("java").arg("-version").output().map(|output| output.stderr);
    let java = String::from_utf8_lossy(&java.unwrap_or_default()).replace('"', "");
    let java = java.lines().next().unwrap_or_default().to_owned();
    let conditions = vec![
        format!(
            "{} ({})",
            first_line(Command::new(binaries::memberd()).arg("--version")),
            commit()
        ),
        format!("etcd {}", package("etcd-server")),
        format!("ZooKeeper {} on {java}", package("zookeeper")),
        if cfg!(debug_assertions) { "a build without optimization" } else { "a release build" }
            .to_owned(),
        cores_and_kernel(),
        format!("{} rounds of each row", options.rounds),
        format!("at rest: for {} s", options.rest_span().as_secs()),
        format!("load before {}", load()),
    ];
    Run {
        began: now(),
        cores: cores(),
        loads: vec![load().parse().unwrap_or_default()],
        conditions,
    }
}
