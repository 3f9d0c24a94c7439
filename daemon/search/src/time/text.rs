//! Reads the parts of a time from left to right: numbers, names of months, times of day. It owns
//! its place in the line.

use super::mark::Mark;
use super::zone::Zone;

fn month(name: &[u8; 3]) -> Option<u8> {
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// Whether it is the short name of a month.
pub(super) fn is_month(word: &[u8]) -> bool {
    word.try_into().is_ok_and(|name| month(name).is_some())
}

fn is_weekday(name: &[u8; 3]) -> bool {
    matches!(name, b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun")
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeOfDay {
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

/// A line that is read from left to right. What finds nothing takes nothing, unless it returns an
/// `Option`: then the reader gives up, and its copy of the text with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'l> {
    pub(crate) line: &'l [u8],
    pub(crate) at: usize,
    /// The machine's zone, whose abbreviations are known.
    pub(crate) zone: &'l Zone,
}

impl<'l> Text<'l> {
    pub(crate) fn new(line: &'l [u8], zone: &'l Zone) -> Text<'l> {
        Text { line, at: 0, zone }
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'l [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes all of `word`, or nothing.
    pub(crate) fn take_word(&mut self, word: &[u8]) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.take(b' ') {}
    }

    /// Takes the bytes that fit, and returns them.
    pub(crate) fn run(&mut self, fits: impl Fn(u8) -> bool) -> &'l [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// How many digits come next.
    #[inline]
    pub(crate) fn digits(&self) -> usize {
        self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// Exactly this many digits, nine at most.
    pub(crate) fn number(&mut self, digits: usize) -> Option<u32> {
        let text = self.line.get(self.at..self.at + digits)?;
        self.at += digits;
        text.iter().try_fold(0u32, |number, byte| Some(number * 10 + u32::from(digit(*byte)?)))
    }

    /// Exactly two digits.
    #[inline]
    pub(crate) fn two(&mut self) -> Option<u8> {
        let digits = *self.rest().first_chunk()?;
        self.at += 2;
        two(digits)
    }

    /// One digit or two. A blank may replace the first of two.
    pub(crate) fn one_or_two(&mut self) -> Option<u8> {
        self.take(b' ');
        let tens = digit(self.next()?)?;
        let Some(ones) = self.peek().and_then(digit) else { return Some(tens) };
        self.at += 1;
        Some(tens * 10 + ones)
    }

    fn three(&self) -> Option<&'l [u8; 3]> {
        self.rest().first_chunk()
    }

    #[inline]
    pub(crate) fn month(&mut self) -> Option<u8> {
        let month = month(self.three()?)?;
        self.at += 3;
        Some(month)
    }

    #[inline]
    pub(crate) fn take_weekday(&mut self) -> bool {
        let found = self.three().is_some_and(is_weekday);
        self.at += if found { 3 } else { 0 };
        found
    }

    /// `2026-11-21T01:20:33`, the byte between year and month, and that between date and time. In
    /// most lines all of it has two digits.
    #[inline]
    pub(crate) fn dashed(&mut self) -> Option<([u8; 4], [u8; 2], TimeOfDay)> {
        let text: &[u8; 20] = self.rest().first_chunk()?;
        let two = |at: usize| two([text[at], text[at + 1]]);
        let date = [two(0)?, two(2)?, two(5)?, two(8)?];
        let time = TimeOfDay { hour: two(11)?, minute: two(14)?, second: two(17)? };
        let plain = text[4] == text[7] && text[13] == b':' && text[16] == b':';
        if !plain || text[19].is_ascii_digit() {
            return None;
        }
        self.at += 19;
        Some((date, [text[4], text[10]], time))
    }

    /// `01:20:33`
    #[inline]
    pub(crate) fn time_of_day(&mut self) -> Option<TimeOfDay> {
        let hour = self.two()?;
        self.after_hour(hour)
    }

    /// `01:20:33`, ` 1:20:33` or `1:20:33`.
    #[inline]
    pub(crate) fn padded_time_of_day(&mut self) -> Option<TimeOfDay> {
        let hour = self.one_or_two()?;
        self.after_hour(hour)
    }

    #[inline]
    fn after_hour(&mut self, hour: u8) -> Option<TimeOfDay> {
        self.expect(b':')?;
        let minute = self.two()?;
        self.expect(b':')?;
        let second = self.two()?;
        let ends = !self.peek().is_some_and(|byte| byte.is_ascii_digit());
        ends.then_some(TimeOfDay { hour, minute, second })
    }

    /// The milliseconds of `.123456`, `,123` or `:123456`, and the number of digits. Zero without a
    /// fraction. A point without digits ends a sentence, and is not taken.
    #[inline]
    pub(crate) fn fraction(&mut self) -> (i64, usize) {
        let Some(point @ (b'.' | b',' | b':')) = self.peek() else { return (0, 0) };
        let text = self.line.get(self.at + 1..).unwrap_or_default();
        let (mut digits, mut milliseconds) = (0, 0);
        while let Some(digit @ b'0'..=b'9') = text.get(digits) {
            if digits < 3 {
                milliseconds = milliseconds * 10 + i64::from(digit - b'0');
            }
            digits += 1;
        }
        // SSSD has microseconds behind a colon.
        if digits == 0 || (point == b':' && !matches!(digits, 3 | 6)) {
            return (0, 0);
        }
        self.at += 1 + digits;
        let scale = [100, 10].get(digits - 1).copied().unwrap_or(1);
        (milliseconds * scale, digits)
    }

    /// ` AM` or ` PM`: the hour of 24.
    #[inline]
    pub(crate) fn half_of_day(&mut self, hour: u8) -> Option<u8> {
        let morning = match self.rest().first_chunk() {
            Some(b" AM") => true,
            Some(b" PM") => false,
            _ => return Some(hour),
        };
        self.at += 3;
        let hour = (1..=12).contains(&hour).then_some(hour % 12)?;
        Some(if morning { hour } else { hour + 12 })
    }

    /// A year behind a time: a blank and four digits.
    pub(crate) fn year_behind(&mut self) -> Option<i64> {
        let mut text = *self;
        text.expect(b' ')?;
        let year = i64::from(text.number(4)?);
        let ends = !text.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        let found = ends && (1970..2100).contains(&year);
        if found {
            *self = text;
        }
        found.then_some(year)
    }

    /// What says in which zone the time before is.
    #[inline]
    pub(crate) fn mark(&mut self) -> Mark<'l> {
        let next = self.line.get(self.at + 1).copied();
        match (self.peek(), next) {
            (Some(b'Z' | b'z'), next) if next.is_none_or(|byte| !byte.is_ascii_alphanumeric()) => {
                self.at += 1;
                Mark::Offset(0)
            }
            (Some(b'+' | b'-'), _) | (Some(b' '), Some(b'+' | b'-' | b'A'..=b'Z')) => {
                Mark::take(self)
            }
            _ => Mark::None,
        }
    }
}

/// The number of two digits.
#[inline]
pub(super) fn two([tens, ones]: [u8; 2]) -> Option<u8> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}
