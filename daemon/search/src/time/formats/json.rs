//! Reads the time of a line that is a JSON object (RFC 8259): the first of its own fields that has
//! the name and the value of a time. Fields of objects within do not count.

use super::fields::{has_time, skip_string, value};
use crate::time::stamp::{Clock, Stamp};
use crate::time::text::Text;

/// `{"level":"info","ts":1795224033.123,"msg":"x"}`
pub(super) fn json(mut text: Text<'_>) -> Option<Stamp<'_>> {
    text.expect(b'{')?;
    loop {
        skip_space(&mut text);
        text.expect(b'"')?;
        let start = text.at;
        skip_string(&mut text)?;
        let name = text.line.get(start..text.at - 1)?;
        skip_space(&mut text);
        text.expect(b':')?;
        skip_space(&mut text);
        if has_time(name)
            && let Some(stamp) = time(text)
        {
            return Some(stamp);
        }
        skip_value(&mut text)?;
        skip_space(&mut text);
        text.expect(b',')?;
    }
}

fn skip_space(text: &mut Text<'_>) {
    text.run(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
}

/// A time as a string, as a number, or in an object of its own.
fn time(mut text: Text<'_>) -> Option<Stamp<'_>> {
    match text.peek()? {
        b'"' => {
            text.at += 1;
            let mut end = text;
            skip_string(&mut end)?;
            text.line = text.line.get(..end.at - 1)?;
            value(text)
        }
        b'0'..=b'9' => value(text),
        // MongoDB's {"$date":"..."}.
        b'{' if text.take_word(br#"{"$date":""#) => value(text),
        // log4j's {"epochSecond":1795224033,"nanoOfSecond":123000000}.
        b'{' if text.take_word(br#"{"epochSecond":"#) => {
            let seconds = (text.digits() == 10).then(|| text.run(|byte| byte.is_ascii_digit()))?;
            let seconds: i64 = str::from_utf8(seconds).ok()?.parse().ok()?;
            let nanoseconds: u32 = if text.take_word(br#","nanoOfSecond":"#) {
                str::from_utf8(text.run(|byte| byte.is_ascii_digit())).ok()?.parse().ok()?
            } else {
                0
            };
            let milliseconds = i64::from(nanoseconds / 1_000_000);
            let stamp =
                Stamp { clock: Clock::Epoch(seconds), milliseconds, repeats: 0, zone: b"", end: 0 };
            (milliseconds < 1000).then_some(stamp)
        }
        _ => None,
    }
}

/// Goes behind a value of any kind.
fn skip_value(text: &mut Text<'_>) -> Option<()> {
    let mut depth = 0_u32;
    loop {
        match text.peek()? {
            b'"' => {
                text.at += 1;
                skip_string(text)?;
            }
            b'{' | b'[' => {
                text.at += 1;
                depth += 1;
            }
            b'}' | b']' if depth > 0 => {
                text.at += 1;
                depth -= 1;
            }
            b'}' | b']' => return None,
            b',' if depth == 0 => return Some(()),
            _ => text.at += 1,
        }
        if depth == 0 && matches!(text.peek()?, b',' | b'}' | b']' | b' ') {
            return Some(());
        }
    }
}
