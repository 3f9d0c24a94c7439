//! Describes a run, and finds the programs that it needs. It owns no state.

use crate::options::Options;
use crate::system::System;
use memberd_tests::bench::{Run, machine};

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
    machine::need_root()?;
    let wanted = |of: Option<System>| of.is_none_or(|system| options.systems.contains(&system));
    let needed = NEEDED.into_iter().filter(|(_, _, of)| wanted(*of));
    machine::need(needed.map(|(path, package, _)| (path, package)))
}

/// Describes the run that begins now: its machine, its programs and its options.
pub(crate) fn run(options: &Options) -> Run {
    let conditions = vec![
        machine::memberd(),
        format!("etcd {}", machine::package("etcd-server")),
        format!("ZooKeeper {} on {}", machine::package("zookeeper"), machine::java()),
        machine::build(),
        machine::cores_and_kernel(),
        format!("{} rounds of each row", options.rounds),
        format!("at rest: for {} s", options.rest_span().as_secs()),
    ];
    Run::begin(conditions).with_load()
}
