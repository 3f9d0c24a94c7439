//! Writes tables with a column for each program. It owns no state.

use super::{Column, Record, Results, Row};
use std::fmt::Write as _;

/// What a table shows of the results, and how.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a, R: Row> {
    /// What stands above it.
    pub head: &'a str,
    /// The columns, in order. Those that have nothing are left out.
    pub columns: &'a [String],
    /// How a line of it is called, by its row and by what was measured.
    pub title: fn(R, &str) -> String,
    /// How a cell is written.
    pub cell: fn(&Record<Column<R>>) -> String,
}

/// A table of the rows that `has` names, ordered as rows are; nothing if none was measured.
pub fn by_columns<R: Row + Ord>(
    results: &Results<Column<R>>,
    shown: Shown<R>,
    has: impl Fn(R) -> bool,
) -> String {
    let mut things: Vec<(R, &str)> = Vec::new();
    for record in results.records.iter().filter(|record| has(record.of.row)) {
        let thing = (record.of.row, record.what.as_str());
        if shown.columns.contains(&record.of.column) && !things.contains(&thing) {
            things.push(thing);
        }
    }
    things.sort_by_key(|(row, _)| *row);
    if things.is_empty() {
        return String::new();
    }
    let is_told = |column: &&String| {
        things.iter().any(|(row, what)| results.find(*row, what, column).is_some())
    };
    let columns: Vec<&str> = shown.columns.iter().filter(is_told).map(String::as_str).collect();
    let mut text = format!("\n{}:\n\n| | {} |\n", shown.head, columns.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(columns.len() + 1));
    for (row, what) in &things {
        let _ = write!(text, "| {} |", (shown.title)(*row, what));
        for column in &columns {
            let cell = results.find(*row, what, column).map(shown.cell).unwrap_or_default();
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}
