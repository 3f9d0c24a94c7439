//! A table that is drawn anew in place, without leaving the terminal's scrollback: what was printed
//! before stays above it, and the last one stays behind at the end. It owns what is on the screen.

use jiff::tz::TimeZone;
use memberd_streams::{Column, Plan, Row, Rows};
use ratatui::crossterm::terminal;
use ratatui::text::Span;

use super::print;
use crate::exit::Failure;
use crate::format;
use crate::output::{Output, Style};

/// The size of a terminal that does not say it: columns and rows.
const USUAL: Size = (80, 24);

/// No terminal shows more rows.
const MOST_ROWS: usize = 1_000;

/// On a terminal with room for fewer lines, columns have no names.
const LEAST_LINES: usize = 4;

/// Columns and rows.
type Size = (usize, usize);

/// A table on a terminal.
pub(super) struct Screen {
    columns: Vec<Column>,
    zone: TimeZone,
    /// Which rows are shown if not all fit: the last ones, or the first ones.
    shows_last: bool,
    /// Those that may fit.
    rows: Vec<Row>,
    /// How many rows there are.
    all: usize,
    /// What is said below the table about lines that are in no row.
    left_out: Vec<String>,
    /// How many members are followed.
    members: u64,
    /// How many lines are drawn, and on a terminal of which size.
    drawn: usize,
    size: Size,
}

/// A line, and how it looks.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    text: String,
    style: Option<Style>,
}

impl Screen {
    /// Nothing is drawn yet.
    pub(super) fn new(plan: &Plan) -> Screen {
        Screen {
            columns: plan.columns().to_vec(),
            zone: TimeZone::system(),
            shows_last: plan.is_by_window(),
            rows: Vec::new(),
            all: 0,
            left_out: Vec::new(),
            members: 0,
            drawn: 0,
            size: USUAL,
        }
    }

    /// These are the rows from now on.
    pub(super) fn take(&mut self, rows: Rows, left_out: Vec<String>) {
        let mut rows = rows.rows;
        self.all = rows.len();
        if self.shows_last {
            rows.drain(..self.all.saturating_sub(MOST_ROWS));
        } else {
            rows.truncate(MOST_ROWS);
        }
        (self.rows, self.left_out) = (rows, left_out);
    }

    /// So many members are followed from now on. Returns whether that is news.
    pub(super) fn follows(&mut self, members: u64) -> bool {
        std::mem::replace(&mut self.members, members) != members
    }

    /// Whether the terminal has another size than when the table was drawn.
    pub(super) fn has_new_size(&self) -> bool {
        self.drawn > 0 && size() != self.size
    }

    /// Draws the table where it was drawn before. After a change of the terminal's size, nobody
    /// knows where that is, so it begins at the top.
    pub(super) fn draw(&mut self, output: &mut Output) -> Result<(), Failure> {
        let size = size();
        let mut text = match self.drawn {
            0 => String::new(),
            _ if size != self.size => CLEAR.to_owned(),
            drawn => above(drawn),
        };
        let lines = self.lines(size);
        for Line { text: line, style } in &lines {
            text += &style.map_or(line.clone(), |style| output.styled(style, line));
            text += TO_NEXT_LINE;
        }
        text += CLEAR_BELOW;
        (self.drawn, self.size) = (lines.len(), size);
        output.text(&text)
    }

    /// Removes the table, so that something else can be printed in its place.
    pub(super) fn erase(&mut self, output: &mut Output) -> Result<(), Failure> {
        match std::mem::take(&mut self.drawn) {
            0 => Ok(()),
            drawn => output.text(&(above(drawn) + CLEAR_BELOW)),
        }
    }

    /// The lines that fit: the table, how many rows do not fit, and what else there is to say.
    fn lines(&self, (columns, height): Size) -> Vec<Line> {
        // The cursor stands below.
        let room = height.saturating_sub(1).max(1);
        let has_names = room >= LEAST_LINES;
        let mut notes = self.left_out.clone();
        notes.push(format!("following {}", format::count(self.members, "member")));
        let table_room = room.saturating_sub(notes.len() + usize::from(has_names)).max(1);
        let shown = match self.all <= table_room {
            true => self.rows.len(),
            false => self.rows.len().min(table_room.saturating_sub(1).max(1)),
        };
        let hidden = (self.all - shown) as u64;
        let which = if self.shows_last { "earlier row" } else { "further row" };
        let is_hidden = format!("{} out of sight", format::count(hidden, which));
        notes.splice(0..0, (hidden > 0).then_some(is_hidden));
        let rows = match self.shows_last {
            true => self.rows.get(self.rows.len() - shown..),
            false => self.rows.get(..shown),
        };
        let table = print::table(&self.columns, rows.unwrap_or_default(), &self.zone);
        let bold = usize::from(has_names);
        let table = table
            .into_iter()
            .skip(1 - bold)
            .enumerate()
            .map(|(at, text)| (text, if at < bold { Some(Style::Bold) } else { None }));
        let notes = notes.into_iter().map(|note| (note, Some(Style::Dim)));
        let lines = table.chain(notes).take(room);
        lines.map(|(text, style)| Line { text: fitting(text, columns), style }).collect()
    }
}

