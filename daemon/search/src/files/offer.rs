//! The offer: which files of this machine may be searched.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::glob::OfferGlob;
use super::glob_error::GlobError;
use super::narrow::{Narrow, Tracker};
use super::open::{OfferedFile, reason};
use super::rotated::{self, Age, Rotated};
use super::walk::{Visitor, is_missing, walk};

/// The most files of one search; of more, the first in order.
pub const MAX_FILES: usize = 10_000;

/// The most globs of an offer, braces expanded.
const MAX_GLOBS: usize = 1024;

/// The most directory entries that are looked at for one search.
const MAX_ENTRIES: usize = 1_000_000;

/// The most problems that are told.
const MAX_PROBLEMS: usize = 100;

/// What this machine lets be read, as its administrator listed it.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    globs: Vec<OfferGlob>,
}

/// What of an offer a search wants.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The files, by path, none twice; rotated ones directly before theirs, the oldest first.
    pub files: Vec<OfferedFile>,
    /// What could not be looked at.
    pub problems: Vec<Problem>,
    /// The FILE globs that matched no offered file, as written.
    pub unmatched: Vec<String>,
    /// Whether there are more than [`MAX_FILES`] files, or too many directory entries to look at
    /// them all; then files are missing.
    pub cut: bool,
}

/// Something offered that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct Problem {
    /// Where.
    pub path: PathBuf,
    /// Why, in the system's words.
    pub reason: String,
}

impl Offer {
    /// Parses absolute globs: `*`, `?`, `[...]` and `{a,b}` as in a shell, where `*` crosses no `/`
    /// and hidden files must be named with their dot; `**` is any number of directories, up to 16.
    /// A glob without any of these is one file.
    pub fn new<S: AsRef<str>>(globs: &[S]) -> Result<Offer, GlobError> {
        let mut parsed = Vec::new();
        for glob in globs {
            parsed.extend(OfferGlob::parse(glob.as_ref())?);
            if parsed.len() > MAX_GLOBS {
                return Err(GlobError::TooMany { limit: MAX_GLOBS });
            }
        }
        Ok(Offer { globs: parsed })
    }

    /// The offered files that `narrow` wants, as they are now. Reads directories, so it blocks.
    pub fn files(&self, narrow: &Narrow) -> Found {
        self.files_within(MAX_ENTRIES, narrow)
    }

    /// The same, looking at so many directory entries at most.
    fn files_within(&self, entries: usize, narrow: &Narrow) -> Found {
        let mut collector = Collector {
            tracker: narrow.tracker(),
            files: BTreeMap::new(),
            problems: Vec::new(),
            entries_left: entries,
            cut: false,
        };
        for glob in &self.globs {
            walk(glob, &mut collector);
        }
        let files = if narrow.wants_rotated() {
            collector.chains()
        } else {
            collector.files.into_values().collect()
        };
        Found {
            files,
            problems: collector.problems,
            unmatched: collector.tracker.unmatched(),
            cut: collector.cut,
        }
    }
}

struct Collector<'n> {
    tracker: Tracker<'n>,
    files: BTreeMap<PathBuf, OfferedFile>,
    problems: Vec<Problem>,
    entries_left: usize,
    cut: bool,
}

impl Collector<'_> {
    /// The files found, each with what was rotated away from it before it.
    fn chains(&mut self) -> Vec<OfferedFile> {
        let mut live = std::mem::take(&mut self.files);
        let mut chains: BTreeMap<PathBuf, Vec<(Age, bool, OfferedFile)>> = BTreeMap::new();
        let directories: BTreeMap<PathBuf, OfferedFile> =
            live.values().map(|file| (file.directory().to_owned(), file.clone())).collect();
        for beside in directories.into_values() {
            for sibling in self.siblings(&beside) {
                let name = sibling.path().file_name().map(OsStrExt::as_bytes).unwrap_or_default();
                for Rotated { from, age, compressed } in rotated::parse(name) {
                    let from = sibling.path().with_file_name(OsStr::from_bytes(&from));
                    if live.contains_key(&from) {
                        let member = sibling.rotated_from(&from);
                        chains.entry(from).or_default().push((age, compressed, member));
                    }
                }
            }
        }
        // A file that others were rotated away from is no rotated one itself, though it may be
        // named like one.
        let origins: BTreeSet<PathBuf> = chains.keys().cloned().collect();
        for chain in chains.values_mut() {
            chain.retain(|(_, _, rotated)| !origins.contains(rotated.path()));
        }
        for (_, _, rotated) in chains.values().flatten() {
            live.remove(rotated.path());
        }
        let mut files = Vec::new();
        for (path, file) in live {
            let mut chain = chains.remove(&path).unwrap_or_default();
            chain.sort_by(|(age, compressed, _), (other, also, _)| {
                (age, compressed).cmp(&(other, also))
            });
            // While a file is being compressed, it is there twice.
            chain.dedup_by(|(age, ..), (kept, ..)| age == kept);
            files.extend(chain.into_iter().map(|(_, _, rotated)| rotated));
            files.push(file);
        }
        self.cut |= files.len() > MAX_FILES;
        files.truncate(MAX_FILES);
        files
    }

    /// The regular files in the directory of a file, those left out that are excluded.
    fn siblings(&mut self, file: &OfferedFile) -> Vec<OfferedFile> {
        match file.siblings(|| self.may_go_on()) {
            Ok(siblings) => siblings
                .into_iter()
                .filter(|sibling| !self.tracker.excludes(sibling.path()))
                .collect(),
            Err(error) => {
                if !is_missing(&error) {
                    self.problem(file.directory().to_owned(), reason(&error));
                }
                Vec::new()
            }
        }
    }
}

impl Visitor for Collector<'_> {
    fn file(&mut self, file: OfferedFile) {
        if !self.tracker.wants(file.path()) {
            return;
        }
        self.files.insert(file.path().to_owned(), file);
        if self.files.len() > MAX_FILES {
            self.files.pop_last();
            self.cut = true;
        }
    }

    fn problem(&mut self, path: PathBuf, reason: String) {
        let problem = Problem { path, reason };
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn may_go_on(&mut self) -> bool {
        let left = self.entries_left.checked_sub(1);
        self.cut |= left.is_none();
        self.entries_left = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_entries_is_used_up_and_then_reported() {
        let directory = tempfile::TempDir::new().unwrap();
        let paths = ["a.log", "b.log", "c.log"].map(|name| directory.path().join(name));
        paths.iter().for_each(|path| std::fs::write(path, "").unwrap());
        let offer = Offer::new(&[directory.path().join("*.log").to_str().unwrap()]).unwrap();
        let found = |entries| offer.files_within(entries, &Narrow::default());
        // The directory itself is one.
        assert_eq!((found(4).files.len(), found(4).cut), (3, false));
        assert_eq!((found(3).files.len(), found(3).cut), (2, true));
        assert_eq!((found(0).files.len(), found(0).cut), (0, true));
        let rotated = |entries| offer.files_within(entries, &Narrow::default().rotated(true));
        assert_eq!((rotated(7).files.len(), rotated(7).cut), (3, false));
        assert_eq!((rotated(6).files.len(), rotated(6).cut), (3, true));
    }
}
