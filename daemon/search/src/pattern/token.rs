//! The tokens of the two POSIX pattern languages. All differences in spelling between basic and
//! extended patterns are here.

use super::error::PatternError;
use super::symbol::Symbol::{self, Byte, Character};
use super::tree::{Anchor, Set};

/// The two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// Basic regular expressions with GNU's `\|`, `\+`, `\?`.
    Basic,
    /// Extended regular expressions as in GNU grep.
    Extended,
}

/// One token. The parser decides whether an operator has its meaning at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Character(char),
    /// A byte that is not valid UTF-8.
    Byte(u8),
    Any,
    /// `[`; the bracket expression follows.
    OpenBracket,
    Caret,
    Dollar,
    Star,
    /// `+` or `\+`
    Plus,
    /// `?` or `\?`
    Question,
    /// `{` or `\{`
    OpenInterval,
    /// `}` or `\}`
    CloseInterval,
    OpenGroup,
    CloseGroup,
    Alternate,
    Anchor(Anchor),
    Set(Set),
    BackReference(usize),
}

/// The first token of `rest` and its length in characters. None at the end.
pub(crate) fn first_token(
    language: Language,
    rest: &[Symbol],
) -> Result<Option<(Token, usize)>, PatternError> {
    Ok(match *rest {
        [] => None,
        [Character('\\')] => return Err(PatternError::TrailingBackslash),
        [Character('\\'), Character(c), ..] => Some((escaped(language, c), 2)),
        [Character('\\'), Byte(byte), ..] => Some((Token::Byte(byte), 2)),
        [Character(c), ..] => Some((plain(language, c), 1)),
        [Byte(byte), ..] => Some((Token::Byte(byte), 1)),
    })
}

fn plain(language: Language, c: char) -> Token {
    match c {
        '.' => Token::Any,
        '[' => Token::OpenBracket,
        '*' => Token::Star,
        '^' => Token::Caret,
        '$' => Token::Dollar,
        _ if language == Language::Extended => operator(c).unwrap_or(Token::Character(c)),
        _ => Token::Character(c),
    }
}

fn escaped(language: Language, c: char) -> Token {
    match c {
        'w' => Token::Set(Set::word(false)),
        'W' => Token::Set(Set::word(true)),
        's' => Token::Set(Set::space(false)),
        'S' => Token::Set(Set::space(true)),
        'b' => Token::Anchor(Anchor::WordBoundary),
        'B' => Token::Anchor(Anchor::NotWordBoundary),
        '<' => Token::Anchor(Anchor::WordStart),
        '>' => Token::Anchor(Anchor::WordEnd),
        '`' => Token::Anchor(Anchor::LineStart),
        '\'' => Token::Anchor(Anchor::LineEnd),
        '1' => Token::BackReference(1),
        '2' => Token::BackReference(2),
        '3' => Token::BackReference(3),
        '4' => Token::BackReference(4),
        '5' => Token::BackReference(5),
        '6' => Token::BackReference(6),
        '7' => Token::BackReference(7),
        '8' => Token::BackReference(8),
        '9' => Token::BackReference(9),
        _ if language == Language::Basic => operator(c).unwrap_or(Token::Character(c)),
        _ => Token::Character(c),
    }
}

/// The operators that have a backslash in basic patterns and none in extended ones.
fn operator(c: char) -> Option<Token> {
    Some(match c {
        '+' => Token::Plus,
        '?' => Token::Question,
        '{' => Token::OpenInterval,
        '}' => Token::CloseInterval,
        '(' => Token::OpenGroup,
        ')' => Token::CloseGroup,
        '|' => Token::Alternate,
        _ => return None,
    })
}
