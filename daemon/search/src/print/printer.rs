//! Lines, counts and names in GNU grep's format.

use super::color;
use super::json::Json;
use super::output_buffer::OutputBuffer;
use crate::line::{Line, MAX_JSON_LINE, Role};
use crate::output::Stopped;
use crate::pattern::{Budget, Extents, ExtentsCache, MatchFailure};
use crate::query::Query;
use crate::time::Zone;
use memberd_control::grep::{GrepBinary, GrepCharacters, GrepColors, GrepPrint, Sgr};
use std::ops::Range;

/// Lines longer than this many bytes are printed without color. Color could multiply the memory
/// that they take.
const MAX_COLORED_LINE: usize = 1024 * 1024;

/// Why a line was not printed.
#[derive(Debug)]
pub(crate) enum PrintError {
    /// The output wants no more.
    Stopped,
    /// Its matches could not be found.
    Match(MatchFailure),
    /// It is longer than [`MAX_JSON_LINE`].
    TooLongForJson,
}

impl From<Stopped> for PrintError {
    fn from(_: Stopped) -> PrintError {
        PrintError::Stopped
    }
}

impl From<MatchFailure> for PrintError {
    fn from(failure: MatchFailure) -> PrintError {
        PrintError::Match(failure)
    }
}

/// Prints the results of one search, over all its files.
pub(crate) struct Printer<'o, 's> {
    query: &'s Query,
    extents: Option<(&'s Extents, ExtentsCache)>,
    budget: &'s Budget<'s>,
    out: OutputBuffer<'o>,
    json: Option<Json>,
    /// `MACHINE:FILE` of the current file.
    name: Vec<u8>,
    /// The least width of numbers with `-T`: that of the file's size, and one more with line
    /// numbers.
    width: usize,
    /// Whether any line was selected before, in any file. If so, groups with context are separated.
    used: bool,
    /// Whether the beginning of a group is marked, so that the receiver separates them.
    marks_groups: bool,
}

impl<'o, 's> Printer<'o, 's> {
    pub(crate) fn new(
        query: &'s Query,
        extents: Option<&'s Extents>,
        budget: &'s Budget<'s>,
        out: OutputBuffer<'o>,
    ) -> Self {
        let extents = extents.map(|extents| (extents, extents.cache()));
        let json = query.printing.json.then(Json::new);
        Printer {
            query,
            extents,
            budget,
            out,
            json,
            name: Vec::new(),
            width: 0,
            used: false,
            marks_groups: false,
        }
    }

    /// From here on, groups of lines are marked where they begin instead of separated.
    pub(crate) fn mark_groups(&mut self) {
        self.marks_groups = true;
    }

    /// From here on, lines are of this file, which has `size` bytes.
    pub(crate) fn set_file(&mut self, name: Vec<u8>, size: u64) {
        self.name = name;
        let largest = size.saturating_add(u64::from(self.query.numbers_lines()));
        self.width =
            if self.query.printing.initial_tab { decimal(largest, &mut [0; 20]).len() } else { 0 };
    }

    /// From here on, lines are of a machine in this zone.
    pub(crate) fn set_zone(&mut self, zone: &Zone) {
        if let Some(json) = &mut self.json {
            json.set_zone(zone);
        }
    }

    /// The buffer that the lines go through.
    pub(crate) fn out(&mut self) -> &mut OutputBuffer<'o> {
        &mut self.out
    }

    /// A line was selected, whether it is printed or not.
    pub(crate) fn note_selected(&mut self) {
        self.used = true;
    }

    /// The `--` between groups of lines with context. Nothing before the first group.
    pub(crate) fn group_separator(&mut self) -> Result<(), Stopped> {
        let Some(separator) = self
            .query
            .printing
            .group_separator
            .as_ref()
            .filter(|_| self.used && self.json.is_none())
        else {
            return Ok(());
        };
        if self.marks_groups {
            return self.out.mark();
        }
        let out = self.out.line();
        color::write(
            self.query.printing.colors.as_ref(),
            |colors| &colors.separator,
            separator,
            out,
        );
        out.push(b'\n');
        self.out.end_line()
    }

