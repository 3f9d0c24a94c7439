//! What every line must contain that the patterns select, so that blocks without it need not be
//! read. A filter of words answers: what it cannot use is left out.
//!
//! `needs/expression` takes it from the expression that the automaton has. `needs/perl` writes a
//! Perl pattern as such an expression, which may match more.

mod expression;
mod perl;

use memberd_copies::filter;
use memberd_copies::needs::{Literal, Needs};

use super::engine::Engine;
use super::patterns::{Alternatives, Patterns, Settings};

/// The most literals of one query: a filter looks up each of them.
const MAX_LITERALS: usize = 128;

/// The longest literal, in bytes. Of a longer one, a part is enough.
const MAX_LITERAL_BYTES: usize = 256;

/// The longest expression that is looked at, in bytes: reading one takes memory and time that
/// nothing else accounts for.
const MAX_EXPRESSION_BYTES: usize = 4 * 1024;

/// What each line must contain that matches.
pub(crate) fn of(patterns: &Patterns, engine: &Engine) -> Needs {
    let settings = patterns.settings;
    if settings.null_data {
        // Such a line may be in many blocks.
        return Needs::Anything;
    }
    let needs = match &patterns.language {
        Alternatives::Texts(texts) => of_texts(texts, settings),
        Alternatives::Posix(nodes) if nodes.is_empty() => Needs::Any(Vec::new()),
        Alternatives::Posix(_) => match engine.automaton() {
            Some(automaton) if automaton.expression_bytes() <= MAX_EXPRESSION_BYTES => {
                automaton.hir().map_or(Needs::Anything, |hir| expression::needs(&hir))
            }
            _ => Needs::Anything,
        },
        Alternatives::Perl(pattern) if pattern.len() > MAX_EXPRESSION_BYTES => Needs::Anything,
        Alternatives::Perl(pattern) => {
            perl::hir(pattern, settings).map_or(Needs::Anything, |hir| expression::needs(&hir))
        }
    };
    bounded(needs)
}

/// One of these strings, one a line.
fn of_texts(texts: &[u8], settings: Settings) -> Needs {
    let lines = texts.split(|byte| *byte == b'\n');
    if lines.clone().nth(MAX_LITERALS).is_some() {
        return Needs::Anything;
    }
    any(lines.map(|line| of_text(line, settings)))
}

fn of_text(text: &[u8], settings: Settings) -> Needs {
    let has_edges = settings.words || settings.whole_lines;
    let literal = |bytes: &[u8], is_first: bool, is_last: bool| {
        let is_cut = bytes.len() > MAX_LITERAL_BYTES;
        let bytes = bytes.get(..MAX_LITERAL_BYTES).unwrap_or(bytes);
        Needs::Literal(Literal {
            begins_word: has_edges && is_first && bytes.first().is_some_and(is_word),
            ends_word: has_edges && is_last && !is_cut && bytes.last().is_some_and(is_word),
            bytes: if settings.ignore_case { bytes.to_ascii_lowercase() } else { bytes.to_vec() },
            ignores_case: settings.ignore_case,
        })
    };
    if !settings.ignore_case {
        return literal(text, true, true);
    }
    // Letters beyond ASCII have other cases, some of them in ASCII.
    let parts = text.split(|byte| !byte.is_ascii());
    let last = parts.clone().count() - 1;
    all(parts.enumerate().map(|(at, part)| literal(part, at == 0, at == last)))
}

/// Whether it is a byte of a word, in every locale.
fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// All of these, without those that a filter cannot use.
fn all(needs: impl IntoIterator<Item = Needs>) -> Needs {
    let mut useful: Vec<Needs> = needs.into_iter().filter(filter::is_useful).collect();
    match useful.pop() {
        None => Needs::Anything,
        Some(only) if useful.is_empty() => only,
        Some(last) => {
            useful.push(last);
            Needs::All(useful)
        }
    }
}

/// One of these.
fn any(needs: impl IntoIterator<Item = Needs>) -> Needs {
    let mut all = Vec::new();
    for needs in needs {
        if !filter::is_useful(&needs) {
            return Needs::Anything;
        }
        if !all.contains(&needs) {
            all.push(needs);
        }
    }
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => {
            all.extend(last);
            Needs::Any(all)
        }
    }
}

/// The needs with at most [`MAX_LITERALS`] literals. What is required beside others may be left
/// out.
fn bounded(needs: Needs) -> Needs {
    let mut left = MAX_LITERALS;
    match needs {
        Needs::All(mut needs) => {
            needs.sort_by_key(literals);
            needs.retain(|needs| match left.checked_sub(literals(needs)) {
                Some(less) => {
                    left = less;
                    true
                }
                None => false,
            });
            all(needs)
        }
        needs if literals(&needs) > MAX_LITERALS => Needs::Anything,
        needs => needs,
    }
}

fn literals(needs: &Needs) -> usize {
    match needs {
        Needs::Anything => 0,
        Needs::Literal(_) => 1,
        Needs::All(needs) | Needs::Any(needs) => needs.iter().map(literals).sum(),
    }
}

#[cfg(test)]
#[path = "../../tests/support/cases.rs"]
mod cases;
#[cfg(test)]
#[path = "needs_tests.rs"]
mod tests;
