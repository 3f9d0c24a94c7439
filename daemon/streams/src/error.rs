//! What can be wrong with a query, with partial sums, and with a table that has become too large.

use std::ops::Range;
use thiserror::Error;

/// Why a text is no query, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct QueryError {
    /// One line that says what to do.
    pub message: String,
    /// The place in the text, in bytes. It may be empty, and lies at the end for what is missing.
    pub span: Range<usize>,
}

impl QueryError {
    pub(crate) fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self { message: message.into(), span }
    }

    /// The line of the text with the place, `^^^` below the place, and the message. `text` is the
    /// one that was parsed. Lines end with a newline, but not the last one.
    pub fn pointed(&self, text: &str) -> String {
        let at = floor(text, self.span.start);
        let end = floor(text, self.span.end).max(at);
        let first = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let last = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let indent = " ".repeat(text[first..at].chars().count());
        let marks = "^".repeat(text[at..end.min(last).max(at)].chars().count().max(1));
        let line = text[first..last].replace('\t', " ");
        format!("{line}\n{indent}{marks}\n{}", self.message)
    }
}

/// The nearest place at or before this one at which a character begins.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A table has as many groups or bytes as it may, and a line or a partial sum needs more. Nothing
/// was cut: what is in the table is right, but not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Full {
    /// More groups than this.
    #[error("there are more than {0} groups; group by less, or raise --groups")]
    Groups(usize),
    /// More bytes than this.
    #[error("the groups need more than {0} bytes of memory; group by less, or raise --memory")]
    Bytes(usize),
}

/// Why bytes are no partial sum of this query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PartialError {
    /// Another version of memberd wrote it.
    #[error("the sums have version {0}, which this program does not know")]
    Version(u8),
    /// It belongs to another query.
    #[error("the sums belong to another query")]
    OtherQuery,
    /// A group of it says that its lines are of another member than the one that sent it.
    #[error("the sums are of another member")]
    OtherMember,
    /// It is damaged, or made up.
    #[error("the sums cannot be read: {0}")]
    Malformed(&'static str),
    /// It does not fit.
    #[error(transparent)]
    Full(#[from] Full),
}
