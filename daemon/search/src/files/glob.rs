//! Globs, one path component at a time.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::brace;
use super::glob_error::GlobError;
use super::open::is_hidden;
use super::walk::MAX_DEPTH;

/// The longest glob in bytes.
const MAX_GLOB_BYTES: usize = 4096;

/// An absolute glob of exposed files, without braces.
#[derive(Debug, Clone)]
pub(crate) struct ExposedGlob {
    /// The directory with which the glob literally begins. It is trusted as written.
    pub(crate) root: PathBuf,
    /// The components below it. Never empty.
    pub(crate) components: Vec<Component>,
    /// As written, with its braces.
    pub(crate) written: String,
}

/// One component of a path.
#[derive(Debug, Clone)]
pub(crate) enum Component {
    /// This name itself.
    Name(String),
    /// Names that match. A name that begins with a dot matches only if the glob does so, too.
    Matching { matcher: GlobMatcher, dot_files: bool },
    /// `**`: any number of directories, also none.
    AnyDepth,
}

impl ExposedGlob {
    /// Parses an absolute glob with `*`, `?`, `[...]`, `{a,b}` and `**`. Braces make several globs
    /// of it.
    pub(crate) fn parse(glob: &str) -> Result<Vec<ExposedGlob>, GlobError> {
        check_length(glob)?;
        brace::expand(glob)?.iter().map(|plain| ExposedGlob::parse_plain(plain, glob)).collect()
    }

    fn parse_plain(plain: &str, written: &str) -> Result<ExposedGlob, GlobError> {
        let Some(below) = plain.strip_prefix('/') else {
            return Err(GlobError::NotAbsolute { glob: written.to_owned() });
        };
        let names: Vec<&str> = below.split('/').filter(|name| !name.is_empty()).collect();
        if names.is_empty() || names.iter().any(|name| matches!(*name, "." | "..")) {
            return Err(GlobError::NotPlain { glob: written.to_owned() });
        }
        let literal = names.iter().take(names.len() - 1).take_while(|name| !has_meta(name)).count();
        let (root, rest) = names.split_at(literal);
        let components =
            rest.iter().map(|name| Component::parse(name, written)).collect::<Result<_, _>>()?;
        Ok(ExposedGlob {
            root: std::iter::once("/").chain(root.iter().copied()).collect(),
            components,
            written: written.to_owned(),
        })
    }
}

impl ExposedGlob {
    /// Whether it matches this absolute path, whether or not a file is there. Links are not looked
    /// at.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else { return false };
        let names: Vec<&OsStr> = below.iter().collect();
        covers(&self.components, &names, 0)
    }
}

/// Whether these components match all of these names. `**` has already taken `depth` names.
fn covers(components: &[Component], names: &[&OsStr], depth: usize) -> bool {
    let Some((component, rest)) = components.split_first() else { return names.is_empty() };
    if let Component::AnyDepth = component {
        let goes_on = || {
            let (name, others) = names.split_first()?;
            let takes = !is_hidden(name) && depth < MAX_DEPTH && !others.is_empty();
            takes.then(|| covers(components, others, depth + 1))
        };
        // A last `**` is any file below.
        let is_file = |name: &&&OsStr| rest.is_empty() && names.len() == 1 && !is_hidden(name);
        return names.first().filter(is_file).is_some()
            || !rest.is_empty() && covers(rest, names, depth)
            || goes_on().unwrap_or(false);
    }
    let Some((name, others)) = names.split_first() else { return false };
    let matches = match component {
        Component::Name(wanted) => *name == wanted.as_str(),
        Component::Matching { matcher, dot_files } => {
            (*dot_files || !is_hidden(name)) && matcher.is_match(name)
        }
        Component::AnyDepth => false,
    };
    matches && covers(rest, others, depth)
}

impl Component {
    fn parse(name: &str, written: &str) -> Result<Component, GlobError> {
        Ok(if name == "**" {
            Component::AnyDepth
        } else if has_meta(name) {
            Component::Matching {
                matcher: compile(name, written)?,
                dot_files: name.starts_with('.'),
            }
        } else {
            Component::Name(name.to_owned())
        })
    }
}

/// Whether `name` has a character with a meaning in a glob.
fn has_meta(name: &str) -> bool {
    name.contains(['*', '?', '[', '\\'])
}

/// Compiles a glob whose `*` does not cross `/`. The error shows `written`.
pub(crate) fn compile(glob: &str, written: &str) -> Result<GlobMatcher, GlobError> {
    check_length(glob)?;
    GlobBuilder::new(glob)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| GlobError::Syntax {
            glob: written.to_owned(),
            reason: error.kind().to_string(),
        })
}

fn check_length(glob: &str) -> Result<(), GlobError> {
    if glob.len() <= MAX_GLOB_BYTES && !glob.contains('\0') {
        return Ok(());
    }
    Err(GlobError::Syntax {
        glob: glob.chars().take(40).collect(),
        reason: format!("longer than {MAX_GLOB_BYTES} bytes, or with a NUL in it"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(glob: &str) -> ExposedGlob {
        let mut globs = ExposedGlob::parse(glob).unwrap();
        assert_eq!(globs.len(), 1);
        globs.remove(0)
    }

    #[test]
    fn the_root_is_the_literal_prefix_and_never_the_file() {
        assert_eq!(only("/var/log/*.log").root, Path::new("/var/log"));
        assert_eq!(only("/var/log/syslog").root, Path::new("/var/log"));
        assert_eq!(only("/var/*/x/y").components.len(), 3);
        assert_eq!(only("//var//log/a").root, Path::new("/var/log"));
        assert_eq!(only("/syslog").root, Path::new("/"));
        assert_eq!(only("/**").root, Path::new("/"));
    }

    #[test]
    fn what_is_not_a_plain_absolute_path_is_refused() {
        for glob in ["", "var/log/x", "*.log"] {
            assert!(
                matches!(ExposedGlob::parse(glob), Err(GlobError::NotAbsolute { .. })),
                "{glob}"
            );
        }
        for glob in ["/", "//", "/var/../etc/shadow", "/var/./x", "/a/{b,..}/c"] {
            assert!(matches!(ExposedGlob::parse(glob), Err(GlobError::NotPlain { .. })), "{glob}");
        }
        for glob in ["/a/[x", "/a/{b", "/a/\0", &format!("/{}", "x".repeat(5000))] {
            assert!(matches!(ExposedGlob::parse(glob), Err(GlobError::Syntax { .. })), "{glob}");
        }
    }
}
