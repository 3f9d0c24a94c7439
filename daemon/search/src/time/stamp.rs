//! Finds the time in a line: at its beginning, behind a level or a label, or in a bracket.

use super::calendar::Civil;
use super::formats::{self, Format};
use super::level::{MAX_LEVEL_BYTES, is_capital_level, is_level};
use super::mark::Mark;
use super::text::{Text, TimeOfDay};
use super::zone::Zone;

/// A time as it stands in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp<'l> {
    /// The time to the second.
    pub(crate) clock: Clock<'l>,
    /// The milliseconds of its fraction, 0 to 999.
    pub(crate) milliseconds: i64,
    /// How many bytes of the line always stand for this second, if `zone` stands behind its
    /// fraction. Zero where none do.
    pub(crate) repeats: usize,
    /// The zone as it is written, with a blank before it. Empty without one.
    pub(crate) zone: &'l [u8],
    /// Where in the line it ends, if it may stand in a bracket. Zero elsewhere.
    pub(crate) end: usize,
}

/// What a time is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock<'l> {
    /// Seconds since the Unix epoch, in a field that has times.
    Epoch(i64),
    /// A number that may be seconds since the Unix epoch.
    Number(i64),
    /// The clock of a zone.
    Civil(Civil, Mark<'l>),
    /// The clock of a zone, in a year that is not given.
    WithoutYear(Civil, Mark<'l>),
}

impl<'l> Stamp<'l> {
    /// A date and a time of day.
    #[inline]
    pub(crate) fn civil(
        (year, month, day): (i64, u8, u8),
        TimeOfDay { hour, minute, second }: TimeOfDay,
        milliseconds: i64,
        mark: Mark<'l>,
    ) -> Stamp<'l> {
        let civil = Civil { year, month, day, hour, minute, second };
        Stamp { clock: Clock::Civil(civil, mark), milliseconds, repeats: 0, zone: b"", end: 0 }
    }

    /// The same where it ends here in the line.
    #[inline]
    pub(crate) fn ending_at(self, end: usize) -> Stamp<'l> {
        Stamp { end, ..self }
    }

    /// The same without its year.
    pub(crate) fn without_year(self) -> Stamp<'l> {
        let clock = match self.clock {
            Clock::Civil(civil, mark) => Clock::WithoutYear(civil, mark),
            other => other,
        };
        Stamp { clock, ..self }
    }

    /// The same where the first `bytes` of the line stand for the second, unless a zone is given.
    pub(crate) fn repeating(self, bytes: usize) -> Stamp<'l> {
        let plain = matches!(
            self.clock,
            Clock::Civil(_, Mark::None) | Clock::WithoutYear(_, Mark::None) | Clock::Number(_)
        );
        Stamp { repeats: if plain { bytes } else { 0 }, ..self }
    }

    /// The same where the first `bytes` of the line stand for the second if `zone` follows. What
    /// hours alone behind a blank are depends on what follows them.
    #[inline]
    pub(crate) fn repeating_before(self, bytes: usize, zone: &'l [u8]) -> Stamp<'l> {
        match self.clock {
            Clock::Civil(_, Mark::Offset(_) | Mark::Abbreviation(_))
                if !zone.is_empty() && (zone.first() != Some(&b' ') || zone.len() > 4) =>
            {
                Stamp { repeats: bytes, zone, ..self }
            }
            _ => self.repeating(bytes),
        }
    }
}

/// Finds the first time at the beginning of a line that `resolve` takes, and returns what it makes
/// of it. If there is none, it may stand anywhere in a bracket: see [`formats::in_bracket`].
///
/// A byte order mark, NULs, a syslog priority and an opening bracket may stand before the time, and
/// a level or a label.
pub(crate) fn find_in_front<'l, T>(
    line: &'l [u8],
    zone: &'l Zone,
    mut resolve: impl FnMut(&Stamp<'l>) -> Option<T>,
) -> Option<T> {
    let mut text = Text::new(line, zone);
    skip_prelude(&mut text);
    let first = text.peek()?;
    let is_digit = first.is_ascii_digit();
    // Most lines have this format, the first of the table.
    if is_digit && let Some(found) = formats::iso(text).and_then(|stamp| resolve(&stamp)) {
        return Some(found);
    }
    let in_front = match is_digit.then(|| digits_first(text)) {
        Some(Digits::Address) => None,
        Some(Digits::Number) => formats::epoch(text).and_then(|stamp| resolve(&stamp)),
        None if is_prose(text) => None,
        Some(Digits::Other) | None => read_at(text, first, &mut resolve),
    };
    in_front.or_else(|| {
        let behind = skip_label(text)?;
        read_at(behind, behind.peek()?, &mut resolve)
    })
}

