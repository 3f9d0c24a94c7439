//! The answer: columns, rows of values, and what was counted beside them.

use super::decimal::Decimal;

/// What a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// When a window begins.
    Window,
    /// What lines are grouped by.
    Key,
    /// What was counted, summed or computed.
    Figure,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, such as `status`, `count` or `p99(rt)`.
    pub name: String,
    /// What it has.
    pub kind: ColumnKind,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The lines did not have it, or it cannot be computed.
    Missing,
    /// Bytes of a line, which need not be UTF-8.
    Text(Vec<u8>),
    /// An exact number.
    Number(Decimal),
    /// A number of different values that is not exact.
    Estimate(u64),
    /// A time, in milliseconds since the Unix epoch.
    Time(i64),
}

/// One row: as many values as there are columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// In the order of the columns.
    pub values: Vec<Value>,
}

/// Lines, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Lines that matched the pattern.
    pub lines: u64,
    /// Those that no format, template or regular expression of the query could read. They are in
    /// no row.
    pub unparsed: u64,
    /// Those without a time although the query asks for it. If it has windows, they are in no row.
    pub without_time: u64,
    /// Values that are there but are no numbers, where sums, averages, extremes or percentiles
    /// need numbers. They are left out. Empty ones and `-` are not counted here.
    pub not_numbers: u64,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows: in the order of windows and keys, or as the query sorts them.
    pub rows: Vec<Row>,
    /// What was counted of all members together.
    pub counts: Counts,
}