    /// Prints a line, or its matches with `-o`. Returns false if it is not text and only text is
    /// printed.
    pub(crate) fn line(&mut self, line: &Line<'_>) -> Result<bool, PrintError> {
        let text = line.bytes.strip_suffix(&[self.query.line_end()]).unwrap_or(line.bytes);
        // With `-v`, the context has the matches.
        let has_matches = (line.role == Role::Selected) != self.query.pattern.invert;
        if self.json.is_some() {
            return self.json_line(line, text, has_matches);
        }
        if self.query.printing.what == GrepPrint::Matches {
            return if has_matches { self.matches(line, text) } else { Ok(true) };
        }
        if !self.is_printable(text) {
            return Ok(false);
        }
        self.out.make_room(text.len())?;
        let out = self.out.line();
        let mut start = out.len();
        head(self.query, &self.name, self.width, line, text.is_empty(), out);
        if self.query.printing.colors.is_some() && text.len() <= MAX_COLORED_LINE {
            if let Err(error) = self.colored(line.role, has_matches, text, &mut start) {
                self.give_up(start, &[self.query.line_end()])?;
                return Err(error);
            }
        } else {
            self.out.text(text)?;
        }
        self.out.line().push(self.query.line_end());
        self.out.end_line()?;
        Ok(true)
    }

    /// Whether it is text, or need not be.
    fn is_printable(&self, text: &[u8]) -> bool {
        self.query.printing.binary == GrepBinary::Text
            || self.query.pattern.characters == GrepCharacters::Bytes
            || text.is_ascii()
            || std::str::from_utf8(text).is_ok()
    }

    /// `--json`: a line with the positions of its matches that are not empty.
    fn json_line(
        &mut self,
        line: &Line<'_>,
        text: &[u8],
        has_matches: bool,
    ) -> Result<bool, PrintError> {
        if text.len() > MAX_JSON_LINE {
            return Err(PrintError::TooLongForJson);
        }
        self.out.make_room(text.len())?;
        let mut start = self.out.line().len();
        if let Some(json) = &self.json {
            json.begin_line(&self.name, line, text, self.out.line());
        }
        if has_matches && let Err(error) = self.submatches(text, &mut start) {
            self.give_up(start, b"]}\n")?;
            return Err(error);
        }
        Json::end_line(self.out.line());
        self.out.end_line()?;
        Ok(true)
    }

    /// The matches in a line that are not empty, as JSON. The line begins at `start` of the output.
    fn submatches(&mut self, text: &[u8], start: &mut usize) -> Result<(), PrintError> {
        let (mut at, mut is_first) = (0, true);
        while let Some(found) = self.next_match(text, &mut at)? {
            Json::submatch(&found, std::mem::take(&mut is_first), self.out.line());
            self.out.spill(start)?;
        }
        Ok(())
    }

