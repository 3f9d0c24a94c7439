//! Collects the problems of the settings. [`Problems`] owns one line for each.

use super::ConfigError;
use super::source::Source;
use memberd_control::duration::{self, DurationError};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The units that a number without one may mean, the likeliest first.
const UNITS: [&str; 5] = ["s", "ms", "h", "d", "min"];

/// The problems found so far, each with its place in the file.
pub(super) struct Problems<'a> {
    source: Source<'a>,
    lines: Vec<String>,
    /// What the machine does not have yet.
    not_yet: Vec<String>,
}

impl<'a> Problems<'a> {
    /// Starts without a problem.
    pub(super) fn new(source: Source<'a>) -> Self {
        Problems { source, lines: Vec::new(), not_yet: Vec::new() }
    }

    /// The number of problems so far.
    pub(super) fn count(&self) -> usize {
        self.lines.len() + self.not_yet.len()
    }

    /// Returns one line for each problem. The invalid settings come first.
    pub(super) fn into_error(self) -> ConfigError {
        let only_not_yet = self.lines.is_empty();
        ConfigError { lines: [self.lines, self.not_yet].concat(), only_not_yet }
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

    /// What is set has no meaning yet on this machine. It may have one later.
    pub(super) fn add_set_not_yet<T>(
        &mut self,
        value: &toml::Spanned<T>,
        key: &str,
        what: impl std::fmt::Display,
    ) {
        let line = self.source.error(Some(value.span().start), Some(key), &what.to_string());
        self.not_yet.push(line);
    }

    /// The machine has no value yet for a setting that is not set. It may have one later.
    pub(super) fn add_not_yet(&mut self, key: &str, what: impl std::fmt::Display) {
        self.not_yet.push(self.source.error(None, Some(key), &what.to_string()));
    }
}

/// Reads a duration such as `600ms`; `None` if it is not set or invalid. If it has no unit, the
/// problem names one with which it is in these bounds.
pub(super) fn span(
    set: Option<&toml::Spanned<String>>,
    key: &str,
    bounds: &RangeInclusive<Duration>,
    problems: &mut Problems,
) -> Option<Duration> {
    let set = set?;
    let parsed = duration::parse(set.get_ref());
    let explained = parsed.map_err(|error| match error {
        DurationError::NoUnit(number) => {
            let mut written = UNITS.iter().map(|unit| format!("{number}{unit}"));
            let fits =
                |text: &String| duration::parse(text).is_ok_and(|read| bounds.contains(&read));
            let fitting = written.find(fits).unwrap_or_else(|| format!("{number}s"));
            format!("{number:?} has no unit: write {fitting:?}")
        }
        other => other.to_string(),
    });
    explained.map_err(|what| problems.add(set, key, what)).ok()
}
