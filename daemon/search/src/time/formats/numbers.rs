//! Reads times that are numbers of seconds.

use crate::time::stamp::{Clock, Stamp};
use crate::time::text::Text;

/// Seconds, milliseconds, microseconds or nanoseconds since the epoch: 10, 13, 16 or 19 digits.
pub(crate) fn epoch(mut text: Text<'_>) -> Option<Stamp<'_>> {
    let digits = text.digits();
    if !matches!(digits, 10 | 13 | 16 | 19) {
        return None;
    }
    let seconds = i64::from(text.number(5)?) * 100_000 + i64::from(text.number(5)?);
    let end = text.at;
    let milliseconds = if digits == 10 {
        if text.peek() == Some(b':') { 0 } else { text.fraction().0 }
    } else {
        let milliseconds = i64::from(text.number(3)?);
        text.at += digits - 13;
        milliseconds
    };
    if text.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'.') {
        return None;
    }
    let stamp =
        Stamp { clock: Clock::Number(seconds), milliseconds, repeats: 0, zone: b"", end: 0 };
    Some(if digits == 10 { stamp.repeating(end) } else { stamp })
}

/// The years in which a number of a field that has times is one: 2000 to 2099.
const TIMES: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// The same in a field that has times.
pub(super) fn epoch_in_field(text: Text<'_>) -> Option<Stamp<'_>> {
    let stamp = epoch(text)?;
    match stamp.clock {
        Clock::Number(seconds) if TIMES.contains(&seconds) => {
            Some(Stamp { clock: Clock::Epoch(seconds), repeats: 0, ..stamp })
        }
        _ => None,
    }
}

/// The label of 1970-01-01 00:00:10 TAI. tai64n(8) and svlogd(8) add it to the seconds since 1970
/// in UTC, and know no leap seconds.
const TAI64_EPOCH: u64 = (1 << 62) + 10;

/// `@4000000037c219bf2ef02e94`: seconds and nanoseconds, in hexadecimal digits.
pub(super) fn tai64n(mut text: Text<'_>) -> Option<Stamp<'_>> {
    text.expect(b'@')?;
    let label = str::from_utf8(text.run(|byte| byte.is_ascii_hexdigit())).ok()?;
    let (seconds, nanoseconds) = label.split_at_checked(16).filter(|(_, rest)| rest.len() == 8)?;
    let seconds = u64::from_str_radix(seconds, 16).ok()?.checked_sub(TAI64_EPOCH)?;
    let milliseconds = i64::from(u32::from_str_radix(nanoseconds, 16).ok()? / 1_000_000);
    let clock = Clock::Epoch(i64::try_from(seconds).ok()?);
    (milliseconds < 1000).then_some(Stamp { clock, milliseconds, repeats: 0, zone: b"", end: 0 })
}
