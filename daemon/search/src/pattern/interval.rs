//! Intervals: the `{2,5}` of repetitions.

use super::error::PatternError;
use super::symbol::Symbol;
use super::token::{Language, Token, first_token};

/// The least number of repetitions, and the most where there is such a bound.
pub(crate) type Bounds = (u32, Option<u32>);

/// GNU's value of POSIX's RE_DUP_MAX: the largest number in an interval.
const MAX_REPEATS: u32 = 0x7fff;

/// A bound as written.
enum Number {
    Absent,
    Given(u32),
    /// It is not a number.
    Nonsense,
}

/// Parses the text after the opening brace. Gives the bounds and the rest after the closing brace.
/// None when the brace is a character, as in an extended `a{x`.
pub(crate) fn parse(
    language: Language,
    inside: &[Symbol],
) -> Result<Option<(Bounds, &[Symbol])>, PatternError> {
    let (first, stop, rest) = number(language, inside);
    let least = match first {
        Number::Absent if stop == Some(Token::Character(',')) => Number::Given(0),
        Number::Absent => return Err(PatternError::InvalidInterval),
        other => other,
    };
    let (most, stop, rest) = match (&least, &stop) {
        (Number::Given(n), Some(Token::CloseInterval)) => (Number::Given(*n), stop, rest),
        (Number::Given(_), Some(Token::Character(','))) => number(language, rest),
        _ => (Number::Nonsense, stop, rest),
    };
    let (least, most) = match (least, most) {
        (Number::Given(least), Number::Given(most)) => (least, Some(most)),
        (Number::Given(least), Number::Absent) => (least, None),
        _ if language == Language::Extended => return Ok(None),
        _ if stop.is_none() => return Err(PatternError::UnmatchedInterval),
        _ => return Err(PatternError::InvalidInterval),
    };
    if most.is_some_and(|most| least > most) || stop != Some(Token::CloseInterval) {
        return Err(PatternError::InvalidInterval);
    }
    if most.unwrap_or(least) > MAX_REPEATS {
        return Err(PatternError::TooBig);
    }
    Ok(Some(((least, most), rest)))
}

/// A number, the token after it (a comma, the closing brace, or the pattern's end), and the rest
/// after that.
fn number(language: Language, mut rest: &[Symbol]) -> (Number, Option<Token>, &[Symbol]) {
    let mut number = Number::Absent;
    while let Ok(Some((token, length))) = first_token(language, rest) {
        rest = rest.get(length..).unwrap_or_default();
        let digit = match token {
            Token::CloseInterval | Token::Character(',') => return (number, Some(token), rest),
            Token::Character(c) => c.to_digit(10),
            _ => None,
        };
        number = match (number, digit) {
            (Number::Absent, Some(digit)) => Number::Given(digit),
            (Number::Given(n), Some(digit)) => Number::Given((n * 10 + digit).min(MAX_REPEATS + 1)),
            _ => Number::Nonsense,
        };
    }
    (Number::Nonsense, None, &[])
}
