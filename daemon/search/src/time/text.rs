//! Reads the parts of a time from left to right: numbers, names of months, times of day. It owns
//! its place in the line.

use super::mark::Mark;
use super::zone::Zone;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Whether it is the short name of a month.
pub(super) fn is_month(word: &[u8]) -> bool {
    MONTHS.iter().any(|month| *month == word)
}

const WEEKDAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

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

    pub(crate) fn rest(&self) -> &'l [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

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
    pub(crate) fn digits(&self) -> usize {
        self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// Exactly this many digits, nine at most.
    pub(crate) fn number(&mut self, digits: usize) -> Option<u32> {
        let text = self.line.get(self.at..self.at + digits)?;
        self.at += digits;
        text.iter().try_fold(0u32, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        })
    }

    /// Exactly two digits.
    pub(crate) fn two(&mut self) -> Option<u8> {
        small(self.number(2)?)
    }

    /// One digit or two. A blank may replace the first of two.
    pub(crate) fn one_or_two(&mut self) -> Option<u8> {
        self.take(b' ');
        let tens = self.number(1)?;
        match self.peek() {
            Some(b'0'..=b'9') => small(tens * 10 + self.number(1)?),
            _ => small(tens),
        }
    }

    fn three(&self) -> Option<&'l [u8; 3]> {
        self.rest().first_chunk()
    }

    pub(crate) fn month(&mut self) -> Option<u8> {
        let name = self.three()?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        self.at += 3;
        u8::try_from(month + 1).ok()
    }

    pub(crate) fn take_weekday(&mut self) -> bool {
        let found = self.three().is_some_and(|name| WEEKDAYS.contains(&name));
        self.at += if found { 3 } else { 0 };
        found
    }

    /// `01:20:33`
    pub(crate) fn time_of_day(&mut self) -> Option<TimeOfDay> {
        let hour = self.two()?;
        self.after_hour(hour)
    }

    /// `01:20:33`, ` 1:20:33` or `1:20:33`.
    pub(crate) fn padded_time_of_day(&mut self) -> Option<TimeOfDay> {
        let hour = self.one_or_two()?;
        self.after_hour(hour)
    }

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
    pub(crate) fn half_of_day(&mut self, hour: u8) -> Option<u8> {
        let morning = self.take_word(b" AM");
        if !morning && !self.take_word(b" PM") {
            return Some(hour);
        }
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
    pub(crate) fn mark(&mut self) -> Mark<'l> {
        Mark::take(self)
    }
}

fn small(number: u32) -> Option<u8> {
    u8::try_from(number).ok()
}
