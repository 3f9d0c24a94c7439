//! A settings file's text: parsed, and able to say on which line and under which key something
//! stands.

use super::raw::File;
use serde::Deserialize;
use toml::Deserializer;
use toml::de::{DeTable, DeValue, Error};

/// The text of a settings file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'text> {
    pub(super) file: &'text str,
    pub(super) text: &'text str,
}

impl Source<'_> {
    /// Its sections and keys, or a line that says what is wrong with them.
    pub(super) fn parse(self) -> Result<File, String> {
        let table = DeTable::parse(self.text).map_err(|error| {
            self.error(error.span().map(|span| span.start), None, error.message())
        })?;
        let root = table.get_ref().clone();
        File::deserialize(Deserializer::from(table)).map_err(|error| self.explain(&error, &root))
    }

    /// `FILE:LINE: KEY: MESSAGE`, for an error at a place in the text and about a key, if it has
    /// them. One line whatever is in it.
    pub(super) fn error(self, offset: Option<usize>, key: Option<&str>, message: &str) -> String {
        let line = offset
            .map(|offset| 1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count());
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let key = key.map(|key| format!(" {key}:")).unwrap_or_default();
        format!("{}{line}:{key} {message}", self.file).replace(char::is_control, " ")
    }

    fn explain(self, error: &Error, root: &DeTable) -> String {
        let offset = error.span().map(|span| span.start);
        let path = offset.and_then(|offset| path_to(root, offset)).unwrap_or_default();
        let message = match path.last() {
            Some(word) if error.message().starts_with("unknown field") => {
                unknown_key(word, error.message())
            }
            _ => in_plain_words(error.message()),
        };
        self.error(offset, (!path.is_empty()).then(|| path.join(".")).as_deref(), &message)
    }
}

/// The names of types of this program, in the words of the settings.
fn in_plain_words(message: &str) -> String {
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

/// The keys that lead to what stands at `offset`, outermost first.
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

/// Says which key was meant. `refusal` is serde's, and ends in the keys it knows: ``expected one of
/// `name`, `port` ``.
fn unknown_key(word: &str, refusal: &str) -> String {
    let known: Vec<&str> = refusal
        .rsplit("expected ")
        .next()
        .unwrap_or_default()
        .split('`')
        .skip(1)
        .step_by(2)
        .collect();
    let nearest = known.iter().min_by_key(|name| edits(word, name));
    match nearest {
        Some(name) if edits(word, name) <= 1 + word.len() / 4 => {
            format!("unknown key: did you mean {name}?")
        }
        _ => format!("unknown key: known are {}", known.join(", ")),
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
