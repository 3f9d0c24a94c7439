//! Reads systemd's Journal Export Format, which `journalctl --output=export` prints. It owns the
//! bytes that were read and not used yet.
//!
//! In this format a field with unprintable bytes has its length before it. So each value is what
//! was logged. The format: <https://systemd.io/JOURNAL_EXPORT_FORMATS/>.

use std::io::{self, BufRead as _, BufReader, Read};

/// The longest message that is searched, in bytes. The rest of a longer one is left out.
pub(super) const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// The longest other value that is kept, in bytes. journalctl(1) prints only shorter ones.
const MAX_VALUE_BYTES: usize = 512;

/// The longest line: the longest name of a field (systemd.journal-fields(7)), `=` and a message.
const MAX_LINE_BYTES: usize = MAX_NAME_BYTES + 1 + MAX_MESSAGE_BYTES;

/// The longest name of a field, in bytes. The names of addresses begin with two underscores.
const MAX_NAME_BYTES: usize = 66;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// The fields that journalctl is asked for. It prints the addresses of each entry as well.
pub(super) const FIELDS: &str = "MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_COMM,_PID,SYSLOG_PID,\
    _SOURCE_REALTIME_TIMESTAMP";

/// The value of a field.
#[derive(Debug, Default)]
pub(super) struct Value {
    bytes: Vec<u8>,
    is_given: bool,
    /// Whether the end of it was left out.
    pub(super) is_cut: bool,
}

impl Value {
    /// The bytes, if the entry has the field.
    pub(super) fn get(&self) -> Option<&[u8]> {
        self.is_given.then_some(&self.bytes)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        (self.is_given, self.is_cut) = (false, false);
    }

    /// The number that it is written as.
    fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.get()?).ok()?.parse().ok()
    }
}

/// An entry of the journal, as far as it is shown.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) message: Value,
    pub(super) hostname: Value,
    pub(super) identifier: Value,
    pub(super) command: Value,
    pub(super) pid: Value,
    pub(super) syslog_pid: Value,
    /// When journald received it, in microseconds since the Unix epoch.
    pub(super) received_us: u64,
    /// Whether its number was printed, as journalctl does since systemd 254.
    pub(super) has_number: bool,
    /// The boot in which it was written.
    pub(super) boot_id: Value,
    source_time: Value,
    received: Value,
    monotonic: Value,
}

impl Entry {
    /// The time that journalctl shows, in microseconds since the Unix epoch. The sender's own
    /// clock comes first.
    pub(super) fn shown_us(&self) -> u64 {
        let is_valid = |time: &u64| (1..1 << 55).contains(time);
        self.source_time.number().filter(is_valid).unwrap_or(self.received_us)
    }

    /// When journald received it, in microseconds of CLOCK_MONOTONIC.
    pub(super) fn monotonic_us(&self) -> Option<u64> {
        self.monotonic.number()
    }

    fn clear(&mut self) {
        let Entry { message, hostname, identifier, command, pid, syslog_pid, .. } = self;
        for value in [message, hostname, identifier, command, pid, syslog_pid] {
            value.clear();
        }
        for value in
            [&mut self.boot_id, &mut self.source_time, &mut self.received, &mut self.monotonic]
        {
            value.clear();
        }
        (self.received_us, self.has_number) = (0, false);
    }

    /// The place for a field's value with the most bytes that are kept, if the field is wanted.
    fn place(&mut self, name: &[u8]) -> Option<(&mut Value, usize)> {
        let value = match name {
            b"MESSAGE" => return Some((&mut self.message, MAX_MESSAGE_BYTES)),
            b"_HOSTNAME" => &mut self.hostname,
            b"SYSLOG_IDENTIFIER" => &mut self.identifier,
            b"_COMM" => &mut self.command,
            b"_PID" => &mut self.pid,
            b"SYSLOG_PID" => &mut self.syslog_pid,
            b"_SOURCE_REALTIME_TIMESTAMP" => &mut self.source_time,
            b"__REALTIME_TIMESTAMP" => &mut self.received,
            b"__MONOTONIC_TIMESTAMP" => &mut self.monotonic,
            b"_BOOT_ID" => &mut self.boot_id,
            b"__SEQNUM" => {
                self.has_number = true;
                return None;
            }
            _ => return None,
        };
        Some((value, MAX_VALUE_BYTES))
    }
}

