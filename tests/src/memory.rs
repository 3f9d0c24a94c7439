//! A machine with little memory: a control group of a test's own, in which the kernel kills a
//! process when no memory is left.

use crate::binaries::mortal;
use crate::control_groups::{hierarchy, unified};
use crate::left_out;
use crate::process::Running;
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How the names of these groups begin. The process id of the test and a number follow.
const PREFIX: &str = "memberd-memory-";

/// How many groups there were.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// What a version of control groups calls its files.
#[derive(Debug)]
struct Files {
    /// The bound of memory.
    bound: &'static str,
    /// The bound of memory and swap, and the value that is written there instead of the bound if it
    /// counts swap alone. The file is absent where the kernel does not count swap.
    swap: (&'static str, Option<&'static str>),
    /// The file whose line `oom_kill` counts the processes that were killed.
    kills: &'static str,
}

const VERSION_1: Files = Files {
    bound: "memory.limit_in_bytes",
    swap: ("memory.memsw.limit_in_bytes", None),
    kills: "memory.oom_control",
};

const VERSION_2: Files =
    Files { bound: "memory.max", swap: ("memory.swap.max", Some("0")), kills: "memory.events" };

/// A control group with a bound on its memory. It is removed when dropped.
#[derive(Debug)]
pub struct Scarce {
    path: PathBuf,
    files: Files,
}

impl Scarce {
    /// A group with this many bytes of memory. Where there cannot be one, that is reported, and
    /// with `CI=true` in the environment it is a failure.
    ///
    /// # Panics
    /// In CI, when there cannot be one.
    pub fn if_possible(bytes: u64) -> Option<Self> {
        let error = match Self::new(bytes) {
            Ok(scarce) => return Some(scarce),
            Err(error) => error,
        };
        left_out(&format!(
            "no control group with a bound of memory: {error}; that needs root, and cgroups(7) of \
            either version"
        ));
        None
    }

    fn new(bytes: u64) -> io::Result<Self> {
        let (top, files) = top()?;
        sweep(&top);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", process::id());
        let scarce = Scarce { path: top.join(name), files };
        fs::create_dir(&scarce.path)?;
        let bytes = bytes.to_string();
        fs::write(scarce.path.join(scarce.files.bound), &bytes)?;
        let (swap, value) = scarce.files.swap;
        if scarce.path.join(swap).exists() {
            fs::write(scarce.path.join(swap), value.unwrap_or(&bytes))?;
        }
        Ok(scarce)
    }

    /// Moves a process into the group.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn take(&self, pid: Pid) {
        fs::write(self.path.join("cgroup.procs"), pid.to_string()).expect("the process is there");
    }

    /// Moves a process into the group, as the one that is killed first (`oom_score_adj` in
    /// proc(5)).
    ///
    /// # Panics
    /// When the process is gone.
    pub fn take_first(&self, pid: Pid) {
        fs::write(format!("/proc/{pid}/oom_score_adj"), "1000").expect("the process is there");
        fs::write(self.path.join("cgroup.procs"), pid.to_string()).expect("the process is there");
    }

    /// Starts a process in the group that takes all memory there is, until it is killed.
    pub fn start_glutton(&self) -> Running {
        // A line that never ends, of which tail(1) keeps all.
        let mut command = mortal(Path::new("sh"), None);
        command
            .args(["-c", "echo $$ >\"$1\" && exec tail -n 1 /dev/zero", "sh"])
            .arg(self.path.join("cgroup.procs"));
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()))
    }

    /// How many processes the kernel has killed in the group for want of memory.
    ///
    /// # Panics
    /// When it does not tell, as before Linux 4.13.
    pub fn killed(&self) -> u64 {
        let text =
            fs::read_to_string(self.path.join(self.files.kills)).expect("the group is there");
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
        count.unwrap_or_else(|| panic!("no count of kills in {text:?}"))
    }
}

impl Drop for Scarce {
    fn drop(&mut self) {
        // If a process is still in it, the next test removes it.
        let _ = fs::remove_dir(&self.path);
    }
}

/// The group that is to be the parent, at the top of the hierarchy that bounds memory.
fn top() -> io::Result<(PathBuf, Files)> {
    if let Some(top) = hierarchy("memory") {
        return Ok((top, VERSION_1));
    }
    let top = unified()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no control groups are mounted"))?;
    fs::write(top.join("cgroup.subtree_control"), "+memory")?;
    Ok((top, VERSION_2))
}

/// Removes what tests left that were killed themselves.
fn sweep(top: &Path) {
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.map(|owner| owner.split('-').next().unwrap_or(owner));
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            // A group with a live process stays until that process has ended.
            let _ = fs::remove_dir(entry.path());
        }
    }
}
