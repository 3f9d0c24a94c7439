//! Rows of a sink as JSON. A [`Shape`] owns the names of their columns.

use jiff::Timestamp;
use memberd_streams::{ColumnKind, Plan, Query, QueryError};
use serde::Serialize;

use super::sink::Row;
use crate::exit::Failure;
use crate::json;

/// The columns of a job's rows.
#[derive(Debug)]
pub(super) struct Shape {
    keys: Vec<String>,
    figures: Vec<String>,
}

/// A part of a file that was lost before it was counted. Users rely on its shape.
#[derive(Debug, Serialize)]
struct Gap {
    r#type: &'static str,
    seq: u64,
    member: String,
    file: String,
    bytes: String,
    partition: String,
    reason: String,
}

impl Shape {
    /// The columns of the rows of this query.
    ///
    /// # Errors
    /// When the query cannot be read.
    pub(super) fn of(query: &str) -> Result<Shape, QueryError> {
        let plan = Plan::new(&Query::parse(query)?)?;
        let named = |kind: ColumnKind| {
            let columns = plan.columns().iter().filter(move |column| column.kind == kind);
            columns.map(|column| column.name.clone()).collect()
        };
        Ok(Shape { keys: named(ColumnKind::Key), figures: named(ColumnKind::Figure) })
    }

    /// The row as an object with its newline; none if it has other columns. The object of a row has
    /// what that of `stats --json` has.
    pub(super) fn object(&self, row: &Row) -> Result<Option<String>, Failure> {
        let text = String::from_utf8_lossy(&row.text);
        let cells: Vec<&str> = text.split('\t').collect();
        let [_, window, cells @ .., rev] = cells.as_slice() else { return Ok(None) };
        if let ("gap", [member, file, bytes, partition, reason]) = (*window, cells) {
            let [member, file, bytes, partition, reason] =
                [member, file, bytes, partition, reason].map(|cell| unescaped(cell));
            let (r#type, seq) = ("gap", row.number);
            let gap = Gap { r#type, seq, member, file, bytes, partition, reason };
            return json::object(&gap).map(Some);
        }
        // Without keys there may be an empty column in their place.
        let cells = match cells {
            ["", figures @ ..] if self.keys.is_empty() => figures,
            cells => cells,
        };
        let (Ok(window), Ok(rev)) = (window.parse::<Timestamp>(), rev.parse::<u64>()) else {
            return Ok(None);
        };
        match cells.split_at_checked(self.keys.len()) {
            Some((keys, figures)) if figures.len() == self.figures.len() => {
                let (fields, estimates) = self.fields(keys, figures)?;
                let (window, seq) = (window.as_millisecond(), row.number);
                Ok(Some(format!(
                    "{{\"schema\":1,\"type\":\"row\",\"seq\":{seq},\"rev\":{rev},\
                     \"row\":{{\"window\":{window}{fields}}}{estimates}}}\n"
                )))
            }
            _ => Ok(None),
        }
    }

    /// The fields of a row's object, and its list of estimates.
    fn fields(&self, keys: &[&str], figures: &[&str]) -> Result<(String, String), Failure> {
        let (mut fields, mut estimates) = (String::new(), Vec::new());
        for (name, cell) in self.keys.iter().zip(keys) {
            fields += &format!(",{}:{}", json::text(name)?, json::text(&unescaped(cell))?);
        }
        for (name, cell) in self.figures.iter().zip(figures) {
            fields += &format!(",{}:{}", json::text(name)?, figure(cell)?);
            estimates.extend(cell.starts_with('~').then_some(name));
        }
        let estimates = match estimates.as_slice() {
            [] => String::new(),
            names => format!(",\"estimates\":{}", json::text(&names)?),
        };
        Ok((fields, estimates))
    }
}

/// A number with all its digits, a text, or null. An estimate begins with `~`.
fn figure(cell: &str) -> Result<String, Failure> {
    if cell.is_empty() {
        return Ok("null".to_owned());
    }
    let digits = cell.strip_prefix('~').unwrap_or(cell);
    match serde_json::from_str::<serde_json::Number>(digits) {
        Ok(_) => Ok(digits.to_owned()),
        Err(_) => json::text(&unescaped(cell)),
    }
}

/// A text of a sink: `\t`, `\n` and `\\` are a tab, a newline and a backslash.
fn unescaped(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text.chars());
    while let Some(character) = rest.next() {
        match (character, character == '\\') {
            (_, true) => match rest.next() {
                Some('t') => plain.push('\t'),
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            (other, false) => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The object of a row of this query.
    fn object(query: &str, text: &str) -> Option<String> {
        let row = Row { number: 7, text: text.as_bytes().to_vec() };
        Shape::of(query).unwrap().object(&row).unwrap()
    }

    #[test]
    fn a_row_has_the_names_of_its_columns() {
        let query = "| nginx | count, avg(bytes) as size by member, path every 10s";
        assert_eq!(
            object(query, "7\t2026-11-21T01:20:30Z\tvm1\t/a\\tb\\\\c\t12\t3.50\t1").unwrap(),
            concat!(
                r#"{"schema":1,"type":"row","seq":7,"rev":1,"row":{"window":1795224030000,"#,
                r#""member":"vm1","path":"/a\tb\\c","count":12,"size":3.50}}"#,
                "\n"
            )
        );
        // What a figure does not have, and one that is not exact.
        let query = "| logfmt | max(n), distinct(ip) by status every 500ms";
        assert_eq!(
            object(query, "7\t2026-11-21T01:20:30.500Z\t200\t\t~12000\t0").unwrap(),
            concat!(
                r#"{"schema":1,"type":"row","seq":7,"rev":0,"row":{"window":1795224030500,"#,
                r#""status":"200","max(n)":null,"distinct(ip)":12000},"#,
                r#""estimates":["distinct(ip)"]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn without_keys_there_are_only_figures() {
        for row in ["7\t1970-01-01T00:00:01Z\t12\t0", "7\t1970-01-01T00:00:01Z\t\t12\t0"] {
            let object = object("| count every 10s", row).unwrap();
            assert!(object.contains(r#","row":{"window":1000,"count":12}}"#), "{object}");
        }
    }

    #[test]
    fn a_gap_is_an_object_of_its_own() {
        assert_eq!(
            object("| count every 10s", "7\tgap\tvm4\t00ff\t12-\tp3\tforgotten\t0").unwrap(),
            concat!(
                r#"{"schema":1,"type":"gap","seq":7,"member":"vm4","file":"00ff","bytes":"12-","#,
                r#""partition":"p3","reason":"forgotten"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn rows_with_other_columns_have_no_object() {
        let time = "1970-01-01T00:00:01Z";
        for row in ["", "\t0", "\ta\tb\t3\t0", "\ta\t3\tx", "0\ta\t3\t0"] {
            let row = format!("7\t{time}{row}");
            assert_eq!(object("| count by member every 10s", &row), None, "{row}");
        }
    }
}
