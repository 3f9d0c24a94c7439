//! The formats in which lines of logs carry their time.

use super::calendar::Civil;

/// A time as it stands in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The time to the second.
    pub(crate) clock: Clock,
    /// The milliseconds of its fraction, 0 to 999.
    pub(crate) milliseconds: i64,
    /// Where the seconds end in the line.
    pub(crate) end: usize,
    /// Whether the bytes up to `end` always stand for this second. A fraction or a blank must
    /// follow them.
    pub(crate) repeats: bool,
}

/// What a time is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Seconds since the Unix epoch.
    Epoch(i64),
    /// With an offset from UTC, in seconds.
    Offset(Civil, i32),
    /// On this machine's clock.
    Local(Civil),
    /// In local time, in a year that is not given.
    WithoutYear(Civil),
}

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

const WEEKDAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// Reads the time at the beginning of a line, after a priority (`<34>`) or a bracket. Apache and
/// nginx write it in brackets later in the line.
pub(crate) fn parse(line: &[u8]) -> Option<Stamp> {
    let mut text = Text { line, at: 0 };
    text.skip_priority();
    text.take(b'[');
    let start = text.at;
    let found = match text.peek()? {
        b'0'..=b'9' => dashed_or_slashed(text).or_else(|| epoch(Text { line, at: start })),
        b'A'..=b'Z' => named_month(text),
        _ => None,
    };
    found.or_else(|| access_log(line))
}

/// `2026-11-21T01:20:33.123Z` (RFC 3339). A blank may replace the `T`, and a comma the point; the
/// zone may be missing or follow a blank. Also `2026/11/21 01:20:33`.
fn dashed_or_slashed(mut text: Text<'_>) -> Option<Stamp> {
    let year = text.number(4)?;
    let separator = text.next().filter(|byte| matches!(byte, b'-' | b'/'))?;
    let month = text.number(2)?;
    text.expect(separator)?;
    let day = text.number(2)?;
    text.next().filter(|byte| matches!(byte, b'T' | b't' | b' ' | b'_'))?;
    let (hour, minute, second) = text.time_of_day()?;
    let civil =
        Civil { year: i64::from(year), month: small(month), day: small(day), hour, minute, second };
    let end = text.at;
    let milliseconds = text.fraction();
    let offset = text.offset();
    let clock = offset.map_or(Clock::Local(civil), |offset| Clock::Offset(civil, offset));
    Some(Stamp { clock, milliseconds, end, repeats: offset.is_none() })
}

/// `Nov 21 01:20:33` (syslog, journald), `Sat Nov 21 01:20:33.123456 2026` (ctime, Apache's error
/// log).
fn named_month(mut text: Text<'_>) -> Option<Stamp> {
    let weekday = text.three().filter(|name| WEEKDAYS.contains(name)).is_some();
    if weekday {
        text.at += 3;
        text.expect(b' ')?;
    }
    let month = text.month()?;
    text.expect(b' ')?;
    let day = if text.take(b' ') { text.number(1)? } else { text.day()? };
    text.expect(b' ')?;
    let (hour, minute, second) = text.time_of_day()?;
    let civil = Civil { year: 0, month, day: small(day), hour, minute, second };
    let end = text.at;
    let milliseconds = text.fraction();
    let clock = if weekday {
        text.expect(b' ')?;
        Clock::Local(Civil { year: i64::from(text.number(4)?), ..civil })
    } else {
        Clock::WithoutYear(civil)
    };
    Some(Stamp { clock, milliseconds, end, repeats: !weekday })
}

/// Seconds, milliseconds, microseconds or nanoseconds since the epoch: 10, 13, 16 or 19 digits.
fn epoch(mut text: Text<'_>) -> Option<Stamp> {
    let digits = text.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !matches!(digits, 10 | 13 | 16 | 19) {
        return None;
    }
    let seconds = i64::from(text.number(5)?) * 100_000 + i64::from(text.number(5)?);
    let end = text.at;
    let milliseconds = if digits == 10 {
        text.fraction()
    } else {
        let milliseconds = i64::from(text.number(3)?);
        text.at += digits - 13;
        milliseconds
    };
    if text.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'.') {
        return None;
    }
    Some(Stamp { clock: Clock::Epoch(seconds), milliseconds, end, repeats: digits == 10 })
}

