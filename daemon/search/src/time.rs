//! The times in the lines of logs.

mod calendar;
mod formats;
mod last_bracket;
mod level;
mod mark;
mod nearly;
mod stamp;
mod text;
mod zone;

pub(crate) use stamp::format_of;
pub use zone::Zone;

use calendar::Civil;
use last_bracket::LastBracket;
use mark::Mark;
use stamp::{Clock, Stamp};

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// How many years back a date without a year may be. Leap days may be eight years apart.
const YEARS_BACK: i64 = 8;

/// How long before the file was last written a number at a line's beginning is still a time, in
/// milliseconds: ten years. It is no time later than a day after.
const NUMBERS_BACK: i64 = 3653 * DAY;

/// How many bytes of a line are read, unless it is a JSON object.
const HEAD: usize = 512;

/// Within how many bytes a colour makes the reader leave out all colours.
const COLOURED: usize = 96;

/// Reads the times of one file's lines.
#[derive(Debug)]
pub struct Times<'z> {
    zone: &'z Zone,
    /// When the file was last written. A line without a year is at most a day later.
    modified: i64,
    /// The year of a day later.
    newest_year: i64,
    /// The last time that was read, without the fraction of its second, and the bytes that it was
    /// read from.
    last: Vec<u8>,
    last_second: i64,
    /// The zone behind its fraction, as it is written. Empty without one.
    last_zone: Vec<u8>,
    /// The last time that stood in a bracket.
    bracket: LastBracket,
    /// The last minute on the clocks of `zone`, and when it began.
    minute: Option<(Civil, i64)>,
    /// The zone that was named last, if the database has it.
    named: Option<(Vec<u8>, Option<Zone>)>,
    same_until: i64,
    /// The beginning of the first line that has a time in an unknown format.
    unread: Option<Box<[u8]>>,
}

