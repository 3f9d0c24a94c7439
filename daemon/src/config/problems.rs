//! What is wrong with settings, each with its place.

use super::source::Source;
use memberd_control::duration;
use std::time::Duration;

/// Collects what is wrong, each with its place.
pub(super) struct Problems<'a> {
    source: Source<'a>,
    lines: Vec<String>,
}

impl<'a> Problems<'a> {
    /// None so far.
    pub(super) fn new(source: Source<'a>) -> Self {
        Problems { source, lines: Vec::new() }
    }

    /// How many there are so far.
    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }

    /// A line for each.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines
    }

    pub(super) fn add<T>(
        &mut self,
        value: &toml::Spanned<T>,
        key: &str,
        what: impl std::fmt::Display,
    ) {
        self.lines.push(self.source.error(Some(value.span().start), Some(key), &what.to_string()));
    }

    pub(super) fn add_missing(&mut self, key: &str, what: impl std::fmt::Display) {
        self.lines.push(self.source.error(None, Some(key), &what.to_string()));
    }
}

/// Reads a duration such as `600ms`; none if it is not set, or wrong.
pub(super) fn span(
    set: Option<&toml::Spanned<String>>,
    key: &str,
    problems: &mut Problems,
) -> Option<Duration> {
    let set = set?;
    duration::parse(set.get_ref()).map_err(|error| problems.add(set, key, error)).ok()
}
