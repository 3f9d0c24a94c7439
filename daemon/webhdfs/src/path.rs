//! Paths of WebHDFS: absolute, in UTF-8, decoded once.

use crate::error::FileError;
use std::fmt;

/// An absolute path. Its first name is that of a share; the root has no names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HdfsPath(String);

impl HdfsPath {
    /// The most bytes of a path.
    pub const MAX_BYTES: usize = 4096;
    /// The most bytes of one name in it.
    pub const MAX_NAME_BYTES: usize = 255;

    /// The directory of all shares.
    #[must_use]
    pub fn root() -> HdfsPath {
        HdfsPath("/".to_owned())
    }

    /// Parses a path. Slashes that follow each other, or end it, count as one.
    ///
    /// # Errors
    /// If it does not begin with a slash, is too long, or has a name with control characters, `.`
    /// or `..`.
    pub fn parse(text: &str) -> Result<HdfsPath, FileError> {
        let invalid = |why: &str| FileError::Invalid(format!("Invalid path name: {why}"));
        if text.len() > Self::MAX_BYTES {
            return Err(invalid("a path has at most 4096 bytes"));
        }
        let inner = text.strip_prefix('/').ok_or_else(|| invalid("a path begins with /"))?;
        let mut path = String::with_capacity(text.len());
        for name in inner.split('/').filter(|name| !name.is_empty()) {
            if name.len() > Self::MAX_NAME_BYTES || name == "." || name == ".." {
                return Err(invalid("a name has at most 255 bytes, and is not . nor .."));
            }
            if name.chars().any(char::is_control) {
                return Err(invalid("a name has no control characters"));
            }
            path.push('/');
            path.push_str(name);
        }
        Ok(if path.is_empty() { Self::root() } else { HdfsPath(path) })
    }

    /// It as text, `/` or `/share/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the directory of all shares.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// Its names, the share first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Its share, unless it is the root.
    #[must_use]
    pub fn share(&self) -> Option<&str> {
        self.names().next()
    }

    /// Its last name, unless it is the root.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.names().last()
    }

    /// The directory that it lies in, unless it is the root.
    #[must_use]
    pub fn parent(&self) -> Option<HdfsPath> {
        match self.0.rsplit_once('/') {
            _ if self.is_root() => None,
            None | Some(("", _)) => Some(Self::root()),
            Some((above, _)) => Some(HdfsPath(above.to_owned())),
        }
    }

    /// Whether it is this path or lies below it.
    #[must_use]
    pub fn is_within(&self, above: &HdfsPath) -> bool {
        let rest = self.0.strip_prefix(&above.0);
        above.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for HdfsPath {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form() {
        let of = |text: &str| HdfsPath::parse(text).map(|path| path.to_string()).ok();
        assert_eq!(of("//a///b/").as_deref(), Some("/a/b"));
        assert_eq!(of("/").as_deref(), Some("/"));
        assert_eq!(of("/a/b c+;=ü").as_deref(), Some("/a/b c+;=ü"));
        let long_name = format!("/{}", "x".repeat(256));
        let long_path = "/abcdefghijklmno".repeat(257);
        for bad in ["", "a", "/a/../b", "/.", "/a\n", "/a\u{7f}", &long_name, &long_path] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn parents_and_what_lies_below() {
        let path = HdfsPath::parse("/a/b").unwrap();
        assert_eq!(path.parent().unwrap().as_str(), "/a");
        assert_eq!(path.parent().unwrap().parent(), Some(HdfsPath::root()));
        assert_eq!(HdfsPath::root().parent(), None);
        assert_eq!((path.share(), path.name()), (Some("a"), Some("b")));
        assert_eq!((HdfsPath::root().share(), HdfsPath::root().name()), (None, None));
        let within = |above: &str| path.is_within(&HdfsPath::parse(above).unwrap());
        assert!(within("/") && within("/a") && within("/a/b"));
        assert!(!within("/a/b/c") && !within("/a/bc") && !within("/ab"));
    }
}
