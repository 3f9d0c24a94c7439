//! Prints rows: as a table for people, as columns with tabs between, or as JSON.

use jiff::tz::TimeZone;
use memberd_streams::{Column, ColumnKind, Counts, Row, Rows, Value};

use super::cells;
use crate::exit::Failure;
use crate::format;
use crate::json;
use crate::output::{Output, Style};

/// How many bytes are written at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What a table has where a row has no value.
const NOTHING: &str = "-";

/// The form of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Aligned columns, below their names.
    Table,
    /// A tab between columns, perhaps with their names first.
    Tabs {
        /// Whether the names come first.
        header: bool,
    },
    /// An object a row.
    Json,
}

/// Prints all rows. If there is none, a table has no names of columns either.
pub(super) fn rows(output: &mut Output, form: Form, rows: &Rows) -> Result<(), Failure> {
    let zone = TimeZone::system();
    let lines: Box<dyn Iterator<Item = Result<String, Failure>> + '_> = match form {
        Form::Table => {
            let mut lines = table(&rows.columns, &rows.rows, &zone);
            lines.iter_mut().take(1).for_each(|head| *head = output.styled(Style::Bold, head));
            Box::new(lines.into_iter().map(Ok))
        }
        Form::Tabs { header } => {
            let names = header.then(|| tabs(rows.columns.iter().map(name)));
            let each = rows
                .rows
                .iter()
                .map(|row| tabs(row.values.iter().map(|value| cells::text(value, "", &zone))));
            Box::new(names.into_iter().chain(each).map(Ok))
        }
        Form::Json => Box::new(rows.rows.iter().map(|row| object(&rows.columns, row))),
    };
    let mut piece = String::new();
    for line in lines {
        piece += &line?;
        piece.push('\n');
        if piece.len() >= PIECE_BYTES {
            output.text(&piece)?;
            piece.clear();
        }
    }
    output.text(&piece)
}

/// Sentences about lines and values that are in no row. `reader` is the stage that reads lines, if
/// there is one.
pub(super) fn left_out(counts: Counts, columns: &[Column], reader: Option<&str>) -> Vec<String> {
    let Counts { lines, unparsed, without_time, not_numbers, late } = counts;
    let of = |number: u64, one: &str, many: &str| {
        let verb = if number == 1 { one } else { many };
        let all = format::count(lines, "line");
        (number > 0).then(|| format!("{number} of {all} {verb}"))
    };
    let reader = reader.unwrap_or("the query");
    let parsed = of(unparsed, "was", "were")
        .map(|some| format!("{some} not understood by {reader}, and {}", are_in(unparsed, "row")));
    let has_windows = columns.iter().any(|column| column.kind == ColumnKind::Window);
    let timed = of(without_time, "has", "have").map(|some| match has_windows {
        true => {
            let nowhere = are_in(without_time, "window");
            format!("{some} no time that is understood, and {nowhere}")
        }
        // Such lines are counted, and only their time is missing.
        false => format!("{some} no time that is understood"),
    });
    let numbers = match not_numbers {
        0 => None,
        1 => Some("1 value that is no number was left out".to_owned()),
        many => Some(format!("{many} values that are no numbers were left out")),
    };
    let late = of(late, "was", "were").map(|some| {
        format!("{some} too late for a window that --keep has left, and {}", are_in(late, "row"))
    });
    parsed.into_iter().chain(timed).chain(numbers).chain(late).collect()
}

fn are_in(number: u64, nowhere: &str) -> String {
    format!("{} in no {nowhere}", if number == 1 { "is" } else { "are" })
}

fn name(column: &Column) -> String {
    cells::escaped(column.name.as_bytes())
}

fn tabs(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join("\t")
}

/// The lines of a table: the names of the columns, and each row. Figures are aligned to the right,
/// and so are their names. Of no row, there are no names either.
pub(super) fn table(columns: &[Column], rows: &[Row], zone: &TimeZone) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let cell = |value: &Value| cells::text(value, NOTHING, zone);
    let names: Vec<String> = columns.iter().map(name).collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| row.values.iter().map(cell).collect()).collect();
    let width = |column: usize| {
        let own = cells.iter().chain([&names]).filter_map(|row| row.get(column));
        own.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: &[String]| {
        let aligned: Vec<String> = cells
            .iter()
            .zip(&widths)
            .zip(columns)
            .map(|((cell, width), column)| match column.kind {
                ColumnKind::Figure => format!("{cell:>width$}"),
                ColumnKind::Window | ColumnKind::Key => format!("{cell:width$}"),
            })
            .collect();
        aligned.join("  ").trim_end().to_owned()
    };
    std::iter::once(line(&names)).chain(cells.iter().map(|row| line(row))).collect()
}

