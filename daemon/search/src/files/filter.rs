//! Selects the exposed files that a search wants: FILE arguments, `--include` and `--exclude`. It
//! also limits them to those that its asker may search.

use std::path::Path;
use std::sync::Arc;

use globset::GlobMatcher;
use memberd_control::grep::MAX_FILTER_GLOBS;

use super::glob::compile;
use super::glob_class::without_slash;
use super::glob_error::GlobError;

/// Why a glob over paths is refused.
const SLASH_IN_CLASS: &str =
    "a class [...] is one character of a name, and has no / in it or in a range of it";

/// Globs that select exposed files. Without any glob, every exposed file is wanted.
#[derive(Debug, Clone, Default)]
pub struct FileFilter {
    globs: Vec<FilterGlob>,
    include: Vec<FilterGlob>,
    exclude: Vec<FilterGlob>,
    limit: Limit,
    rotated: bool,
}

/// The files that the asker of a search may search, whatever is exposed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limit {
    /// None of them allows all files.
    globs: Arc<[FilterGlob]>,
}

#[derive(Debug, Clone)]
struct FilterGlob {
    written: String,
    matcher: GlobMatcher,
    /// Whether it must match the whole path or only the base name.
    whole_path: bool,
}

impl FileFilter {
    /// Parses FILE globs: `*`, `?`, `[...]`, `{a,b}`, and `**` across directories. A glob without
    /// `/` must match a file's base name, and one with `/` its whole path. Only `**` crosses `/`.
    ///
    /// # Errors
    /// When a glob is not valid, or is for a path and has a class with `/`, or there are too many.
    pub fn new<S: AsRef<str>>(globs: &[S]) -> Result<FileFilter, GlobError> {
        Ok(FileFilter { globs: parse(globs)?, ..FileFilter::default() })
    }

    /// `--include`: if there are such globs, one of them must match as well.
    pub fn include<S: AsRef<str>>(self, globs: &[S]) -> Result<FileFilter, GlobError> {
        Ok(FileFilter { include: parse(globs)?, ..self })
    }

    /// `--exclude`: none of these globs may match.
    pub fn exclude<S: AsRef<str>>(self, globs: &[S]) -> Result<FileFilter, GlobError> {
        Ok(FileFilter { exclude: parse(globs)?, ..self })
    }

    /// Limits it to the files that match one of these globs, and the files rotated away from them.
    /// All others count as not exposed, and links lead to none of them. An empty list is no limit.
    pub fn only<S: AsRef<str>>(self, globs: &[S]) -> Result<FileFilter, GlobError> {
        Ok(FileFilter { limit: Limit { globs: parse(globs)?.into() }, ..self })
    }

    /// `--rotated`: each wanted file brings the files that were rotated away from it, the oldest
    /// first.
    #[must_use]
    pub fn rotated(self, rotated: bool) -> FileFilter {
        FileFilter { rotated, ..self }
    }

    /// Whether rotated files are wanted, too.
    pub(crate) fn wants_rotated(&self) -> bool {
        self.rotated
    }

    /// Whether `--exclude` leaves out the file at `path`.
    pub fn excludes(&self, path: &Path) -> bool {
        self.exclude.iter().any(|glob| glob.matches(path))
    }

    /// The files to which it is limited.
    pub(crate) fn limit(&self) -> &Limit {
        &self.limit
    }

    /// A tracker that remembers which globs have matched.
    pub(crate) fn tracker(&self) -> Tracker<'_> {
        Tracker { filter: self, matched: vec![false; self.globs.len()] }
    }
}

fn parse<S: AsRef<str>>(globs: &[S]) -> Result<Vec<FilterGlob>, GlobError> {
    if globs.len() > MAX_FILTER_GLOBS {
        return Err(GlobError::TooMany { limit: MAX_FILTER_GLOBS });
    }
    globs.iter().map(|glob| FilterGlob::parse(glob.as_ref())).collect()
}

impl Limit {
    /// Whether the file at `path` may be searched.
    pub(crate) fn allows(&self, path: &Path) -> bool {
        self.globs.is_empty() || self.globs.iter().any(|glob| glob.matches(path))
    }

    /// Whether files that may be searched can lie in this directory, or below it.
    pub(crate) fn reaches(&self, directory: &Path) -> bool {
        let path = directory.as_os_str().as_encoded_bytes();
        let reaches = |glob: &FilterGlob| {
            let fixed = glob.written.split(['*', '?', '[', '{', '\\']).next().unwrap_or("");
            let fixed = fixed.as_bytes();
            !glob.whole_path || path.starts_with(fixed) || fixed.starts_with(path)
        };
        self.globs.is_empty() || self.globs.iter().any(reaches)
    }
}

impl FilterGlob {
    fn parse(written: &str) -> Result<FilterGlob, GlobError> {
        let whole_path = written.contains('/');
        let matcher = if whole_path {
            let plain = without_slash(written).ok_or_else(|| GlobError::Syntax {
                glob: written.to_owned(),
                reason: SLASH_IN_CLASS.to_owned(),
            })?;
            compile(&plain, written)?
        } else {
            compile(written, written)?
        };
        Ok(FilterGlob { written: written.to_owned(), matcher, whole_path })
    }

