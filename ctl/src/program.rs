//! Finds the daemon's program.

use std::path::PathBuf;

/// Where Debian installs it. The PATH of most users does not have this directory.
const INSTALLED: &str = "/usr/sbin";

/// The path of `memberd`: beside this program, else installed, else in PATH.
pub(crate) fn memberd() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places =
        beside.into_iter().chain([PathBuf::from(INSTALLED)]).chain(std::env::split_paths(&path));
    places.map(|place| place.join("memberd")).find(|program| program.is_file())
}
