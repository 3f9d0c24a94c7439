//! Tags, which a member announces about itself (`role = "web"`). Their size is bounded, so that two
//! entries fit into one datagram. Tags are plain values.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The tag that names a machine's zone. Members of one zone are spread over the ring: see
/// `ring.rs`.
pub const ZONE: &str = "zone";

/// A tag's key: 1 to 32 lower case letters, digits, `.`, `_` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagKey(Box<str>);

/// A tag's value: up to 64 bytes of UTF-8 that can be printed on one line. It may be empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagValue(Box<str>);

/// Up to 16 tags, with up to 256 bytes of keys and values together.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tags(BTreeMap<TagKey, TagValue>);

/// Why tags are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The text is not a key.
    #[error(
        "{0:?} is not a tag's key: 1 to {max} of a-z, 0-9, '.', '_', '-'",
        max = TagKey::MAX_LENGTH
    )]
    Key(String),
    /// The text is not a value.
    #[error(
        "{0:?} is not a tag's value: at most {max} bytes that can be printed on one line",
        max = TagValue::MAX_LENGTH
    )]
    Value(String),
    /// There are more than [`Tags::MAX_COUNT`] tags.
    #[error("more than {max} tags", max = Tags::MAX_COUNT)]
    TooMany,
    /// The tags have more than [`Tags::MAX_BYTES`] bytes.
    #[error("more than {max} bytes of keys and values", max = Tags::MAX_BYTES)]
    TooLong,
}

impl TagKey {
    /// The longest key, in bytes.
    pub const MAX_LENGTH: usize = 32;

