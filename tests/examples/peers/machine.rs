//! Describes a run, and finds the programs that it needs. It owns no state.

use crate::options::{Options, Row};
use memberd_tests::bench::{Run, machine};
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
    machine::need_root()?;
    let needed = |tool: &str| match tool {
        "clush" | "pdsh" | "sshd" => options.run.wants(Row::Search),
        "serf" => options.programs.iter().any(|program| !program.is_memberd()),
        _ => true,
    };
    machine::need(TOOLS.into_iter().filter(|(tool, _)| needed(tool)))
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
    let groups: Vec<String> = options
        .agents
        .iter()
        .map(|agents| format!("{} of {agents}", options.side_by_side(*agents)))
        .collect();
    let conditions = vec![
        format!("{}, Serf {}", machine::memberd(), serf()),
        machine::cores_and_kernel(),
        format!("{} rounds in all", options.rounds),
        format!("groups side by side {}", groups.join(", ")),
        format!(
            "at rest: 12 s after the last change, for {} s, all that goes over the agent's cable",
            options.rest_span().as_secs()
        ),
    ];
    Run::begin(conditions)
}

/// Serf's version. Its own output names its library's version, but the package names the release.
fn serf() -> String {
    let package = machine::package("serf");
    if package.is_empty() {
        machine::first_line(Command::new("serf").arg("version"))
    } else {
        package
    }
}
