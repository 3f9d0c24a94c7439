//! What stands behind a time and says in which zone it is: `Z`, `+01:00`, ` -03`, ` CEST`.

use super::level::is_capital_level;
use super::text::Text;
use super::zone::abbreviation;

/// The longest name of a zone, in bytes. The longest of the database has 32.
const MAX_NAME_BYTES: usize = 40;

/// How the zone of a time is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark<'l> {
    /// Not at all: it is the machine's.
    None,
    /// Seconds east of UTC.
    Offset(i32),
    /// Seconds east of UTC, or a number that the text of the line begins with.
    Perhaps(i32),
    /// An abbreviation that is known, such as `CEST`.
    Abbreviation(&'l [u8]),
    /// The name of a zone in the time zone database, such as `Europe/Berlin`.
    Name(&'l [u8]),
    /// Letters that must be an abbreviation, and none that is known.
    Unknown,
}

impl<'l> Mark<'l> {
    /// Takes the mark that comes next, or nothing. `Text::mark` takes `Z`.
    pub(crate) fn take(from: &mut Text<'l>) -> Mark<'l> {
        let mut text = *from;
        let blank = text.take(b' ');
        let found = match text.peek() {
            Some(b'+' | b'-') => offset(&mut text, blank),
            Some(b'A'..=b'Z') if blank => word(&mut text),
            _ => None,
        };
        if found.is_some() {
            *from = text;
        }
        found.unwrap_or(Mark::None)
    }
}

fn ends(text: &Text<'_>) -> bool {
    !text.peek().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// The hours east of UTC that a zone may have.
const HOURS: std::ops::RangeInclusive<i32> = -12..=14;

/// `+01:00`, `+0100`, `+01`. Behind a blank, a number that no zone has is text.
fn offset<'l>(text: &mut Text<'l>, blank: bool) -> Option<Mark<'l>> {
    let sign = if text.next()? == b'-' { -1 } else { 1 };
    let hours = i32::from(text.two()?);
    let colon = text.take(b':');
    let count = text.digits();
    let digits = if colon { count == 2 && !(blank && is_decimal(text.rest())) } else { count > 0 };
    let minutes = if digits { i32::from(text.two()?) } else { 0 };
    if colon && !digits {
        // The colon ends what stands before it: an address may follow.
        text.at -= 1;
    }
    let seconds = sign * (hours * 3600 + minutes * 60);
    if !blank {
        let real = hours <= 18 && minutes <= 59 && (digits || !colon);
        return (real && ends(text)).then_some(Mark::Offset(seconds));
    }
    // All zones of today have quarters of an hour.
    if !HOURS.contains(&(sign * hours)) || minutes > 59 || minutes % 15 != 0 {
        return None;
    }
    if digits {
        return ends(text).then_some(Mark::Offset(seconds));
    }
    hours_alone(*text, seconds)
}

/// Whether it goes on as a decimal number or an address does, behind two digits.
fn is_decimal(rest: &[u8]) -> bool {
    rest.get(2) == Some(&b'.') && rest.get(3).is_some_and(u8::is_ascii_digit)
}

/// What ` +09` is, which may also begin the text, as in ` +12 items`. It is a zone where a mark or
/// the end follows, as in CSV, and before PostgreSQL's process. It is one in all other lines of
/// PostgreSQL. With a blank behind it, it may be either, and with other bytes it is text.
#[inline(never)]
fn hours_alone<'l>(behind: Text<'l>, seconds: i32) -> Option<Mark<'l>> {
    let rest = behind.rest();
    let is_blank = |byte: Option<&u8>| byte.is_none_or(|byte| b" \t".contains(byte));
    let is_zone = match rest.first() {
        None | Some(b'\r' | b']' | b')' | b'"') => true,
        Some(b',' | b':') => !is_blank(rest.get(1)),
        Some(b' ' | b'\t') => {
            rest.starts_with(b" [") && rest.get(2).is_some_and(u8::is_ascii_digit)
        }
        Some(_) => return None,
    };
    let is_zone = is_zone || has_severity(rest);
    Some(if is_zone { Mark::Offset(seconds) } else { Mark::Perhaps(seconds) })
}

/// Whether it has a word like `LOG:  `, with two blanks. It stands in all lines of PostgreSQL.
fn has_severity(rest: &[u8]) -> bool {
    memchr::memmem::find_iter(rest, b":  ").any(|colon| {
        let word = rest.get(..colon).unwrap_or_default();
        word.iter().rev().take_while(|byte| byte.is_ascii_uppercase()).count() >= 3
    })
}

/// `GMT+3`, `UTC`, `CEST`, `Europe/Berlin]`
#[inline(never)]
fn word<'l>(text: &mut Text<'l>) -> Option<Mark<'l>> {
    let start = text.at;
    let name = text.run(|byte| byte.is_ascii_uppercase());
    if matches!(name, b"UTC" | b"GMT" | b"UT") && !is_named(text.peek()) {
        return Some(Mark::Offset(0));
    }
    let short = (2..=5).contains(&name.len()) && !is_named(text.peek());
    if short && is_capital_level(name) {
        return None;
    }
    if short && (text.zone.has_abbreviation(name) || abbreviation(name).is_some()) {
        return Some(Mark::Abbreviation(name));
    }
    if short {
        return is_process_behind(*text).then_some(Mark::Unknown);
    }
    if matches!(name, b"UTC" | b"GMT") && matches!(text.peek(), Some(b'+' | b'-')) {
        return offset_behind_name(text).map(Mark::Offset);
    }
    text.at = start;
    let name = text.run(|byte| is_named(Some(byte)));
    // PHP names the zone before the bracket.
    let is_zone = text.peek() == Some(b']') && (name.contains(&b'/') || is_country(name));
    (is_zone && name.len() <= MAX_NAME_BYTES).then_some(Mark::Name(name))
}

/// Whether it may be part of a zone's name.
fn is_named(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'+' | b'-')
    })
}

/// Whether it may be a zone's name like `Japan` or `Singapore`.
fn is_country(name: &[u8]) -> bool {
    let small = |rest: &[u8]| rest.iter().all(u8::is_ascii_lowercase);
    (4..=9).contains(&name.len())
        && name.split_first().is_some_and(|(first, rest)| first.is_ascii_uppercase() && small(rest))
}

/// `+3`, `+03:00`, `+0300` behind `GMT`. It is east of Greenwich, as in Java and JavaScript.
fn offset_behind_name(text: &mut Text<'_>) -> Option<i32> {
    let sign = if text.next()? == b'-' { -1 } else { 1 };
    let hours = match text.digits() {
        1 => text.number(1)?,
        2 | 4 => text.number(2)?,
        _ => return None,
    };
    text.take(b':');
    let minutes = if text.digits() == 2 { text.number(2)? } else { 0 };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    (hours <= 18 && minutes <= 59 && ends(text)).then_some(sign * seconds)
}

/// ` [123] `, as PostgreSQL has it behind the zone.
fn is_process_behind(mut text: Text<'_>) -> bool {
    text.take_word(b" [") && text.run(|byte| byte.is_ascii_digit()).len() > 1 && text.take(b']')
}
