//! Lines, counts and names in GNU grep's format.

use super::chunk::Chunk;
use super::color::{self, Ink};
use super::json::Json;
use crate::output::Stopped;
use crate::pattern::{Extents, ExtentsCache};
use crate::query::{Print, Query};

/// Lines longer than this many bytes are printed without colour, so that colour cannot multiply the memory a line takes.
const MAX_COLORED_LINE: usize = 1024 * 1024;

/// What a line is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It was selected: `:`.
    Selected,
    /// It is near one that was: `-`.
    Context,
}

/// A line to be printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'b> {
    /// With or without its newline.
    pub(crate) bytes: &'b [u8],
    /// Counted from 1; present if wanted.
    pub(crate) number: Option<u64>,
    /// Where it begins in the file, in bytes.
    pub(crate) offset: u64,
    pub(crate) role: Role,
}

/// Prints for one run over all its files.
pub(crate) struct Printer<'o, 's> {
    query: &'s Query,
    extents: Option<(&'s Extents, ExtentsCache)>,
    chunk: Chunk<'o>,
    json: Option<Json>,
    /// `MACHINE:FILE` of the current file.
    name: Vec<u8>,
    /// Whether any line was selected before, in any file: then groups with context are separated.
    used: bool,
}

impl<'o, 's> Printer<'o, 's> {
    pub(crate) fn new(query: &'s Query, extents: Option<&'s Extents>, chunk: Chunk<'o>) -> Self {
        Printer {
            query,
            extents: extents.map(|extents| (extents, extents.cache())),
            chunk,
            json: query.json.then(Json::new),
            name: Vec::new(),
            used: false,
        }
    }

    /// From here on, lines are of this file.
    pub(crate) fn set_name(&mut self, name: Vec<u8>) {
        self.name = name;
    }

    /// The chunk that the lines go through.
    pub(crate) fn chunk(&mut self) -> &mut Chunk<'o> {
        &mut self.chunk
    }

    /// A line was selected, whether it is printed or not.
    pub(crate) fn note_selected(&mut self) {
        self.used = true;
    }

    /// The `--` between groups of lines with context; nothing before the first group.
    pub(crate) fn group_separator(&mut self) -> Result<(), Stopped> {
        if !self.used || self.json.is_some() {
            return Ok(());
        }
        let out = self.chunk.line();
        color::write(out, self.query.color, Ink::Separator, b"--");
        out.push(b'\n');
        self.chunk.end_line()
    }

    /// Prints a line, or with `-o` the matches in it.
    pub(crate) fn line(&mut self, line: &Line<'_>) -> Result<(), Stopped> {
        let text = line.bytes.strip_suffix(b"\n").unwrap_or(line.bytes);
        // With -v it is the context that has the matches.
        let has_matches = (line.role == Role::Selected) != self.query.invert;
        if self.json.is_some() {
            return self.json_line(line, text, has_matches);
        }
        if self.query.print == Print::Matches {
            return if has_matches { self.matches(line, text) } else { Ok(()) };
        }
        self.chunk.make_room(text.len())?;
        let out = self.chunk.line();
        head(self.query, &self.name, line, out);
        match &mut self.extents {
            Some((extents, cache)) if has_matches && text.len() <= MAX_COLORED_LINE => {
                highlighted(extents, cache, text, out);
            }
            _ => out.extend_from_slice(text),
        }
        out.push(b'\n');
        self.chunk.end_line()
    }

    /// `--json`: a line with where its matches are, empty ones left out.
    fn json_line(&mut self, line: &Line<'_>, text: &[u8], has_matches: bool) -> Result<(), Stopped> {
        let mut matches = Vec::new();
        let mut at = 0;
        while has_matches
            && at <= text.len()
            && let Some((extents, cache)) = &mut self.extents
            && let Some(found) = extents.next(cache, text, at)
        {
            at = found.end + usize::from(found.is_empty());
            matches.extend((!found.is_empty()).then_some(found));
        }
        self.chunk.make_room(text.len())?;
        if let Some(json) = &self.json {
            json.line(&self.name, line, text, &matches, self.chunk.line());
        }
        self.chunk.end_line()
    }

    /// `-o`: each match that is not empty, on a line of its own.
    fn matches(&mut self, line: &Line<'_>, text: &[u8]) -> Result<(), Stopped> {
        let Some((extents, cache)) = &mut self.extents else {
            return Ok(());
        };
        let mut at = 0;
        while let Some(found) = extents.next(cache, text, at) {
            if found.is_empty() {
                at = found.end + 1;
                if at > text.len() {
                    break;
                }
                continue;
            }
            at = found.end;
            let matched = text.get(found).unwrap_or_default();
            self.chunk.make_room(matched.len())?;
            let out = self.chunk.line();
            head(self.query, &self.name, line, out);
            color::write(out, self.query.color, Ink::Match, matched);
            out.push(b'\n');
            self.chunk.end_line()?;
        }
        Ok(())
    }

    /// `-c`
    pub(crate) fn count(&mut self, count: u64) -> Result<(), Stopped> {
        let out = self.chunk.line();
        if self.json.is_some() {
            Json::count(&self.name, count, out);
            return self.chunk.end_line();
        }
        if !self.query.no_names {
            color::write(out, self.query.color, Ink::FileName, &self.name);
            color::write(out, self.query.color, Ink::Separator, b":");
        }
        out.extend_from_slice(count.to_string().as_bytes());
        out.push(b'\n');
        self.chunk.end_line()
    }

    /// `-l` and `-L`
    pub(crate) fn file_name(&mut self) -> Result<(), Stopped> {
        let out = self.chunk.line();
        if self.json.is_some() {
            Json::file(&self.name, out);
            return self.chunk.end_line();
        }
        color::write(out, self.query.color, Ink::FileName, &self.name);
        out.push(b'\n');
        self.chunk.end_line()
    }
}

/// Appends `MACHINE:FILE:` and `NUMBER:`, as far as they are wanted.
fn head(query: &Query, name: &[u8], line: &Line<'_>, out: &mut Vec<u8>) {
    let separator: &[u8] = match line.role {
        Role::Selected => b":",
        Role::Context => b"-",
    };
    if !query.no_names {
        color::write(out, query.color, Ink::FileName, name);
        color::write(out, query.color, Ink::Separator, separator);
    }
    if let Some(number) = line.number {
        let mut digits = [0; 20];
        color::write(out, query.color, Ink::LineNumber, decimal(number, &mut digits));
        color::write(out, query.color, Ink::Separator, separator);
    }
}

/// Appends `text` with its matches coloured.
fn highlighted(extents: &Extents, cache: &mut ExtentsCache, text: &[u8], out: &mut Vec<u8>) {
    let mut printed = 0;
    let mut at = 0;
    while at <= text.len()
        && let Some(found) = extents.next(cache, text, at)
    {
        if found.is_empty() {
            at = found.end + 1;
            continue;
        }
        at = found.end;
        out.extend_from_slice(text.get(printed..found.start).unwrap_or_default());
        printed = found.end;
        color::write(out, true, Ink::Match, text.get(found).unwrap_or_default());
    }
    out.extend_from_slice(text.get(printed..).unwrap_or_default());
}

/// The decimal digits of `number`, without an allocation; 20 are enough for any.
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
