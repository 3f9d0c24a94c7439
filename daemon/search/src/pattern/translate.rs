//! From the tree of a pattern to the syntax of the `regex` crates, for the automata engine.
//!
//! An engine that can follow back-references would start from the same tree.

use std::fmt::Write as _;

use super::class;
use super::error::PatternError;
use super::tree::{Anchor, CharacterClass, Node, Set, SetItem};

/// The most sets with named classes (`[[:alpha:]]`, `\w`, `\s`) in all patterns together: each is hundreds of ranges.
const MAX_CLASSES: usize = 500;

/// Writes the translation of patterns, one after the other.
pub(crate) struct Translator {
    ignore_case: bool,
    classes: usize,
}

impl Translator {
    /// With `ignore_case` the result is for an engine that ignores case throughout.
    pub(crate) fn new(ignore_case: bool) -> Translator {
        Translator { ignore_case, classes: 0 }
    }

    /// Appends the translation of `node` to `out`.
    pub(crate) fn write(&mut self, node: &Node, out: &mut String) -> Result<(), PatternError> {
        match node {
            Node::Empty => out.push_str("(?:)"),
            Node::Literal(c) => literal(*c, out),
            Node::Any => out.push('.'),
            Node::Set(set) => self.set(set, out)?,
            Node::Anchor(anchor) => out.push_str(match anchor {
                Anchor::LineStart => "(?m:^)",
                Anchor::LineEnd => "(?m:$)",
                Anchor::WordStart => r"\b{start}",
                Anchor::WordEnd => r"\b{end}",
                Anchor::WordBoundary => r"\b",
                Anchor::NotWordBoundary => r"\B",
            }),
            Node::Group(inner) => self.enclosed(inner, out)?,
            Node::BackReference(_) => return Err(PatternError::BackReference),
            Node::Repeat { node, least, most } => {
                self.enclosed(node, out)?;
                repetition(*least, *most, out);
            }
            Node::Sequence(nodes) => {
                for node in nodes {
                    self.write(node, out)?;
                }
            }
            Node::Alternation(branches) => {
                for (at, branch) in branches.iter().enumerate() {
                    if at > 0 {
                        out.push('|');
                    }
                    self.write(branch, out)?;
                }
            }
        }
        Ok(())
    }

    fn enclosed(&mut self, node: &Node, out: &mut String) -> Result<(), PatternError> {
        match node {
            Node::Literal(_) | Node::Any | Node::Group(_) => self.write(node, out),
            _ => {
                out.push_str("(?:");
                self.write(node, out)?;
                out.push(')');
                Ok(())
            }
        }
    }

    /// Without regard to case GNU takes upper and lower for letters of any kind.
    fn folded(&self, named: CharacterClass) -> CharacterClass {
        match named {
            CharacterClass::Upper | CharacterClass::Lower if self.ignore_case => CharacterClass::Alpha,
            _ => named,
        }
    }

    /// Without regard to case GNU takes a range to be between the capitals of its ends.
    fn folded_range(&self, first: char, last: char) -> Result<(char, char), PatternError> {
        if !self.ignore_case {
            return Ok((first, last));
        }
        let (first, last) = (first.to_ascii_uppercase(), last.to_ascii_uppercase());
        if first > last {
            return Err(PatternError::InvalidRangeEnd);
        }
        Ok((first, last))
    }

    fn set(&mut self, set: &Set, out: &mut String) -> Result<(), PatternError> {
        let named = set.items.iter().filter(|item| matches!(item, SetItem::Class(_))).count();
        let wide =
            set.items.iter().any(|item| matches!(item, SetItem::Range(first, last) if !(first.is_ascii() && last.is_ascii())));
        self.classes += named + usize::from(wide && self.ignore_case);
        if self.classes > MAX_CLASSES {
            return Err(PatternError::TooBig);
        }
        out.push_str(if set.negated { "[^" } else { "[" });
        for item in &set.items {
            match item {
                SetItem::Range(first, last) if first == last => escape(*first, out),
                SetItem::Range(first, last) => {
                    let (first, last) = self.folded_range(*first, *last)?;
                    escape(first, out);
                    out.push('-');
                    escape(last, out);
                }
                SetItem::Class(named) => out.push_str(class::ranges(self.folded(*named))),
            }
        }
        out.push(']');
        Ok(())
    }
}

/// Appends a character that stands for itself.
pub(crate) fn literal(c: char, out: &mut String) {
    if regex_syntax::is_meta_character(c) {
        out.push('\\');
    }
    out.push(c);
}

/// Appends a character of a set, where more characters have a meaning.
fn escape(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        // Writing to a string cannot fail.
        let _ = write!(out, "\\x{{{:X}}}", u32::from(c));
    }
}

fn repetition(least: u32, most: Option<u32>, out: &mut String) {
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