    fn matches(&self, path: &Path) -> bool {
        let subject = if self.whole_path { Some(path.as_os_str()) } else { path.file_name() };
        subject.is_some_and(|subject| self.matcher.is_match(subject))
    }
}

/// Matches files against the globs, and remembers which globs have matched any.
#[derive(Debug)]
pub(crate) struct Tracker<'n> {
    filter: &'n FileFilter,
    matched: Vec<bool>,
}

impl Tracker<'_> {
    /// Whether the file at `path` is wanted.
    pub(crate) fn wants(&mut self, path: &Path) -> bool {
        if !self.filter.limit.allows(path) {
            return false;
        }
        let include = &self.filter.include;
        let passes = (include.is_empty() || include.iter().any(|glob| glob.matches(path)))
            && !self.filter.excludes(path);
        let mut wanted = self.filter.globs.is_empty();
        for (glob, matched) in self.filter.globs.iter().zip(&mut self.matched) {
            if glob.matches(path) {
                *matched = true;
                wanted = true;
            }
        }
        wanted && passes
    }

    /// Whether the file at `path` would be wanted. This does not count as a match of any glob.
    pub(crate) fn selects(&self, path: &Path) -> bool {
        let FileFilter { globs, include, .. } = self.filter;
        let any =
            |globs: &[FilterGlob]| globs.is_empty() || globs.iter().any(|glob| glob.matches(path));
        let allowed = self.filter.limit.allows(path) && !self.filter.excludes(path);
        allowed && any(globs) && any(include)
    }

    /// The globs that matched no file, as written.
    pub(crate) fn unmatched(self) -> Vec<String> {
        self.filter
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
        FileFilter::new(globs).unwrap().tracker().wants(Path::new(path))
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

    /// `[!0-9]` is any character of a name.
    #[test]
    fn a_class_matches_no_slash() {
        for glob in ["/a[!b]*", "/a[^b]x", "/a[!]]x", "/a[!b-]x", "/a[!-]x", "/a[!--]x"] {
            assert!(!wants(&[glob], "/a/x"), "{glob}");
            assert!(wants(&[glob], "/acx"), "{glob}");
            let negated: &[_] = if glob.contains('-') { &["/a-x"] } else { &[] };
            assert!(negated.iter().all(|path| !wants(&[glob], path)), "{glob}");
        }
        assert!(!wants(&["/{a,b[!0-9]}x"], "/b/x") && !wants(&[r"/a\\[!b]x"], r"/a\/x"));
        assert!(wants(&[r"/a\[!b]x"], "/a[!b]x") && wants(&[r"/a[!\]x]y"], "/acx]y"));
        assert!(wants(&["/a[+--0-9]x"], "/a-x") && wants(&["[ -~]x"], "/a/bx"));
        for glob in ["/a[.-9]x", "/a[--9]x", "/a[b/]x", "/a[]-/]x", "/{a,b[ -~]}x"] {
            assert!(matches!(FileFilter::new(&[glob]), Err(GlobError::Syntax { .. })), "{glob}");
        }
    }

    #[test]
    fn include_and_exclude_narrow_further() {
        let filter = FileFilter::new(&["/var/**"])
            .unwrap()
            .include(&["*.log", "x"])
            .unwrap()
            .exclude(&["b*"])
            .unwrap();
        let mut tracker = filter.tracker();
        assert!(tracker.wants(Path::new("/var/a.log")) && tracker.wants(Path::new("/var/x")));
        assert!(!tracker.wants(Path::new("/var/b.log")) && !tracker.wants(Path::new("/var/a.txt")));
        assert!(!tracker.wants(Path::new("/srv/a.log")));
    }

    #[test]
    fn globs_that_matched_nothing_are_reported() {
        let filter = FileFilter::new(&["a*", "b*", "/etc/shadow"]).unwrap();
        let mut tracker = filter.tracker();
        assert!(tracker.wants(Path::new("/x/abc")));
        assert!(!tracker.wants(Path::new("/x/cba")));
        assert_eq!(tracker.unmatched(), ["b*", "/etc/shadow"]);
    }

    /// Who asks for a file beyond the limit learns that there is none.
    #[test]
    fn a_file_beyond_the_limit_is_none() {
        let filter = FileFilter::new(&["a.log", "b.log"]).unwrap();
        let filter = filter.only(&["/var/log/a/*", "b.log"]).unwrap();
        let mut tracker = filter.tracker();
        for (path, wanted) in [
            ("/var/log/a/a.log", true),
            ("/var/log/a/x/a.log", false),
            ("/srv/a.log", false),
            ("/srv/c.log", false),
        ] {
            assert_eq!(tracker.selects(Path::new(path)), wanted, "{path}");
            assert_eq!(tracker.wants(Path::new(path)), wanted, "{path}");
        }
        assert_eq!(tracker.unmatched(), ["b.log"]);
        let limit = FileFilter::default().only(&["/var/log/a/*.log"]).unwrap().limit;
        for (path, reached) in [("/var", true), ("/var/log/a/x", true), ("/srv/a.log", false)] {
            assert_eq!(limit.reaches(Path::new(path)), reached, "{path}");
        }
    }
}
