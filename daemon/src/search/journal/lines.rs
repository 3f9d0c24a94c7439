//! Makes lines of the journal's entries, as `journalctl --utc --output=short-iso-precise` prints
//! them, but with all bytes of the messages. It owns the line that is being read.

use super::export::{Entries, Entry, Value};
use super::start::Start;
use jiff::Timestamp;
use std::io::{self, Read, Write as _};

/// How many bytes of lines are made at once.
const LINES_BYTES: usize = 32 * 1024;

/// The shortest value that journalctl leaves out beside a message, in bytes.
const TOO_LONG_BYTES: usize = 300;

/// Which entries are wanted, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The first moment that is wanted.
    pub(super) since_us: u64,
    /// The first moment after it that is not.
    pub(super) until_us: u64,
    /// Nothing that is wanted comes behind an entry that was received after this.
    pub(super) last_received_us: u64,
}

impl Span {
    /// All entries.
    pub(super) const ALL: Span =
        Span { since_us: 0, until_us: u64::MAX, last_received_us: u64::MAX };
}

/// The lines of the entries of a stream.
#[derive(Debug)]
pub(super) struct Lines<R> {
    entries: Entries<R>,
    entry: Entry,
    span: Span,
    /// Only what was written after this is wanted.
    start: Option<Start>,
    time: ShownTime,
    lines: Vec<u8>,
    /// How many bytes of the lines were handed out.
    used: usize,
    /// Whether nothing more is wanted.
    is_over: bool,
    /// Whether the stream has ended.
    pub(super) at_end: bool,
    /// How many messages were searched in part only.
    pub(super) cut_messages: u64,
}

impl<R: Read> Lines<R> {
    /// The lines of the entries of `stream` that lie in `span`, and were written after `start`.
    pub(super) fn new(stream: R, span: Span, start: Option<Start>) -> Self {
        Lines {
            entries: Entries::new(stream),
            entry: Entry::default(),
            span,
            start,
            time: ShownTime::default(),
            lines: Vec::new(),
            used: 0,
            is_over: false,
            at_end: false,
            cut_messages: 0,
        }
    }

