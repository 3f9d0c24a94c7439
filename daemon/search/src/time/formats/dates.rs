//! Reads times that are written as a date and a time of day.

use crate::time::mark::Mark;
use crate::time::stamp::Stamp;
use crate::time::text::{Text, TimeOfDay};
use crate::time::zone::Zone;

/// `2026-11-21T01:20:33.123Z`. Also `2026/11/21` and `2026.11.21`, with a blank in place of the
/// `T`, a comma in place of the point, and an hour of one digit behind a blank. The zone may be
/// missing or follow a blank.
#[inline]
pub(crate) fn iso(mut text: Text<'_>) -> Option<Stamp<'_>> {
    text.rest().get(4).filter(|byte| matches!(byte, b'-' | b'/' | b'.'))?;
    let (date, between, time) = date_and_time(&mut text)?;
    let end = text.at;
    let (milliseconds, digits) = text.fraction();
    let behind = text.rest();
    let mark = match text.mark() {
        // svlogd(8): with -tt it is UTC.
        Mark::None if between == b'_' && digits == 5 => Mark::Offset(0),
        mark => mark,
    };
    let repeats = if between == b'_' { 0 } else { end };
    let zone = behind.get(..behind.len() - text.rest().len()).unwrap_or_default();
    Some(Stamp::civil(date, time, milliseconds, mark).repeating_before(repeats, zone))
}

/// `2026-11-21T01:20:33`, with the byte that stands between both.
#[inline]
fn date_and_time(text: &mut Text<'_>) -> Option<((i64, u8, u8), u8, TimeOfDay)> {
    let is_between = |byte: &u8| matches!(byte, b'T' | b't' | b' ' | b'_');
    if let Some(([century, year, month, day], [_, between], time)) = text.dashed() {
        let year = i64::from(century) * 100 + i64::from(year);
        return is_between(&between).then_some(((year, month, day), between, time));
    }
    let year = text.number(4)?;
    let separator = text.next()?;
    let month = text.two()?;
    text.expect(separator)?;
    let day = text.two()?;
    let between = text.next().filter(is_between)?;
    let time = if between == b' ' { text.padded_time_of_day() } else { text.time_of_day() }?;
    Some(((i64::from(year), month, day), between, time))
}

/// `Nov 21 01:20:33`, with a weekday before it, or a year behind the day or the time. With a
/// weekday there is a year.
pub(super) fn month_first(mut text: Text<'_>) -> Option<Stamp<'_>> {
    let weekday = text.take_weekday();
    if weekday {
        text.expect(b' ')?;
    }
    let month = text.month()?;
    text.expect(b' ')?;
    let day = text.one_or_two()?;
    text.take(b',');
    let mut year = text.year_behind();
    text.expect(b' ')?;
    let time = text.padded_time_of_day()?;
    let end = text.at;
    let (milliseconds, _) = text.fraction();
    let behind = text.at;
    let time = TimeOfDay { hour: text.half_of_day(time.hour)?, ..time };
    let mark = text.mark();
    let is_bare = text.at == behind;
    year = year.or_else(|| text.year_behind());
    let stamp = Stamp::civil((year.unwrap_or(0), month, day), time, milliseconds, mark);
    let stamp = stamp.ending_at(text.at);
    match year {
        Some(_) => Some(stamp),
        None if weekday => None,
        None if is_bare => Some(stamp.without_year().repeating(end)),
        None => Some(stamp.without_year()),
    }
}

/// `28-Nov-2026 01:20:33`, also with blanks or slashes, and a colon before the time. A weekday may
/// stand before it, and redis' process and role (`7:M `).
pub(super) fn day_first(mut text: Text<'_>) -> Option<Stamp<'_>> {
    let is_separator = |byte: &u8| matches!(byte, b'-' | b'/' | b' ');
    if text.peek()?.is_ascii_alphabetic() {
        text.take_weekday().then_some(())?;
        text.take(b',');
        text.expect(b' ')?;
    } else if !text.rest().get(1..3)?.iter().any(is_separator) {
        skip_process(&mut text);
    }
    let day = text.one_or_two()?;
    let separator = text.next().filter(is_separator)?;
    let month = text.month()?;
    let year = if separator == b' ' { text.year_behind() } else { None };
    let year = match year {
        None if separator != b' ' => {
            text.expect(separator)?;
            Some(i64::from(text.number(4)?))
        }
        year => year,
    };
    if text.take(b':') {
        text.take(b':');
    } else {
        text.expect(b' ')?;
    }
    let time = text.padded_time_of_day()?;
    let (milliseconds, _) = text.fraction();
    let hour = text.half_of_day(time.hour)?;
    let time = TimeOfDay { hour, ..time };
    let mark = text.mark();
    let stamp = Stamp::civil((year.unwrap_or(0), month, day), time, milliseconds, mark);
    let stamp = stamp.ending_at(text.at);
    Some(if year.is_some() { stamp } else { stamp.without_year() })
}

/// `7:M `, the process of redis and what it is.
fn skip_process(text: &mut Text<'_>) {
    let mut behind = *text;
    let process = behind.run(|byte| byte.is_ascii_digit());
    let role = behind.take(b':') && behind.next().is_some_and(|byte| b"MSCX".contains(&byte));
    if !process.is_empty() && role && behind.take(b' ') {
        *text = behind;
    }
}

/// The time behind the bracket that opens at `open`, which may be anywhere in the line: the day
/// first (access logs), or with a weekday (uWSGI).
pub(crate) fn in_bracket<'l>(line: &'l [u8], open: usize, zone: &'l Zone) -> Option<Stamp<'l>> {
    let text = Text { line, at: open + 1, zone };
    match text.peek()? {
        b'0'..=b'9' => day_first(text),
        b'M' | b'T' | b'W' | b'F' | b'S' => month_first(text),
        _ => None,
    }
}

/// `261129  8:50:00`, `20261129 08:50:00`, or Zabbix' `   714:20261128:012033.123`.
pub(super) fn compact(mut text: Text<'_>) -> Option<Stamp<'_>> {
    let mut behind = text;
    behind.skip_blanks();
    let process = behind.run(|byte| byte.is_ascii_digit());
    if process.is_empty() {
        return None;
    }
    if process.len() <= 7 && behind.take(b':') {
        return zabbix(behind);
    }
    let digits = text.digits();
    let year = match digits {
        6 => 2000 + text.number(2)?,
        8 => text.number(4)?,
        _ => return None,
    };
    let (month, day) = (text.two()?, text.two()?);
    text.expect(b' ')?;
    let time = text.padded_time_of_day()?;
    let end = text.at;
    let (milliseconds, _) = text.fraction();
    let mark = text.mark();
    Some(Stamp::civil((i64::from(year), month, day), time, milliseconds, mark).repeating(end))
}

/// `20261128:012033.123`, behind the process.
fn zabbix(mut text: Text<'_>) -> Option<Stamp<'_>> {
    if text.digits() != 8 {
        return None;
    }
    let date = (i64::from(text.number(4)?), text.two()?, text.two()?);
    text.expect(b':')?;
    if text.digits() != 6 {
        return None;
    }
    let (hour, minute, second) = (text.two()?, text.two()?, text.two()?);
    let (milliseconds, digits) = text.fraction();
    let time = TimeOfDay { hour, minute, second };
    (digits == 3).then(|| Stamp::civil(date, time, milliseconds, Mark::None))
}

/// `I1128 01:20:33.123456`, or with a year before the month.
pub(super) fn glog(mut text: Text<'_>) -> Option<Stamp<'_>> {
    text.next().filter(|byte| b"IWEFD".contains(byte))?;
    let year = match text.digits() {
        4 => None,
        8 => Some(i64::from(text.number(4)?)),
        _ => return None,
    };
    let (month, day) = (text.two()?, text.two()?);
    text.expect(b' ')?;
    let time = text.time_of_day()?;
    let end = text.at;
    let (milliseconds, _) = text.fraction();
    let stamp = Stamp::civil((year.unwrap_or(0), month, day), time, milliseconds, Mark::None);
    Some(if year.is_some() { stamp } else { stamp.without_year() }.repeating(end))
}
