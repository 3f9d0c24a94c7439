//! The machine, and the programs on it.

use crate::agent::Program;
use crate::options::{Options, Row};
use crate::results::Run;
use memberd_tests::binaries;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Programs and the Debian packages that have them.
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

/// What is missing for what is wanted, in words.
pub(crate) fn missing_tools(options: &Options) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    let needed = |tool: &str| match tool {
        "clush" | "pdsh" | "sshd" => options.wants(Row::Search),
        "serf" => options.programs.iter().any(|program| *program != Program::Memberd),
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

/// How everything is measured, a sentence each.
pub(crate) const METHOD: [&str; 4] = [
    "memberd beside Serf, in turn on one machine.",
    "Each agent has a network namespace, around a switch that loses and cuts; no sealing on either \
    side where not said.",
    "memberd has its defaults. Serf has its defaults (profile lan), a snapshot file, and tries to \
    join once a second, its least.",
    "An agent's list is what its log says, read from a pipe; a crash's time is just before \
    kill(2).",
];

/// The run that begins now: on what and with what it measures.
pub(crate) fn run(options: &Options) -> Run {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let groups: Vec<String> = options
        .agents
        .iter()
        .map(|agents| format!("{} of {agents}", options.side_by_side(*agents)))
        .collect();
    let conditions = vec![
        format!(
            "{}{}, Serf {}",
            said(Command::new(binaries::memberd()).arg("--version")),
            commit(),
            serf()
        ),
        format!("{cores} cores, Linux {}", kernel.split('-').next().unwrap_or_default().trim()),
        format!("{} rounds in all", options.rounds),
        format!("groups side by side {}", groups.join(", ")),
        format!(
            "at rest: 12 s after the last change, for {} s, all that goes over the agent's cable",
            options.rest_span().as_secs()
        ),
        format!("load before {}", load()),
    ];
    Run { began: said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M:%S UTC"])), conditions }
}

/// What the working tree is at, if git knows.
fn commit() -> String {
    let commit = said(Command::new("git").args([
        "-C",
        env!("CARGO_MANIFEST_DIR"),
        "describe",
        "--always",
        "--dirty",
        "--exclude=*",
    ]));
    if commit.is_empty() { commit } else { format!(" ({commit})") }
}

/// How busy the machine is, by proc_loadavg(5).
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// Its own word is that of the library it was built with; the package's is the release.
fn serf() -> String {
    let package =
        said(Command::new("dpkg-query").args(["-W", "-f", "${Version} (Debian)", "serf"]));
    if package.is_empty() { said(Command::new("serf").arg("version")) } else { package }
}

/// The first line that a command says.
fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned()
}
