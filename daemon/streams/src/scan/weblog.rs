//! Access logs of nginx and Apache: `common`, `combined`, and what is appended to these as
//! `key=value`, such as ` rt=$request_time rid=$request_id`.
//!
//! The formats are those of `log_format combined` (ngx_http_log_module) and of `LogFormat`
//! (mod_log_config). Quotes in a field are `\x22` in nginx and `\"` in Apache: either is read.

use super::logfmt::pairs;
use super::{Lookup, Needs, closing_quote, without_return};
use crate::cells::{Cell, Cells};

/// The fields of the formats themselves.
pub(super) const NAMES: [&str; 12] = [
    "client", "ident", "user", "stamp", "request", "method", "path", "protocol", "status", "bytes",
    "referer", "agent",
];

/// What nginx, Apache and other tools call them.
pub(super) const TRANSLATIONS: [(&str, &str); 15] = [
    ("body_bytes_sent", "bytes"),
    ("code", "status"),
    ("http_referer", "referer"),
    ("http_user_agent", "agent"),
    ("ip", "client"),
    ("proto", "protocol"),
    ("remote_addr", "client"),
    ("remote_user", "user"),
    ("size", "bytes"),
    ("time_local", "stamp"),
    ("uri", "path"),
    ("url", "path"),
    ("user_agent", "agent"),
    ("useragent", "agent"),
    ("verb", "method"),
];

const CLIENT: usize = 0;
const IDENT: usize = 1;
const USER: usize = 2;
const STAMP: usize = 3;
const REQUEST: usize = 4;
const METHOD: usize = 5;
const PATH: usize = 6;
const PROTOCOL: usize = 7;
const STATUS: usize = 8;
const BYTES: usize = 9;
const REFERER: usize = 10;
const AGENT: usize = 11;

/// The length of `10/Oct/2000:13:55:36 -0700`.
const STAMP_LENGTH: usize = 26;

/// Which fields are needed.
#[derive(Debug)]
pub(crate) struct Weblog {
    /// What the query calls the format.
    stage: &'static str,
    slots: [Option<usize>; NAMES.len()],
    /// What is behind the agent.
    tail: Needs,
}

impl Weblog {
    pub(crate) fn new(stage: &'static str) -> Self {
        Self { stage, slots: [None; NAMES.len()], tail: Needs::default() }
    }

    pub(super) fn stage(&self) -> &'static str {
        self.stage
    }

    pub(super) fn need(&mut self, name: &str, next: usize) -> Lookup {
        match NAMES.iter().position(|known| *known == name) {
            Some(field) => Lookup::Slot(*self.slots[field].get_or_insert(next)),
            None => self.tail.need(name, next),
        }
    }

    /// Reads `client ident user [stamp] "request" status bytes`, and what may be behind it. A user
    /// may have spaces in its name.
    pub(super) fn scan(&self, line: &[u8], cells: &mut Cells) -> Option<()> {
        let line = without_return(line);
        let client_end = line.iter().position(|byte| *byte == b' ')?;
        let ident = client_end + 1;
        let bracket = ident + memchr::memchr(b'[', &line[ident..])?;
        let users = line.get(ident..bracket.checked_sub(1)?)?;
        let ident_end = ident + users.iter().position(|byte| *byte == b' ')?;
        if client_end == 0 || line[bracket - 1] != b' ' {
            return None;
        }
        let stamp = bracket + 1;
        let stamp_end = match line.get(stamp + STAMP_LENGTH) {
            Some(b']') => stamp + STAMP_LENGTH,
            _ => stamp + memchr::memchr(b']', &line[stamp..])?,
        };
        let request = stamp_end + 3;
        if line.get(stamp_end..request)? != b"] \"" {
            return None;
        }
        let (request_end, _) = closing_quote(line, request)?;
        let status = request_end + 2;
        let bytes = status + 4;
        if !is_status(line.get(request_end + 1..bytes)?) {
            return None;
        }
        let bytes_end = word_end(line, bytes);
        if !is_count(&line[bytes..bytes_end]) {
            return None;
        }
        cells.set_place(self.slots[CLIENT], 0..client_end);
        cells.set_place(self.slots[IDENT], ident..ident_end);
        cells.set_place(self.slots[USER], ident_end + 1..bracket - 1);
        cells.set_place(self.slots[STAMP], stamp..stamp_end);
        cells.set_place(self.slots[STATUS], status..status + 3);
        cells.set_place(self.slots[BYTES], bytes..bytes_end);
        self.set_request(line, request, request_end, cells);
        self.set_rest(line, bytes_end, cells);
        Some(())
    }

    /// `GET /path HTTP/1.1`. What is none has neither method, path nor protocol.
    fn set_request(&self, line: &[u8], start: usize, end: usize, cells: &mut Cells) {
        cells.set_place(self.slots[REQUEST], start..end);
        if self.slots[METHOD].or(self.slots[PATH]).or(self.slots[PROTOCOL]).is_none() {
            return;
        }
        for field in [METHOD, PATH, PROTOCOL] {
            cells.set_if(self.slots[field], Cell::Missing);
        }
        let request = &line[start..end];
        let Some(space) = request.iter().position(|byte| *byte == b' ') else { return };
        let method = &request[..space];
        if method.is_empty() || !method.iter().all(u8::is_ascii_alphabetic) {
            return;
        }
        let path = start + space + 1;
        let last = memchr::memrchr(b' ', request).map_or(end, |last| start + last);
        let has_protocol = last >= path && line[last + 1..end].starts_with(b"HTTP/");
        cells.set_place(self.slots[METHOD], start..start + space);
        cells.set_place(self.slots[PATH], path..if has_protocol { last } else { end });
        if has_protocol {
            cells.set_place(self.slots[PROTOCOL], last + 1..end);
        }
    }

    /// `"referer" "agent" key=value...`, each of which may be absent.
    fn set_rest(&self, line: &[u8], start: usize, cells: &mut Cells) {
        if self.tail.is_empty() && self.slots[REFERER].or(self.slots[AGENT]).is_none() {
            return;
        }
        cells.set_if(self.slots[REFERER], Cell::Missing);
        cells.set_if(self.slots[AGENT], Cell::Missing);
        self.tail.clear(cells);
        let mut at = start;
        for field in [REFERER, AGENT] {
            if line.get(at..at + 2) != Some(b" \"") {
                break;
            }
            let Some((end, _)) = closing_quote(line, at + 2) else { return };
            cells.set_place(self.slots[field], at + 2..end);
            at = end + 1;
        }
        if !self.tail.is_empty() {
            pairs(line, at, &self.tail, cells);
        }
    }
}

/// ` 200 `
fn is_status(text: &[u8]) -> bool {
    let [b' ', a, b, c, b' '] = text else { return false };
    a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit()
}

/// Digits, or `-`.
fn is_count(text: &[u8]) -> bool {
    !text.is_empty() && (text == b"-" || text.iter().all(u8::is_ascii_digit))
}

/// Where the word that begins here ends.
fn word_end(line: &[u8], start: usize) -> usize {
    let length = line[start..].iter().position(|byte| *byte == b' ');
    length.map_or(line.len(), |length| start + length)
}
