//! Reads what the kernel knows of a process: proc(5).

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most memory it ever had resident, in KiB (`VmHWM`).
///
/// # Panics
/// When the process is gone.
pub fn peak_kib(pid: Pid) -> u64 {
    status_kib(pid, "VmHWM:")
}

/// Lets [`peak_kib`] begin again with what it has now (`clear_refs` in proc(5)).
///
/// # Panics
/// When the process is gone.
pub fn forget_peak(pid: Pid) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is there");
}

/// The memory it has resident, in KiB (`VmRSS`).
///
/// # Panics
/// When the process is gone.
pub fn resident_kib(pid: Pid) -> u64 {
    status_kib(pid, "VmRSS:")
}

fn status_kib(pid: Pid, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(what))
        .unwrap_or_else(|| panic!("no line {what}"));
    value.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

/// The processor time it has used, in clock ticks (a hundredth of a second each).
///
/// # Panics
/// When the process is gone.
pub fn cpu_ticks(pid: Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th field after
    // it.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().expect("a number of ticks"))
        .sum()
}

/// The processor time that a process has used since it started, in all its threads, exactly
/// (clock_getcpuclockid(3)).
///
/// # Panics
/// When the process is gone.
pub fn processor_time(pid: Pid) -> Duration {
    let clock = clock_getcpuclockid(pid).expect("the process is there");
    clock.now().expect("the process is there").into()
}

/// The processor time of a process since it started, over the threads that it has now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Processor time, exactly.
    pub nanoseconds: u64,
    /// How often a thread gave the processor up or was made to.
    pub switches: u64,
}

/// Reads it for a process.
///
/// # Panics
/// When the process is gone.
pub fn used(pid: Pid) -> Used {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
    let mut used = Used::default();
    // A thread that has ended meanwhile is left out.
    for thread in threads.filter_map(|thread| Some(thread.ok()?.path())) {
        let read = |name: &str| fs::read_to_string(thread.join(name)).unwrap_or_default();
        let time = read("schedstat").split(' ').next().and_then(|time| time.parse::<u64>().ok());
        used.nanoseconds += time.unwrap_or_default();
        let status = read("status");
        let switches = status
            .lines()
            .filter_map(|line| line.split_once("ctxt_switches:")?.1.trim().parse::<u64>().ok());
        used.switches += switches.sum::<u64>();
    }
    used
}

/// The memory of a process, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident (RSS).
    pub resident_kib: u64,
    /// Proportional (PSS): shared memory counts in equal parts for those that share it.
    pub proportional_kib: u64,
}

/// Its memory now.
///
/// # Panics
/// When the process is gone.
pub fn memory(pid: Pid) -> Memory {
    let text =
        fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process is there");
    let of = |key: &str| {
        let line =
            text.lines().find_map(|line| line.strip_prefix(key)).expect("a line of smaps_rollup");
        line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
    };
    Memory { resident_kib: of("Rss:"), proportional_kib: of("Pss:") }
}

/// The most memory that was resident at one time, in KiB: `VmHWM` of proc_pid_status(5).
///
/// # Panics
/// When the process is gone.
pub fn peak_resident_kib(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line VmHWM");
    peak.trim().trim_end_matches(" kB").parse().expect("a number of kB")
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

/// How many of its threads have the lowest priority: nice 19.
///
/// # Panics
/// When the process is gone.
pub fn threads_that_give_way(pid: Pid) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
    // One that ended meanwhile is none.
    let stat = |task: std::io::Result<fs::DirEntry>| {
        fs::read_to_string(task.ok()?.path().join("stat")).ok()
    };
    // After the name in parentheses the nice value is the 17th field.
    let nice = |stat: String| {
        stat.rsplit_once(')')
            .and_then(|(_, fields)| fields.split_whitespace().nth(16).map(|nice| nice == "19"))
    };
    tasks.filter_map(stat).filter_map(nice).filter(|gives_way| *gives_way).count()
}

/// Whether it has this file open.
///
/// # Panics
/// When the process is gone.
pub fn has_open(pid: Pid, file: &Path) -> bool {
    open_files(pid).iter().any(|open| open == file)
}

/// Datagrams that the kernel had no room for, in the network namespace of this process
/// (`RcvbufErrors`).
///
/// # Panics
/// When the process is gone.
pub fn datagrams_dropped(pid: Pid) -> u64 {
    let snmp = fs::read_to_string(format!("/proc/{pid}/net/snmp")).expect("the process is there");
    let mut lines =
        snmp.lines().filter_map(|line| line.strip_prefix("Udp: ")).map(str::split_whitespace);
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let found = names.zip(values).find(|(name, _)| *name == "RcvbufErrors");
    found.and_then(|(_, value)| value.parse().ok()).expect("a number of RcvbufErrors")
}

/// All processes that it has started, and that those have, as far as they still have it as their
/// ancestor: the youngest first.
pub fn descendants(pid: Pid) -> Vec<Pid> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    // One that is gone has none.
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    let with_theirs = |child: Pid| descendants(child).into_iter().chain([child]);
    children.map(Pid::from_raw).flat_map(with_theirs).collect()
}
