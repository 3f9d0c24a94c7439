//! Describes the machine on which something is measured. It owns no state.

use std::fs;
use std::process::Command;

/// Its processors.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Its processors and its kernel.
pub fn cores_and_kernel() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} cores, Linux {}", cores(), kernel.split('-').next().unwrap_or_default().trim())
}

/// The load over a minute, from proc_loadavg(5).
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// The present time, which identifies a run.
pub fn now() -> String {
    first_line(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M:%S UTC"]))
}

/// The commit of the working tree, or nothing if git does not know it.
pub fn commit() -> String {
    let describe = ["describe", "--always", "--dirty", "--exclude=*"];
    first_line(Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR")]).args(describe))
}

/// The version of a package of Debian, or nothing if it is not installed.
pub fn package(name: &str) -> String {
    first_line(Command::new("dpkg-query").args(["-W", "-f", "${Version} (Debian)", name]))
}

/// The first line of a command's output.
pub fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned()
}
