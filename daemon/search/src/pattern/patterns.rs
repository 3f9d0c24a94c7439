//! The patterns of a query, parsed.

use super::MAX_PATTERN_BYTES;
use super::error::PatternError;
use super::parse;
use super::symbol::{Symbol, symbols};
use super::token::Language;
use super::tree::Node;
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
    Posix(Vec<Node>),
    Perl(Vec<u8>),
}

/// The settings of all patterns of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) compiled_bytes: usize,
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
        Settings { compiled_bytes, characters, ignore_case, words, whole_lines, null_data }
    }
}

impl Patterns {
    /// Parses them all: what is wrong with any of them is an error.
    pub(crate) fn parse(query: &Query) -> Result<Patterns, PatternError> {
        if query.pattern.patterns.iter().map(|pattern| pattern.len() + 1).sum::<usize>()
            > MAX_PATTERN_BYTES + 1
        {
            return Err(PatternError::TooLong { limit: MAX_PATTERN_BYTES });
        }
        let mut lines =
            query.pattern.patterns.iter().flat_map(|pattern| pattern.split(|byte| *byte == b'\n'));
        let symbols = |line| symbols(query.pattern.characters, line);
        let language = match query.pattern.syntax {
            GrepSyntax::Basic => Alternatives::Posix(
                lines
                    .map(|line| parse::parse(Language::Basic, &symbols(line)))
                    .collect::<Result<_, _>>()?,
            ),
            GrepSyntax::Extended => Alternatives::Posix(
                lines
                    .map(|line| parse::parse(Language::Extended, &symbols(line)))
                    .collect::<Result<_, _>>()?,
            ),
            GrepSyntax::Fixed => {
                Alternatives::Posix(lines.map(|line| literal(&symbols(line))).collect())
            }
            GrepSyntax::Perl => match (lines.next(), lines.next()) {
                (None, _) => Alternatives::Posix(Vec::new()),
                (Some(only), None) => Alternatives::Perl(only.to_vec()),
                (Some(_), Some(_)) => return Err(PatternError::SeveralPerlPatterns),
            },
        };
        Ok(Patterns { language, settings: Settings::of(query) })
    }

    /// No patterns at all. Nothing matches them.
    pub(crate) fn none(query: &Query) -> Patterns {
        Patterns { language: Alternatives::Posix(Vec::new()), settings: Settings::of(query) }
    }
}

fn literal(line: &[Symbol]) -> Node {
    let nodes = line.iter().map(|symbol| match symbol {
        Symbol::Character(c) => Node::Literal(*c),
        Symbol::Byte(byte) => Node::Byte(*byte),
    });
    Node::Sequence(nodes.collect())
}
