//! Finds the kernel's control groups (cgroups(7)), of either version.

use std::fs;
use std::path::PathBuf;

/// Where the first cgroup file system of a kind and with some options is mounted.
fn mounted(wanted: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").expect("the mounts");
    mounts.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>().as_slice() {
        [_, place, kind, options, ..] if wanted(kind, options) => Some(PathBuf::from(place)),
        _ => None,
    })
}

/// The hierarchy of version 2, which is one for all controllers.
pub(crate) fn unified() -> Option<PathBuf> {
    mounted(|kind, _| kind == "cgroup2")
}

/// A hierarchy of version 1.
pub(crate) fn hierarchy(name: &str) -> Option<PathBuf> {
    mounted(|kind, options| kind == "cgroup" && options.split(',').any(|option| option == name))
}
