//! Reads the keys of a job's file, and says by line and key what is wrong. It owns no state.

use memberd_control::toml_text::TomlText;

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

/// Reads the keys, or says what is wrong.
pub(super) fn parse(text: TomlText) -> Result<Job, Vec<Problem>> {
    let lines = text.lines();
    let not_yet: Vec<Problem> = NOT_YET
        .iter()
        .filter_map(|(key, words)| Some(Problem::new(Some(*lines.get(*key)?), Some(key), words)))
        .collect();
    if !not_yet.is_empty() {
        return Err(not_yet);
    }
    text.parse(in_terms_of_jobs)
        .map_err(|fault| vec![Problem::new(fault.line, fault.key.as_deref(), &fault.message)])
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
