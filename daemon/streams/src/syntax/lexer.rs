//! The words, numbers, texts and signs of a query, by winnow, each with its place.

use super::QueryError;
use std::ops::Range;
use winnow::Result;
use winnow::ascii::{digit1, multispace0};
use winnow::combinator::{alt, fail, opt};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{any, literal, one_of, take_while};

/// What is read, with its place.
type Input<'a> = LocatingSlice<&'a str>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, such as `count` or `a.b`.
    Word(String),
    /// A name in backquotes.
    Quoted(String),
    /// A number without a sign.
    Number(String),
    /// A number and a unit, such as `10s`.
    Measure(String, String),
    /// What is between quotes, as it is written; and the quote.
    Text(String, char),
    /// One of the signs.
    Sign(&'static str),
    /// After the last.
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

/// Longer signs before their beginnings.
const SIGNS: [&str; 20] = [
    "||", "&&", "|", ",", "(", ")", "==", "=", "!=", "!", "<=", "<", ">=", ">", "+", "-", "*", "/",
    "%", "~",
];

/// The tokens of `text` from `start` on, and one at the end.
pub(super) fn tokens(text: &str, start: usize) -> std::result::Result<Vec<Token>, QueryError> {
    let mut input = LocatingSlice::new(&text[start..]);
    let mut tokens = Vec::new();
    loop {
        let _: Result<&str> = multispace0.parse_next(&mut input);
        let at = start + input.current_token_start();
        if at == text.len() {
            tokens.push(Token { kind: Kind::End, span: at..at });
            return Ok(tokens);
        }
        match token.with_span().parse_next(&mut input) {
            Ok((kind, span)) => {
                tokens.push(Token { kind, span: start + span.start..start + span.end });
            }
            Err(_) => return Err(unreadable(text, at)),
        }
    }
}

/// Why no token begins here.
fn unreadable(text: &str, at: usize) -> QueryError {
    let first = text[at..].chars().next().unwrap_or(' ');
    if matches!(first, '"' | '\'' | '`') {
        return QueryError::new(format!("the closing {first} is missing"), at..text.len());
    }
    let message = format!("`{first}` has no meaning here; put text in quotes");
    QueryError::new(message, at..at + first.len_utf8())
}

fn token(input: &mut Input) -> Result<Kind> {
    alt((measure, word, quoted_name, text, sign)).parse_next(input)
}

fn word(input: &mut Input) -> Result<Kind> {
    let first = one_of(|first: char| first.is_alphabetic() || matches!(first, '_' | '@'));
    let rest =
        take_while(0.., |next: char| next.is_alphanumeric() || matches!(next, '_' | '@' | '.'));
    (first, rest).take().map(|word: &str| Kind::Word(word.to_owned())).parse_next(input)
}

fn quoted_name(input: &mut Input) -> Result<Kind> {
    let (_, name, _) = ('`', take_while(1.., |next| next != '`'), '`').parse_next(input)?;
    let name: &str = name;
    Ok(Kind::Quoted(name.to_owned()))
}

/// A number, which may have a unit.
fn measure(input: &mut Input) -> Result<Kind> {
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1);
    let number = alt(((digit1, opt(('.', digit1))).void(), ('.', digit1).void()));
    let number: &str = (number, opt(exponent)).take().parse_next(input)?;
    let unit: &str = take_while(0.., char::is_alphabetic).parse_next(input)?;
    if unit.is_empty() {
        return Ok(Kind::Number(number.to_owned()));
    }
    Ok(Kind::Measure(number.to_owned(), unit.to_owned()))
}

/// Text in quotes of either kind. A backslash keeps the character behind it from ending the text.
pub(super) fn text(input: &mut Input) -> Result<Kind> {
    let quote = one_of(['"', '\'']).parse_next(input)?;
    let mut inner = String::new();
    loop {
        let next = any.parse_next(input)?;
        if next == quote {
            return Ok(Kind::Text(inner, quote));
        }
        inner.push(next);
        if next == '\\' {
            inner.push(any.parse_next(input)?);
        }
    }
}

fn sign(input: &mut Input) -> Result<Kind> {
    for sign in SIGNS {
        let found: Option<&str> = opt(literal(sign)).parse_next(input)?;
        if found.is_some() {
            return Ok(Kind::Sign(sign));
        }
    }
    fail.parse_next(input)
}

/// What is written in quotes, for patterns and templates: `\"` is the quote, and every other
/// backslash stays.
pub(super) fn raw(inner: &str, quote: char) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars().peekable();
    while let Some(next) = characters.next() {
        if next != '\\' {
            text.push(next);
            continue;
        }
        match characters.next() {
            Some(behind) if behind == quote => text.push(quote),
            Some(behind) => text.extend(['\\', behind]),
            None => text.push('\\'),
        }
    }
    text
}

/// What is written in quotes, for values: `\n`, `\r`, `\t`, `\0`, `\xHH`, and a backslash before
/// anything else is left out. None if `\x` has no two hexadecimal digits behind it.
pub(super) fn unescaped(inner: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(next) = characters.next() {
        let character = if next == '\\' {
            match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'x' => {
                    let high = characters.next()?.to_digit(16)?;
                    let low = characters.next()?.to_digit(16)?;
                    bytes.push(u8::try_from(high * 16 + low).ok()?);
                    continue;
                }
                other => other,
            }
        } else {
            next
        };
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(bytes)
}
