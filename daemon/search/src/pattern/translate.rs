//! Writes the tree of a pattern in the syntax of the `regex` crates, for an automaton.

use std::fmt::Write as _;

use super::class;
use super::error::PatternError;
use super::patterns::Settings;
use super::tree::{Anchor, CharacterClass, Node, Set, SetItem};
use memberd_control::grep::GrepCharacters;

/// The most sets with named classes (`[[:alpha:]]`, `\w`, `\s`) in all patterns together. Each of
/// them is hundreds of ranges.
const MAX_CLASSES: usize = 500;

/// The longest translation, in bytes, in which a back-reference is still written as a copy of its
/// group.
const MAX_COPIED: usize = 256 * 1024;

/// All patterns as one expression of alternatives, with `-w` and `-x`. The engine ignores case if
/// the settings say so.
///
/// A back-reference is written as a copy of its group, which matches more than it should.
pub(crate) fn translate<'n>(
    nodes: impl IntoIterator<Item = &'n Node>,
    settings: Settings,
) -> Result<String, PatternError> {
    let mut translator =
        Translator { settings, out: String::new(), classes: 0, groups: Vec::new(), copying: false };
    for node in nodes {
        if !translator.out.is_empty() {
            translator.out.push('|');
        }
        translator.groups.clear();
        node.groups(&mut translator.groups);
        translator.out.push_str("(?:");
        translator.write(node)?;
        translator.out.push(')');
    }
    let expression = translator.out;
    Ok(if expression.is_empty() {
        // No pattern matches nothing: a character that is neither.
        r"[^\s\S]".to_owned()
    } else if settings.whole_lines {
        let (start, end) = line_edges(settings);
        format!("{start}(?:{expression}){end}")
    } else if settings.words {
        format!(r"\b{{start-half}}(?:{expression})\b{{end-half}}")
    } else {
        expression
    })
}

/// The start and the end of a line. With `-z` each line is searched by itself, because newlines in
/// it are characters.
fn line_edges(settings: Settings) -> (&'static str, &'static str) {
    if settings.null_data { (r"\A", r"\z") } else { ("(?m:^)", "(?m:$)") }
}

/// When GNU grep ignores case, upper and lower mean letters of any kind.
pub(crate) fn folded_class(settings: Settings, named: CharacterClass) -> CharacterClass {
    match named {
        CharacterClass::Upper | CharacterClass::Lower if settings.ignore_case => {
            CharacterClass::Alpha
        }
        _ => named,
    }
}

/// When GNU grep ignores case, a range goes between the capitals of its ends, but not in the C
/// locale.
pub(crate) fn folded_range(
    settings: Settings,
    first: char,
    last: char,
) -> Result<(char, char), PatternError> {
    if !settings.ignore_case || settings.characters == GrepCharacters::Bytes || first == last {
        return Ok((first, last));
    }
    let (first, last) = (first.to_ascii_uppercase(), last.to_ascii_uppercase());
    if first > last {
        return Err(PatternError::InvalidRangeEnd);
    }
    Ok((first, last))
}

struct Translator<'n> {
    settings: Settings,
    out: String,
    /// How many classes were written.
    classes: usize,
    /// The groups of the pattern, in the order in which they open.
    groups: Vec<&'n Node>,
    /// Whether a group is being copied. What it matched may come again at another place, so a copy
    /// has no anchors.
    copying: bool,
}

