//! What this machine offers to be copied: what it offers to searches, but for some globs. It owns
//! the settings of that; a reload replaces them.

use memberd_search::{ExposedFiles, FileFilter, FileList};
use std::fs;
use std::path::Path;

/// Where the system's time zone is named.
const LOCALTIME: &str = "/etc/localtime";

/// What precedes the name of a zone in the target of that link.
const ZONES: &str = "zoneinfo/";

/// The files that are copied.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    exposed: ExposedFiles,
    live: FileFilter,
    rotated: FileFilter,
    /// The time zone of this machine: an IANA name, or empty.
    pub(crate) zone: String,
}

impl Offer {
    /// What `exposed` offers, without what these globs match. They are checked already.
    pub(crate) fn new(exposed: ExposedFiles, no_copies: &[String]) -> Self {
        let live = FileFilter::default().exclude(no_copies).unwrap_or_default();
        let rotated = live.clone().rotated(true);
        Offer { exposed, live, rotated, zone: zone_name() }
    }

    /// The files that a search finds without rotated ones. It reads directories.
    pub(super) fn live(&self) -> FileList {
        self.exposed.files(&self.live)
    }

    /// These, and those that were rotated away from them. It reads directories, and the beginnings
    /// of some files.
    pub(super) fn with_rotated(&self) -> FileList {
        self.exposed.files(&self.rotated)
    }

    /// Whether a file at `path` that was rotated away from `origin` is offered, whether or not it
    /// is still there.
    pub(super) fn covers(&self, path: &Path, origin: &Path) -> bool {
        let covered = |path| self.exposed.covers(path) && !self.live.excludes(path);
        // A rotated file is offered by the name of the one that it was rotated away from.
        !self.live.excludes(path) && (covered(path) || covered(origin))
    }
}

/// The name of this machine's time zone, from the link that names it.
fn zone_name() -> String {
    let target = fs::read_link(LOCALTIME).ok();
    let target = target.as_ref().and_then(|target| target.to_str());
    let name = target.and_then(|target| target.split_once(ZONES)).map_or("", |(_, name)| name);
    if matches!(name, "UTC" | "Etc/UTC") { String::new() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was rotated away and deleted stays offered as long as its origin is.
    #[test]
    fn what_is_deleted_is_offered_by_its_names() {
        let exposed = ExposedFiles::new(&["/l/*.log", "/m/x"]).unwrap();
        let offer = Offer::new(exposed, &["secret*".to_owned(), "/m/**".to_owned()]);
        for (path, origin, is_covered) in [
            ("/l/a.log", "/l/a.log", true),
            ("/l/a.log.1", "/l/a.log", true),
            ("/l/a.log.1", "/l/a.log.1", false),
            ("/l/secret.log", "/l/secret.log", false),
            ("/l/secret.log.1", "/l/secret.log", false),
            ("/m/x", "/m/x", false),
            ("/k/a.log", "/k/a.log", false),
        ] {
            assert_eq!(offer.covers(Path::new(path), Path::new(origin)), is_covered, "{path}");
        }
    }
}
