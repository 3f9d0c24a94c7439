//! The syntax tree of a POSIX pattern. Every engine is built from it.

use memberd_control::grep::GrepCharacters;

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// Matches the empty string.
    Empty,
    /// One character.
    Literal(char),
    /// One byte that is not valid UTF-8.
    Byte(u8),
    /// `.`
    Any,
    /// A bracket expression, or `\w`, `\W`, `\s`, `\S`.
    Set(Set),
    /// Matches at a place, not a character.
    Anchor(Anchor),
    /// A parenthesized piece. Groups count from 1 in the order in which they open.
    Group(Box<Node>),
    /// The text that group N matched, once more.
    BackReference(usize),
    /// A piece repeated at least `least` times, and at most `most` times where given.
    Repeat { node: Box<Node>, least: u32, most: Option<u32> },
    /// Pieces one after the other.
    Sequence(Vec<Node>),
    /// One of the branches.
    Alternation(Vec<Node>),
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// `^`, and `` \` ``: grep's buffer is the line.
    LineStart,
    /// `$`, and `\'`.
    LineEnd,
    /// `\<`
    WordStart,
    /// `\>`
    WordEnd,
    /// `\b`
    WordBoundary,
    /// `\B`
    NotWordBoundary,
}

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    /// Whether it holds every character except those of the items.
    pub(crate) negated: bool,
    /// Its items.
    pub(crate) items: Vec<SetItem>,
}

/// One item of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetItem {
    /// The characters from the first to the second, both included, by code point.
    Range(char, char),
    /// `[:name:]`
    Class(CharacterClass),
}

/// The character classes of POSIX (XBD 9.3.5, item 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CharacterClass {
    Alnum,
    Alpha,
    Blank,
    Cntrl,
    Digit,
    Graph,
    Lower,
    Print,
    Punct,
    Space,
    Upper,
    Xdigit,
}

impl Set {
    /// `\w`, or `\W`: letters, digits and the underscore.
    pub(crate) fn word(negated: bool) -> Set {
        let items = vec![SetItem::Class(CharacterClass::Alnum), SetItem::Range('_', '_')];
        Set { negated, items }
    }

    /// `\s`, or `\S`.
    pub(crate) fn space(negated: bool) -> Set {
        let items = vec![SetItem::Class(CharacterClass::Space)];
        Set { negated, items }
    }
}

impl Node {
    /// The pieces of this one.
    fn parts(&self) -> &[Node] {
        match self {
            Node::Group(inner) => std::slice::from_ref(&**inner),
            Node::Repeat { node, .. } => std::slice::from_ref(&**node),
            Node::Sequence(nodes) | Node::Alternation(nodes) => nodes,
            Node::Empty
            | Node::Literal(_)
            | Node::Byte(_)
            | Node::Any
            | Node::Set(_)
            | Node::Anchor(_)
            | Node::BackReference(_) => &[],
        }
    }

    /// Appends the strings that it matches, with a newline after each. Returns whether it matches
    /// nothing else. If it does, what was appended has no meaning.
    pub(crate) fn write_texts(&self, characters: GrepCharacters, out: &mut Vec<u8>) -> bool {
        match self {
            Node::Alternation(branches) => {
                branches.iter().all(|branch| branch.write_texts(characters, out))
            }
            _ => {
                let is_text = self.write_text(characters, out);
                out.push(b'\n');
                is_text
            }
        }
    }

    fn write_text(&self, characters: GrepCharacters, out: &mut Vec<u8>) -> bool {
        match (self, characters) {
            (Node::Empty, _) => true,
            (Node::Literal(c), GrepCharacters::Utf8) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                *c != '\n'
            }
            (Node::Literal(c), GrepCharacters::Bytes) => {
                let byte = u8::try_from(*c);
                out.extend(byte);
                byte.is_ok_and(|byte| byte != b'\n')
            }
            (Node::Byte(byte), _) => {
                out.push(*byte);
                true
            }
            (Node::Sequence(nodes), _) => nodes.iter().all(|node| node.write_text(characters, out)),
            _ => false,
        }
    }

    /// Whether it has a back-reference.
    pub(crate) fn has_reference(&self) -> bool {
        matches!(self, Node::BackReference(_)) || self.parts().iter().any(Node::has_reference)
    }

    /// Appends the content of each of its groups, in the order in which they open.
    pub(crate) fn groups<'n>(&'n self, out: &mut Vec<&'n Node>) {
        if let Node::Group(inner) = self {
            out.push(inner);
        }
        self.parts().iter().for_each(|part| part.groups(out));
    }
}