    /// Checks a key.
    ///
    /// # Errors
    /// When it is empty, too long, or has another character.
    pub fn new(key: &str) -> Result<Self, TagError> {
        let character =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let fits = (1..=Self::MAX_LENGTH).contains(&key.len()) && key.bytes().all(character);
        if fits {
            Ok(TagKey(key.into()))
        } else {
            Err(TagError::Key(key.chars().take(80).collect()))
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TagKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TagValue {
    /// The longest value, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// Checks a value.
    ///
    /// # Errors
    /// When it is too long, or has a character that would not stay on its line. Such are control
    /// characters, unusual spaces, and marks that change the direction of writing.
    pub fn new(value: &str) -> Result<Self, TagError> {
        let fits = value.len() <= Self::MAX_LENGTH && value.chars().all(is_printable);
        if fits {
            Ok(TagValue(value.into()))
        } else {
            Err(TagError::Value(value.chars().take(80).collect()))
        }
    }

    /// The value as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_printable(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character == ' ' || !(character.is_control() || character.is_whitespace() || turns)
}

impl Tags {
    /// The most tags of a member.
    pub const MAX_COUNT: usize = 16;

    /// The most bytes of all its keys and values.
    pub const MAX_BYTES: usize = 256;

    /// Checks that tags fit. Of two with the same key, the later counts.
    ///
    /// # Errors
    /// When there are too many, or they are too long together.
    pub fn new(tags: impl IntoIterator<Item = (TagKey, TagValue)>) -> Result<Self, TagError> {
        let tags: BTreeMap<TagKey, TagValue> = tags.into_iter().collect();
        let bytes: usize = tags.iter().map(|(key, value)| key.0.len() + value.0.len()).sum();
        if tags.len() > Self::MAX_COUNT {
            Err(TagError::TooMany)
        } else if bytes > Self::MAX_BYTES {
            Err(TagError::TooLong)
        } else {
            Ok(Tags(tags))
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&TagValue> {
        self.0.get(key)
    }

    /// All tags in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&TagKey, &TagValue)> {
        self.0.iter()
    }

    /// The number of tags.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Formats the tags like `note="hired until May" role=web`. As in logfmt, a value with a blank or a
/// quote is in quotes, so that nobody takes it for two tags.
impl fmt::Display for Tags {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        for (index, (key, value)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(formatter, "{space}{}=", key.0)?;
            if value.0.contains(|c: char| c.is_whitespace() || c == '"') {
                let value = value.0.replace('\\', "\\\\").replace('"', "\\\"");
                write!(formatter, "\"{value}\"")?;
            } else {
                formatter.write_str(&value.0)?;
            }
        }
        Ok(())
    }
}

/// A member's tags with their version. Within an incarnation the member counts each change, and the
/// greater count wins. A member that never had tags has no version, which is less than any.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionedTags(Option<Arc<(u32, Tags)>>);

impl VersionedTags {
    /// Tags as a member reports them. Version 0 means that there are no tags.
    pub fn new(version: u32, tags: Tags) -> Self {
        VersionedTags((version > 0).then(|| Arc::new((version, tags))))
    }

    /// The tags with which an incarnation begins.
    pub fn first(tags: Tags) -> Self {
        Self::new(u32::from(!tags.is_empty()), tags)
    }

    /// These tags, as a change that wins over `other`; `None` when the count is used up.
    #[must_use]
    pub fn changed_after(other: &VersionedTags, tags: Tags) -> Option<Self> {
        Some(Self::new(other.version().checked_add(1)?, tags))
    }

    /// How many times they changed in this incarnation, including the first time.
    pub fn version(&self) -> u32 {
        self.0.as_ref().map_or(0, |versioned| versioned.0)
    }

    /// The tags; `None` if the member never had any.
    pub fn tags(&self) -> Option<&Tags> {
        self.0.as_ref().map(|versioned| &versioned.1)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&TagValue> {
        self.tags()?.get(key)
    }

    /// All tags in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&TagKey, &TagValue)> {
        self.tags().into_iter().flat_map(Tags::iter)
    }
}

impl fmt::Display for VersionedTags {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.tags().map_or(Ok(()), |tags| tags.fmt(formatter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Result<Tags, TagError> {
        let pairs: Result<Vec<_>, TagError> = pairs
            .iter()
            .map(|(key, value)| Ok((TagKey::new(key)?, TagValue::new(value)?)))
            .collect();
        Tags::new(pairs?)
    }

    #[test]
    fn keys_are_plain_and_values_stay_on_their_line() {
        for good in ["a", "role", "k8s.io_x-1", &"k".repeat(32)] {
            assert!(TagKey::new(good).is_ok(), "{good}");
        }
        for bad in ["", "Role", "a=b", "a b", "ü", &"k".repeat(33)] {
            assert_eq!(TagKey::new(bad), Err(TagError::Key(bad.to_owned())), "{bad}");
        }
        for good in ["", "web", "eu-west 1", "a=b", "Zürich", &"v".repeat(64)] {
            assert!(TagValue::new(good).is_ok(), "{good}");
        }
        for bad in [
            "a\nb",
            "\t",
            "\u{1b}[31m",
            "a\u{2028}b",
            "a\u{202e}b",
            &"v".repeat(65),
            &"ü".repeat(33),
        ] {
            assert_eq!(TagValue::new(bad), Err(TagError::Value(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn tags_are_few_and_short_together() {
        let keys: Vec<String> = (0..17).map(|i| format!("k{i:02}")).collect();
        let pairs: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        assert_eq!(tags(&pairs[..16]).map(|tags| tags.len()), Ok(16));
        assert_eq!(tags(&pairs), Err(TagError::TooMany));
        let long = "v".repeat(64);
        assert!(
            tags(&[("a", &long), ("b", &long), ("c", &long), ("d", &long[4..])]).is_ok(),
            "256 bytes"
        );
        assert_eq!(
            tags(&[("a", &long), ("b", &long), ("c", &long), ("d", &long[3..])]),
            Err(TagError::TooLong)
        );
    }

    /// This also holds for a change that removes all tags.
    #[test]
    fn a_change_of_tags_is_greater_than_the_tags_before() {
        let none = VersionedTags::default();
        let web = VersionedTags::first(tags(&[("role", "web")]).unwrap());
        let bare = VersionedTags::changed_after(&web, Tags::default()).unwrap();
        let back = VersionedTags::changed_after(&bare, tags(&[("role", "db")]).unwrap()).unwrap();
        assert!(none < web && web < bare && bare < back);
        assert_eq!((none.version(), web.version(), bare.version(), back.version()), (0, 1, 2, 3));
        assert_eq!(VersionedTags::first(Tags::default()), none);
        assert_eq!(
            VersionedTags::changed_after(
                &VersionedTags::new(u32::MAX, Tags::default()),
                Tags::default()
            ),
            None
        );
    }
}
