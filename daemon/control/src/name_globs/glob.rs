//! One glob over names: its syntax, and whether a name matches. It owns the parsed glob.

use super::fault::Fault;
use super::numbers::Numbers;

/// The most braces in one another.
const MOST_DEPTH: usize = 32;

/// A parsed glob.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    /// The characters before the first that means something else.
    start: String,
    rest: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// This character.
    Character(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// One character of these ranges, or of no range.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// One of these numbers.
    Numbers(Numbers),
    /// One of several globs.
    Either(Vec<Vec<Token>>),
}

impl Glob {
    /// Parses a glob.
    pub(super) fn new(text: &str) -> Result<Glob, Fault> {
        let mut parser = Parser { text: text.chars().collect(), at: 0, depth: 0 };
        let mut tokens = parser.sequence()?;
        if parser.at < parser.text.len() {
            return Err(Fault::UnopenedGroup);
        }
        let plain = |token: &&Token| matches!(token, Token::Character(_));
        let rest = tokens.split_off(tokens.iter().take_while(plain).count());
        let start = tokens.iter().filter_map(|token| match token {
            Token::Character(character) => Some(*character),
            _ => None,
        });
        let start = start.collect();
        Ok(Glob { start, rest })
    }

    /// Whether the whole name matches. This takes time in proportion to the product of both
    /// lengths at most.
    pub(super) fn matches(&self, name: &str) -> bool {
        let Some(behind) = name.strip_prefix(self.start.as_str()) else { return false };
        if self.rest.is_empty() {
            return behind.is_empty();
        }
        let behind: Vec<char> = behind.chars().collect();
        let mut reached = vec![false; behind.len() + 1];
        if let Some(beginning) = reached.first_mut() {
            *beginning = true;
        }
        advance(&self.rest, &behind, reached).last() == Some(&true)
    }

    /// All the names that the glob spells out, in order, if it has neither `*` nor `?` nor a set of
    /// characters.
    pub(super) fn spelled(&self, limit: usize) -> Spelled {
        if !self.rest.iter().all(Token::is_spelled) {
            return Spelled::Unknown;
        }
        match spell(&self.rest, vec![self.start.clone()], limit) {
            Some(names) => Spelled::Names(names),
            None => Spelled::TooMany,
        }
    }
}

/// The names that a glob spells out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spelled {
    /// These.
    Names(Vec<String>),
    /// More than the limit.
    TooMany,
    /// Only a list of names can tell.
    Unknown,
}

impl Token {
    fn is_spelled(&self) -> bool {
        match self {
            Token::Character(_) | Token::Numbers(_) => true,
            Token::Either(globs) => globs.iter().flatten().all(Token::is_spelled),
            Token::Any | Token::Star | Token::Class { .. } => false,
        }
    }
}

/// From these places in the name, the places that the tokens lead to.
fn advance(tokens: &[Token], name: &[char], from: Vec<bool>) -> Vec<bool> {
    tokens.iter().fold(from, |from, token| match token {
        Token::Character(character) => step(&from, name, |other| other == *character),
        Token::Any => step(&from, name, |_| true),
        Token::Class { negated, ranges } => step(&from, name, |character| {
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) != *negated
        }),
        Token::Star => {
            let seen = from.iter().scan(false, |seen, here| {
                *seen |= *here;
                Some(*seen)
            });
            seen.collect()
        }
        Token::Numbers(numbers) => {
            let mut to = vec![false; from.len()];
            for (place, _) in from.iter().enumerate().filter(|(_, here)| **here) {
                for length in numbers.lengths(name.get(place..).unwrap_or_default()) {
                    to.get_mut(place + length).into_iter().for_each(|reached| *reached = true);
                }
            }
            to
        }
        Token::Either(globs) => {
            let mut to = vec![false; from.len()];
            for glob in globs {
                let reached = advance(glob, name, from.clone());
                to.iter_mut().zip(reached).for_each(|(to, reached)| *to |= reached);
            }
            to
        }
    })
}

/// The places behind one more character, where that fits.
fn step(from: &[bool], name: &[char], fits: impl Fn(char) -> bool) -> Vec<bool> {
    let behind = from.iter().zip(name).map(|(here, character)| *here && fits(*character));
    std::iter::once(false).chain(behind).collect()
}

