//! The text of a job's file: parses it, and finds the line and the key of what is wrong. A
//! [`Source`] borrows that text.

use memberd_control::unknown_key::unknown_key;
use serde::Deserialize as _;
use toml::Deserializer;
use toml::de::{DeTable, DeValue, Error};

use super::Problem;
use super::raw::Job;

/// What a job may once have, and what is said of it until then.
const NOT_YET: [(&str, &str); 6] = [
    ("alert", "jobs raise no alerts yet: follow the sink with memberctl stream watch"),
    ("exec", "jobs run no programs yet: follow the sink with memberctl stream watch"),
    ("fs", "jobs read the machines' own files, and no replicated ones yet: use files"),
    ("join", "jobs do not join lines yet"),
    ("journal", "jobs read no journal yet: use files"),
    ("limits.cpu", "jobs have no limit of processor time yet: leave it out"),
];

/// The text of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'t>(pub(super) &'t str);

impl Source<'_> {
    /// Parses the keys, or says what is wrong.
    pub(super) fn parse(self) -> Result<Job, Vec<Problem>> {
        let table = DeTable::parse(self.0).map_err(|error| {
            let line = error.span().map(|span| self.line(span.start));
            vec![Problem::new(line, None, error.message())]
        })?;
        let root = table.get_ref().clone();
        let not_yet: Vec<Problem> = NOT_YET
            .iter()
            .filter_map(|(key, words)| {
                let offset = place_of(&root, key)?;
                Some(Problem::new(Some(self.line(offset)), Some(key), words))
            })
            .collect();
        if !not_yet.is_empty() {
            return Err(not_yet);
        }
        Job::deserialize(Deserializer::from(table))
            .map_err(|error| vec![explain(self, &error, &root)])
    }

    /// The line of a byte, from 1 on.
    pub(super) fn line(self, offset: usize) -> usize {
        1 + self.0.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    /// The line on which a key is set, such as `sink.file`.
    pub(super) fn line_of(self, key: &str) -> Option<usize> {
        let table = DeTable::parse(self.0).ok()?;
        place_of(table.get_ref(), key).map(|offset| self.line(offset))
    }
}

/// Where a key is set, such as `sink.file`.
fn place_of(table: &DeTable, key: &str) -> Option<usize> {
    let (first, below) =
        key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let (name, value) = table.iter().find(|(name, _)| name.get_ref() == first)?;
    match (below, value.get_ref()) {
        (None, _) => Some(name.span().start),
        (Some(below), DeValue::Table(inner)) => place_of(inner, below),
        (Some(_), _) => None,
    }
}

fn explain(source: Source, error: &Error, root: &DeTable) -> Problem {
    let offset = error.span().map(|span| span.start);
    let path = offset.and_then(|offset| path_to(root, offset)).unwrap_or_default();
    let message = match path.last() {
        Some(word) if error.message().starts_with("unknown field") => {
            unknown_key(word, error.message())
        }
        _ => in_terms_of_jobs(error.message()),
    };
    let key = path.join(".");
    Problem::new(
        offset.map(|offset| source.line(offset)),
        (!key.is_empty()).then_some(key.as_str()),
        &message,
    )
}

/// Replaces the names of Rust types by the terms of the file.
fn in_terms_of_jobs(message: &str) -> String {
    [
        ("expected u16", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected u8", "expected a whole number"),
        ("expected a sequence", "expected a list, such as [\"/var/log/nginx/*.log\"]"),
        ("expected a map", "expected a table, such as { role = \"web\" }"),
        ("expected struct Limits", "expected a table, such as { memory = \"16M\" }"),
        ("expected struct Sink", "expected a table, such as { file = \"/streams/errors.tsv\" }"),
    ]
    .iter()
    .fold(message.to_owned(), |message, (name, words)| message.replace(name, words))
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
