//! Parses the text of a settings file, and says in one line what is wrong and where. A [`Source`]
//! borrows that text.

use super::raw::File;
use memberd_control::toml_text::{TomlFault, TomlText};
use std::collections::BTreeMap;

/// The text of a settings file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'text> {
    pub(super) file: &'text str,
    pub(super) text: &'text str,
}

impl Source<'_> {
    /// Parses the sections and keys, or returns one line that describes the problem.
    pub(super) fn parse(self) -> Result<File, String> {
        let parsed = TomlText(self.text).parse(in_terms_of_settings);
        parsed.map_err(|fault| self.show(&fault))
    }

    /// A problem of a key, or of the value at this byte.
    pub(super) fn error(self, offset: Option<usize>, key: Option<&str>, message: &str) -> String {
        let line = offset.map(|offset| TomlText(self.text).line(offset));
        self.show(&TomlFault { line, key: key.map(str::to_owned), message: message.to_owned() })
    }

    /// Formats `FILE:LINE: KEY: MESSAGE`. The place and the key may be missing. The result is
    /// always one line.
    fn show(self, fault: &TomlFault) -> String {
        let line = fault.line.map(|line| format!(":{line}")).unwrap_or_default();
        let key = fault.key.as_ref().map(|key| format!(" {key}:")).unwrap_or_default();
        format!("{}{line}:{key} {}", self.file, fault.message).replace(char::is_control, " ")
    }

    /// The line of each key that the text sets, by `SECTION.KEY`. There are none if the text is no
    /// TOML.
    pub(super) fn lines(self) -> BTreeMap<String, usize> {
        TomlText(self.text).lines()
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
