//! Patterns: from POSIX text to something that finds lines, and the extents of matches within them.
//!
//! `token` and `parse` read a pattern into a `tree`; `translate` writes the tree in the syntax of the `regex` crates; `engine`
//! compiles that. An engine with back-references would be another reader of the tree, beside `translate` and `engine`.

mod bracket;
mod class;
mod engine;
mod error;
mod extent;
mod interval;
mod parse;
mod token;
mod translate;
mod tree;

pub(crate) use engine::Engine;
pub use error::PatternError;
pub(crate) use extent::{Extents, ExtentsCache};

use crate::query::{Query, Syntax};
use token::Language;
use translate::Translator;
use tree::Node;

/// The most bytes that the patterns of one query may have together.
pub const MAX_PATTERN_BYTES: usize = 64 * 1024;

/// The query's patterns as one expression in the syntax of the `regex` crates, `-w` and `-x` included.
pub(crate) fn translate(query: &Query) -> Result<String, PatternError> {
    if query.patterns.iter().map(|pattern| pattern.len() + 1).sum::<usize>() > MAX_PATTERN_BYTES + 1 {
        return Err(PatternError::TooLong { limit: MAX_PATTERN_BYTES });
    }
    let mut translator = Translator::new(query.ignore_case);
    let mut expression = String::new();
    let mut backreference = None;
    for pattern in query.patterns.iter().flat_map(|pattern| pattern.split('\n')) {
        if !expression.is_empty() {
            expression.push('|');
        }
        let node = match query.syntax {
            Syntax::Basic => parse::parse(Language::Basic, pattern)?,
            Syntax::Extended => parse::parse(Language::Extended, pattern)?,
            Syntax::Fixed => Node::Sequence(pattern.chars().map(Node::Literal).collect()),
        };
        expression.push_str("(?:");
        // What is wrong with a later pattern is said before what is only not supported in an earlier one.
        match translator.write(&node, &mut expression) {
            Err(PatternError::BackReference) => backreference = Some(PatternError::BackReference),
            other => other?,
        }
        expression.push(')');
    }
    if let Some(error) = backreference {
        return Err(error);
    }
    Ok(if query.patterns.is_empty() {
        // No pattern matches nothing: a character that is neither.
        r"[^\s\S]".to_owned()
    } else if query.whole_lines {
        format!("(?m:^)(?:{expression})(?m:$)")
    } else if query.words {
        format!(r"\b{{start-half}}(?:{expression})\b{{end-half}}")
    } else {
        expression
    })
}

#[cfg(test)]
#[path = "pattern/translate_tests.rs"]
mod tests;
