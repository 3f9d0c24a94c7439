//! The patterns of a query, parsed.

use super::automaton::CACHE_LIMIT;
use super::error::PatternError;
use super::literals::Literals;
use super::parse;
use super::symbol::{Symbol, symbols};
use super::token::Language;
use super::tree::Node;
use super::{MAX_EXPRESSION_BYTES, MAX_PATTERN_BYTES};
use crate::query::Query;
use memberd_control::grep::{GrepCharacters, GrepPattern, GrepSyntax};

/// What the patterns mean, and the settings of all of them.
#[derive(Debug, Clone)]
pub(crate) struct Patterns {
    pub(crate) language: Alternatives,
    pub(crate) settings: Settings,
}

/// Any of these matches.
#[derive(Debug, Clone)]
pub(crate) enum Alternatives {
    /// Strings, one a line. There is at least one, which may be empty.
    Texts(Vec<u8>),
    Posix(Vec<Node>),
    Perl(Vec<u8>),
}

/// The settings of all patterns of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) compiled_bytes: usize,
    /// The largest cache of a lazily built automaton, in bytes.
    pub(crate) cache_bytes: usize,
    pub(crate) characters: GrepCharacters,
    pub(crate) ignore_case: bool,
    pub(crate) words: bool,
    pub(crate) whole_lines: bool,
    pub(crate) null_data: bool,
}

impl Settings {
    fn of(query: &Query) -> Settings {
        let compiled_bytes = query.compiled_bytes;
        let GrepPattern { characters, ignore_case, words, whole_lines, null_data, .. } =
            query.pattern;
        let cache_bytes = CACHE_LIMIT;
        Settings {
            compiled_bytes,
            cache_bytes,
            characters,
            ignore_case,
            words,
            whole_lines,
            null_data,
        }
    }

    /// The same with other limits of an automaton and of its cache, in bytes.
    pub(crate) fn with_sizes(self, compiled_bytes: usize, cache_bytes: usize) -> Settings {
        Settings { compiled_bytes, cache_bytes, ..self }
    }
}

impl Patterns {
    /// Parses them all: what is wrong with any of them is an error.
    pub(crate) fn parse(query: &Query) -> Result<Patterns, PatternError> {
        let patterns = &query.pattern.patterns;
        if bytes(patterns) > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong { limit: MAX_PATTERN_BYTES });
        }
        let settings = Settings::of(query);
        let language = match query.pattern.syntax {
            _ if patterns.is_empty() => Alternatives::Posix(Vec::new()),
            GrepSyntax::Fixed => Alternatives::Texts(patterns.join(&b'\n')),
            GrepSyntax::Basic => posix(Language::Basic, query)?,
            GrepSyntax::Extended => posix(Language::Extended, query)?,
            GrepSyntax::Perl => {
                let mut lines = lines(patterns);
                match (lines.next(), lines.next()) {
                    (Some(only), None) => Alternatives::Perl(only.to_vec()),
                    _ => return Err(PatternError::SeveralPerlPatterns),
                }
            }
        };
        // The trees of the others take many times their bytes.
        let is_set = match &language {
            Alternatives::Texts(texts) => Literals::are_wanted(texts, settings),
            Alternatives::Posix(_) | Alternatives::Perl(_) => false,
        };
        if !is_set && bytes(patterns) > MAX_EXPRESSION_BYTES {
            return Err(PatternError::ExpressionsTooLong { limit: MAX_EXPRESSION_BYTES });
        }
        Ok(Patterns { language, settings })
    }

    /// No patterns at all. Nothing matches them.
    pub(crate) fn none(query: &Query) -> Patterns {
        Patterns { language: Alternatives::Posix(Vec::new()), settings: Settings::of(query) }
    }
}

/// The bytes of patterns, with a newline after each but the last.
fn bytes(patterns: &[Vec<u8>]) -> usize {
    patterns.iter().map(|pattern| pattern.len() + 1).sum::<usize>().saturating_sub(1)
}

fn lines(patterns: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    patterns.iter().flat_map(|pattern| pattern.split(|byte| *byte == b'\n'))
}

/// Parses patterns. Many plain strings are kept as such, because their trees need much memory.
fn posix(language: Language, query: &Query) -> Result<Alternatives, PatternError> {
    let GrepPattern { characters, patterns, .. } = &query.pattern;
    let parse = |line| parse::parse(language, &symbols(*characters, line));
    let mut texts = Vec::new();
    for line in lines(patterns) {
        if line.len() > MAX_EXPRESSION_BYTES || !parse(line)?.write_texts(*characters, &mut texts) {
            texts.clear();
            break;
        }
    }
    // The last newline begins no string.
    if texts.pop().is_some() && Literals::are_wanted(&texts, Settings::of(query)) {
        return Ok(Alternatives::Texts(texts));
    }
    if bytes(patterns) > MAX_EXPRESSION_BYTES {
        return Err(PatternError::ExpressionsTooLong { limit: MAX_EXPRESSION_BYTES });
    }
    lines(patterns).map(parse).collect::<Result<_, _>>().map(Alternatives::Posix)
}

/// The trees of strings, one a line.
pub(crate) fn nodes(texts: &[u8], characters: GrepCharacters) -> Vec<Node> {
    texts.split(|byte| *byte == b'\n').map(|line| literal(&symbols(characters, line))).collect()
}

fn literal(line: &[Symbol]) -> Node {
    let nodes = line.iter().map(|symbol| match symbol {
        Symbol::Character(c) => Node::Literal(*c),
        Symbol::Byte(byte) => Node::Byte(*byte),
    });
    Node::Sequence(nodes.collect())
}
