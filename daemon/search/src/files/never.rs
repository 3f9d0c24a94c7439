//! Files that are never searched, whatever a glob says. A [`NeverSearched`] owns what it saw of
//! them last.
//!
//! They are known by device and inode. So links, hard links, bind mounts and other names do not
//! matter. They are looked for again when a file that is opened has changed since the last look,
//! and at least 20 times a second: a key file may be replaced at any time.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use super::file_error::FileError;
use super::open::FileIdentity;

/// How long a look counts at least.
const FRESH: Duration = Duration::from_millis(50);

/// A look may take one part in this many of the time.
const SHARE: u32 = 20;

/// By how much the kernel's times of change may be behind the clock.
const TICK: Duration = Duration::from_millis(10);

/// Files that are never searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeverPlace {
    /// Which files.
    pub files: NeverFiles,
    /// What they hold, if a search is to tell it as an error. Otherwise it passes over them.
    pub holds: Option<&'static str>,
}

/// Which files are never searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeverFiles {
    /// The file at this path, also behind links.
    At(PathBuf),
    /// All files in this directory.
    In(PathBuf),
    /// All files in the directory of this path whose names begin as its last component.
    Beginning(PathBuf),
    /// All files below this directory, however deep. They are known by their paths alone, since
    /// they may be many: a link that leads there is followed.
    Below(PathBuf),
}

/// What is never searched of this machine.
#[derive(Debug, Default)]
pub(crate) struct NeverSearched {
    places: Vec<NeverPlace>,
    seen: RwLock<Option<Arc<Seen>>>,
}

/// What one look saw.
#[derive(Debug)]
struct Seen {
    files: BTreeMap<FileIdentity, Option<&'static str>>,
    /// The numbers of the inodes, on any device.
    numbers: Vec<u64>,
    began: SystemTime,
    until: Instant,
}

impl NeverSearched {
    pub(crate) fn new(places: Vec<NeverPlace>) -> NeverSearched {
        NeverSearched { places, seen: RwLock::default() }
    }

    /// Whether it is below a directory of which nothing is searched. Nothing is told of it.
    pub(crate) fn is_below(&self, path: &Path) -> bool {
        self.places.iter().any(|NeverPlace { files, .. }| match files {
            NeverFiles::Below(directory) => path.starts_with(directory),
            NeverFiles::At(_) | NeverFiles::In(_) | NeverFiles::Beginning(_) => false,
        })
    }

    /// Why this open file is not to be searched, if it is not. `Ok` means that nothing is told.
    pub(crate) fn reason(&self, open: &Metadata) -> Option<Result<(), FileError>> {
        if self.places.is_empty() {
            return None;
        }
        let identity = FileIdentity::of(open);
        let told = *self.seen_since(Some(changed(open))).files.get(&identity)?;
        Some(told.map_or(Ok(()), |holds| Err(FileError::Never(holds))))
    }

    /// Whether a file with this number of its inode may be one. A number of 0 is not known.
    pub(crate) fn may_be(&self, number: u64) -> bool {
        !self.places.is_empty()
            && (number == 0 || self.seen_since(None).numbers.binary_search(&number).is_ok())
    }

    /// What is there. A look before this moment does not count.
    fn seen_since(&self, changed: Option<SystemTime>) -> Arc<Seen> {
        let counts = |seen: &&Arc<Seen>| {
            let is_later = |at: SystemTime| at.checked_add(TICK).is_none_or(|at| at >= seen.began);
            Instant::now() < seen.until && !changed.is_some_and(is_later)
        };
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen.as_ref().filter(counts) {
            return Arc::clone(seen);
        }
        drop(seen);
        let seen = Arc::new(look(&self.places));
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&seen));
        seen
    }
}

/// When the file or one of its names was changed last.
fn changed(open: &Metadata) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(open.ctime()).unwrap_or(0));
    let rest = Duration::from_nanos(u64::try_from(open.ctime_nsec()).unwrap_or(0));
    SystemTime::UNIX_EPOCH + seconds + rest
}

fn look(places: &[NeverPlace]) -> Seen {
    let (began, start) = (SystemTime::now(), Instant::now());
    let mut files = BTreeMap::new();
    for NeverPlace { files: which, holds } in places {
        for path in paths(which) {
            // What is not there, or is out of reach, is not searched either.
            if let Ok(found) = fs::metadata(&path) {
                files.insert(FileIdentity::of(&found), *holds);
            }
        }
    }
    let mut numbers: Vec<u64> = files.keys().map(|file| file.inode).collect();
    numbers.sort_unstable();
    let end = Instant::now();
    let until = end + FRESH.max(SHARE * end.duration_since(start));
    Seen { files, numbers, began, until }
}

fn paths(files: &NeverFiles) -> Vec<PathBuf> {
    let (directory, beginning) = match files {
        NeverFiles::At(path) => return vec![path.clone()],
        NeverFiles::Below(_) => return Vec::new(),
        NeverFiles::In(path) => (path.as_path(), &[][..]),
        NeverFiles::Beginning(path) => (
            path.parent().unwrap_or(Path::new("/")),
            path.file_name().unwrap_or_default().as_bytes(),
        ),
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let begins = entries.filter(|entry| entry.file_name().as_bytes().starts_with(beginning));
    begins.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::symlink;

    fn never(files: NeverFiles) -> NeverSearched {
        NeverSearched::new(vec![NeverPlace { files, holds: Some("a key") }])
    }

    fn is_never(never: &NeverSearched, path: &Path) -> bool {
        never.reason(&File::open(path).unwrap().metadata().unwrap()).is_some()
    }

    /// The file is known under any name, and a new one is as soon as it is there.
    #[test]
    fn a_key_is_known_by_any_name_and_once_it_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["real", "log", "next"] {
            fs::write(path(name), name).unwrap();
        }
        symlink("real", path("key")).unwrap();
        let never = never(NeverFiles::At(path("key")));
        fs::hard_link(path("real"), path("other")).unwrap();
        for (name, expected) in [("real", true), ("key", true), ("other", true), ("log", false)] {
            assert_eq!(is_never(&never, &path(name)), expected, "{name}");
        }
        assert!(!is_never(&never, &path("next")));
        for _ in 0..100 {
            fs::write(path("next"), "").unwrap();
            fs::rename(path("next"), path("key")).unwrap();
            assert!(is_never(&never, &path("key")), "replaced a moment ago");
        }
    }

    #[test]
    fn directories_and_beginnings_of_names_are_listed() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["members", "members.new", "machine.1.log"] {
            fs::write(path(name), name).unwrap();
        }
        let beginning = never(NeverFiles::Beginning(path("members")));
        let all = never(NeverFiles::In(directory.path().to_owned()));
        for (name, expected) in [("members", true), ("members.new", true), ("machine.1.log", false)]
        {
            assert_eq!(is_never(&beginning, &path(name)), expected, "{name}");
            assert!(is_never(&all, &path(name)));
            let number = fs::metadata(path(name)).unwrap().ino();
            assert_eq!(beginning.may_be(number), expected);
        }
        assert!(beginning.may_be(0), "a number that is not known");
        assert!(!NeverSearched::default().may_be(0));
    }

    #[test]
    fn what_is_quiet_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("searches.1.log");
        fs::write(&path, "").unwrap();
        let files = NeverFiles::At(path.clone());
        let never = NeverSearched::new(vec![NeverPlace { files, holds: None }]);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(never.reason(&metadata), Some(Ok(())));
    }
}
