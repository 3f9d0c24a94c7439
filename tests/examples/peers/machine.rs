//! Describes the machine and finds the programs on it. It owns no state.

use crate::options::{Options, Row};
use crate::results::Run;
use memberd_tests::bench::machine::{commit, cores_and_kernel, first_line, load, now, package};
use memberd_tests::binaries;
use std::path::Path;
use std::process::Command;

/// The programs, and the Debian packages that contain them.
const TOOLS: [(&str, &str); 8] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("serf", "serf"),
    ("clush", "clustershell"),
    ("pdsh", "pdsh"),
    ("sshd", "openssh-server"),
];

/// Checks that the chosen rows can be measured. The error says what to install.
pub(crate) fn missing_tools(options: &Options) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    let needed = |tool: &str| match tool {
        "clush" | "pdsh" | "sshd" => options.wants(Row::Search),
        "serf" => options.programs.iter().any(|program| !program.is_memberd()),
        _ => true,
    };
    let found = |tool: &str| {
        let path = std::env::var("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|directory| directory.join(tool).is_file())
            || Path::new("/usr/sbin").join(tool).is_file()
    };
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(tool, _)| needed(tool) && !found(tool))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("apt-get install {}", missing.join(" "))) }
}

/// How everything is measured, one sentence each.
pub(crate) const METHOD: [&str; 4] = [
    "memberd and Serf run in turn on one machine.",
    "Each agent has a network namespace, around a switch that can lose and cut packets; where not \
    noted otherwise, neither program seals.",
    "memberd has its defaults, which are those of the ring, or the defaults of SWIM. Serf has its \
    defaults (profile lan) and a snapshot file. It tries to join once a second, which is its \
    shortest interval.",
    "The list of an agent comes from its log, read from a pipe; the time of a crash is just before \
    kill(2).",
];

/// Describes the run that begins now: its machine, its programs and its options.
pub(crate) fn run(options: &Options) -> Run {
    let commit = commit();
    let commit = if commit.is_empty() { commit } else { format!(" ({commit})") };
    let groups: Vec<String> = options
        .agents
        .iter()
        .map(|agents| format!("{} of {agents}", options.side_by_side(*agents)))
        .collect();
    let conditions = vec![
        format!(
            "{}{}, Serf {}",
            first_line(Command::new(binaries::memberd()).arg("--version")),
            commit,
            serf()
        ),
        cores_and_kernel(),
        format!("{} rounds in all", options.rounds),
        format!("groups side by side {}", groups.join(", ")),
        format!(
            "at rest: 12 s after the last change, for {} s, all that goes over the agent's cable",
            options.rest_span().as_secs()
        ),
        format!("load before {}", load()),
    ];
    Run { began: now(), conditions }
}

/// Serf's version. Its own output names its library's version, but the package names the release.
fn serf() -> String {
    let package = package("serf");
    if package.is_empty() { first_line(Command::new("serf").arg("version")) } else { package }
}
