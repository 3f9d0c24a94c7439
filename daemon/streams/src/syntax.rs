//! What a query says, as it is written: stages and expressions, each with its place in the text.
//! Whether names exist is not known here.

mod expression;
mod hints;
mod lexer;
mod parser;
mod pattern;
mod stages;
mod words;

use super::decimal::Decimal;
use super::error::QueryError;
pub(crate) use parser::parse;
use std::ops::Range;
pub(crate) use words::suggestion;

/// The longest query, in bytes.
pub const MAX_QUERY_BYTES: usize = 16 * 1024;

/// A name of a field or a column.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
    /// It was in backquotes: it means a field of the line, however much it looks like another.
    pub(crate) quoted: bool,
}

/// Formats with scanners of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Nginx,
    Apache,
    Json,
    Logfmt,
    Syslog,
}

/// What stands between two `|`.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) kind: StageKind,
    pub(crate) span: Range<usize>,
}

/// What reads fields.
#[derive(Debug, Clone)]
pub(crate) enum Reader {
    Format(Format),
    /// `parse "* - *" as a, b`
    Template {
        text: String,
        span: Range<usize>,
        names: Vec<Name>,
    },
    /// `regex '(?P<a>..)'`
    Regex {
        text: String,
        span: Range<usize>,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum StageKind {
    /// Reads the line, or a field of it: `nginx from log`.
    Read {
        reader: Reader,
        from: Option<Name>,
    },
    Where(Expression),
    Let {
        name: Name,
        value: Expression,
    },
    Aggregate(Aggregate),
    Keep(Vec<Name>),
    Sort(Vec<SortKey>),
    Top {
        rows: usize,
        by: Vec<Expression>,
    },
}

/// `count, p99(rt) as slow by member every 10s over 1m`
#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) figures: Vec<Figure>,
    pub(crate) by: Vec<Name>,
    pub(crate) windows: Option<Windows>,
}

/// One of the figures of an aggregate.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) function: Function,
    pub(crate) argument: Option<Expression>,
    /// The argument without spaces. Empty for `count`.
    pub(crate) argument_text: String,
    /// As it is called after this: what `as` says, or `p99(rt)` without spaces.
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Sum,
    Min,
    Max,
    Average,
    /// In hundredths of a percent: 9900 is `p99`.
    Percentile(u16),
    Distinct,
}

/// Windows in milliseconds: one begins every `every`, and takes `over`.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    pub(crate) every: i64,
    pub(crate) over: i64,
    /// Where the length stands in the text.
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct SortKey {
    pub(crate) value: Expression,
    pub(crate) descending: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) kind: ExpressionKind,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum ExpressionKind {
    Name(Name),
    Number(Decimal),
    Text(Vec<u8>),
    Truth(bool),
    Not(Box<Expression>),
    Minus(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Matches {
        value: Box<Expression>,
        regex: String,
        span: Range<usize>,
    },
    In(Box<Expression>, Vec<Expression>),
    /// A call of a function, or a column of that name, such as `p99(rt)`.
    Call {
        function: Name,
        arguments: Vec<Expression>,
        /// The whole call without spaces.
        text: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    StartsWith,
    EndsWith,
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
}
