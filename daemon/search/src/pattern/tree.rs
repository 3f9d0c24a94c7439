//! The syntax tree of a POSIX pattern. Every engine is built from it.

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
