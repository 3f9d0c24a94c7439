//! Reads TOML that a user has written, settings or a job, and says by line and key what is wrong. A
//! [`TomlText`] borrows the text.

use crate::unknown_key::unknown_key;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use toml::Deserializer;
use toml::de::{DeTable, DeValue, Error};

/// The text of a file.
#[derive(Debug, Clone, Copy)]
pub struct TomlText<'t>(pub &'t str);

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlFault {
    /// The line, from 1 on, if the fault has a place.
    pub line: Option<usize>,
    /// The key with the tables that it is in, such as `node.port`, if it is one's fault.
    pub key: Option<String>,
    /// What is wrong. It may have several lines.
    pub message: String,
}

impl TomlText<'_> {
    /// Reads all keys. `in_terms` replaces the names of Rust types in a message.
    ///
    /// # Errors
    /// When it is no TOML, when a key is unknown, or when a value is of another type.
    pub fn parse<T: DeserializeOwned>(
        self,
        in_terms: impl Fn(&str) -> String,
    ) -> Result<T, TomlFault> {
        let table = DeTable::parse(self.0).map_err(|error| TomlFault {
            line: self.line_of_error(&error),
            key: None,
            message: error.message().to_owned(),
        })?;
        let root = table.get_ref().clone();
        T::deserialize(Deserializer::from(table))
            .map_err(|error| self.explain(&error, &root, in_terms))
    }

    fn explain(
        self,
        error: &Error,
        root: &DeTable,
        in_terms: impl Fn(&str) -> String,
    ) -> TomlFault {
        let offset = error.span().map(|span| span.start);
        let path = offset.and_then(|offset| path_to(root, offset)).unwrap_or_default();
        let message = match path.last() {
            Some(word) if error.message().starts_with("unknown field") => {
                unknown_key(word, error.message())
            }
            _ => in_terms(error.message()),
        };
        let key = (!path.is_empty()).then(|| path.join("."));
        TomlFault { line: self.line_of_error(error), key, message }
    }

    fn line_of_error(self, error: &Error) -> Option<usize> {
        error.span().map(|span| self.line(span.start))
    }

    /// The line of a byte, from 1 on.
    pub fn line(self, offset: usize) -> usize {
        1 + self.0.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    /// The line of each key that the text sets, with the tables that it is in, such as
    /// `node.port`. There are none if it is no TOML.
    pub fn lines(self) -> BTreeMap<String, usize> {
        let mut lines = BTreeMap::new();
        if let Ok(table) = DeTable::parse(self.0) {
            self.add_lines(table.get_ref(), "", &mut lines);
        }
        lines
    }

    fn add_lines(self, table: &DeTable, within: &str, lines: &mut BTreeMap<String, usize>) {
        for (key, value) in table {
            let name = format!("{within}{}", key.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                self.add_lines(inner, &format!("{name}."), lines);
            }
            lines.insert(name, self.line(key.span().start));
        }
    }
}

/// The keys that lead to the value at `offset`, the outermost first.
fn path_to(table: &DeTable, offset: usize) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let below = match value.get_ref() {
            DeValue::Table(inner) => path_to(inner, offset),
            _ => None,
        };
        let here =
            || (key.span().contains(&offset) || value.span().contains(&offset)).then(Vec::new);
        below.or_else(here).map(|mut path| {
            path.insert(0, key.get_ref().to_string());
            path
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Job {
        name: String,
        sink: Sink,
    }

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sink {
        copies: u8,
    }

    fn parse(text: &str) -> Result<Job, TomlFault> {
        TomlText(text).parse(|message| message.replace("expected u8", "expected a number"))
    }

    #[test]
    fn what_is_wrong_has_its_line_and_its_key() {
        let read = parse("name = 'a'\n[sink]\ncopies = 3\n");
        assert_eq!(read.unwrap(), Job { name: "a".to_owned(), sink: Sink { copies: 3 } });
        for (text, line, key, message) in [
            ("name = 'a'\n=\n", 2, None, ""),
            ("name = 'a'\n[sink]\ncopeis = 3\n", 3, Some("sink.copeis"), "did you mean copies?"),
            ("name = 'a'\nsink = { copies = true }", 2, Some("sink.copies"), "expected a number"),
        ] {
            let fault = parse(text).unwrap_err();
            assert_eq!((fault.line, fault.key.as_deref()), (Some(line), key), "{fault:?}");
            assert!(fault.message.contains(message), "{fault:?}");
        }
    }

    #[test]
    fn each_key_has_a_line() {
        let lines = TomlText("name = 'a'\n\n[sink]\ncopies = 3\n").lines();
        let expected = [("name", 1), ("sink", 3), ("sink.copies", 4)];
        let expected = expected.map(|(key, line)| (key.to_owned(), line));
        assert_eq!(lines, BTreeMap::from(expected));
        assert!(TomlText("=").lines().is_empty());
    }
}
