//! Tells whether a listing would find other files than the last one, from the times of the
//! directories: listing them each second is dear. It owns what is known of them.

use super::offer::Offer;
use memberd_search::FileList;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often files are listed whatever the directories say: not all file systems tell when a
/// directory has changed.
const LIST_EVERY: Duration = Duration::from_secs(10);

/// A change within one tick of the file system's clock may give the same time, in nanoseconds.
const TICK_NS: i128 = 100_000_000;

/// What the system says of a directory. Nothing in it was created, renamed or removed while it
/// stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    modified_ns: i128,
    changed_ns: i128,
}

/// A directory, and what it was. There may be none.
type Known = (PathBuf, Option<Stamp>);

/// The directories of the last listing.
#[derive(Debug, Default)]
pub(super) struct Directories {
    /// When they were listed. None if nothing is known of them, so that files must be listed.
    known: Option<(Instant, Vec<Known>)>,
}

impl Directories {
    /// Whether a listing now would find what the last one found.
    pub(super) fn are_unchanged(&self, now: Instant) -> bool {
        let Some((at, directories)) = &self.known else { return false };
        let is_same = |(path, known): &Known| stamp(path) == *known;
        now.saturating_duration_since(*at) < LIST_EVERY && directories.iter().all(is_same)
    }

    /// Files must be listed next time.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// Lists files, and remembers in which directories.
    pub(super) fn list(&mut self, offer: &Offer, now: Instant) -> FileList {
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let begun_ns = i128::try_from(begun.as_nanos()).unwrap_or(i128::MAX);
        let found = offer.live();
        self.known = found.directories.as_ref().and_then(|directories| {
            let stamps = directories.iter().map(|path| (path.clone(), stamp(path)));
            let stamps: Vec<_> = stamps.collect();
            // What changed since the listing began may not be in it.
            let is_settled = |(_, stamp): &Known| {
                stamp.is_none_or(|stamp| {
                    stamp.modified_ns.max(stamp.changed_ns) < begun_ns - TICK_NS
                })
            };
            stamps.iter().all(is_settled).then_some((now, stamps))
        });
        found
    }
}

/// None where there is no such directory.
fn stamp(path: &PathBuf) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    let time = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        modified_ns: time(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: time(metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_search::ExposedFiles;

    /// A listing is needed once something in a directory has changed, and not before.
    #[test]
    fn files_are_listed_when_a_directory_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("d")).unwrap();
        let globs = ["*/*.log", "n/x.log"].map(|glob| at(glob).to_str().unwrap().to_owned());
        let offer = Offer::new(ExposedFiles::new(&globs).unwrap(), &[]);
        let (mut directories, mut now) = (Directories::default(), Instant::now());
        let settle = |directories: &mut Directories| {
            let begun = Instant::now();
            loop {
                let found = directories.list(&offer, now).files.len();
                if directories.are_unchanged(now) {
                    return found;
                }
                assert!(begun.elapsed() < Duration::from_secs(60));
                std::thread::yield_now();
            }
        };
        assert!(!directories.are_unchanged(now));
        assert_eq!(settle(&mut directories), 0);
        fs::write(at("d/a.log"), "").unwrap();
        assert!(!directories.are_unchanged(now), "a new file");
        assert_eq!(settle(&mut directories), 1);
        fs::write(at("d/a.log"), "text").unwrap();
        assert!(directories.are_unchanged(now), "a file that grows is looked at");
        fs::rename(at("d/a.log"), at("d/b.log")).unwrap();
        assert!(!directories.are_unchanged(now), "another name");
        assert_eq!(settle(&mut directories), 1);
        fs::create_dir(at("n")).unwrap();
        assert!(!directories.are_unchanged(now), "a new directory");
        assert_eq!(settle(&mut directories), 1);
        now += LIST_EVERY;
        assert!(!directories.are_unchanged(now), "it is time for it");
    }
}
