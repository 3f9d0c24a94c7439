//! Tags as the control socket carries them, and which members a `--tag` wants.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// What a member says of itself, by key.
pub type Tags = BTreeMap<String, String>;

/// `KEY=VALUE`, or `KEY` alone for any value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagFilter {
    /// The key that a member must have.
    pub key: String,
    /// The value that it must have there; none for any.
    pub value: Option<String>,
}

/// What is no filter.
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

impl TagFilter {
    /// Whether a member with these tags is wanted.
    pub fn matches(&self, tags: &Tags) -> bool {
        tags.get(&self.key)
            .is_some_and(|value| self.value.as_ref().is_none_or(|wanted| wanted == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_wants_a_key_with_a_value_or_with_any() {
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
