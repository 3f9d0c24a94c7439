//! Selects the exposed files that a search wants: FILE arguments, `--include` and `--exclude`.

use std::path::Path;

use globset::GlobMatcher;

use super::glob::compile;
use super::glob_error::GlobError;

/// The most globs of each kind in one search.
const MAX_NARROWING: usize = 256;

/// Globs that select exposed files. Without any glob, every exposed file is wanted.
#[derive(Debug, Clone, Default)]
pub struct Narrow {
    globs: Vec<NarrowGlob>,
    include: Vec<NarrowGlob>,
    exclude: Vec<NarrowGlob>,
    rotated: bool,
}

#[derive(Debug, Clone)]
struct NarrowGlob {
    written: String,
    matcher: GlobMatcher,
    /// Whether it must match the whole path or only the base name.
    whole_path: bool,
}

impl Narrow {
    /// Parses FILE globs: `*`, `?`, `[...]`, `{a,b}`, and `**` across directories. A glob without
    /// `/` must match a file's base name, and one with `/` its whole path.
    pub fn new<S: AsRef<str>>(globs: &[S]) -> Result<Narrow, GlobError> {
        Ok(Narrow { globs: parse(globs)?, ..Narrow::default() })
    }

    /// `--include`: if there are such globs, one of them must match as well.
    pub fn include<S: AsRef<str>>(self, globs: &[S]) -> Result<Narrow, GlobError> {
        Ok(Narrow { include: parse(globs)?, ..self })
    }

    /// `--exclude`: none of these globs may match.
    pub fn exclude<S: AsRef<str>>(self, globs: &[S]) -> Result<Narrow, GlobError> {
        Ok(Narrow { exclude: parse(globs)?, ..self })
    }

    /// `--rotated`: each wanted file brings the files that were rotated away from it, the oldest
    /// first.
    #[must_use]
    pub fn rotated(self, rotated: bool) -> Narrow {
        Narrow { rotated, ..self }
    }

    /// Whether rotated files are wanted, too.
    pub(crate) fn wants_rotated(&self) -> bool {
        self.rotated
    }

    /// A tracker that remembers which globs have matched.
    pub(crate) fn tracker(&self) -> Tracker<'_> {
        Tracker { narrow: self, matched: vec![false; self.globs.len()] }
    }
}

fn parse<S: AsRef<str>>(globs: &[S]) -> Result<Vec<NarrowGlob>, GlobError> {
    if globs.len() > MAX_NARROWING {
        return Err(GlobError::TooMany { limit: MAX_NARROWING });
    }
    globs.iter().map(|glob| NarrowGlob::parse(glob.as_ref())).collect()
}

impl NarrowGlob {
    fn parse(written: &str) -> Result<NarrowGlob, GlobError> {
        Ok(NarrowGlob {
            written: written.to_owned(),
            matcher: compile(written, written)?,
            whole_path: written.contains('/'),
        })
    }

    fn matches(&self, path: &Path) -> bool {
        let subject = if self.whole_path { Some(path.as_os_str()) } else { path.file_name() };
        subject.is_some_and(|subject| self.matcher.is_match(subject))
    }
}

/// Matches files against the globs, and remembers which globs have matched any.
#[derive(Debug)]
pub(crate) struct Tracker<'n> {
    narrow: &'n Narrow,
    matched: Vec<bool>,
}

impl Tracker<'_> {
    /// Whether the file at `path` is wanted.
    pub(crate) fn wants(&mut self, path: &Path) -> bool {
        let include = &self.narrow.include;
        let passes = (include.is_empty() || include.iter().any(|glob| glob.matches(path)))
            && !self.excludes(path);
        let mut wanted = self.narrow.globs.is_empty();
        for (glob, matched) in self.narrow.globs.iter().zip(&mut self.matched) {
            if glob.matches(path) {
                *matched = true;
                wanted = true;
            }
        }
        wanted && passes
    }

    /// Whether `--exclude` leaves out the file at `path`.
    pub(crate) fn excludes(&self, path: &Path) -> bool {
        self.narrow.exclude.iter().any(|glob| glob.matches(path))
    }

    /// The globs that matched no file, as written.
    pub(crate) fn unmatched(self) -> Vec<String> {
        self.narrow
            .globs
            .iter()
            .zip(self.matched)
            .filter(|(_, matched)| !matched)
            .map(|(glob, _)| glob.written.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(globs: &[&str], path: &str) -> bool {
        Narrow::new(globs).unwrap().tracker().wants(Path::new(path))
    }

    #[test]
    fn no_globs_select_every_file() {
        assert!(wants(&[], "/var/log/x"));
    }

    #[test]
    fn a_glob_without_a_slash_is_held_against_the_base_name() {
        assert!(wants(&["*.log"], "/var/log/a.log"));
        assert!(wants(&["a.log"], "/var/log/a.log"));
        assert!(!wants(&["log"], "/var/log/a.log"));
        assert!(wants(&["nope", "{a,b}.l?g"], "/var/log/b.log"));
    }

    #[test]
    fn a_glob_with_a_slash_is_held_against_the_whole_path() {
        assert!(wants(&["/var/log/*"], "/var/log/a.log"));
        assert!(!wants(&["/var/*"], "/var/log/a.log"));
        assert!(wants(&["/var/**"], "/var/log/a.log"));
        assert!(!wants(&["log/a.log"], "/var/log/a.log"));
        assert!(wants(&["**/a.log"], "/var/log/a.log"));
    }

    #[test]
    fn include_and_exclude_narrow_further() {
        let narrow = Narrow::new(&["/var/**"])
            .unwrap()
            .include(&["*.log", "x"])
            .unwrap()
            .exclude(&["b*"])
            .unwrap();
        let mut tracker = narrow.tracker();
        assert!(tracker.wants(Path::new("/var/a.log")) && tracker.wants(Path::new("/var/x")));
        assert!(!tracker.wants(Path::new("/var/b.log")) && !tracker.wants(Path::new("/var/a.txt")));
        assert!(!tracker.wants(Path::new("/srv/a.log")));
    }

    #[test]
    fn globs_that_matched_nothing_are_reported() {
        let narrow = Narrow::new(&["a*", "b*", "/etc/shadow"]).unwrap();
        let mut tracker = narrow.tracker();
        assert!(tracker.wants(Path::new("/x/abc")));
        assert!(!tracker.wants(Path::new("/x/cba")));
        assert_eq!(tracker.unmatched(), ["b*", "/etc/shadow"]);
    }
}
