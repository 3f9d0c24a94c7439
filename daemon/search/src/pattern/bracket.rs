//! Bracket expressions of POSIX (XBD 9.3.5). A backslash, `&&`, `--` and an inner `[` are
//! characters.

use super::error::PatternError;
use super::symbol::Symbol::{self, Byte, Character};
use super::tree::{CharacterClass, Set, SetItem};

/// The longest name in `[:name:]`, `[.name.]` and `[=name=]`, in characters.
const MAX_NAME: usize = 32;

/// One end of a range, or an item by itself.
enum Element {
    Character(char),
    /// A byte that is not valid UTF-8. No set holds it.
    Byte,
    /// A `-` that is not written as `[.-.]`.
    Hyphen,
    Class(CharacterClass),
}

/// Parses the text after the opening `[`. Gives the set and the rest after its `]`.
pub(crate) fn parse(inside: &[Symbol]) -> Result<(Set, &[Symbol]), PatternError> {
    let (negated, mut rest) = match inside {
        [Character('^'), rest @ ..] => (true, rest),
        _ => (false, inside),
    };
    if rest.is_empty() {
        return Err(PatternError::InvalidPattern);
    }
    refuse_bare_class(rest)?;
    let mut items = Vec::new();
    let mut first = true;
    loop {
        if let [Character(']'), after @ ..] = rest
            && !first
        {
            return Ok((Set { negated, items }, after));
        }
        let (start, after) = element(rest)?;
        if matches!(start, Element::Hyphen) && !first && after.first() != Some(&Character(']')) {
            return Err(if after.is_empty() {
                PatternError::UnmatchedBracket
            } else {
                PatternError::InvalidRangeEnd
            });
        }
        first = false;
        rest = match after {
            [Character('-'), Character(']'), ..] | [] => {
                items.extend(single(&start));
                after
            }
            [Character('-'), end @ ..] => {
                let (end, after) = element(end)?;
                items.push(range(&start, &end)?);
                after
            }
            _ => {
                items.extend(single(&start));
                after
            }
        };
    }
}

fn single(element: &Element) -> Option<SetItem> {
    Some(match *element {
        Element::Character(c) => SetItem::Range(c, c),
        Element::Hyphen => SetItem::Range('-', '-'),
        Element::Class(class) => SetItem::Class(class),
        Element::Byte => return None,
    })
}

fn range(start: &Element, end: &Element) -> Result<SetItem, PatternError> {
    match (single(start), single(end)) {
        (Some(SetItem::Range(start, _)), Some(SetItem::Range(end, _))) if start <= end => {
            Ok(SetItem::Range(start, end))
        }
        _ => Err(PatternError::InvalidRangeEnd),
    }
}

/// One element and the rest after it.
fn element(rest: &[Symbol]) -> Result<(Element, &[Symbol]), PatternError> {
    match rest {
        [] => Err(PatternError::UnmatchedBracket),
        [Character('['), Character(kind @ (':' | '.' | '=')), inside @ ..] => named(*kind, inside),
        [Character('-'), after @ ..] => Ok((Element::Hyphen, after)),
        [Character(c), after @ ..] => Ok((Element::Character(*c), after)),
        [Byte(_), after @ ..] => Ok((Element::Byte, after)),
    }
}

/// Parses `[:name:]`, `[.c.]` or `[=c=]` after its opening.
fn named(kind: char, inside: &[Symbol]) -> Result<(Element, &[Symbol]), PatternError> {
    let closing = [Character(kind), Character(']')];
    let end = inside
        .windows(2)
        .take(MAX_NAME + 1)
        .position(|pair| pair == closing)
        .ok_or(PatternError::UnmatchedBracket)?;
    let (name, rest) = inside.split_at(end);
    let after = rest.get(2..).unwrap_or_default();
    let element = match (kind, name) {
        (':', name) => Element::Class(class(&text(name))?),
        // The locale has no collating elements of several characters, and no two equal ones.
        (_, [Character(c)]) => Element::Character(*c),
        _ => return Err(PatternError::InvalidCollation),
    };
    Ok((element, after))
}

fn text(name: &[Symbol]) -> String {
    let characters = name.iter().map(|symbol| match symbol {
        Character(c) => *c,
        Byte(_) => char::REPLACEMENT_CHARACTER,
    });
    characters.collect()
}

fn class(name: &str) -> Result<CharacterClass, PatternError> {
    Ok(match name {
        "alnum" => CharacterClass::Alnum,
        "alpha" => CharacterClass::Alpha,
        "blank" => CharacterClass::Blank,
        "cntrl" => CharacterClass::Cntrl,
        "digit" => CharacterClass::Digit,
        "graph" => CharacterClass::Graph,
        "lower" => CharacterClass::Lower,
        "print" => CharacterClass::Print,
        "punct" => CharacterClass::Punct,
        "space" => CharacterClass::Space,
        "upper" => CharacterClass::Upper,
        "xdigit" => CharacterClass::Xdigit,
        _ => return Err(PatternError::InvalidClassName),
    })
}

/// `[:space:]` by itself is a mistake that GNU grep refuses.
fn refuse_bare_class(inside: &[Symbol]) -> Result<(), PatternError> {
    let end = inside.iter().position(|symbol| *symbol == Character(']'));
    match end.and_then(|end| inside.get(..end)) {
        Some([Character(':'), .., Character(':')]) => Err(PatternError::ClassOutsideBrackets),
        _ => Ok(()),
    }
}
