//! The words of the language, and which of them a mistaken one may have meant.

/// Words that are no names of fields, unless they are in backquotes.
pub(crate) const RESERVED: [&str; 16] = [
    "and",
    "as",
    "asc",
    "by",
    "contains",
    "desc",
    "endswith",
    "every",
    "false",
    "in",
    "matches",
    "not",
    "or",
    "over",
    "startswith",
    "true",
];

/// With what a stage begins. There are more percentiles than these.
pub(super) const STAGES: [&str; 22] = [
    "nginx", "apache", "json", "logfmt", "syslog", "parse", "regex", "where", "let", "keep",
    "sort", "top", "count", "sum", "min", "max", "avg", "distinct", "p50", "p95", "p99", "p999",
];

/// Stages of streams.
pub(super) const STREAM_STAGES: [&str; 3] = ["alert", "exec", "join"];

/// Words of other languages, and what they are here.
const TRANSLATIONS: [(&str, &str); 14] = [
    ("average", "avg"),
    ("dc", "distinct"),
    ("eval", "let"),
    ("extend", "let"),
    ("fields", "keep"),
    ("filter", "where"),
    ("head", "top"),
    ("limit", "top"),
    ("mean", "avg"),
    ("order", "sort"),
    ("project", "keep"),
    ("stats", "count"),
    ("summarize", "count"),
    ("uniq", "distinct"),
];

/// The stage that a word of another language means, or that it resembles.
pub(super) fn stage_suggestion(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let translated = TRANSLATIONS.iter().find(|(theirs, _)| *theirs == lower);
    translated.map(|(_, ours)| (*ours).to_owned()).or_else(|| suggestion(word, STAGES))
}

/// The candidate that is nearest to `word`: one slip away, or two in a word of six bytes or more.
/// Words of one or two bytes resemble too many.
pub(crate) fn suggestion<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let allowed = match word.len() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let near = candidates.into_iter().filter(|candidate| *candidate != word);
    let distances = near.map(|candidate| (slips(word, candidate), candidate));
    let best = distances.filter(|(slips, _)| *slips <= allowed).min_by_key(|(slips, _)| *slips);
    best.map(|(_, candidate)| candidate.to_owned())
}

/// How many bytes must be added, left out, replaced or swapped with their neighbour, capitals being
/// no difference: the optimal string alignment distance.
fn slips(one: &str, other: &str) -> usize {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, byte) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, theirs) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(byte != theirs);
            let mut least = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && *byte == other[column - 1] && one[row - 1] == *theirs {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[other.len()]
}
