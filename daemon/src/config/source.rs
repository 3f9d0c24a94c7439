//! A settings file's text: parsed, and able to say on which line and under which key something stands.

use super::error::ConfigError;
use super::raw::Raw;
use serde::Deserialize;
use std::path::Path;
use toml::Deserializer;
use toml::de::{DeTable, DeValue, Error};

/// The text of a settings file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'text> {
    pub(super) file: &'text Path,
    pub(super) text: &'text str,
}

impl Source<'_> {
    /// Its sections and keys.
    pub(super) fn parse(self) -> Result<Raw, ConfigError> {
        let table =
            DeTable::parse(self.text).map_err(|error| self.error(error.span().map(|span| span.start), None, error.message()))?;
        let root = table.get_ref().clone();
        Raw::deserialize(Deserializer::from(table)).map_err(|error| self.explain(&error, &root))
    }

    /// An error at a place in the text. An empty message is never given.
    pub(super) fn error(self, offset: Option<usize>, key: Option<String>, message: &str) -> ConfigError {
        let line = offset.map(|offset| 1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count());
        // Whatever a value or a library said: an error is one line.
        let message = message.replace(|character: char| character.is_control(), " ");
        ConfigError { file: self.file.to_owned(), line, key, message }
    }

    fn explain(self, error: &Error, root: &DeTable) -> ConfigError {
        let offset = error.span().map(|span| span.start);
        let key = offset.and_then(|offset| path_to(root, offset)).filter(|path| !path.is_empty());
        let message = match key.as_deref().and_then(|path| path.last()) {
            Some(word) if error.message().starts_with("unknown field") => unknown_key(word, error.message()),
            _ => error.message().to_owned(),
        };
        self.error(offset, key.map(|path| path.join(".")), &message)
    }
}

/// The keys that lead to what stands at `offset`, outermost first.
fn path_to(table: &DeTable, offset: usize) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let below = match value.get_ref() {
            DeValue::Table(inner) => path_to(inner, offset),
            _ => None,
        };
        let here = || (key.span().contains(&offset) || value.span().contains(&offset)).then(Vec::new);
        below.or_else(here).map(|mut path| {
            path.insert(0, key.get_ref().to_string());
            path
        })
    })
}

/// Says which key was meant. `refusal` is serde's, and ends in the keys it knows: ``expected one of `name`, `port` ``.
fn unknown_key(word: &str, refusal: &str) -> String {
    let known: Vec<&str> = refusal.rsplit("expected ").next().unwrap_or_default().split('`').skip(1).step_by(2).collect();
    let nearest = known.iter().min_by_key(|name| edits(word, name));
    match nearest {
        Some(name) if edits(word, name) <= 1 + word.len() / 4 => format!("unknown key: did you mean {name}?"),
        _ => format!("unknown key: write one of {}", known.join(", ")),
    }
}

/// How many single-character changes make one word of the other (the Levenshtein distance).
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut last = index + 1;
        let mut next = vec![last];
        for (above, right) in row.windows(2).zip(other.chars()) {
            if let [diagonal, above] = above {
                last = (diagonal + usize::from(left != right)).min(above + 1).min(last + 1);
                next.push(last);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_by_the_changes_between_them() {
        for (one, other, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("port", "prot", 2),
            ("naem", "name", 2),
            ("kitten", "sitting", 3),
            ("a", "a", 0),
        ] {
            assert_eq!(edits(one, other), distance, "{one} {other}");
        }
    }
}