    /// Makes further lines, at least one unless nothing more is wanted. It waits for no entry of
    /// which nothing has come yet while it has a line.
    fn make(&mut self) -> io::Result<()> {
        self.lines.clear();
        self.lines.shrink_to(2 * LINES_BYTES);
        self.used = 0;
        while self.lines.is_empty() || self.lines.len() < LINES_BYTES && self.entries.has_more() {
            if !self.entries.read(&mut self.entry)? {
                (self.is_over, self.at_end) = (true, true);
                break;
            }
            if self.entry.received_us > self.span.last_received_us {
                self.is_over = true;
                break;
            }
            let shown_us = self.entry.shown_us();
            // journalctl does not show an entry without a message either.
            if let Some(message) = self.entry.message.get()
                && (self.span.since_us..self.span.until_us).contains(&shown_us)
                && self.start.as_ref().is_none_or(|start| !start.is_after(&self.entry))
            {
                self.cut_messages += u64::from(self.entry.message.is_cut);
                let begin = self.lines.len();
                self.time.write(shown_us, self.entry.has_number, &mut self.lines);
                write_origin(&self.entry, &mut self.lines);
                let indent = self.lines.len() - begin;
                write_message(message, indent, &mut self.lines);
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.lines.len() && !self.is_over && !buffer.is_empty() {
            self.make()?;
        }
        let read = self.lines.get(self.used..).unwrap_or_default().read(buffer)?;
        self.used += read;
        Ok(read)
    }
}

/// The text of a time. It keeps the last one, since many entries have the same second.
#[derive(Debug, Default)]
struct ShownTime {
    second: Option<i64>,
    text: String,
}

impl ShownTime {
    /// Writes the time in UTC. journalctl puts a colon into the offset since systemd 255. A
    /// journalctl that numbers its entries (`is_new`) is of 254 or later.
    fn write(&mut self, time_us: u64, is_new: bool, to: &mut Vec<u8>) {
        let second = i64::try_from(time_us / 1_000_000).unwrap_or(i64::MAX);
        if self.second != Some(second) {
            let time = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
            self.second = Some(second);
            self.text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        let offset = if is_new { "+00:00" } else { "+0000" };
        // Writing to memory does not fail.
        let _ = write!(to, "{}.{:06}{offset}", self.text, time_us % 1_000_000);
    }
}

/// Writes where an entry is from: ` HOST IDENTIFIER[PID]: `.
fn write_origin(entry: &Entry, to: &mut Vec<u8>) {
    let mut word = |before: &[u8], word: &[u8], after: &[u8]| {
        to.extend_from_slice(before);
        to.extend_from_slice(word);
        to.extend_from_slice(after);
    };
    if let Some(hostname) = printable(&entry.hostname) {
        word(b" ", hostname, b"");
    }
    let identifier = printable(&entry.identifier).or_else(|| printable(&entry.command));
    word(b" ", identifier.unwrap_or(b"unknown"), b"");
    if let Some(pid) = printable(&entry.pid).or_else(|| printable(&entry.syslog_pid)) {
        word(b"[", pid, b"]");
    }
    word(b": ", b"", b"");
}

/// The value, if it can stand in a line. A newline in it would begin a line that nobody logged.
fn printable(value: &Value) -> Option<&[u8]> {
    let bytes = value.get().filter(|bytes| bytes.len() < TOO_LONG_BYTES)?;
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|character| character == '\t' || !character.is_control()).then_some(bytes)
}

/// Writes the lines of a message. Those after the first are indented, so that no message can look
/// like two entries.
fn write_message(message: &[u8], indent: usize, to: &mut Vec<u8>) {
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    for (place, line) in message.split(|byte| *byte == b'\n').enumerate() {
        if place > 0 {
            to.resize(to.len() + indent, b' ');
        }
        to.extend_from_slice(line);
        to.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(stream: &[u8], span: Span) -> Vec<u8> {
        let mut lines = Vec::new();
        Lines::new(stream, span, None).read_to_end(&mut lines).unwrap();
        lines
    }

    /// An entry at this time, with further fields and a message.
    fn entry(time_us: u64, fields: &str, message: &[u8]) -> Vec<u8> {
        let length = u64::try_from(message.len()).unwrap().to_le_bytes();
        [
            format!("__REALTIME_TIMESTAMP={time_us}\n{fields}MESSAGE\n").as_bytes(),
            &length,
            message,
            b"\n\n",
        ]
        .concat()
    }

    /// The expected lines are those that journalctl of systemd 252 printed for such entries, with
    /// --utc --output=short-iso-precise, and for the bytes with --all.
    #[test]
    fn lines_look_as_those_of_journalctl() {
        const HOST: &str = "_HOSTNAME=vm1\n";
        let long = "i".repeat(300);
        for (fields, message, expected) in [
            ("SYSLOG_IDENTIFIER=app\n_PID=12\n", &b"plain"[..], &b"app[12]: plain\n"[..]),
            (
                "SYSLOG_IDENTIFIER=app\nSYSLOG_PID=13\n",
                b"a\tb\r\x07\xe9\0c\x1b[31mred",
                b"app[13]: a\tb\r\x07\xe9\0c\x1b[31mred\n",
            ),
            ("_COMM=cc\n_PID=12\nSYSLOG_PID=3\n", b"x", b"cc[12]: x\n"),
            ("", b"", b"unknown: \n"),
            (&format!("SYSLOG_IDENTIFIER={long}\n_COMM=cc\n"), b"x", b"cc: x\n"),
            ("SYSLOG_IDENTIFIER=a\tb\n", b"x", b"a\tb: x\n"),
        ] {
            let stream = entry(1_763_688_033_123_456, &[HOST, fields].concat(), message);
            let time = b"2025-11-21T01:20:33.123456+0000 vm1 ";
            let got = lines(&stream, Span::ALL);
            assert_eq!(got, [&time[..], expected].concat(), "{}", String::from_utf8_lossy(&got));
        }
        // A value that is no text is left out.
        let host = b"__SEQNUM=1\n_HOSTNAME\n\x01\0\0\0\0\0\0\0\xff\n";
        let stream = [&host[..], &entry(1, "", b"x")].concat();
        assert_eq!(lines(&stream, Span::ALL), b"1970-01-01T00:00:00.000001+00:00 unknown: x\n");
    }

    #[test]
    fn further_lines_of_a_message_are_indented() {
        let stream = entry(0, "_HOSTNAME=vm1\n_COMM=cc\n_PID=12\n", b"\nmulti\n\nend\n");
        let indent = " ".repeat("1970-01-01T00:00:00.000000+0000 vm1 cc[12]: ".len());
        let expected = format!(
            "1970-01-01T00:00:00.000000+0000 vm1 cc[12]: \n{indent}multi\n{indent}\n{indent}end\n"
        );
        assert_eq!(lines(&stream, Span::ALL), expected.as_bytes());
    }

    /// The clock was set back between the second and the third entry. The sender's clock gives the
    /// time of the last one.
    #[test]
    fn each_entry_is_judged_by_the_time_that_it_shows() {
        let source = "_SOURCE_REALTIME_TIMESTAMP=5000000\n";
        let stream = [
            entry(1_000_000, "", b"1"),
            entry(9_000_000, "", b"9"),
            entry(4_000_000, "", b"4"),
            entry(5_000_000, "", b"5"),
            entry(6_000_000, source, b"5 too"),
        ]
        .concat();
        let messages = |since_us, until_us, last_received_us| {
            let text = lines(&stream, Span { since_us, until_us, last_received_us });
            let text = String::from_utf8(text).unwrap();
            let messages = text.lines().map(|line| line.split_once(": ").unwrap().1.to_owned());
            messages.collect::<Vec<_>>()
        };
        assert_eq!(messages(4_000_000, 5_000_000, u64::MAX), ["4"]);
        assert_eq!(messages(5_000_000, u64::MAX, u64::MAX), ["9", "5", "5 too"]);
        assert_eq!(messages(0, 6_000_000, 8_999_999), ["1"]);
        assert_eq!(messages(0, 6_000_000, 9_000_000), ["1", "4", "5", "5 too"]);
    }
}
