//! Reads times in fields with names: of logfmt and of auditd.

use super::{dates, numbers};
use crate::time::stamp::{Clock, Stamp};
use crate::time::text::Text;

/// The names of fields that have the time of a line. The first in a line counts whose value is a
/// time.
const NAMES: [&[u8]; 12] = [
    b"time",
    b"ts",
    b"timestamp",
    b"@timestamp",
    b"t",
    b"@t",
    b"datetime",
    b"date",
    b"asctime",
    // log4j's JsonLayout.
    b"timeMillis",
    b"instant",
    // journalctl's JSON.
    b"__REALTIME_TIMESTAMP",
];

/// Whether a field of this name has the time of the line.
pub(super) fn has_time(name: &[u8]) -> bool {
    name.len() <= 20 && NAMES.contains(&name)
}

/// The time that is all of a value, or its beginning.
pub(super) fn value(text: Text<'_>) -> Option<Stamp<'_>> {
    let stamp = dates::iso(text)
        .or_else(|| numbers::epoch_in_field(text))
        .or_else(|| dates::day_first(text))
        .or_else(|| dates::month_first(text))?;
    // The bytes before differ from line to line.
    Some(Stamp { repeats: 0, ..stamp })
}

/// `level=info ts=2026-11-28T01:20:33.123Z msg="x y"`. A value may be quoted.
pub(super) fn logfmt(mut text: Text<'_>) -> Option<Stamp<'_>> {
    let mut is_first = true;
    while text.peek().is_some() {
        let name = text.run(|byte| !matches!(byte, b'=' | b' ' | b'"'));
        let is_field = !name.is_empty() && text.take(b'=');
        if is_first && !is_field {
            return None;
        }
        is_first = false;
        let mut found = text;
        let quoted = text.take(b'"');
        found.at += usize::from(quoted);
        if is_field
            && has_time(name)
            && let Some(stamp) = value(found)
        {
            return Some(stamp);
        }
        if quoted {
            skip_string(&mut text)?;
        } else {
            text.run(|byte| byte != b' ');
        }
        text.run(|byte| byte == b' ');
    }
    None
}

/// Goes behind the quotation mark that ends a string.
pub(super) fn skip_string(text: &mut Text<'_>) -> Option<()> {
    loop {
        let to_go = memchr::memchr2(b'"', b'\\', text.rest())?;
        text.at += to_go;
        if text.next()? == b'"' {
            return Some(());
        }
        text.next()?;
    }
}

/// `type=SYSCALL msg=audit(1795224033.123:456): x`, behind `node=vm1 ` if that is wanted.
pub(super) fn audit(mut text: Text<'_>) -> Option<Stamp<'_>> {
    const BEFORE: &[u8] = b"msg=audit(";
    if !text.rest().starts_with(b"type=") && !text.rest().starts_with(b"node=") {
        return None;
    }
    text.at += memchr::memmem::find(text.rest(), BEFORE)? + BEFORE.len();
    let seconds = text.run(|byte| byte.is_ascii_digit());
    let seconds: i64 = str::from_utf8(seconds).ok()?.parse().ok()?;
    let milliseconds = if text.peek() == Some(b'.') { text.fraction().0 } else { 0 };
    text.expect(b':')?;
    Some(Stamp { clock: Clock::Epoch(seconds), milliseconds, repeats: 0, zone: b"", end: 0 })
}