/// Sequences of ECMA-48: CUP and ED; EL to the end of the line; ED to the end of the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";
const TO_NEXT_LINE: &str = "\x1b[K\n";
const CLEAR_BELOW: &str = "\x1b[J";

/// The sequence to the first of the lines above (CUU).
fn above(lines: usize) -> String {
    format!("\r\x1b[{lines}A")
}

fn size() -> Size {
    let known = terminal::size().ok().map(|(columns, rows)| (columns.into(), rows.into()));
    known.filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or(USUAL)
}

/// As much of the text as fits into so many columns of a terminal.
fn fitting(text: String, columns: usize) -> String {
    if Span::raw(&text).width() <= columns {
        return text;
    }
    let mut room = columns;
    let fits = |character: &char| {
        let width = Span::raw(character.encode_utf8(&mut [0; 4]) as &str).width();
        room.checked_sub(width).map(|left| room = left).is_some()
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_streams::{Counts, Query, Value};

    fn screen(query: &str, rows: usize) -> Screen {
        let plan = Plan::new(&Query::parse(query).unwrap()).unwrap();
        let mut screen = Screen { zone: TimeZone::UTC, ..Screen::new(&plan) };
        let row = |at: usize| {
            let first = match plan.is_by_window() {
                true => Value::Time(1_000 * i64::try_from(at).unwrap()),
                false => Value::Text(format!("key{at}").into_bytes()),
            };
            Row { values: vec![first, Value::Number((at as u64).into())] }
        };
        let rows = (0..rows).map(row).collect();
        let columns = plan.columns().to_vec();
        screen.take(Rows { columns, rows, counts: Counts::default() }, Vec::new());
        screen.follows(5);
        screen
    }

    fn lines(screen: &Screen, size: Size) -> Vec<String> {
        screen.lines(size).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_newest_windows_are_shown_and_the_others_counted() {
        assert_eq!(
            lines(&screen("| count every 1s", 20), (80, 8)),
            [
                "window                     count",
                "1970-01-01T00:00:16+00:00     16",
                "1970-01-01T00:00:17+00:00     17",
                "1970-01-01T00:00:18+00:00     18",
                "1970-01-01T00:00:19+00:00     19",
                "16 earlier rows out of sight",
                "following 5 members",
            ]
        );
    }

    #[test]
    fn without_windows_the_first_rows_are_shown() {
        let shown = screen("| logfmt | count by k", 5_000);
        assert_eq!(shown.rows.len(), MOST_ROWS);
        assert_eq!(
            lines(&shown, (80, 6)),
            [
                "k     count",
                "key0      0",
                "key1      1",
                "4998 further rows out of sight",
                "following 5 members",
            ]
        );
        assert_eq!(lines(&screen("| logfmt | count by k", 0), (80, 6)), ["following 5 members"]);
    }

    /// A terminal scrolls if a line is too long or one line too many.
    #[test]
    fn all_lines_fit_and_no_row_is_lost_untold() {
        for rows in [0, 1, 2, 3, 9, 50] {
            for height in 1..30 {
                for columns in [1, 5, 9, 200] {
                    let mut screen = screen("| logfmt | count by k", rows);
                    screen.left_out = vec!["3 of 9 lines were late".to_owned()];
                    let lines = lines(&screen, (columns, height));
                    assert!(lines.len() <= height.saturating_sub(1).max(1), "{rows} {height}");
                    assert!(lines.iter().all(|line| line.chars().count() <= columns));
                    let of_rows = lines.iter().filter(|line| line.starts_with("key")).count();
                    let is_told = lines.iter().any(|line| line.ends_with("out of sight"));
                    if columns == 200 && height > 3 {
                        assert_eq!(of_rows < rows, is_told, "{rows} {height}: {lines:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(fitting("日本語".to_owned(), 5), "日本");
        assert_eq!(fitting("日本語".to_owned(), 6), "日本語");
        assert_eq!(fitting("Grüße".to_owned(), 3), "Grü");
    }
}