impl<'n> Translator<'n> {
    fn write(&mut self, node: &'n Node) -> Result<(), PatternError> {
        match node {
            Node::Empty => self.out.push_str("(?:)"),
            Node::Literal(c) => self.literal(*c),
            Node::Byte(byte) => self.push(format_args!(r"(?-u:\x{byte:02X})")),
            Node::Any => self.out.push('.'),
            Node::Set(set) => self.set(set)?,
            Node::Anchor(_) if self.copying => self.out.push_str("(?:)"),
            Node::Anchor(anchor) => self.out.push_str(match anchor {
                Anchor::LineStart => line_edges(self.settings).0,
                Anchor::LineEnd => line_edges(self.settings).1,
                Anchor::WordStart => r"\b{start}",
                Anchor::WordEnd => r"\b{end}",
                Anchor::WordBoundary => r"\b",
                Anchor::NotWordBoundary => r"\B",
            }),
            Node::Group(inner) => self.enclosed(inner)?,
            Node::BackReference(number) => self.copy(*number)?,
            Node::Repeat { node, least, most } => {
                self.enclosed(node)?;
                repetition(*least, *most, &mut self.out);
            }
            Node::Sequence(nodes) => {
                for node in nodes {
                    self.write(node)?;
                }
            }
            Node::Alternation(branches) => {
                for (at, branch) in branches.iter().enumerate() {
                    self.out.push_str(if at > 0 { "|" } else { "" });
                    self.write(branch)?;
                }
            }
        }
        Ok(())
    }

    fn enclosed(&mut self, node: &'n Node) -> Result<(), PatternError> {
        match node {
            Node::Literal(_) | Node::Any | Node::Group(_) => self.write(node),
            _ => {
                self.out.push_str("(?:");
                self.write(node)?;
                self.out.push(')');
                Ok(())
            }
        }
    }

    /// Writes a group once more, or anything when the copy would be too long.
    fn copy(&mut self, number: usize) -> Result<(), PatternError> {
        let group = number.checked_sub(1).and_then(|index| self.groups.get(index).copied());
        match group {
            Some(group) if self.out.len() < MAX_COPIED => {
                let copying = std::mem::replace(&mut self.copying, true);
                self.out.push_str("(?:");
                self.write(group)?;
                self.out.push(')');
                self.copying = copying;
            }
            _ => self.out.push_str("(?s-u:.)*"),
        }
        Ok(())
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.out.write_fmt(text);
    }

    /// A character that stands for itself.
    fn literal(&mut self, c: char) {
        if self.settings.characters == GrepCharacters::Bytes && !c.is_ascii() {
            self.push(format_args!(r"\x{:02X}", u32::from(c)));
            return;
        }
        if regex_syntax::is_meta_character(c) {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    /// A character in a set, where more characters have a meaning.
    fn item(&mut self, c: char) {
        match c {
            _ if c.is_ascii_alphanumeric() => self.out.push(c),
            // Where a byte is a character, this spelling means the byte.
            '\0'..='\u{FF}' => self.push(format_args!(r"\x{:02X}", u32::from(c))),
            _ => self.push(format_args!(r"\x{{{:X}}}", u32::from(c))),
        }
    }

    fn set(&mut self, set: &Set) -> Result<(), PatternError> {
        let named = set.items.iter().filter(|item| matches!(item, SetItem::Class(_))).count();
        let wide = set.items.iter().any(|item| match item {
            SetItem::Range(first, last) => !(first.is_ascii() && last.is_ascii()),
            SetItem::Class(_) => false,
        });
        self.classes += named + usize::from(wide && self.settings.ignore_case);
        if self.classes > MAX_CLASSES {
            return Err(PatternError::TooBig);
        }
        if set.items.is_empty() {
            self.out.push_str(if set.negated { "." } else { r"[^\s\S]" });
            return Ok(());
        }
        self.out.push_str(if set.negated { "[^" } else { "[" });
        for item in &set.items {
            match item {
                SetItem::Range(first, last) if first == last => self.item(*first),
                SetItem::Range(first, last) => {
                    let (first, last) = folded_range(self.settings, *first, *last)?;
                    self.item(first);
                    self.out.push('-');
                    self.item(last);
                }
                SetItem::Class(named) => {
                    let named = folded_class(self.settings, *named);
                    self.out.push_str(class::ranges(self.settings.characters, named));
                }
            }
        }
        self.out.push(']');
        Ok(())
    }
}

/// Appends the bounds of a repetition, which PCRE2 spells alike.
pub(crate) fn repetition(least: u32, most: Option<u32>, out: &mut String) {
    match (least, most) {
        (0, None) => out.push('*'),
        (1, None) => out.push('+'),
        (0, Some(1)) => out.push('?'),
        (least, most) => {
            out.push_str(&format!("{{{least},"));
            if let Some(most) = most {
                out.push_str(&most.to_string());
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
