//! Tells lines that have a time in an unknown format from those that go on with the line before.

/// How far from the beginning of a line the time may be, in bytes.
const NEAR: usize = 64;

/// The beginning of a line without a known time up to a time of day that has a date before it, or
/// that stands first. None if there is no such time near the beginning. Lines that begin with a
/// blank go on with the line before.
pub(crate) fn unread_time(line: &[u8]) -> Option<&[u8]> {
    let head = line.get(..NEAR).unwrap_or(line);
    if head.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    memchr::memchr_iter(b':', head).find_map(|colon| {
        let (start, end) = time_of_day(head, colon)?;
        let before = head.get(..start)?;
        let stands_first = before.is_empty() || before == b"[" || before == b"(";
        (stands_first || ends_with_date(before)).then(|| head.get(..end)).flatten()
    })
}

/// Where the time of day begins and ends whose first colon is at `colon`. What stands around it
/// must not make it an address or a part of one.
fn time_of_day(head: &[u8], colon: usize) -> Option<(usize, usize)> {
    let digits = |from: usize, upto: usize| {
        let text = head.get(from..upto)?;
        let number = |number: u32, byte: &u8| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        };
        text.iter().try_fold(0, number)
    };
    let start = colon.checked_sub(2).filter(|start| digits(*start, colon).is_some());
    let start = start.or(colon.checked_sub(1))?;
    let real = digits(start, colon)? < 24
        && digits(colon + 1, colon + 3)? < 60
        && head.get(colon + 3) == Some(&b':')
        && digits(colon + 4, colon + 6)? < 61;
    let end = colon + 6;
    let before = start.checked_sub(1).and_then(|before| head.get(before));
    let stands_free = before.is_none_or(|byte| b" T\t[(\"'-/,._@=|".contains(byte));
    let ends = match (head.get(end), head.get(end + 1)) {
        (None, _) | (Some(b':'), Some(b' ') | None) => true,
        (Some(next), _) => b" \t.,])\"'Z+-;|/\r".contains(next),
    };
    (real && stands_free && ends).then_some((start, end))
}

/// Whether the text ends with something like a date: `28.11.2026 `, `2026-W48-6T`, `Nov `.
fn ends_with_date(text: &[u8]) -> bool {
    let is_between = |byte: &u8| b" \tT-_@:,".contains(byte);
    let end = text.iter().rposition(|byte| !is_between(byte)).map_or(0, |last| last + 1);
    let text = text.get(..end).unwrap_or_default();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"./-".contains(byte);
    let start = text.iter().rposition(|byte| !is_part(byte)).map_or(0, |before| before + 1);
    let word = text.get(start..).unwrap_or_default();
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == word.len() {
        return matches!(digits, 6 | 8)
            || (digits == 4 && (word.starts_with(b"19") || word.starts_with(b"20")));
    }
    let is_joined = word.iter().any(|byte| b"./-".contains(byte));
    (is_joined && digits >= 3) || super::text::is_month(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_and_a_time_near_the_beginning_are_nearly_read() {
        for (line, found) in [
            ("28.11.2026 10:00:00 x", Some("28.11.2026 10:00:00")),
            ("2026-W48-6T10:00:00Z x", Some("2026-W48-6T10:00:00")),
            ("11/28/26 1:20:33:123 UTC x", None),
            ("[11/28/26 1:20:33 UTC] x", Some("[11/28/26 1:20:33")),
            ("Sa 28. Nov 10:00:00 x", Some("Sa 28. Nov 10:00:00")),
            ("28 novembre 2026 10:00:00 x", Some("28 novembre 2026 10:00:00")),
            ("main: 20261128-10:00:00.123 x", Some("main: 20261128-10:00:00")),
            ("2026-11-28 10:00:00.123 XYZT [17] LOG: x", Some("2026-11-28 10:00:00")),
            ("[10:00:00] [Server thread/INFO]: x", Some("[10:00:00")),
            ("10:00:00", Some("10:00:00")),
            ("", None),
            ("  28.11.2026 10:00:00 goes on", None),
            ("\tat 10:00:00", None),
            ("00:11:22:33:44:55 is a MAC address", None),
            ("2001:db8:00:11:22::1", None),
            ("took 00:01:02", None),
            ("5 took 00:01:02 x", None),
            ("version 1.2 00:01:02", None),
            ("28.11.2026 10:00", None),
            ("28.11.2026 25:00:00", None),
            ("SELECT '10:20:30'", None),
        ] {
            let found = found.map(str::as_bytes);
            assert_eq!(unread_time(line.as_bytes()), found, "{line}");
        }
        let far = format!("{} 28.11.2026 10:00:00", "x".repeat(50));
        assert_eq!(unread_time(far.as_bytes()), None);
    }
}