    /// The next match in a line that is not empty, from `at` on. It ends at the new `at`.
    fn next_match(
        &mut self,
        text: &[u8],
        at: &mut usize,
    ) -> Result<Option<Range<usize>>, MatchFailure> {
        while *at < text.len()
            && let Some((extents, cache)) = &mut self.extents
            && let Some(found) = extents.next(cache, self.budget, text, *at)?
        {
            *at = found.end + usize::from(found.is_empty());
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Takes back the line that begins at `start` of the output. If parts of it are gone already,
    /// ends it with `end`.
    fn give_up(&mut self, start: usize, end: &[u8]) -> Result<(), Stopped> {
        if !self.out.is_in_line() {
            self.out.line().truncate(start);
            return Ok(());
        }
        self.out.line().extend_from_slice(end);
        self.out.end_line()
    }

    /// Appends `text` in the color of its line, which begins at `start` of the output. Its matches
    /// have their own color, if they are wanted.
    fn colored(
        &mut self,
        role: Role,
        has_matches: bool,
        text: &[u8],
        start: &mut usize,
    ) -> Result<(), PrintError> {
        let Some(colors) = &self.query.printing.colors else { return Ok(()) };
        let as_selected = (role == Role::Selected) != (self.query.pattern.invert && colors.reverse);
        let line_color = if as_selected { &colors.selected_line } else { &colors.context_line };
        let match_color = match_color(colors, role);
        let mut printed = 0;
        if has_matches && !match_color.is_none() {
            let mut at = 0;
            while let Some(found) = self.next_match(text, &mut at)? {
                let out = self.out.line();
                colors.begin(line_color, out);
                out.extend_from_slice(text.get(printed..found.start).unwrap_or_default());
                printed = found.end;
                colors.begin(match_color, out);
                out.extend_from_slice(text.get(found).unwrap_or_default());
                colors.end(match_color, out);
                self.out.spill(start)?;
            }
        }
        let out = self.out.line();
        let rest = text.get(printed..).unwrap_or_default();
        // The carriage return at a line's end has no color.
        let tail = rest.strip_suffix(b"\r").unwrap_or(rest);
        if !tail.is_empty() {
            colors.begin(line_color, out);
            out.extend_from_slice(tail);
            colors.end(line_color, out);
        }
        out.extend_from_slice(rest.get(tail.len()..).unwrap_or_default());
        Ok(())
    }

    /// `-o`: each match that is not empty, on a line of its own, up to the first one that is not
    /// text.
    fn matches(&mut self, line: &Line<'_>, text: &[u8]) -> Result<bool, PrintError> {
        let mut at = 0;
        while let Some(found) = self.next_match(text, &mut at)? {
            let part = Line { offset: line.offset + found.start as u64, ..*line };
            let matched = text.get(found).unwrap_or_default();
            if !self.is_printable(matched) {
                return Ok(false);
            }
            self.out.make_room(matched.len())?;
            let out = self.out.line();
            head(self.query, &self.name, self.width, &part, false, out);
            if self.query.printing.colors.is_some() && matched.len() <= MAX_COLORED_LINE {
                color::write(
                    self.query.printing.colors.as_ref(),
                    |colors| match_color(colors, line.role),
                    matched,
                    out,
                );
            } else {
                self.out.text(matched)?;
            }
            self.out.line().push(self.query.line_end());
            self.out.end_line()?;
        }
        Ok(true)
    }

    /// `-c`
    pub(crate) fn count(&mut self, count: u64) -> Result<(), Stopped> {
        let out = self.out.line();
        if self.json.is_some() {
            Json::count(&self.name, count, out);
            return self.out.end_line();
        }
        if !self.query.printing.no_names {
            name(self.query, &self.name, b":", out);
        }
        out.extend_from_slice(count.to_string().as_bytes());
        out.push(b'\n');
        self.out.end_line()
    }

    /// `-l` and `-L`
    pub(crate) fn file_name(&mut self) -> Result<(), Stopped> {
        let out = self.out.line();
        if self.json.is_some() {
            Json::file(&self.name, out);
            return self.out.end_line();
        }
        color::write(
            self.query.printing.colors.as_ref(),
            |colors| &colors.file_name,
            &self.name,
            out,
        );
        out.push(if self.query.printing.null_after_names { 0 } else { b'\n' });
        self.out.end_line()
    }
}

fn match_color(colors: &GrepColors, role: Role) -> &Sgr {
    match role {
        Role::Selected => &colors.selected_match,
        Role::Context => &colors.context_match,
    }
}

/// Appends the file's name and the separator after it.
fn name(query: &Query, name: &[u8], separator: &[u8], out: &mut Vec<u8>) {
    let colors = query.printing.colors.as_ref();
    color::write(colors, |colors| &colors.file_name, name, out);
    if query.printing.null_after_names {
        out.push(0);
    } else {
        color::write(colors, |colors| &colors.separator, separator, out);
    }
}

/// Appends `MACHINE:FILE:`, `NUMBER:` and `OFFSET:` if they are wanted.
fn head(query: &Query, file: &[u8], width: usize, line: &Line<'_>, empty: bool, out: &mut Vec<u8>) {
    let colors = query.printing.colors.as_ref();
    let separator: &[u8] = match line.role {
        Role::Selected => b":",
        Role::Context => b"-",
    };
    if !query.printing.no_names {
        name(query, file, separator, out);
    }
    let mut digits = [b' '; 20];
    if let Some(number) = line.number {
        color::write(colors, |colors| &colors.line_number, padded(number, width, &mut digits), out);
        color::write(colors, |colors| &colors.separator, separator, out);
    }
    digits.fill(b' ');
    if query.printing.byte_offsets {
        color::write(
            colors,
            |colors| &colors.byte_offset,
            padded(line.offset, width, &mut digits),
            out,
        );
        color::write(colors, |colors| &colors.separator, separator, out);
    }
    if query.printing.initial_tab
        && !empty
        && (!query.printing.no_names || line.number.is_some() || query.printing.byte_offsets)
    {
        out.push(b'\t');
    }
}

/// The decimal digits of `number`, padded with spaces to `width`. `digits` holds the result.
fn padded(number: u64, width: usize, digits: &mut [u8; 20]) -> &[u8] {
    let start = digits.len().saturating_sub(decimal(number, digits).len().max(width));
    digits.get(start..).unwrap_or_default()
}

/// The decimal digits of `number`, without an allocation. Twenty are enough for every number.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        start = at;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}
