//! Lines of syslog: as daemons write files (RFC 3164, `Oct 11 22:14:15 host tag[1]: text`), with
//! the stamps of RFC 3339 that rsyslog writes now, and RFC 5424. `<PRI>` may stand before any.

use super::{Lookup, without_return};
use crate::cells::{Cell, Cells};
use crate::decimal::Decimal;

/// The fields.
pub(super) const NAMES: [&str; 10] = [
    "stamp",
    "host",
    "program",
    "pid",
    "message",
    "priority",
    "facility",
    "severity",
    "msgid",
    "structured",
];

const STAMP: usize = 0;
const HOST: usize = 1;
const PROGRAM: usize = 2;
const PID: usize = 3;
const MESSAGE: usize = 4;
const PRIORITY: usize = 5;
const FACILITY: usize = 6;
const SEVERITY: usize = 7;
const MESSAGE_ID: usize = 8;
const STRUCTURED: usize = 9;

/// The names of months in stamps of RFC 3164.
const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// Which fields are needed.
#[derive(Debug, Default)]
pub(crate) struct Syslog {
    slots: [Option<usize>; NAMES.len()],
}

impl Syslog {
    pub(super) fn need(&mut self, name: &str, next: usize) -> Lookup {
        let field = NAMES.iter().position(|known| *known == name);
        field.map_or(Lookup::Unknown, |field| Lookup::Slot(*self.slots[field].get_or_insert(next)))
    }

    pub(super) fn scan(&self, line: &[u8], cells: &mut Cells) -> Option<()> {
        let line = without_return(line);
        for slot in self.slots {
            cells.set_if(slot, Cell::Missing);
        }
        let (priority, start) = priority(line)?;
        if let Some(priority) = priority {
            cells.set_if(self.slots[PRIORITY], Cell::Number(Decimal::from(priority)));
            cells.set_if(self.slots[FACILITY], Cell::Number(Decimal::from(priority >> 3)));
            cells.set_if(self.slots[SEVERITY], Cell::Number(Decimal::from(priority & 7)));
        }
        if priority.is_some() && line[start..].starts_with(b"1 ") {
            return self.new_form(line, start + 2, cells);
        }
        let stamp_end = start + stamp_length(&line[start..])?;
        cells.set_place(self.slots[STAMP], start..stamp_end);
        let host = stamp_end + 1;
        let host_end = host + memchr::memchr(b' ', line.get(host..)?)?;
        if host_end == host {
            return None;
        }
        cells.set_place(self.slots[HOST], host..host_end);
        self.tag(line, host_end + 1, cells);
        Some(())
    }

    /// `program[pid]: message`. Without the colon, all is the message.
    fn tag(&self, line: &[u8], start: usize, cells: &mut Cells) {
        let ends = |byte: &u8| matches!(byte, b' ' | b':' | b'[');
        let length = line[start..].iter().position(ends).unwrap_or(line.len() - start);
        let program_end = start + length;
        let mut colon = program_end;
        let mut pid = None;
        if line.get(program_end) == Some(&b'[')
            && let Some(close) = memchr::memchr(b']', &line[program_end..])
        {
            colon = program_end + close + 1;
            pid = Some(program_end + 1..colon - 1);
        }
        if length == 0 || line.get(colon) != Some(&b':') {
            cells.set_place(self.slots[MESSAGE], start..line.len());
            return;
        }
        cells.set_place(self.slots[PROGRAM], start..program_end);
        if let Some(pid) = pid {
            cells.set_place(self.slots[PID], pid);
        }
        let message = colon + 1 + usize::from(line.get(colon + 1) == Some(&b' '));
        cells.set_place(self.slots[MESSAGE], message..line.len());
    }

    /// `STAMP HOST PROGRAM PID MSGID STRUCTURED MESSAGE`, where `-` is for what is missing.
    fn new_form(&self, line: &[u8], start: usize, cells: &mut Cells) -> Option<()> {
        let mut at = start;
        for field in [STAMP, HOST, PROGRAM, PID, MESSAGE_ID] {
            let end = at + memchr::memchr(b' ', line.get(at..)?)?;
            if end == at {
                return None;
            }
            if &line[at..end] != b"-" {
                cells.set_place(self.slots[field], at..end);
            }
            at = end + 1;
        }
        let end = structured_end(line, at)?;
        if &line[at..end] != b"-" {
            cells.set_place(self.slots[STRUCTURED], at..end);
        }
        match line.get(end) {
            None => return Some(()),
            Some(b' ') => {}
            Some(_) => return None,
        }
        let message = end + 1;
        let mark = "\u{feff}".as_bytes();
        let message = message + if line[message..].starts_with(mark) { mark.len() } else { 0 };
        cells.set_place(self.slots[MESSAGE], message..line.len());
        Some(())
    }
}

/// The number in `<PRI>`, if that stands there, and where the rest begins.
fn priority(line: &[u8]) -> Option<(Option<u64>, usize)> {
    if line.first() != Some(&b'<') {
        return Some((None, 0));
    }
    let end = line.iter().take(5).position(|byte| *byte == b'>')?;
    let digits = &line[1..end];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number <= 191).then_some((Some(number), end + 1))
}

/// How long the stamp is, behind which a space stands.
fn stamp_length(line: &[u8]) -> Option<usize> {
    if let [first, b' ', ..] = line.get(2..)?
        && let Some(month) = line.get(..3)
        && first.is_ascii_lowercase()
    {
        // `Oct 11 22:14:15 `
        let is_month = MONTHS.chunks(3).any(|name| name == month);
        let clock = line.get(6..16)?;
        let colons = clock[3] == b':' && clock[6] == b':' && clock[9] == b' ';
        return (is_month && clock[0] == b' ' && colons).then_some(15);
    }
    // `2026-10-11T22:14:15.003+02:00 `
    let is_date = line.len() > 19 && line[4] == b'-' && line[7] == b'-' && line[10] == b'T';
    if !is_date || !line[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    memchr::memchr(b' ', line.get(..40).unwrap_or(line))
}

/// The end of `-`, or of `[id name="value"]` once or more often.
fn structured_end(line: &[u8], start: usize) -> Option<usize> {
    if line.get(start) == Some(&b'-') {
        return Some(start + 1);
    }
    let mut at = start;
    while line.get(at) == Some(&b'[') {
        let mut quoted = false;
        loop {
            at += 1;
            match line.get(at)? {
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted,
                b']' if !quoted => break,
                _ => {}
            }
        }
        at += 1;
    }
    (at > start).then_some(at)
}
