//! Runs a query over lines, and shows its rows.

use memberd_streams::{Counts, Fold, Gather, Limits, LineTime, Plan, Query, Rows};
use std::sync::Arc;

/// No test needs more.
pub(crate) const LIMITS: Limits = Limits { groups: 1_000_000, bytes: 1 << 30 };

/// The time of a line is its first number, before a space, in milliseconds. Others have none.
pub(crate) struct FirstWord;

impl LineTime for FirstWord {
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64> {
        let word = line.split(|byte| *byte == b' ').next()?;
        std::str::from_utf8(word).ok()?.parse().ok()
    }
}

pub(crate) fn plan(query: &str) -> Arc<Plan> {
    let parsed = Query::parse(query).unwrap_or_else(|error| panic!("{}", error.pointed(query)));
    Arc::new(Plan::new(&parsed).unwrap_or_else(|error| panic!("{}", error.pointed(query))))
}

/// A fold of these lines of the file `f` of the member `m`.
pub(crate) fn fold<'a>(plan: &Arc<Plan>, lines: impl IntoIterator<Item = &'a [u8]>) -> Fold {
    let mut fold = Fold::new(plan.clone(), "m", LIMITS);
    fold.set_file(b"f");
    for line in lines {
        fold.line(line, &mut FirstWord).unwrap();
    }
    fold
}

/// The answer of partial sums of the member `m`.
pub(crate) fn gathered(plan: &Arc<Plan>, partials: impl IntoIterator<Item = Vec<u8>>) -> Rows {
    gathered_of(plan, partials.into_iter().map(|partial| ("m", partial)))
}

/// The answer of partial sums, each with its member.
pub(crate) fn gathered_of<'a>(
    plan: &Arc<Plan>,
    partials: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
) -> Rows {
    let mut gather = Gather::new(plan.clone(), LIMITS);
    for (member, partial) in partials {
        assert!(partial.len() <= memberd_streams::MAX_PARTIAL, "{} bytes", partial.len());
        gather.partial(member, &partial).unwrap();
    }
    gather.finish().unwrap()
}

/// The answer over these lines.
pub(crate) fn answer(query: &str, lines: &[&[u8]]) -> Rows {
    let plan = plan(query);
    gathered(&plan, fold(&plan, lines.iter().copied()).into_partials())
}

/// Rows as text: values in a row by a space, escaped; `.` is for what is missing.
pub(crate) fn shown(rows: &Rows) -> Vec<String> {
    let value = |value: &memberd_streams::Value| match value {
        memberd_streams::Value::Missing => ".".to_owned(),
        _ => value.to_bytes().escape_ascii().to_string(),
    };
    let row = |row: &memberd_streams::Row| row.values.iter().map(value).collect::<Vec<_>>();
    rows.rows.iter().map(|each| row(each).join(" ")).collect()
}

/// The rows over lines of a text, as text.
pub(crate) fn ask(query: &str, text: &str) -> Vec<String> {
    let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    shown(&answer(query, &lines))
}

/// What was counted over lines of a text.
pub(crate) fn counts(query: &str, lines: &[&[u8]]) -> Counts {
    answer(query, lines).counts
}
