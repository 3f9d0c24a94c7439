//! Finds the daemon's programs.

use std::path::{Path, PathBuf};

/// Where Debian installs it. The PATH of most users does not have this directory.
const INSTALLED: &str = "/usr/sbin";

/// Where Debian installs what only systemd starts.
const INSTALLED_WORKER: &str = "/usr/lib/memberd";

/// The path of `memberd`: beside this program, else installed, else in PATH.
pub(crate) fn memberd() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places =
        beside.into_iter().chain([PathBuf::from(INSTALLED)]).chain(std::env::split_paths(&path));
    places.map(|place| place.join("memberd")).find(|program| program.is_file())
}

/// The path of the `memberd-worker` of this `memberd`: beside it, else installed.
pub(crate) fn worker_of(memberd: &Path) -> Option<PathBuf> {
    let places = memberd.parent().map(Path::to_owned).into_iter();
    let places = places.chain([PathBuf::from(INSTALLED_WORKER)]);
    places.map(|place| place.join("memberd-worker")).find(|program| program.is_file())
}
