//! The pattern at the beginning of a query, and where the stages begin.

use super::QueryError;
use super::lexer;
use std::ops::Range;
use winnow::Parser;
use winnow::stream::{LocatingSlice, Location};

/// What stands before the first `|`.
pub(super) struct Pattern {
    /// None if all lines are meant.
    pub(super) text: Option<String>,
    /// Where it is, without the spaces around it.
    pub(super) span: Range<usize>,
    /// It had no quotes.
    pub(super) bare: bool,
    /// Where the first `|` is, or the end of the query.
    pub(super) end: usize,
}

/// Reads it. A `|` behind a backslash belongs to a bare pattern.
pub(super) fn pattern(query: &str) -> Result<Pattern, QueryError> {
    let start = query.len() - query.trim_start().len();
    if query[start..].starts_with(['"', '\'']) {
        return quoted(query, start);
    }
    let mut end = query.len();
    let mut characters = query.char_indices();
    while let Some((at, next)) = characters.next() {
        if next == '\\' {
            characters.next();
        } else if next == '|' {
            end = at;
            break;
        }
    }
    let text = query[..end].trim();
    let span = start.min(end)..start.min(end) + text.len();
    Ok(Pattern { text: (!text.is_empty()).then(|| text.to_owned()), span, bare: true, end })
}

fn quoted(query: &str, start: usize) -> Result<Pattern, QueryError> {
    let mut input = LocatingSlice::new(&query[start..]);
    let Ok(lexer::Kind::Text(inner, quote)) = lexer::text.parse_next(&mut input) else {
        let message = "the closing quote of the pattern is missing";
        return Err(QueryError::new(message, start..query.len()));
    };
    let behind = start + input.current_token_start();
    let rest = query[behind..].trim_start();
    let end = query.len() - rest.len();
    if !rest.is_empty() && !rest.starts_with('|') {
        let message = "after a pattern in quotes, `|` and a stage are expected";
        return Err(QueryError::new(message, end..query.len()));
    }
    let text = lexer::raw(&inner, quote);
    let text = (!text.is_empty()).then_some(text);
    Ok(Pattern { text, span: start..behind, bare: false, end })
}
