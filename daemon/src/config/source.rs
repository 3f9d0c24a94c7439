//! Parses the text of a settings file, and finds the line and the key of an error. A [`Source`]
//! borrows that text.

use super::raw::File;
use memberd_control::unknown_key::unknown_key;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Deserializer;
use toml::de::{DeTable, DeValue, Error};

/// The text of a settings file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'text> {
    pub(super) file: &'text str,
    pub(super) text: &'text str,
}

impl Source<'_> {
    /// Parses the sections and keys, or returns one line that describes the problem.
    pub(super) fn parse(self) -> Result<File, String> {
        let table = DeTable::parse(self.text).map_err(|error| {
            self.error(error.span().map(|span| span.start), None, error.message())
        })?;
        let root = table.get_ref().clone();
        File::deserialize(Deserializer::from(table)).map_err(|error| self.explain(&error, &root))
    }

    /// Formats `FILE:LINE: KEY: MESSAGE`. The place and the key may be missing. The result is
    /// always one line.
    pub(super) fn error(self, offset: Option<usize>, key: Option<&str>, message: &str) -> String {
        let line = offset.map(|offset| format!(":{}", self.line(offset))).unwrap_or_default();
        let key = key.map(|key| format!(" {key}:")).unwrap_or_default();
        format!("{}{line}:{key} {message}", self.file).replace(char::is_control, " ")
    }

    fn line(self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    /// The line of each key that the text sets, by `SECTION.KEY`. There are none if the text is no
    /// TOML.
    pub(super) fn lines(self) -> BTreeMap<String, usize> {
        let Ok(table) = DeTable::parse(self.text) else { return BTreeMap::new() };
        let mut lines = BTreeMap::new();
        for (section, value) in table.get_ref() {
            let DeValue::Table(keys) = value.get_ref() else { continue };
            for key in keys.keys() {
                let name = format!("{}.{}", section.get_ref(), key.get_ref());
                lines.insert(name, self.line(key.span().start));
            }
        }
        lines
    }

    fn explain(self, error: &Error, root: &DeTable) -> String {
        let offset = error.span().map(|span| span.start);
        let path = offset.and_then(|offset| path_to(root, offset)).unwrap_or_default();
        let message = match path.last() {
            Some(word) if error.message().starts_with("unknown field") => {
                unknown_key(word, error.message())
            }
            _ => in_terms_of_settings(error.message()),
        };
        self.error(offset, (!path.is_empty()).then(|| path.join(".")).as_deref(), &message)
    }
}

/// Replaces the names of Rust types by the terms of the settings.
fn in_terms_of_settings(message: &str) -> String {
    let names = [
        ("expected u16", "expected a whole number up to 65535"),
        ("expected u8", "expected a whole number up to 255"),
        ("expected a sequence", "expected a list"),
        ("expected path string", "expected a string"),
        (
            "data did not match any variant of untagged enum Machine",
            "expected a whole number or a string",
        ),
    ];
    let plain = names
        .iter()
        .fold(message.to_owned(), |message, (name, words)| message.replace(name, words));
    match plain.split_once("expected struct ") {
        Some((found, _)) => format!("{found}expected a section"),
        None => plain,
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