/// The name of the format in which a line has its time. The line is one in which
/// [`Times`](super::Times) finds a time.
pub(crate) fn format_of(line: &[u8], zone: &Zone) -> Option<&'static str> {
    let mut text = Text::new(line, zone);
    skip_prelude(&mut text);
    let named = |text: Text<'_>| {
        let mut formats = formats::that_begin_with(text.peek()?);
        formats.find(|format| (format.read)(text).is_some()).map(|format| format.name)
    };
    named(text).or_else(|| named(skip_label(text)?)).or_else(|| {
        let mut brackets = memchr::memchr_iter(b'[', line);
        let has_time = |open| formats::in_bracket(line, open, zone).is_some();
        brackets.any(has_time).then_some(formats::IN_BRACKETS)
    })
}

/// The first time at the beginning of a text that `resolve` takes.
fn read_at<'l, T>(
    text: Text<'l>,
    first: u8,
    resolve: &mut impl FnMut(&Stamp<'l>) -> Option<T>,
) -> Option<T> {
    let mut formats = formats::that_begin_with(first);
    formats.find_map(|Format { read, .. }| read(text).and_then(|stamp| resolve(&stamp)))
}

/// What a text is that begins with a digit.
enum Digits {
    /// An IPv4 address or another number with a point, with which no time begins.
    Address,
    /// Ten digits or more: at most seconds since 1970.
    Number,
    Other,
}

fn digits_first(text: Text<'_>) -> Digits {
    let digits = text.digits();
    match text.rest().get(digits) {
        _ if digits >= 10 => Digits::Number,
        Some(b'.') if digits <= 3 => Digits::Address,
        _ => Digits::Other,
    }
}

/// Whether it begins with words at one look, and so neither with a date nor with a field: those
/// have a digit, or `=` before a blank, within these bytes. Behind blanks, only a digit is looked
/// for.
fn is_prose(text: Text<'_>) -> bool {
    let Some(near) = text.rest().first_chunk::<16>() else { return false };
    // No early end, so that the compiler compares all bytes at once.
    let has = |fits: fn(u8) -> bool| near.iter().fold(false, |found, byte| found | fits(*byte));
    match near[0] {
        b' ' => has(|byte| byte != b' ') && !has(|byte| byte.is_ascii_digit()),
        first if first.is_ascii_alphabetic() => {
            has(|byte| byte == b' ') && !has(|byte| byte.is_ascii_digit() || byte == b'=')
        }
        _ => false,
    }
}

/// Goes to the first byte that can belong to a time.
fn skip_prelude(text: &mut Text<'_>) {
    if !matches!(text.peek(), Some(b'\xef' | 0 | b'<' | b'[' | b'(')) {
        return;
    }
    text.take_word(b"\xef\xbb\xbf");
    text.run(|byte| byte == 0);
    skip_priority(text);
    if !text.take(b'[') {
        text.take(b'(');
    }
}

/// `<34>`, the priority of RFC 3164, or `<34>1 `, with the version of RFC 5424.
fn skip_priority(text: &mut Text<'_>) {
    let mut behind = *text;
    let priority = behind.take(b'<').then(|| behind.run(|byte| byte.is_ascii_digit()).len());
    if !priority.is_some_and(|digits| (1..=3).contains(&digits)) || !behind.take(b'>') {
        return;
    }
    *text = behind;
    if (1..=2).contains(&behind.run(|byte| byte.is_ascii_digit()).len()) && behind.take(b' ') {
        *text = behind;
    }
}

