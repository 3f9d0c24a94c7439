//! Collects what is wrong with a job's file. [`Problems`] owns one record for each.

use memberd_control::toml_text::TomlText;
use memberd_streams::QueryError;
use serde::Serialize;
use toml::Spanned;

use super::raw::Set;
use crate::format;

/// What is wrong with a job's file, and where. Users rely on the shape of its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The line, from 1 on; none for what is missing.
    pub(super) line: Option<usize>,
    key: Option<String>,
    message: String,
    /// The line of the query, and marks below the place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    query: Vec<String>,
}

impl Problem {
    /// A problem without a place in a query.
    pub(super) fn new(line: Option<usize>, key: Option<&str>, message: &str) -> Problem {
        let message = message.replace(char::is_control, " ");
        Problem { line, key: key.map(str::to_owned), message, query: Vec::new() }
    }

    /// `FILE:LINE: KEY: MESSAGE`. The line and the key may be missing.
    pub(in crate::command::stream) fn line(&self, file: &str) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let key = self.key.as_ref().map(|key| format!(" {key}:")).unwrap_or_default();
        format!("{file}{line}:{key} {}", self.message)
    }

    /// Lines that show the place in the query, safe for a terminal.
    pub(in crate::command::stream) fn shown(&self) -> impl Iterator<Item = String> {
        self.query.iter().map(|line| format!("  {}", format::printable(line)))
    }
}

/// The problems found so far.
#[derive(Debug)]
pub(super) struct Problems<'t> {
    text: TomlText<'t>,
    all: Vec<Problem>,
}

impl<'t> Problems<'t> {
    /// None yet.
    pub(super) fn new(text: TomlText<'t>) -> Problems<'t> {
        Problems { text, all: Vec::new() }
    }

    /// A value is wrong.
    pub(super) fn add<T>(&mut self, value: &Spanned<T>, key: &str, message: &str) {
        let line = self.text.line(value.span().start);
        self.all.push(Problem::new(Some(line), Some(key), message));
    }

    /// A query is wrong at a place of its own.
    pub(super) fn add_pointed(&mut self, query: &Spanned<String>, key: &str, error: &QueryError) {
        self.add(query, key, &error.message);
        let pointed = error.pointed(query.get_ref());
        if let Some(problem) = self.all.last_mut() {
            problem.query = pointed.lines().take(2).map(str::to_owned).collect();
        }
    }

    /// A key is missing.
    pub(super) fn missing(&mut self, key: &str, message: &str) {
        self.all.push(Problem::new(None, Some(key), message));
    }

    /// The value, or its default if it is missing, which is a problem.
    pub(super) fn needed<T: Default>(&mut self, key: &str, set: Set<T>, message: &str) -> T {
        set.map_or_else(
            || {
                self.missing(key, message);
                T::default()
            },
            Spanned::into_inner,
        )
    }

    /// All of them in the order of their lines, those without a line at the end, if there are any.
    pub(super) fn end(mut self) -> Result<(), Vec<Problem>> {
        self.all.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        if self.all.is_empty() { Ok(()) } else { Err(self.all) }
    }
}