/// `[21/Nov/2026:01:20:33 +0000]`: the first bracket with a date.
fn access_log(line: &[u8]) -> Option<Stamp> {
    memchr::memchr_iter(b'[', line).find_map(|at| {
        let mut text = Text { line, at: at + 1 };
        let day = text.number(2)?;
        text.expect(b'/')?;
        let month = text.month()?;
        text.expect(b'/')?;
        let year = text.number(4)?;
        text.expect(b':')?;
        let (hour, minute, second) = text.time_of_day()?;
        let end = text.at;
        text.expect(b' ')?;
        let offset = text.offset()?;
        text.expect(b']')?;
        let civil = Civil { year: i64::from(year), month, day: small(day), hour, minute, second };
        civil.seconds()?;
        Some(Stamp { clock: Clock::Offset(civil, offset), milliseconds: 0, end, repeats: false })
    })
}

/// The milliseconds of the fraction at the beginning of `rest`, or 0 without one. None when a zone
/// or another digit follows: the bytes before could then stand for another second.
pub(crate) fn fraction_before_zone(rest: &[u8]) -> Option<i64> {
    let mut text = Text { line: rest, at: 0 };
    let milliseconds = text.fraction();
    let plain = !text.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    (plain && text.offset().is_none()).then_some(milliseconds)
}

fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// A line that is read from left to right.
#[derive(Clone, Copy)]
struct Text<'l> {
    line: &'l [u8],
    at: usize,
}

impl<'l> Text<'l> {
    fn rest(&self) -> &'l [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    /// Exactly this many digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        let text = self.line.get(self.at..self.at + digits)?;
        self.at += digits;
        text.iter().try_fold(0u32, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        })
    }

    /// One digit or two.
    fn day(&mut self) -> Option<u32> {
        let tens = self.number(1)?;
        let two = self.peek().is_some_and(|byte| byte.is_ascii_digit());
        if two { Some(tens * 10 + self.number(1)?) } else { Some(tens) }
    }

    fn three(&self) -> Option<&'l [u8; 3]> {
        self.rest().first_chunk()
    }

    fn month(&mut self) -> Option<u8> {
        let name = self.three()?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        self.at += 3;
        u8::try_from(month + 1).ok()
    }

    /// `01:20:33`
    fn time_of_day(&mut self) -> Option<(u8, u8, u8)> {
        let hour = self.number(2)?;
        self.expect(b':')?;
        let minute = self.number(2)?;
        self.expect(b':')?;
        let second = self.number(2)?;
        let ends = !self.peek().is_some_and(|byte| byte.is_ascii_digit());
        ends.then_some((small(hour), small(minute), small(second)))
    }

    /// The milliseconds of `.123456` or `,123`, or 0 without a fraction. A point without digits
    /// ends a sentence, and is not taken.
    fn fraction(&mut self) -> i64 {
        let digits = match self.peek() {
            Some(b'.' | b',') => {
                self.rest().iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count()
            }
            _ => 0,
        };
        if digits == 0 {
            return 0;
        }
        let fraction = self.rest().iter().skip(1).take(digits.min(3));
        let milliseconds = fraction.fold(0, |number, byte| number * 10 + i64::from(byte - b'0'));
        self.at += 1 + digits;
        match digits {
            1 => milliseconds * 100,
            2 => milliseconds * 10,
            _ => milliseconds,
        }
    }

    /// `Z`, `+01:00`, `+0100`, `+01`, ` +0100`, ` UTC`: seconds east of UTC. Takes nothing when
    /// there is none.
    fn offset(&mut self) -> Option<i32> {
        let mut text = *self;
        let blank = text.take(b' ');
        let sign = match text.next()? {
            b'Z' | b'z'
                if !blank && !text.peek().is_some_and(|byte| byte.is_ascii_alphanumeric()) =>
            {
                *self = text;
                return Some(0);
            }
            b'U' if blank && text.rest().starts_with(b"TC") => {
                text.at += 2;
                *self = text;
                return Some(0);
            }
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let hours = text.number(2)?;
        let colon = text.take(b':');
        let digits = text.peek().is_some_and(|byte| byte.is_ascii_digit());
        let minutes = if digits { text.number(2)? } else { 0 };
        let real = hours <= 18 && minutes <= 59 && (digits || (!colon && !blank));
        let ends = !text.peek().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !real || !ends {
            return None;
        }
        *self = text;
        Some(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?)
    }

    /// `<34>`, syslog's priority.
    fn skip_priority(&mut self) {
        let mut text = *self;
        if !text.take(b'<') {
            return;
        }
        let digits = text.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        text.at += digits;
        if (1..=3).contains(&digits) && text.take(b'>') {
            *self = text;
        }
    }
}