impl<'z> Times<'z> {
    /// For a file that was last written at `modified`, in milliseconds since the Unix epoch.
    pub fn new(zone: &'z Zone, modified: i64) -> Times<'z> {
        Times {
            zone,
            modified,
            last: Vec::new(),
            last_second: 0,
            last_zone: Vec::new(),
            bracket: LastBracket::default(),
            minute: None,
            newest_year: Civil::of(modified.saturating_add(DAY).div_euclid(1000)).year,
            named: None,
            same_until: i64::MAX,
            unread: None,
        }
    }

    /// How much later the file may have been written without a change of any time that was read
    /// here. In milliseconds since the Unix epoch. A date without a year can change its year, and a
    /// number can begin or cease to be a time.
    pub(crate) fn same_until(&self) -> i64 {
        self.same_until
    }

    /// Whether a line named a zone of the time zone database.
    pub(crate) fn names_zone(&self) -> bool {
        self.named.is_some()
    }

    /// The beginning of the first line that seems to have a time, in an unknown format.
    pub(crate) fn unread(&self) -> Option<&[u8]> {
        self.unread.as_deref()
    }

    /// The time in `line`, in milliseconds since the Unix epoch. Only the first 512 bytes are read,
    /// and 32 KiB of a JSON object.
    pub fn of(&mut self, line: &[u8]) -> Option<i64> {
        // Most lines have the same second as the line before.
        if let Some(milliseconds) = self.fraction_of_last(line) {
            return Some(self.last_second + milliseconds);
        }
        let (is_coloured, has_bracket) = look(line);
        let reach = if line.first() == Some(&b'{') { Self::REACH } else { HEAD };
        let line = line.get(..reach).unwrap_or(line);
        let found = if is_coloured { self.find_plain(line) } else { self.find(line, has_bracket) };
        if found.is_none() && self.unread.is_none() {
            self.unread = nearly::unread_time(line).map(Box::from);
        }
        found
    }

    /// The milliseconds of the line, if it has the same second as the last time.
    fn fraction_of_last(&self, line: &[u8]) -> Option<i64> {
        // A comparison of no bytes would take 80 ns: an empty `Vec` points to unmapped memory.
        if self.last.is_empty() {
            return None;
        }
        let behind = line.strip_prefix(self.last.as_slice())?;
        let behind = behind.get(..HEAD.saturating_sub(self.last.len())).unwrap_or(behind);
        if self.last_zone.is_empty() {
            stamp::fraction_alone(behind, self.zone)
        } else {
            stamp::fraction_before(behind, &self.last_zone, self.zone)
        }
    }

    /// The time in a line with colours, which are left out.
    fn find_plain(&mut self, line: &[u8]) -> Option<i64> {
        let mut plain = [0; HEAD];
        let length = without_colours(line, &mut plain);
        let plain = plain.get(..length).unwrap_or_default();
        let time =
            |times: &mut Self, stamp: &Stamp<'_>| Some(times.second(stamp)? + stamp.milliseconds);
        stamp::find_in_front(plain, self.zone, |stamp| time(self, stamp)).or_else(|| {
            let mut brackets = memchr::memchr_iter(b'[', plain);
            brackets.find_map(|open| time(self, &formats::in_bracket(plain, open, self.zone)?))
        })
    }

    fn find(&mut self, line: &[u8], has_bracket: bool) -> Option<i64> {
        let in_front = stamp::find_in_front(line, self.zone, |stamp| self.note(line, stamp));
        in_front.or_else(|| {
            let mut brackets = memchr::memchr_iter(b'[', line).take_while(|_| has_bracket);
            brackets.find_map(|open| self.in_bracket(line, open))
        })
    }

    /// The time behind the bracket that opens at `open`.
    fn in_bracket(&mut self, line: &[u8], open: usize) -> Option<i64> {
        // Access logs have many lines with one second.
        if let Some(time) = self.bracket.time_of(line.get(open + 1..)?) {
            return Some(time);
        }
        let stamp = formats::in_bracket(line, open, self.zone)?;
        let time = self.note(line, &stamp)?;
        self.bracket.note(line, open, &stamp, time);
        Some(time)
    }

    /// The time of a stamp. Its second is remembered if lines that begin like this one have it.
    fn note(&mut self, line: &[u8], stamp: &Stamp<'_>) -> Option<i64> {
        let second = self.second(stamp)?;
        self.last.clear();
        if stamp.repeats > 0 {
            self.last.extend_from_slice(line.get(..stamp.repeats).unwrap_or_default());
            self.last_second = second;
            self.last_zone.clear();
            self.last_zone.extend_from_slice(stamp.zone);
        }
        Some(second + stamp.milliseconds)
    }

    /// How many bytes of a line are read at most. Docker's json-file has the time behind up to 16
    /// KiB of text.
    pub(crate) const REACH: usize = 32 * 1024;

    fn second(&mut self, stamp: &Stamp<'_>) -> Option<i64> {
        match stamp.clock {
            Clock::Epoch(seconds) => seconds.checked_mul(1000),
            Clock::Number(seconds) => {
                let time = seconds.checked_mul(1000)?;
                let likely =
                    self.modified.saturating_sub(NUMBERS_BACK)..=self.modified.saturating_add(DAY);
                if time > *likely.end() {
                    self.same_up_to(time.saturating_sub(DAY + 1));
                } else if likely.contains(&time) {
                    self.same_up_to(time.saturating_add(NUMBERS_BACK));
                }
                likely.contains(&time).then_some(time)
            }
            Clock::Civil(civil, mark) => self.milliseconds(civil, mark),
            Clock::WithoutYear(civil, mark) => self.latest(civil, mark),
        }
    }

    /// The last moment with the date and time of `civil` that is less than a day after the file was
    /// last written.
    fn latest(&mut self, civil: Civil, mark: Mark<'_>) -> Option<i64> {
        let newest = self.modified.saturating_add(DAY);
        let year = self.newest_year;
        let latest = (0..=YEARS_BACK)
            .filter_map(|back| self.milliseconds(Civil { year: year - back, ..civil }, mark))
            .find(|milliseconds| *milliseconds <= newest)?;
        // The same date of the next year comes 365 days later at the earliest. The zone may then
        // have other rules, which a further day covers.
        self.same_up_to(latest.saturating_add(363 * DAY));
        Some(latest)
    }

    fn same_up_to(&mut self, modified: i64) {
        self.same_until = self.same_until.min(modified);
    }

    /// When the clocks of the zone of `mark` show `civil`.
    fn milliseconds(&mut self, civil: Civil, mark: Mark<'_>) -> Option<i64> {
        let offset = match mark {
            Mark::None => return self.local(civil),
            Mark::Offset(offset) => offset,
            // The time is sure only if both readings give the same.
            Mark::Perhaps(offset) => {
                let local = self.local(civil)?;
                let same = (civil.seconds()? - i64::from(offset)) * 1000 == local;
                return same.then_some(local);
            }
            Mark::Abbreviation(name) => self.zone.offset_of(name, civil)?,
            Mark::Name(name) => return self.in_zone(name, civil),
            Mark::Unknown => return None,
        };
        Some((civil.seconds()? - i64::from(offset)) * 1000)
    }

    /// When the clocks of the zone of this name show `civil`. Without a slash, the name need not be
    /// that of a zone.
    fn in_zone(&mut self, name: &[u8], civil: Civil) -> Option<i64> {
        if self.named.as_ref().is_none_or(|(known, _)| known != name) {
            self.named = Some((name.to_vec(), Zone::named(name)));
        }
        match &self.named {
            Some((_, Some(zone))) => zone.milliseconds(civil),
            _ if name.contains(&b'/') => None,
            _ => self.local(civil),
        }
    }

    /// When the clocks of this machine's zone show `civil`. All of a minute has one offset, as no
    /// zone changes within one since 1973.
    fn local(&mut self, civil: Civil) -> Option<i64> {
        let start = Civil { second: 0, ..civil };
        let behind = i64::from(civil.second.min(59)) * 1000;
        if let Some((known, milliseconds)) = self.minute
            && known == start
            && civil.second <= 60
        {
            return Some(milliseconds + behind);
        }
        let milliseconds = self.zone.milliseconds(civil)?;
        if civil.year >= 1973 {
            self.minute = Some((start, milliseconds - behind));
        }
        Some(milliseconds)
    }
}

/// Whether there is a colour near the beginning of a line, and whether there may be a bracket. Most
/// lines without a time have neither, which one look tells.
fn look(line: &[u8]) -> (bool, bool) {
    let coloured = line.get(..COLOURED).unwrap_or(line);
    if line.first().is_some_and(|first| first.is_ascii_digit() || *first == b'{') {
        return (memchr::memchr(b'\x1b', coloured).is_some(), true);
    }
    let head = line.get(..HEAD).unwrap_or(line);
    let Some(found) = memchr::memchr2(b'\x1b', b'[', head) else { return (false, false) };
    let coloured = coloured.get(found..).unwrap_or_default();
    (memchr::memchr(b'\x1b', coloured).is_some(), true)
}

/// Copies the line without colours (SGR of ECMA-48: ESC, `[`, numbers, `m`), and returns its
/// length.
fn without_colours(line: &[u8], plain: &mut [u8; HEAD]) -> usize {
    let (mut length, mut rest) = (0, line);
    while let Some((first, behind)) = rest.split_first() {
        if let Some(numbers) = rest.strip_prefix(b"\x1b[") {
            let end = numbers.iter().position(|byte| !byte.is_ascii_digit() && *byte != b';');
            if let Some((b'm', behind)) =
                numbers.get(end.unwrap_or_default()..).and_then(<[u8]>::split_first)
            {
                rest = behind;
                continue;
            }
        }
        if let Some(free) = plain.get_mut(length) {
            *free = *first;
            length += 1;
        }
        rest = behind;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21 01:20:33 UTC.
    const THEN: i64 = 1_795_224_033_000;

    fn time(zone: &Zone, line: &str) -> Option<i64> {
        Times::new(zone, THEN).of(line.as_bytes()).map(|time| time - THEN)
    }

    #[test]
    fn every_format_is_read() {
        let table = [
            ("2026-11-21T01:20:33Z INFO x", 0),
            ("2026-11-21T01:20:33.123Z INFO x", 123),
            ("2026-11-21t01:20:33.123456789z x", 123),
            ("2026-11-21T02:20:33+01:00 x", 0),
            ("2026-11-21T02:20:33.5+0100 host unit[1]: short-iso of journald", 500),
            ("2026-11-20T22:20:33-03 x", 0),
            ("2026-11-21 01:20:33,123 log4j", 123),
            ("2026-11-21 01:20:33.123 UTC [7] postgres", 123),
            ("2026-11-21 02:20:33 +0100 x", 0),
            ("[2026-11-21 01:20:33] monolog", 0),
            ("[2026-11-21T01:20:33.25+00:00] x", 250),
            ("2026/11/21 01:20:33 [error] 7#7: nginx", 0),
            ("Nov 21 01:20:33 host sshd[7]: syslog", 0),
            ("Nov 21 01:20:33.123456 host x: short-precise of journald", 123),
            ("<34>Nov 21 01:20:33 host x", 0),
            ("Nov  1 00:00:00 host x", -(20 * DAY + 4_833_000)),
            ("192.0.2.1 - - [21/Nov/2026:01:20:33 +0000] \"GET / HTTP/1.1\" 200", 0),
            ("::1 - frank [20/Nov/2026:20:20:33 -0500] \"GET /\"", 0),
            ("[21/Nov/2026:01:20:33 +0000] combined first", 0),
            ("[Sat Nov 21 01:20:33.123456 2026] [core:notice] apache", 123),
            ("Sat Nov 21 01:20:33 2026 x", 0),
            ("1795224033 x", 0),
            ("1795224033.123456 x", 123),
            ("[1795224033] nagios", 0),
            ("1795224033123 x", 123),
            ("1795224033123456 x", 123),
            ("1795224033123456789", 123),
        ];
        for (line, expected) in table {
            assert_eq!(time(&Zone::utc(), line), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_text_is_no_time() {
        let lines = [
            "",
            " ",
            "x",
            "    at java.lang.Thread.run",
            "2026",
            "2026-13-01 00:00:00",
            "2026-02-29 00:00:00",
            "2026-11-21",
            "2026-11-21 24:00:00",
            "2026-11-21 01:60:00",
            "2026-11-2101:20:33",
            "Nov 31 01:20:33 x",
            "Nov 21",
            "Now 21 01:20:33",
            "192.0.2.1 - - [yesterday]",
            "[31/Feb/2026:01:20:33 +0000]",
            "123456789 too short",
            "17952240330 between",
            "3071760512:error:0906D06C:PEM routines",
            "1234567890 pieces",
            "4006381333931 pieces",
            "1288472947293847293 joined",
            "1795224033x",
            "[  123.456] dmesg",
            "\u{ff}\u{fe}",
        ];
        for line in lines {
            assert_eq!(time(&Zone::utc(), line), None, "{line}");
        }
    }

    #[test]
    fn a_missing_year_is_the_last_that_fits() {
        let zone = Zone::utc();
        let new_year = 1_767_225_600_000; // 2026-01-01 00:00:00
        let mut times = Times::new(&zone, new_year + 1000);
        assert_eq!(times.of(b"Dec 31 23:59:59 x"), Some(new_year - 1000));
        assert_eq!(times.of(b"Jan  1 00:00:01 x"), Some(new_year + 1000));
        assert_eq!(times.of(b"Feb 29 00:00:00 x"), Some(1_709_164_800_000), "2024");
    }

    #[test]
    fn a_time_without_zone_is_the_machines_own() {
        let zone = Zone::fixed(3600);
        assert_eq!(time(&zone, "2026-11-21 02:20:33,123 x"), Some(123));
        assert_eq!(time(&zone, "Nov 21 02:20:33 x"), Some(0));
        assert_eq!(time(&zone, "2026-11-21T01:20:33Z x"), Some(0));
    }
}

#[cfg(test)]
mod memory_tests;