/// What programs write before the time. All of it is matched as it stands.
const LABELS: [&[u8]; 6] = [
    // apt(8), /var/log/apt/history.log and term.log.
    b"Start-Date: ",
    b"End-Date: ",
    b"Log started: ",
    b"Log ended: ",
    // The slow query logs of MariaDB and MySQL.
    b"# Time: ",
    // update-alternatives(1), /var/log/alternatives.log.
    b"update-alternatives ",
];

/// The longest name of a thread between a level and a time, in bytes.
const MAX_THREAD_BYTES: usize = 64;

/// Goes behind a level or a label, to where a time may be.
fn skip_label<'l>(text: Text<'l>) -> Option<Text<'l>> {
    let mut behind = text;
    match behind.peek()? {
        b'#' | b'S' | b'E' | b'L' | b'u' if LABELS.iter().any(|label| behind.take_word(label)) => {
            return Some(behind);
        }
        b' ' | b'\t' | b'0'..=b'9' => return None,
        _ => {}
    }
    if behind.take(b'=') {
        // Erlang's `=INFO REPORT==== 21-Nov-2026::01:20:33 ===`.
        behind.run(|byte| byte.is_ascii_uppercase() || byte == b' ');
        return behind.take_word(b"==== ").then_some(behind);
    }
    let word = behind.run(|byte| byte.is_ascii_alphabetic());
    // Ruby's `I, [2026-11-21T01:20:33.123456 #7]  INFO -- : x`.
    if word.len() == 1 && behind.take_word(b", [") {
        return Some(behind);
    }
    if word.len() > MAX_LEVEL_BYTES || !is_level(word) {
        return None;
    }
    behind.skip_blanks();
    if !behind.take(b']') {
        behind.take(b':');
    }
    behind.skip_blanks();
    if behind.take(b'[') && !behind.peek()?.is_ascii_digit() {
        // Cassandra's `INFO  [main] 2026-11-21 01:20:33,123 x`.
        let thread = behind.run(|byte| byte != b']');
        if thread.len() > MAX_THREAD_BYTES || !behind.take(b']') {
            return None;
        }
        behind.skip_blanks();
        behind.take(b'[');
    }
    Some(behind)
}

/// The milliseconds of the fraction at the beginning of `rest`, or 0 without one. None when
/// something follows that could make the bytes before stand for another second: a zone, a year, or
/// another digit.
pub(crate) fn fraction_alone(rest: &[u8], zone: &Zone) -> Option<i64> {
    let mut text = Text::new(rest, zone);
    let is_colon = text.peek() == Some(b':');
    let (milliseconds, _) = text.fraction();
    (!is_colon && (is_text(text.rest()) || is_alone(text))).then_some(milliseconds)
}

/// Whether it is at one look no zone, year or half of a day, whatever colours stand in it.
fn is_text(rest: &[u8]) -> bool {
    match (rest.first(), rest.get(1)) {
        (None | Some(b']'), _) | (Some(b' '), None) => true,
        (Some(b' '), Some(b'A'..=b'Z')) => {
            let word = rest.get(1..=MAX_LEVEL_BYTES + 1).or(rest.get(1..)).unwrap_or_default();
            let end = word.iter().position(|byte| !byte.is_ascii_uppercase());
            end.and_then(|end| word.split_at_checked(end))
                .is_some_and(|(word, next)| next.starts_with(b" ") && is_capital_level(word))
        }
        (Some(b' '), Some(next)) => next.is_ascii_lowercase() || b"[](<\"'{".contains(next),
        _ => false,
    }
}

/// Whether no zone, year or half of a day follows. They may stand behind a colour.
fn is_alone(mut text: Text<'_>) -> bool {
    let plain = !text.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let half = text.rest().starts_with(b" AM") || text.rest().starts_with(b" PM");
    plain
        && !half
        && memchr::memchr(b'\x1b', text.rest()).is_none()
        && text.mark() == Mark::None
        && text.year_behind().is_none()
}

/// The milliseconds of the fraction at the beginning of `rest`, or 0 without one, if `mark` stands
/// behind it and ends there.
pub(crate) fn fraction_before(rest: &[u8], mark: &[u8], zone: &Zone) -> Option<i64> {
    let mut text = Text::new(rest, zone);
    let (milliseconds, _) = text.fraction();
    let same = text.take_word(mark) && matches!(text.peek(), None | Some(b' ' | b']'));
    same.then_some(milliseconds)
}