/// A row as a JSON object on one line. Users rely on its shape.
fn object(columns: &[Column], row: &Row) -> Result<String, Failure> {
    let cells = || columns.iter().zip(&row.values);
    let fields = cells()
        .map(|(column, value)| Ok(format!("{}:{}", json::text(&column.name)?, cells::json(value))));
    let fields = fields.collect::<Result<Vec<_>, Failure>>()?.join(",");
    let estimates: Vec<&str> = cells()
        .filter(|(_, value)| matches!(value, Value::Estimate(_)))
        .map(|(column, _)| column.name.as_str())
        .collect();
    let estimates = match estimates.as_slice() {
        [] => String::new(),
        names => format!(",\"estimates\":{}", json::text(&names)?),
    };
    Ok(format!("{{\"schema\":1,\"type\":\"row\",\"row\":{{{fields}}}{estimates}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: ColumnKind) -> Column {
        Column { name: name.to_owned(), kind }
    }

    fn example() -> Rows {
        let columns = vec![
            column("window", ColumnKind::Window),
            column("path", ColumnKind::Key),
            column("count", ColumnKind::Figure),
            column("distinct(user)", ColumnKind::Figure),
        ];
        let row = |window, path: &[u8], count: u64, users| Row {
            values: vec![
                Value::Time(window),
                Value::Text(path.to_vec()),
                Value::Number(count.into()),
                users,
            ],
        };
        let rows = vec![
            row(1_795_224_030_000, b"/a", 7, Value::Estimate(12_000)),
            row(1_795_224_040_000, b"/a\tb\xff", 1_200, Value::Missing),
        ];
        Rows { columns, rows, counts: Counts::default() }
    }

    #[test]
    fn figures_are_aligned_to_the_right() {
        let Rows { columns, rows, .. } = example();
        assert_eq!(
            table(&columns, &rows, &TimeZone::UTC),
            [
                "window                     path       count  distinct(user)",
                "2026-11-21T01:20:30+00:00  /a             7          ~12000",
                "2026-11-21T01:20:40+00:00  /a\\tb\\xff   1200               -",
            ]
        );
        assert!(table(&columns, &[], &TimeZone::UTC).is_empty());
    }

    #[test]
    fn an_object_keeps_digits_and_marks_estimates() {
        let Rows { columns, rows, .. } = example();
        let lines: Vec<String> = rows.iter().map(|row| object(&columns, row).unwrap()).collect();
        assert_eq!(
            lines,
            [
                concat!(
                    r#"{"schema":1,"type":"row","row":{"window":1795224030000,"path":"/a","#,
                    r#""count":7,"distinct(user)":12000},"estimates":["distinct(user)"]}"#
                ),
                concat!(
                    r#"{"schema":1,"type":"row","row":{"window":1795224040000,"#,
                    r#""path":{"bytes":"L2EJYv8="},"count":1200,"distinct(user)":null}}"#
                ),
            ]
        );
    }

    fn told(counts: Counts, kind: ColumnKind, reader: Option<&str>) -> Vec<String> {
        let columns = vec![column("first", kind), column("count", ColumnKind::Figure)];
        left_out(counts, &columns, reader)
    }

    #[test]
    fn what_is_in_no_row_is_told() {
        let counts = Counts { lines: 100, unparsed: 4, without_time: 3, not_numbers: 2, late: 9 };
        assert_eq!(
            told(counts, ColumnKind::Window, Some("nginx")),
            [
                "4 of 100 lines were not understood by nginx, and are in no row",
                "3 of 100 lines have no time that is understood, and are in no window",
                "2 values that are no numbers were left out",
                "9 of 100 lines were too late for a window that --keep has left, and are in no row",
            ]
        );
        assert!(told(Counts { lines: 100, ..Counts::default() }, ColumnKind::Key, None).is_empty());
        let unparsed = Counts { lines: 2, unparsed: 1, ..Counts::default() };
        let two_readers = told(unparsed, ColumnKind::Key, None);
        assert!(two_readers[0].contains("by the query"), "{two_readers:?}");
    }

    #[test]
    fn one_line_and_one_value_are_told_as_one() {
        let counts = Counts { lines: 1, unparsed: 1, without_time: 1, not_numbers: 1, late: 1 };
        assert_eq!(
            told(counts, ColumnKind::Window, Some("nginx")),
            [
                "1 of 1 line was not understood by nginx, and is in no row",
                "1 of 1 line has no time that is understood, and is in no window",
                "1 value that is no number was left out",
                "1 of 1 line was too late for a window that --keep has left, and is in no row",
            ]
        );
    }

    /// A query such as `| max(time)` has lines without a time, and no windows.
    #[test]
    fn windows_are_only_spoken_of_where_there_are_any() {
        for (without_time, line) in [
            (1, "1 of 7 lines has no time that is understood"),
            (2, "2 of 7 lines have no time that is understood"),
        ] {
            let counts = Counts { lines: 7, without_time, ..Counts::default() };
            assert_eq!(told(counts, ColumnKind::Key, None), [line]);
        }
    }
}
