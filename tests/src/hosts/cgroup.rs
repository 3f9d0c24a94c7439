//! The cgroups of a fleet and of its hosts. They list all its processes, which are frozen and
//! killed through them.

use crate::control_groups::{hierarchy, unified};
use crate::wait::{SOON, holds};
use crate::wait_until;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::outside;

/// What names of groups, namespaces and machines begin with; the process id of the test follows.
pub(super) const PREFIX: &str = "mbhosts";

/// The hierarchies of version 1 that a host's systemd takes over if they exist: its own, and those
/// of two controllers. The one of processor time is not among them, because all hosts together
/// would get as much as one other process.
const OTHERS: [&str; 3] = ["name=systemd", MEMORY, "pids"];

/// The controller that accounts memory.
const MEMORY: &str = "memory";

/// What groups of the unified hierarchy give on to those below, where that has controllers.
const DELEGATED: [&str; 2] = [MEMORY, "pids"];

/// A group, in the unified hierarchy and in those others that this machine has.
#[derive(Debug, Clone)]
pub(super) struct Group {
    unified: PathBuf,
    others: Vec<PathBuf>,
}

impl Group {
    /// The top of the hierarchies.
    fn root() -> Self {
        let unified = unified().expect("a cgroup2 mount");
        Group { unified, others: OTHERS.into_iter().filter_map(hierarchy).collect() }
    }

    /// A new group at the top, in which hosts account memory if this machine does in the unified
    /// hierarchy.
    pub(super) fn top(name: &str) -> Self {
        let root = Group::root();
        let group = root.child(name);
        root.delegate('+');
        // nspawn passes them on to the host.
        group.delegate('+');
        group
    }

    /// Passes controllers on to the groups below with `+`, and stops that with `-`. Only then can
    /// the group have processes of its own.
    fn delegate(&self, sign: char) {
        if accounting() == Ok(Accounting::Version2) {
            let controllers = DELEGATED.map(|controller| format!("{sign}{controller}")).join(" ");
            fs::write(self.path("cgroup.subtree_control"), controllers)
                .expect("a group whose controllers can be given on");
        }
    }

    /// A new group in this one.
    pub(super) fn child(&self, name: &str) -> Self {
        let below = |parent: &PathBuf| {
            let path = parent.join(name);
            fs::create_dir_all(&path).expect("a cgroup");
            path
        };
        Group { unified: below(&self.unified), others: self.others.iter().map(below).collect() }
    }

    /// The path in the unified hierarchy.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.unified.join(name)
    }

    /// A command that is started in this group.
    pub(super) fn command(&self, words: &[String]) -> Command {
        let mut command = outside::clean("sh");
        command.args([
            "-c",
            "set -e; for group; do shift; [ \"$group\" = -- ] && break; echo $$ \
            >\"$group\"/cgroup.procs; done; exec \"$@\"",
            "sh",
        ]);
        command.args(self.all()).arg("--").args(words);
        command
    }

    /// Its directories.
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.unified].into_iter().chain(&self.others)
    }

    /// Kills all processes in it.
    pub(super) fn kill(&self) {
        kill(&self.unified);
    }

    /// Removes the groups below, which a host left behind: the kernel would remember that they were
    /// killed.
    pub(super) fn empty(&self) {
        for path in self.all() {
            remove_below(path);
        }
        self.delegate('-');
    }

    /// Removes it with all that is below.
    pub(super) fn remove(&self) {
        for path in self.all() {
            remove_below(path);
            let _ = fs::remove_dir(path);
        }
    }
}

/// The control groups with which a host's systemd accounts memory and holds services to their
/// bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounting {
    /// Version 1. The host gets its own layout of groups, which only systemd up to 255 takes over.
    Version1,
    /// The unified hierarchy, as on a machine with a systemd of its own.
    Version2,
}

/// How a host's systemd can account.
///
/// # Errors
/// The reason for the user, where it cannot.
pub fn accounting() -> Result<Accounting, String> {
    if hierarchy(MEMORY).is_some() {
        return Ok(Accounting::Version1);
    }
    let controllers = unified()
        .and_then(|top| fs::read_to_string(top.join("cgroup.controllers")).ok())
        .unwrap_or_default();
    if controllers.split_whitespace().any(|controller| controller == MEMORY) {
        return Ok(Accounting::Version2);
    }
    Err("no control groups with a memory controller on this machine: what systemd accounts is not \
    known"
        .to_owned())
}

fn remove_below(path: &Path) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        remove_below(&entry.path());
        // The next test's sweep removes a group that is still in use.
        let _ = fs::remove_dir(entry.path());
    }
}

fn kill(path: &Path) {
    if fs::write(path.join("cgroup.kill"), "1").is_ok() {
        wait_until("all processes of the group have ended", SOON, || {
            let events = fs::read_to_string(path.join("cgroup.events")).unwrap_or_default();
            holds(!events.contains("populated 1"), || events)
        });
    }
}

/// Removes what killed tests left behind.
pub(super) fn sweep() {
    let groups: Vec<String> = fs::read_dir(Group::root().unified)
        .expect("the groups")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    for name in groups.iter().filter(|name| dead(name)) {
        let left = Group::top(name);
        left.kill();
        left.remove();
    }
    let namespaces = outside::run(Command::new("ip").args(["netns", "list"]));
    for name in
        namespaces.lines().filter_map(|line| line.split(' ').next()).filter(|name| dead(name))
    {
        // Another test may sweep at the same time.
        let _ = outside::try_run(Command::new("ip").args(["netns", "delete", name]));
    }
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
    let mut places: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    places.retain(|place| place.split('/').any(dead));
    for place in places.iter().rev() {
        let _ = outside::try_run(Command::new("umount").args(["--lazy", place]));
    }
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(dead) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether this is the `mbhosts1234...` of a process that is gone.
fn dead(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let pid: String = rest.chars().take_while(char::is_ascii_digit).collect();
    !pid.is_empty() && !Path::new("/proc").join(pid).exists()
}
