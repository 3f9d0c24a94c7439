//! What the kernel tells of a process in proc(5).

use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};

/// The most memory it ever had resident, in KiB (`VmHWM`).
///
/// # Panics
/// When the process is gone.
pub fn peak_kib(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a VmHWM line");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

/// The processor time it has used, in clock ticks (a hundredth of a second each).
///
/// # Panics
/// When the process is gone.
pub fn cpu_ticks(pid: Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number of ticks")).sum()
}

/// The files it has open.
///
/// # Panics
/// When the process is gone.
pub fn open_files(pid: Pid) -> Vec<PathBuf> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there");
    // One that was closed meanwhile is not open.
    descriptors.filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok()).collect()
}

/// The names of its threads.
///
/// # Panics
/// When the process is gone.
pub fn threads(pid: Pid) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
    // One that ended meanwhile is none.
    let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).map(|name| name.trim_end().to_owned()).collect()
}

/// Whether it has this file open.
///
/// # Panics
/// When the process is gone.
pub fn has_open(pid: Pid, file: &Path) -> bool {
    open_files(pid).iter().any(|open| open == file)
}
