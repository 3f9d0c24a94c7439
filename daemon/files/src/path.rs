//! Names of shares and files, parsed at the edge.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
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

    /// Whether it is a share itself.
    #[must_use]
    pub fn is_share(&self) -> bool {
        self.names.is_empty()
    }

    /// The last name; none if it is a share.
    #[must_use]
    pub fn name(&self) -> Option<&Arc<str>> {
        self.names.last()
    }

    /// The directory in which it lies; none if it is a share.
    #[must_use]
    pub fn parent(&self) -> Option<FilePath> {
        let (_, names) = self.names.split_last()?;
        Some(FilePath { share: self.share.clone(), names: names.to_vec() })
    }

    /// A name in this directory.
    ///
    /// # Errors
    /// If it is no name, or the path becomes too long.
    pub fn join(&self, name: &str) -> Result<FilePath, PathError> {
        if name.is_empty() || name.contains('/') {
            return Err(PathError::Component(name.to_owned()));
        }
        let mut names = self.names.clone();
        names.push(component(name)?);
        let path = FilePath { share: self.share.clone(), names };
        if path.bytes() > Self::MAX_BYTES { Err(PathError::TooLong) } else { Ok(path) }
    }

    /// The bytes of its text.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let below: usize = self.names.iter().map(|name| 1 + name.len()).sum();
        1 + self.share.0.len() + below
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

impl std::str::FromStr for FilePath {
    type Err = PathError;
    fn from_str(path: &str) -> Result<FilePath, PathError> {
        FilePath::parse(path)
    }
}

impl Serialize for ShareName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ShareName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ShareName, D::Error> {
        ShareName::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FilePath, D::Error> {
        FilePath::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms;
    use proptest::prelude::*;

    fn parse(path: &str) -> Result<FilePath, PathError> {
        FilePath::parse(path)
    }

    #[test]
    fn slashes_that_follow_each_other_count_as_one() {
        let path = parse("//spark///out/part-0/").unwrap();
        assert_eq!(path.to_string(), "/spark/out/part-0");
        assert_eq!(path.parent().unwrap().to_string(), "/spark/out");
        assert_eq!(path.name().map(|name| &**name), Some("part-0"));
        assert!(parse("/spark").unwrap().is_share());
        assert_eq!(parse("/spark").unwrap().parent(), None);
    }

    #[test]
    fn what_no_path_may_be_is_refused() {
        for path in ["", "spark/x", "/", "//", "/a b/x", "/../x", "/s/..", "/s/./x", "/s/a\nb"] {
            assert!(parse(path).is_err(), "{path:?}");
        }
        assert!(parse(&format!("/s/{}", "x".repeat(255))).is_ok());
        assert!(parse(&format!("/s/{}", "x".repeat(256))).is_err());
        let long = "/s".to_owned() + &"/x".repeat(2047);
        assert_eq!(parse(&long).unwrap().to_string().len(), 4096);
        assert_eq!(parse(&(long.clone() + "/x")), Err(PathError::TooLong));
        assert_eq!(parse(&long).unwrap().join("y"), Err(PathError::TooLong));
        assert!(parse("/s").unwrap().join("a/b").is_err());
        assert!(parse("/s").unwrap().join("").is_err());
    }

    #[test]
    fn a_bad_path_is_refused_on_the_wire() {
        let read = |text: &str| forms::decode::<FilePath>(&forms::encode(&text));
        assert_eq!(read("/s/x"), parse("/s/x").ok());
        assert_eq!(read("/s/.."), None);
        assert_eq!(forms::decode::<ShareName>(&forms::encode(&"a/b")), None);
    }

    proptest! {
        #[test]
        fn a_path_is_read_as_it_was_written(path in "/[a-z]{1,8}(/[^/\\p{Cc}]{1,20}){0,6}") {
            if let Ok(path) = parse(&path) {
                let again = parse(&path.to_string());
                prop_assert_eq!(again.as_ref(), Ok(&path));
                prop_assert_eq!(forms::decode(&forms::encode(&path)), Some(path));
            }
        }
    }
}
