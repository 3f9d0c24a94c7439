//! Bracket expressions as POSIX has them (XBD 9.3.5): a backslash, `&&`, `--` and an inner `[` are characters.

use super::error::PatternError;
use super::tree::{CharacterClass, Set, SetItem};

/// The longest name in `[:name:]`, `[.name.]` and `[=name=]`, in characters.
const MAX_NAME: usize = 32;

/// One end of a range, or an item by itself.
enum Element {
    Character(char),
    /// A `-` that is not written as `[.-.]`.
    Hyphen,
    Class(CharacterClass),
}

/// Parses what follows the opening `[`, and gives the set and what is left after its `]`.
pub(crate) fn parse(inside: &[char]) -> Result<(Set, &[char]), PatternError> {
    let (negated, mut rest) = match inside {
        ['^', rest @ ..] => (true, rest),
        _ => (false, inside),
    };
    if rest.is_empty() {
        return Err(PatternError::InvalidPattern);
    }
    refuse_bare_class(rest)?;
    let mut items = Vec::new();
    loop {
        let first = items.is_empty();
        if let [']', after @ ..] = rest
            && !first
        {
            return Ok((Set { negated, items }, after));
        }
        let (start, after) = element(rest)?;
        if matches!(start, Element::Hyphen) && !first && after.first() != Some(&']') {
            return Err(if after.is_empty() { PatternError::UnmatchedBracket } else { PatternError::InvalidRangeEnd });
        }
        (items, rest) = match after {
            ['-', ']', ..] | [] => (with(items, single(&start)), after),
            ['-', end @ ..] => {
                let (end, after) = element(end)?;
                (with(items, range(&start, &end)?), after)
            }
            _ => (with(items, single(&start)), after),
        };
    }
}

fn with(mut items: Vec<SetItem>, item: SetItem) -> Vec<SetItem> {
    items.push(item);
    items
}

fn single(element: &Element) -> SetItem {
    match *element {
        Element::Character(c) => SetItem::Range(c, c),
        Element::Hyphen => SetItem::Range('-', '-'),
        Element::Class(class) => SetItem::Class(class),
    }
}

fn range(start: &Element, end: &Element) -> Result<SetItem, PatternError> {
    match (single(start), single(end)) {
        (SetItem::Range(start, _), SetItem::Range(end, _)) if start <= end => Ok(SetItem::Range(start, end)),
        _ => Err(PatternError::InvalidRangeEnd),
    }
}

/// One element and what is left after it.
fn element(rest: &[char]) -> Result<(Element, &[char]), PatternError> {
    match rest {
        [] => Err(PatternError::UnmatchedBracket),
        ['[', kind @ (':' | '.' | '='), inside @ ..] => named(*kind, inside),
        ['-', after @ ..] => Ok((Element::Hyphen, after)),
        [c, after @ ..] => Ok((Element::Character(*c), after)),
    }
}

/// `[:name:]`, `[.c.]` or `[=c=]`, from after its opening.
fn named(kind: char, inside: &[char]) -> Result<(Element, &[char]), PatternError> {
    let end = inside.windows(2).take(MAX_NAME + 1).position(|pair| pair == [kind, ']']).ok_or(PatternError::UnmatchedBracket)?;
    let (name, rest) = inside.split_at(end);
    let after = rest.get(2..).unwrap_or_default();
    let element = match (kind, name) {
        (':', name) => Element::Class(class(&name.iter().collect::<String>())?),
        // The locale has no collating elements of more than one character, and no two that are equal.
        (_, [c]) => Element::Character(*c),
        _ => return Err(PatternError::InvalidCollation),
    };
    Ok((element, after))
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
fn refuse_bare_class(inside: &[char]) -> Result<(), PatternError> {
    let end = inside.iter().position(|c| *c == ']');
    match end.and_then(|end| inside.get(..end)) {
        Some([':', .., ':']) => Err(PatternError::ClassOutsideBrackets),
        _ => Ok(()),
    }
}
