//! The offer: which files of this machine may be searched.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::glob::{GlobError, OfferGlob};
use super::narrow::{Narrow, Tracker};
use super::open::OfferedFile;
use super::walk::{Visitor, walk};

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
    /// The files, by path, none twice.
    pub files: Vec<OfferedFile>,
    /// What could not be looked at.
    pub problems: Vec<Problem>,
    /// The FILE globs that matched no offered file, as written.
    pub unmatched: Vec<String>,
    /// Whether there are more than [`MAX_FILES`] files, or too many directory entries to look at them all; then files are missing.
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
    /// Parses absolute globs: `*`, `?`, `[...]` and `{a,b}` as in a shell, where `*` crosses no `/` and hidden files must be named
    /// with their dot; `**` is any number of directories, up to 16. A glob without any of these is one file.
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
        let mut collector = Collector {
            tracker: narrow.tracker(),
            files: BTreeMap::new(),
            problems: Vec::new(),
            entries_left: MAX_ENTRIES,
            cut: false,
        };
        for glob in &self.globs {
            walk(glob, &mut collector);
        }
        Found {
            files: collector.files.into_values().collect(),
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
        match self.entries_left.checked_sub(1) {
            Some(left) => self.entries_left = left,
            None => self.cut = true,
        }
        self.entries_left > 0
    }
}
