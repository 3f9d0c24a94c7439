//! Lines, counts and names as JSON, one object per line. Other programs rely on the format, and
//! `schema` is its number.

use std::io::Write as _;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

use crate::line::{Line, Role};
use crate::time::{Times, Zone};

/// Prints JSON for one search.
#[derive(Debug)]
pub(crate) struct Json {
    zone: Zone,
    /// When the search began, in milliseconds since the Unix epoch. A line without a year is at
    /// most a day later.
    now: i64,
}

impl Json {
    pub(crate) fn new() -> Json {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Json { zone: Zone::local(), now: i64::try_from(now.as_millis()).unwrap_or(i64::MAX) }
    }

    /// From here on, times without a zone are of this one.
    pub(crate) fn set_zone(&mut self, zone: &Zone) {
        self.zone.clone_from(zone);
    }

    /// Appends a line of the file `name` (`MACHINE:FILE`), up to its matches. `text` is the line
    /// without its end. The matches follow, and [`Json::end_line`].
    pub(crate) fn begin_line(&self, name: &[u8], line: &Line<'_>, text: &[u8], out: &mut Vec<u8>) {
        head(if line.role == Role::Selected { "match" } else { "context" }, name, out);
        if let Some(number) = line.number {
            field("line", number, out);
        }
        field("offset", line.offset, out);
        if let Some(time) = Times::new(&self.zone, self.now).of(text) {
            field("time", time, out);
        }
        bytes("text", "bytes", text, out);
        out.extend_from_slice(b",\"submatches\":[");
    }

    /// Appends a match.
    pub(crate) fn submatch(found: &Range<usize>, is_first: bool, out: &mut Vec<u8>) {
        let comma = if is_first { "" } else { "," };
        write(out, format_args!("{comma}{{\"start\":{},\"end\":{}}}", found.start, found.end));
    }

    /// Appends what comes behind the matches.
    pub(crate) fn end_line(out: &mut Vec<u8>) {
        out.extend_from_slice(b"]}\n");
    }

    /// Appends the number of selected lines of a file.
    pub(crate) fn count(name: &[u8], lines: u64, out: &mut Vec<u8>) {
        head("count", name, out);
        field("lines", lines, out);
        out.extend_from_slice(b"}\n");
    }

    /// Appends the name of a file alone.
    pub(crate) fn file(name: &[u8], out: &mut Vec<u8>) {
        head("file", name, out);
        out.extend_from_slice(b"}\n");
    }
}

/// The first fields of every object. A machine's name has no colon.
fn head(kind: &str, name: &[u8], out: &mut Vec<u8>) {
    let colon = name.iter().position(|byte| *byte == b':').unwrap_or(name.len());
    let (machine, file) = name.split_at(colon);
    write(out, format_args!("{{\"schema\":1,\"type\":\"{kind}\""));
    bytes("member", "member_bytes", machine, out);
    bytes("file", "file_bytes", file.strip_prefix(b":").unwrap_or(file), out);
}

fn field(name: &str, value: impl std::fmt::Display, out: &mut Vec<u8>) {
    write(out, format_args!(",\"{name}\":{value}"));
}

/// Text as a string. Text that is not UTF-8 goes under the other name, in base64 (RFC 4648).
fn bytes(name: &str, other: &str, bytes: &[u8], out: &mut Vec<u8>) {
    let text = std::str::from_utf8(bytes);
    write(out, format_args!(",\"{}\":\"", if text.is_ok() { name } else { other }));
    match text {
        Ok(text) => escaped(text, out),
        Err(_) => write(out, format_args!("{}", Base64Display::new(bytes, &STANDARD))),
    }
    out.push(b'"');
}

/// The inside of a string (RFC 8259).
fn escaped(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 | 0x7f => write(out, format_args!("\\u{byte:04x}")),
            _ => out.push(byte),
        }
    }
}

/// Writing to memory cannot fail.
fn write(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &[u8], matches: &[Range<usize>]) -> String {
        let mut out = Vec::new();
        let line = Line { bytes: text, number: Some(7), offset: 99, role: Role::Selected };
        Json::new().begin_line(b"vm1:/a:b", &line, text, &mut out);
        for (at, found) in matches.iter().enumerate() {
            Json::submatch(found, at == 0, &mut out);
        }
        Json::end_line(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_one_object_with_its_time_and_its_matches() {
        assert_eq!(
            printed(b"2026-11-21T01:20:33.123Z say \"hi\"\t\\ \x1b", &[0..4, 30..32]),
            "{\"schema\":1,\"type\":\"match\",\"member\":\"vm1\",\"file\":\"/a:b\",\
             \"line\":7,\"offset\":99,\"time\":1795224033123,\
             \"text\":\"2026-11-21T01:20:33.123Z say \\\"hi\\\"\\t\\\\ \\u001b\",\
             \"submatches\":[{\"start\":0,\"end\":4},{\"start\":30,\"end\":32}]}\n"
        );
    }

    #[test]
    fn text_that_is_not_utf8_comes_in_base64() {
        let field =
            |text: &[u8]| printed(text, &[]).split_once("\"offset\":99,").unwrap().1.to_owned();
        assert_eq!(field(b"\xff"), "\"bytes\":\"/w==\",\"submatches\":[]}\n");
        assert_eq!(field(b"\xffab"), "\"bytes\":\"/2Fi\",\"submatches\":[]}\n");
        assert_eq!(field(b"\xffa"), "\"bytes\":\"/2E=\",\"submatches\":[]}\n");
    }
}
