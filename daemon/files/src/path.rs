//! Names of shares and files, parsed at the edge.

use std::fmt;
use std::sync::Arc;

/// The name of a share: 1 to 64 of `A-Z a-z 0-9 . _ -`, not `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareName(Arc<str>);

/// An absolute path: a share, and names below it (none: the share itself).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath {
    share: ShareName,
    names: Vec<Arc<str>>,
}

/// Why a path is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with `/` and a share.
    #[error("a path begins with / and the name of a share")]
    NoShare,
    /// A name is too long, or has what no name may have.
    #[error("{0:?} is no name: at most 255 bytes of UTF-8 without / and control characters")]
    Component(String),
    /// It has more than 4,096 bytes.
    #[error("a path has at most 4,096 bytes")]
    TooLong,
}

impl ShareName {
    /// Parses a name.
    ///
    /// # Errors
    /// If it is no name of a share.
    pub fn new(name: &str) -> Result<ShareName, PathError> {
        let fits = (1..=64).contains(&name.len()) && name != "." && name != "..";
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if fits && name.bytes().all(plain) {
            Ok(ShareName(name.into()))
        } else {
            Err(PathError::Component(name.to_owned()))
        }
    }

    /// It as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FilePath {
    /// The most bytes of a path.
    pub const MAX_BYTES: usize = 4096;
    /// The most bytes of one name in it.
    pub const MAX_NAME_BYTES: usize = 255;

    /// Parses `/share/name/name`. Slashes that follow each other, or end it, count as one.
    ///
    /// # Errors
    /// If it is no path.
    pub fn parse(path: &str) -> Result<FilePath, PathError> {
        if path.len() > Self::MAX_BYTES {
            return Err(PathError::TooLong);
        }
        let inner = path.strip_prefix('/').ok_or(PathError::NoShare)?;
        let mut parts = inner.split('/').filter(|part| !part.is_empty());
        let share = ShareName::new(parts.next().ok_or(PathError::NoShare)?)?;
        let names = parts.map(component).collect::<Result<_, _>>()?;
        Ok(FilePath { share, names })
    }

    /// Its share.
    #[must_use]
    pub fn share(&self) -> &ShareName {
        &self.share
    }

    /// The names below the share.
    #[must_use]
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }
}

fn component(name: &str) -> Result<Arc<str>, PathError> {
    let fits = name.len() <= FilePath::MAX_NAME_BYTES && name != "." && name != "..";
    if fits && !name.chars().any(char::is_control) {
        Ok(name.into())
    } else {
        Err(PathError::Component(name.to_owned()))
    }
}

impl fmt::Display for ShareName {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "/{}", self.share)?;
        self.names.iter().try_for_each(|name| write!(formatter, "/{name}"))
    }
}