/// Continues each of these names with what the tokens spell out; none if there are too many.
fn spell(tokens: &[Token], names: Vec<String>, limit: usize) -> Option<Vec<String>> {
    tokens.iter().try_fold(names, |mut names, token| {
        let ends: Vec<String> = match token {
            Token::Character(character) => {
                names.iter_mut().for_each(|name| name.push(*character));
                return Some(names);
            }
            Token::Numbers(numbers) => numbers.texts().take(limit + 1).collect(),
            Token::Either(globs) => {
                let mut ends = Vec::new();
                for glob in globs {
                    ends.extend(spell(glob, vec![String::new()], limit)?);
                    if ends.len() > limit {
                        return None;
                    }
                }
                ends
            }
            Token::Any | Token::Star | Token::Class { .. } => return Some(names),
        };
        (names.len() * ends.len() <= limit).then(|| {
            let longer = |name: &String| ends.iter().map(|end| name.clone() + end).collect();
            names.iter().flat_map::<Vec<String>, _>(longer).collect()
        })
    })
}

/// A text that is being parsed, and the place that was reached.
struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    /// The tokens up to the end, to a `}`, or between braces to a comma.
    fn sequence(&mut self) -> Result<Vec<Token>, Fault> {
        let mut tokens = Vec::new();
        while let Some(character) = self.text.get(self.at).copied() {
            let between_braces = self.depth > 0;
            if character == '}' || (between_braces && character == ',') {
                break;
            }
            self.at += 1;
            tokens.push(match character {
                '?' => Token::Any,
                '*' => Token::Star,
                '[' => self.class()?,
                '{' => self.group()?,
                '\\' => {
                    let escaped = self.text.get(self.at).ok_or(Fault::DanglingEscape)?;
                    self.at += 1;
                    Token::Character(*escaped)
                }
                '.' if between_braces && self.text.get(self.at) == Some(&'.') => {
                    return Err(Fault::Points);
                }
                character => Token::Character(character),
            });
        }
        Ok(tokens)
    }

    /// What is between braces, of which the first was read.
    fn group(&mut self) -> Result<Token, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let inside: String = rest.iter().take_while(|character| **character != '}').collect();
        if let Some(numbers) = Numbers::sequence(&inside)
            && inside.len() < rest.len()
        {
            self.at += inside.len() + 1;
            return numbers.map(Token::Numbers);
        }
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Fault::Depth(MOST_DEPTH));
        }
        let mut globs = Vec::new();
        loop {
            globs.push(self.sequence()?);
            let end = self.text.get(self.at).ok_or(Fault::UnclosedGroup)?;
            self.at += 1;
            if *end == '}' {
                self.depth -= 1;
                return Ok(Token::Either(globs));
            }
        }
    }

    /// What is between brackets, of which the first was read.
    fn class(&mut self) -> Result<Token, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = class_length(rest).ok_or(Fault::UnclosedClass)?;
        let inside = rest.get(..length).unwrap_or_default();
        self.at += length + 1;
        let (negated, inside) = match inside {
            ['!' | '^', inside @ ..] => (true, inside),
            inside => (false, inside),
        };
        let text: String = inside.iter().collect();
        let is_list = !negated && text.contains(['-', ',', '/']);
        match Numbers::list(&text).filter(|_| is_list) {
            Some(numbers) => numbers.map(Token::Numbers),
            None if is_unclear(&text) => {
                Err(Fault::Unclear(format!("[{}{text}]", if negated { "!" } else { "" })))
            }
            None => characters(inside).map(|ranges| Token::Class { negated, ranges }),
        }
    }
}

/// How many characters are between a `[`, behind which the text begins, and its `]`. A `]` that is
/// the first of a set stands for itself.
pub(super) fn class_length(text: &[char]) -> Option<usize> {
    let first = usize::from(matches!(text.first(), Some('!' | '^')));
    let behind = text.get(first + 1..)?;
    behind.iter().position(|character| *character == ']').map(|place| first + 1 + place)
}

/// Whether a text that is no list of numbers might be meant as one. It has only what lists have,
/// and more than a set of digits needs.
fn is_unclear(text: &str) -> bool {
    let of_a_list = |byte: u8| byte.is_ascii_digit() || b",-/".contains(&byte);
    let mut numbers = text.split(|character: char| !character.is_ascii_digit());
    text.bytes().all(of_a_list)
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && (text.contains([',', '/'])
            || (text.contains('-') && numbers.any(|number| number.len() > 1)))
}

/// The ranges of a set of characters. `a-c-e` is `a-e`.
fn characters(inside: &[char]) -> Result<Vec<(char, char)>, Fault> {
    if inside.contains(&',') {
        return Err(Fault::Comma);
    }
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut rest = inside;
    loop {
        rest = match (rest, ranges.last_mut()) {
            ([], _) => return Ok(ranges),
            (['-', end, rest @ ..], Some((first, last))) => {
                if end < first {
                    return Err(Fault::Range);
                }
                *last = *end;
                rest
            }
            ([character, rest @ ..], _) => {
                ranges.push((*character, *character));
                rest
            }
        };
    }
}

#[cfg(test)]
#[path = "glob_tests.rs"]
mod tests;
