//! Hints for what is often written otherwise.

use super::lexer::{Kind, Token};
use super::words::{RESERVED, STAGES, suggestion};

/// What `token` behind a finished stage was most likely meant as. `before` is the token before it.
pub(super) fn behind_stage(query: &str, before: &Token, token: &Token) -> Option<String> {
    let joined = before.span.end == token.span.start;
    let said = &query[token.span.clone()];
    match (&before.kind, &token.kind) {
        (Kind::Number(_) | Kind::Measure(..), _) if joined => {
            Some("put this in quotes if it is a text, such as '10.0.0.1'".to_owned())
        }
        (Kind::Word(word), Kind::Sign("-" | "/" | ":")) if joined => Some(format!(
            "put a name with other signs than letters, digits, `_`, `@` and `.` in backquotes: \
             `{word}{said}..`"
        )),
        (_, Kind::Word(word)) if STAGES.contains(&word.as_str()) => {
            Some(format!("`{word}` is a stage: put `|` before it"))
        }
        (_, Kind::Word(word)) if RESERVED.contains(&word.as_str()) => None,
        (_, Kind::Word(word)) => {
            suggestion(word, RESERVED).map(|near| format!("did you mean `{near}`?"))
        }
        _ => None,
    }
}

/// Why a word is no value, although other languages have it.
pub(super) fn no_value(word: &str) -> Option<&'static str> {
    matches!(word, "null" | "nil" | "NULL")
        .then_some("nothing is equal to what is missing: write `has(x)` or `not has(x)`")
}
