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

impl Value {
    /// The bytes to print: digits, `~` before an estimate, times as [`time_text`] has them, and
    /// texts as they are, with whatever bytes they have. Nothing for what is missing.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Missing => Vec::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string().into_bytes(),
            Self::Estimate(count) => format!("~{count}").into_bytes(),
            Self::Time(milliseconds) => time_text(*milliseconds).into_bytes(),
        }
    }
}

/// A time as RFC 3339 writes it, in UTC: `2026-11-30T13:21:00Z`, and with milliseconds if there are
/// any. `milliseconds` are those since the Unix epoch.
pub fn time_text(milliseconds: i64) -> String {
    let (days, rest) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (seconds, fraction) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let point = if fraction == 0 { String::new() } else { format!(".{fraction:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{point}Z")
}

/// The date of a day, counted from the Unix epoch: Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// One row: as many values as there are columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// In the order of the columns.
    pub values: Vec<Value>,
}

/// A row that is merged with those of other tables before it is chosen and ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedRow {
    /// The row.
    pub row: Row,
    /// What orders it among the rows of its window: first its key, and then a rank for each stage
    /// of [`Plan::order_stages`](crate::Plan::order_stages). Ranks compare as bytes.
    pub ranks: Vec<Vec<u8>>,
}

/// A stage behind the aggregate that orders rows. Those that are equal stay in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStage {
    /// `sort`: all rows stay.
    Sort,
    /// `top`: of each window, the first so many rows stay.
    Top(usize),
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
    /// Lines of windows that a [`Gather`](crate::Gather) had forgotten when they came. They are in
    /// no row.
    pub late: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.lines = self.lines.saturating_add(other.lines);
        self.unparsed = self.unparsed.saturating_add(other.unparsed);
        self.without_time = self.without_time.saturating_add(other.without_time);
        self.not_numbers = self.not_numbers.saturating_add(other.not_numbers);
        self.late = self.late.saturating_add(other.late);
    }
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
