//! Describes the machine on which something is measured, and finds the programs on it. It owns no
//! state.

use crate::binaries;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where the programs of others are that a script fetched: `memberd/peers` in the user's cache.
///
/// # Panics
/// When the user has no home.
pub fn peers() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    cache.or_else(home).expect("XDG_CACHE_HOME or HOME").join("memberd").join("peers")
}

/// Checks that the process may make network namespaces.
///
/// # Errors
/// The error says what is needed.
pub fn need_root() -> Result<(), String> {
    let is_root = nix::unistd::geteuid().is_root();
    if is_root { Ok(()) } else { Err("network namespaces need root".to_owned()) }
}

/// Checks that these files are there, or programs by their names. Each stands beside the package of
/// Debian that has it.
///
/// # Errors
/// The error says what to install.
pub fn need<'a, T: AsRef<Path>>(
    needed: impl IntoIterator<Item = (T, &'a str)>,
) -> Result<(), String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let missing = needed.into_iter().filter(|(program, _)| !is_there(program.as_ref(), &path));
    let mut missing: Vec<&str> = missing.map(|(_, package)| package).collect();
    missing.dedup();
    if missing.is_empty() { Ok(()) } else { Err(format!("apt-get install {}", missing.join(" "))) }
}

/// Whether a file is there, or a program in a directory of `path` or of root's.
fn is_there(program: &Path, path: &OsStr) -> bool {
    let roots = PathBuf::from("/usr/sbin");
    env::split_paths(path).chain([roots]).any(|directory| directory.join(program).is_file())
}

/// The version of memberd, and the commit if it is known.
pub fn memberd() -> String {
    let commit = commit();
    let commit = if commit.is_empty() { commit } else { format!(" ({commit})") };
    format!("{}{commit}", version(binaries::memberd()))
}

/// What a program says of its version.
pub fn version(program: impl AsRef<OsStr>) -> String {
    first_line(Command::new(program).arg("--version"))
}

/// The version of Java, without marks of quotation.
pub fn java() -> String {
    let java = Command::new("java").arg("-version").output().map(|output| output.stderr);
    let java = String::from_utf8_lossy(&java.unwrap_or_default()).replace('"', "");
    java.lines().next().unwrap_or_default().to_owned()
}

/// How this program was built.
pub fn build() -> String {
    if cfg!(debug_assertions) { "a build without optimization" } else { "a release build" }
        .to_owned()
}

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
