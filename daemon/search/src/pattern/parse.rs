//! Parses POSIX patterns with GNU's extensions (XBD chapter 9) to a tree.
//!
//! Where POSIX leaves the meaning open, it is GNU grep's: see the table in the tests.

use super::bracket;
use super::error::PatternError;
use super::interval;
use super::symbol::Symbol;
use super::token::{Language, Token, first_token};
use super::tree::{Anchor, Node};

/// How deep groups and stacked repetitions may nest.
pub(crate) const MAX_NESTING: usize = 100;

/// Parses one pattern, which holds no newline.
pub(crate) fn parse(language: Language, pattern: &[Symbol]) -> Result<Node, PatternError> {
    let mut parser =
        Parser { language, rest: pattern, groups_opened: 0, groups_closed: [false; 10] };
    let node = parser.alternation(0)?;
    match parser.peek()? {
        None => Ok(node),
        Some(_) => Err(PatternError::UnmatchedCloseGroup),
    }
}

struct Parser<'p> {
    language: Language,
    rest: &'p [Symbol],
    groups_opened: usize,
    /// Which of the groups 1 to 9 are closed, so that a back-reference may name them.
    groups_closed: [bool; 10],
}

impl Parser<'_> {
    fn peek(&self) -> Result<Option<Token>, PatternError> {
        Ok(first_token(self.language, self.rest)?.map(|(token, _)| token))
    }

    /// Steps over the token that was just peeked.
    fn skip(&mut self) -> Result<(), PatternError> {
        if let Some((_, length)) = first_token(self.language, self.rest)? {
            self.rest = self.rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    fn extended(&self) -> bool {
        self.language == Language::Extended
    }

    fn alternation(&mut self, depth: usize) -> Result<Node, PatternError> {
        // A branch cannot refer to groups of the other branches.
        let before = self.groups_closed;
        let mut branches = vec![self.branch(depth)?];
        let mut closed = self.groups_closed;
        while self.peek()? == Some(Token::Alternate) {
            self.skip()?;
            self.groups_closed = before;
            branches.push(self.branch(depth)?);
            closed.iter_mut().zip(self.groups_closed).for_each(|(all, branch)| *all |= branch);
        }
        self.groups_closed = closed;
        Ok(match branches.pop() {
            Some(only) if branches.is_empty() => only,
            last => {
                branches.extend(last);
                Node::Alternation(branches)
            }
        })
    }

    fn branch(&mut self, depth: usize) -> Result<Node, PatternError> {
        let mut pieces = Vec::new();
        while let Some(token) = self.peek()? {
            let ends = match token {
                Token::Alternate => true,
                Token::CloseGroup => depth > 0 || !self.extended(),
                _ => false,
            };
            if ends {
                break;
            }
            let atom = self.atom(token, pieces.is_empty(), depth)?;
            let repeats_nothing = matches!(atom, Node::Empty | Node::Anchor(_));
            let before = self.rest.len();
            pieces.push(self.repeated(atom, depth)?);
            let repeated = self.rest.len() < before;
            // GNU grep takes a `)` right after a repetition of nothing as a character.
            if self.extended()
                && repeats_nothing
                && repeated
                && self.peek()? == Some(Token::CloseGroup)
            {
                self.skip()?;
                pieces.push(self.repeated(Node::Literal(')'), depth)?);
            }
        }
        Ok(match pieces.pop() {
            None => Node::Empty,
            Some(only) if pieces.is_empty() => only,
            last => {
                pieces.extend(last);
                Node::Sequence(pieces)
            }
        })
    }

    /// Parses one piece without its repetitions. `first`: nothing of its branch stands before it.
    fn atom(&mut self, token: Token, first: bool, depth: usize) -> Result<Node, PatternError> {
        if self.extended() && self.repeats_here(&token)? {
            // A repetition with nothing before it repeats the empty string.
            return Ok(Node::Empty);
        }
        self.skip()?;
        Ok(match token {
            Token::Character(c) => Node::Literal(c),
            Token::Byte(byte) => Node::Byte(byte),
            Token::Any => Node::Any,
            Token::OpenBracket => {
                let (set, rest) = bracket::parse(self.rest)?;
                self.rest = rest;
                Node::Set(set)
            }
            Token::Caret if first || self.extended() => Node::Anchor(Anchor::LineStart),
            Token::Caret => Node::Literal('^'),
            Token::Dollar if self.extended() || self.branch_ends_here() => {
                Node::Anchor(Anchor::LineEnd)
            }
            Token::Dollar => Node::Literal('$'),
            Token::Star => Node::Literal('*'),
            Token::Plus => Node::Literal('+'),
            Token::Question => Node::Literal('?'),
            Token::OpenInterval => Node::Literal('{'),
            Token::CloseInterval => Node::Literal('}'),
            Token::OpenGroup => self.group(depth)?,
            Token::CloseGroup => Node::Literal(')'),
            Token::Alternate => Node::Literal('|'),
            Token::Anchor(anchor) => Node::Anchor(anchor),
            Token::Set(set) => Node::Set(set),
            Token::BackReference(number) => {
                if self.groups_closed.get(number) != Some(&true) {
                    return Err(PatternError::InvalidBackReference);
                }
                Node::BackReference(number)
            }
        })
    }

    /// Parses the rest of a group after its opening.
    fn group(&mut self, depth: usize) -> Result<Node, PatternError> {
        if depth >= MAX_NESTING {
            return Err(PatternError::TooBig);
        }
        self.groups_opened += 1;
        let number = self.groups_opened;
        let inner = self.alternation(depth + 1)?;
        if self.peek()? != Some(Token::CloseGroup) {
            return Err(PatternError::UnmatchedOpenGroup);
        }
        self.skip()?;
        if let Some(closed) = self.groups_closed.get_mut(number) {
            *closed = true;
        }
        Ok(Node::Group(Box::new(inner)))
    }

    /// Wraps `atom` in the repetitions that follow it.
    fn repeated(&mut self, atom: Node, depth: usize) -> Result<Node, PatternError> {
        if !self.extended() && matches!(atom, Node::Anchor(_)) {
            // After an anchor a basic pattern's `*` is a character.
            return Ok(atom);
        }
        let mut node = atom;
        let mut layers = depth;
        while let Some(token) = self.peek()? {
            let (least, most) = match token {
                Token::Star => (0, None),
                Token::Plus => (1, None),
                Token::Question => (0, Some(1)),
                Token::OpenInterval => match self.interval()? {
                    Some(bounds) => bounds,
                    None => break,
                },
                _ => break,
            };
            if token != Token::OpenInterval {
                self.skip()?;
            }
            let stacked = repeat(node, least, most);
            layers += usize::from(stacked.1);
            if layers > MAX_NESTING {
                return Err(PatternError::TooBig);
            }
            node = stacked.0;
        }
        Ok(node)
    }

    /// Whether `token`, which comes next, is a repetition and not a character.
    fn repeats_here(&self, token: &Token) -> Result<bool, PatternError> {
        Ok(match token {
            Token::Star | Token::Plus | Token::Question => true,
            Token::OpenInterval => {
                let inside = self.rest.get(1..).unwrap_or_default();
                interval::parse(self.language, inside)?.is_some()
            }
            _ => false,
        })
    }

    /// Takes the interval that comes next. Takes nothing and returns none when it is only
    /// characters.
    fn interval(&mut self) -> Result<Option<interval::Bounds>, PatternError> {
        let opening = if self.extended() { 1 } else { 2 };
        let inside = self.rest.get(opening..).unwrap_or_default();
        Ok(interval::parse(self.language, inside)?.map(|(bounds, rest)| {
            self.rest = rest;
            bounds
        }))
    }

    /// Whether the branch ends at the next token.
    fn branch_ends_here(&self) -> bool {
        matches!(self.peek(), Ok(None | Some(Token::Alternate | Token::CloseGroup)))
    }
}

/// `node` repeated, and whether that made the tree deeper: `a**` is `a*`.
fn repeat(node: Node, least: u32, most: Option<u32>) -> (Node, bool) {
    match node {
        Node::Empty => (Node::Empty, false),
        Node::Repeat { node, least: inner_least @ (0 | 1), most: None }
            if matches!((least, most), (0 | 1, None | Some(1))) =>
        {
            let least = least.min(inner_least);
            (Node::Repeat { node, least, most: None }, false)
        }
        node => (Node::Repeat { node: Box::new(node), least, most }, true),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
