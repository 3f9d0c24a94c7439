//! Tags as the control socket carries them, and the filter of `--tag`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A member's tags, by key.
pub type Tags = BTreeMap<String, String>;

/// A filter: `KEY=VALUE`, or `KEY` alone for any value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagFilter {
    /// The key of the tag that a member must have.
    pub key: String,
    /// The value of that tag; none for any value.
    pub value: Option<String>,
}

/// The text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write KEY=VALUE, or KEY alone for any value")]
pub struct TagFilterError;

impl FromStr for TagFilter {
    type Err = TagFilterError;

    fn from_str(text: &str) -> Result<Self, TagFilterError> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text, None),
        };
        if key.is_empty() {
            Err(TagFilterError)
        } else {
            Ok(TagFilter { key: key.to_owned(), value })
        }
    }
}

impl fmt::Display for TagFilter {
    /// As it is written for `--tag`.
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match &self.value {
            Some(value) => write!(formatter, "{}={value}", self.key),
            None => formatter.write_str(&self.key),
        }
    }
}

impl TagFilter {
    /// Whether a member with these tags matches.
    pub fn matches(&self, tags: &Tags) -> bool {
        tags.get(&self.key)
            .is_some_and(|value| self.value.as_ref().is_none_or(|wanted| wanted == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_a_key_and_perhaps_a_value() {
        let tags = Tags::from([
            ("role".to_owned(), "web".to_owned()),
            ("note".to_owned(), "a=b".to_owned()),
        ]);
        for (filter, matches) in [
            ("role=web", true),
            ("role", true),
            ("note=a=b", true),
            ("role=", false),
            ("zone", false),
        ] {
            assert_eq!(
                filter.parse::<TagFilter>().map(|filter| filter.matches(&tags)),
                Ok(matches),
                "{filter}"
            );
        }
        assert_eq!("=web".parse::<TagFilter>(), Err(TagFilterError));
    }
}
