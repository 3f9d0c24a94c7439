//! Readers of lines: each finds the fields that the plan needs, and says whether the line has its
//! format. That never depends on which fields are needed.

mod json;
mod logfmt;
mod pattern;
mod syslog;
mod template;
mod weblog;

use super::cells::{Cell, Cells};
pub(crate) use json::Json;
pub(crate) use logfmt::Logfmt;
pub(crate) use pattern::{Memory, Pattern, compile};
pub(crate) use syslog::Syslog;
pub(crate) use template::Template;
pub(crate) use weblog::Weblog;

/// The most fields with names of the line's own that a query can use.
pub(crate) const MAX_FIELDS: usize = 64;

/// A reader, and which slots its fields go to. It sets all these slots for each line that it can
/// read.
#[derive(Debug)]
pub(crate) enum Scanner {
    Weblog(Weblog),
    Json(Json),
    Logfmt(Logfmt),
    Syslog(Syslog),
    Template(Template),
    Pattern(Pattern),
}

/// What a reader says of a name.
pub(crate) enum Lookup {
    /// The field goes to this slot.
    Slot(usize),
    /// It reads no such field.
    Unknown,
    /// There are too many fields.
    TooMany,
}

impl Scanner {
    /// Whether the line has the format. Its fields are in `cells` then.
    pub(crate) fn scan(&self, line: &[u8], cells: &mut Cells) -> bool {
        match self {
            Self::Weblog(weblog) => weblog.scan(line, cells).is_some(),
            Self::Json(json) => json.scan(line, cells),
            Self::Logfmt(logfmt) => logfmt.scan(line, cells).is_some(),
            Self::Syslog(syslog) => syslog.scan(line, cells).is_some(),
            Self::Template(template) => template.scan(line, cells).is_some(),
            Self::Pattern(pattern) => pattern.scan(line, cells),
        }
    }

    /// Asks for a field. A new one takes the slot `next`.
    pub(crate) fn need(&mut self, name: &str, next: usize) -> Lookup {
        match self {
            Self::Weblog(weblog) => weblog.need(name, next),
            Self::Json(json) => json.needs.need(name, next),
            Self::Logfmt(logfmt) => logfmt.needs.need(name, next),
            Self::Syslog(syslog) => syslog.need(name, next),
            Self::Template(template) => need_of(&mut template.fields, name, next),
            Self::Pattern(pattern) => need_of(&mut pattern.fields, name, next),
        }
    }

    /// The names that it knows.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Weblog(_) => weblog::NAMES.to_vec(),
            Self::Json(_) | Self::Logfmt(_) => Vec::new(),
            Self::Syslog(_) => syslog::NAMES.to_vec(),
            Self::Template(template) => known(&template.fields),
            Self::Pattern(pattern) => pattern.names(),
        }
    }

    /// The name of its stage.
    pub(crate) fn stage(&self) -> &'static str {
        match self {
            Self::Weblog(weblog) => weblog.stage(),
            Self::Json(_) => "json",
            Self::Logfmt(_) => "logfmt",
            Self::Syslog(_) => "syslog",
            Self::Template(_) => "parse",
            Self::Pattern(_) => "regex",
        }
    }

    /// The field that others call so.
    pub(crate) fn translation(&self, name: &str) -> Option<&'static str> {
        let Self::Weblog(_) = self else { return None };
        let found = weblog::TRANSLATIONS.iter().find(|(theirs, _)| *theirs == name);
        found.map(|(_, ours)| *ours)
    }

    /// Whether lines may have fields with other names.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Weblog(_) | Self::Json(_) | Self::Logfmt(_))
    }
}

/// A field with a name from the query, and its slot if it is needed.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) slot: Option<usize>,
}

fn known(fields: &[Named]) -> Vec<&str> {
    fields.iter().map(|field| field.name.as_str()).collect()
}

fn need_of(fields: &mut [Named], name: &str, next: usize) -> Lookup {
    let field = fields.iter_mut().find(|field| field.name == name);
    field.map_or(Lookup::Unknown, |field| Lookup::Slot(*field.slot.get_or_insert(next)))
}

/// Fields whose names are in the lines themselves.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    names: Vec<(Vec<u8>, usize)>,
}

impl Needs {
    fn need(&mut self, name: &str, next: usize) -> Lookup {
        if let Some(slot) = self.slot(name.as_bytes()) {
            return Lookup::Slot(slot);
        }
        if self.names.len() == MAX_FIELDS {
            return Lookup::TooMany;
        }
        self.names.push((name.as_bytes().to_vec(), next));
        Lookup::Slot(next)
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn slot(&self, name: &[u8]) -> Option<usize> {
        self.names.iter().find(|(needed, _)| needed == name).map(|(_, slot)| *slot)
    }

    fn clear(&self, cells: &mut Cells) {
        for (_, slot) in &self.names {
            cells.set(*slot, Cell::Missing);
        }
    }
}

/// The line without one carriage return at its end: files with CRLF have it.
fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The end of a text in quotes: the place of the next `"` from `start` on that has no odd number of
/// backslashes before it; and whether there are backslashes.
fn closing_quote(line: &[u8], start: usize) -> Option<(usize, bool)> {
    // Most are short: a loop is done before a search has begun.
    for (at, byte) in line.get(start..)?.iter().take(16).enumerate() {
        match byte {
            b'"' => return Some((start + at, false)),
            b'\\' => break,
            _ => {}
        }
    }
    let mut from = start;
    let mut escaped = false;
    loop {
        let at = memchr::memchr2(b'"', b'\\', line.get(from..)?)? + from;
        if line[at] == b'"' {
            return Some((at, escaped));
        }
        escaped = true;
        from = at + 2;
    }
}