/// Reads entries from a stream.
#[derive(Debug)]
pub(super) struct Entries<R> {
    stream: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Entries<R> {
    /// For a stream that begins with an entry.
    pub(super) fn new(stream: R) -> Self {
        Entries { stream: BufReader::with_capacity(READ_BYTES, stream), line: Vec::new() }
    }

    /// Whether a part of the next entry was read already.
    pub(super) fn has_more(&self) -> bool {
        !self.stream.buffer().is_empty()
    }

    /// Reads the next entry, and says whether there was one. An entry that is not whole at the
    /// stream's end counts as none. Of a field that comes twice, the last value stays.
    ///
    /// # Errors
    /// When reading fails, and with [`io::ErrorKind::InvalidData`] when the format is another.
    pub(super) fn read(&mut self, entry: &mut Entry) -> io::Result<bool> {
        entry.clear();
        let mut has_fields = false;
        loop {
            let Some(is_cut) = self.read_line()? else { return Ok(false) };
            // Without --quiet, journalctl prints remarks such as `-- Boot ... --` between entries.
            if self.line.starts_with(b"-- ") {
                continue;
            }
            if self.line.is_empty() {
                if has_fields {
                    entry.received_us = entry.received.number().unwrap_or(0);
                    return Ok(true);
                }
                continue;
            }
            has_fields = true;
            let name_end = self.line.iter().take(MAX_NAME_BYTES + 1).position(|byte| *byte == b'=');
            match name_end.and_then(|end| self.line.split_at_checked(end)) {
                Some((name, value)) => {
                    if let Some((place, most)) = entry.place(name) {
                        let value = value.get(1..).unwrap_or_default();
                        place.clear();
                        place.bytes.extend(value.iter().take(most));
                        (place.is_given, place.is_cut) = (true, is_cut || value.len() > most);
                    }
                }
                None => self.read_value(entry)?,
            }
        }
    }

    /// Reads the next line without its newline, and says whether its end was left out. None at the
    /// end of the stream.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        self.line.shrink_to(2 * READ_BYTES);
        let most = MAX_LINE_BYTES as u64;
        self.stream.by_ref().take(most).read_until(b'\n', &mut self.line)?;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            return Ok(Some(false));
        }
        if self.line.len() < MAX_LINE_BYTES {
            return Ok(None);
        }
        self.stream.skip_until(b'\n')?;
        Ok(Some(true))
    }

    /// Reads the value of a field whose name is the current line: its length as eight bytes, the
    /// bytes, and a newline.
    fn read_value(&mut self, entry: &mut Entry) -> io::Result<()> {
        let is_name = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
        if self.line.len() > MAX_NAME_BYTES || !self.line.iter().all(is_name) {
            return Err(malformed());
        }
        let mut length = [0; 8];
        self.stream.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut kept = 0;
        if let Some((place, most)) = entry.place(&self.line) {
            kept = length.min(most as u64);
            place.clear();
            self.stream.by_ref().take(kept).read_to_end(&mut place.bytes)?;
            (place.is_given, place.is_cut) = (true, kept < length);
        }
        io::copy(&mut self.stream.by_ref().take(length - kept), &mut io::sink())?;
        let mut end = [0];
        self.stream.read_exact(&mut end)?;
        if end == *b"\n" { Ok(()) } else { Err(malformed()) }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "journalctl printed no Journal Export Format")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A field in the form for any bytes.
    fn field(name: &str, value: &[u8]) -> Vec<u8> {
        let length = u64::try_from(value.len()).unwrap().to_le_bytes();
        [name.as_bytes(), b"\n", &length, value, b"\n"].concat()
    }

    fn messages(stream: &[u8]) -> Vec<Option<Vec<u8>>> {
        let (mut entries, mut entry) = (Entries::new(stream), Entry::default());
        let mut messages = Vec::new();
        while entries.read(&mut entry).unwrap() {
            messages.push(entry.message.get().map(<[u8]>::to_vec));
        }
        messages
    }

    /// Remarks of journalctl lie between the entries, and the last entry is not whole.
    #[test]
    fn entries_of_both_forms_are_read() {
        let any = b"a\tb\r\n\n-- \x00\xff\x1b[0m\n";
        let stream = [
            b"-- Boot 0123 --\n__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=17\nMESSAGE=one=1\n".to_vec(),
            b"_SOURCE_REALTIME_TIMESTAMP=16\n__SEQNUM=4\n\n\n".to_vec(),
            field("UNKNOWN", any),
            field("MESSAGE", b"first"),
            field("MESSAGE", any),
            b"__REALTIME_TIMESTAMP=18\n_SOURCE_REALTIME_TIMESTAMP=0\n\n-- No entries --\n".to_vec(),
            b"_PID=1\n\nMESSAGE=cut short\n".to_vec(),
        ]
        .concat();
        assert_eq!(messages(&stream), [Some(b"one=1".to_vec()), Some(any.to_vec()), None]);
        let (mut entries, mut entry) = (Entries::new(&stream[..]), Entry::default());
        assert!(entries.read(&mut entry).unwrap() && entry.has_number);
        assert_eq!((entry.received_us, entry.shown_us()), (17, 16));
        assert!(entries.read(&mut entry).unwrap() && !entry.has_number);
        assert_eq!((entry.received_us, entry.shown_us()), (18, 18));
    }

    #[test]
    fn only_the_beginning_of_a_huge_message_is_kept() {
        let huge = vec![b'x'; MAX_MESSAGE_BYTES + 100_000];
        let after = b"\nMESSAGE=after\n\n";
        for begun in [[b"MESSAGE=", &huge[..], b"\n"].concat(), field("MESSAGE", &huge)] {
            let stream = [&begun[..], after].concat();
            let (mut entries, mut entry) = (Entries::new(&stream[..]), Entry::default());
            assert!(entries.read(&mut entry).unwrap() && entry.message.is_cut);
            assert_eq!(entry.message.get().map(<[u8]>::len), Some(MAX_MESSAGE_BYTES));
            assert!(entries.read(&mut entry).unwrap() && !entry.message.is_cut);
            assert_eq!(entry.message.get(), Some(&b"after"[..]));
        }
    }

    #[test]
    fn what_is_no_export_is_an_error() {
        for stream in [&b"Nov 21 01:20:33 host x: y\n\n"[..], b"MESSAGE\n\x01\0\0\0\0\0\0\0ab\n"] {
            let read = Entries::new(stream).read(&mut Entry::default());
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 0..40_usize,
        ) {
            let whole = [field("MESSAGE", &bytes), b"\n".to_vec()].concat();
            prop_assert_eq!(messages(&whole), [Some(bytes.clone())]);
            let stream = [whole.get(..cut).unwrap_or_default(), &bytes].concat();
            let (mut entries, mut entry) = (Entries::new(&stream[..]), Entry::default());
            while entries.read(&mut entry).unwrap_or(false) {}
        }
    }
}
