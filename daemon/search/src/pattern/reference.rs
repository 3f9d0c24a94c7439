//! Writes the tree of a pattern in the syntax of PCRE2, which can follow back-references.

use std::fmt::Write as _;

use super::class;
use super::error::PatternError;
use super::patterns::Settings;
use super::translate::{self, repetition};
use super::tree::{Anchor, Node, Set, SetItem};
use memberd_control::grep::GrepCharacters;

/// The pattern, with `-w` and `-x`. The engine ignores case if the settings say so.
pub(crate) fn write(node: &Node, settings: Settings) -> Result<String, PatternError> {
    let mut writer = Writer { settings, out: String::new() };
    writer.node(node)?;
    Ok(match settings {
        Settings { whole_lines: true, .. } => format!(r"\A(?:{})\z", writer.out),
        Settings { words: true, .. } => format!(r"(?<!\w)(?:{})(?!\w)", writer.out),
        _ => writer.out,
    })
}

struct Writer {
    settings: Settings,
    out: String,
}

impl Writer {
    fn node(&mut self, node: &Node) -> Result<(), PatternError> {
        match node {
            Node::Empty => self.out.push_str("(?:)"),
            Node::Literal(c) => self.literal(*c),
            // In UTF-8, PCRE2 matches characters only.
            Node::Byte(_) => self.out.push_str("(?!)"),
            Node::Any => self.out.push_str("(?s:.)"),
            Node::Set(set) => self.set(set)?,
            Node::Anchor(anchor) => self.out.push_str(match anchor {
                Anchor::LineStart => r"\A",
                Anchor::LineEnd => r"\z",
                Anchor::WordStart => r"(?:\b(?=\w))",
                Anchor::WordEnd => r"(?:\b(?<=\w))",
                Anchor::WordBoundary => r"\b",
                Anchor::NotWordBoundary => r"\B",
            }),
            Node::Group(inner) => self.enclosed("(", inner)?,
            Node::BackReference(number) => self.push(format_args!(r"\g{{{number}}}")),
            Node::Repeat { node, least, most } => {
                self.enclosed("(?:", node)?;
                repetition(*least, *most, &mut self.out);
            }
            Node::Sequence(nodes) => {
                for node in nodes {
                    self.node(node)?;
                }
            }
            Node::Alternation(branches) => {
                for (at, branch) in branches.iter().enumerate() {
                    self.out.push_str(if at > 0 { "|" } else { "" });
                    self.node(branch)?;
                }
            }
        }
        Ok(())
    }

    fn enclosed(&mut self, opening: &str, inner: &Node) -> Result<(), PatternError> {
        self.out.push_str(opening);
        self.node(inner)?;
        self.out.push(')');
        Ok(())
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.out.write_fmt(text);
    }

    fn literal(&mut self, c: char) {
        match c {
            _ if c.is_ascii_alphanumeric() => self.out.push(c),
            _ => self.push(format_args!(r"\x{{{:X}}}", u32::from(c))),
        }
    }

    /// One alternative for the plain items and one for each class, because PCRE2 has no nested
    /// sets.
    fn set(&mut self, set: &Set) -> Result<(), PatternError> {
        let mut plain = String::new();
        let mut alternatives = Vec::new();
        for item in &set.items {
            match *item {
                SetItem::Range(first, last) => {
                    let (first, last) = translate::folded_range(self.settings, first, last)?;
                    let _ = write!(plain, r"\x{{{:X}}}", u32::from(first));
                    if first != last {
                        let _ = write!(plain, r"-\x{{{:X}}}", u32::from(last));
                    }
                }
                SetItem::Class(named) => {
                    let named = translate::folded_class(self.settings, named);
                    alternatives.push(class::alternative(self.settings.characters, named));
                }
            }
        }
        if !plain.is_empty() {
            alternatives.push(format!("[{plain}]"));
        }
        let any = alternatives.join("|");
        match (set.negated, alternatives.is_empty()) {
            (false, true) => self.out.push_str("(?!)"),
            (false, false) => self.push(format_args!("(?:{any})")),
            (true, true) => self.out.push_str("(?s:.)"),
            (true, false) => self.push(format_args!("(?:(?!{any})(?s:.))")),
        }
        debug_assert!(self.settings.characters == GrepCharacters::Utf8 || self.out.is_ascii());
        Ok(())
    }
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
