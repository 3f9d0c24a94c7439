//! Writes values of rows for people, for programs that read lines, and as JSON. It owns no state.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use memberd_streams::Value;
use serde_json::json;

use crate::format::is_control;

/// A value as text. `missing` stands for none.
pub(super) fn text(value: &Value, missing: &str, zone: &TimeZone) -> String {
    match value {
        Value::Missing => missing.to_owned(),
        Value::Text(bytes) => escaped(bytes),
        Value::Number(number) => number.to_string(),
        Value::Estimate(number) => format!("~{number}"),
        Value::Time(milliseconds) => time(*milliseconds, zone),
    }
}

/// A value as JSON. Times are in milliseconds since the Unix epoch, as everywhere in JSON.
pub(super) fn json(value: &Value) -> String {
    match value {
        Value::Missing => "null".to_owned(),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text).to_string(),
            Err(_) => json!({ "bytes": STANDARD.encode(bytes) }).to_string(),
        },
        // The digits of a number stay as they are.
        Value::Number(number) => number.to_string(),
        Value::Estimate(number) => number.to_string(),
        Value::Time(milliseconds) => milliseconds.to_string(),
    }
}

/// Bytes on one line and in one column: `\t`, `\n`, `\\`, and other control characters and bytes
/// that are not UTF-8 as `\xNN`. Nothing is lost.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\t' => text.push_str("\\t"),
                '\n' => text.push_str("\\n"),
                '\\' => text.push_str("\\\\"),
                control if is_control(control) => {
                    push_bytes(control.encode_utf8(&mut [0; 4]).as_bytes(), &mut text);
                }
                other => text.push(other),
            }
        }
        push_bytes(chunk.invalid(), &mut text);
    }
    text
}

fn push_bytes(bytes: &[u8], text: &mut String) {
    bytes.iter().for_each(|byte| *text += &format!("\\x{byte:02x}"));
}

/// A moment as RFC 3339 in this zone. Only a part of a second has a fraction.
fn time(milliseconds: i64, zone: &TimeZone) -> String {
    let Ok(moment) = Timestamp::from_millisecond(milliseconds) else {
        return format!("{milliseconds} ms");
    };
    moment.to_zoned(zone.clone()).strftime("%FT%T%.f%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a reader does to get the bytes back.
    fn read_back(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            (bytes, rest) = match (first, after) {
                (b'\\', [b't', after @ ..]) => ([bytes, vec![b'\t']].concat(), after),
                (b'\\', [b'n', after @ ..]) => ([bytes, vec![b'\n']].concat(), after),
                (b'\\', [b'\\', after @ ..]) => ([bytes, vec![b'\\']].concat(), after),
                (b'\\', [b'x', high, low, after @ ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    let byte = u8::from_str_radix(digits, 16).unwrap();
                    ([bytes, vec![byte]].concat(), after)
                }
                (b'\\', _) => panic!("an unknown escape in {text}"),
                (plain, after) => ([bytes, vec![*plain]].concat(), after),
            };
        }
        bytes
    }

    proptest! {
        /// Any bytes fit into a column, do nothing to a terminal, and are read back as they were.
        #[test]
        fn escaped_bytes_are_one_column_and_are_read_back(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..60),
                any::<String>().prop_map(String::into_bytes),
                "[\\\\tnx0-9\t\n\r\u{9b}\u{202e}\u{1b}]{0,30}".prop_map(String::into_bytes),
            ],
        ) {
            let text = escaped(&bytes);
            prop_assert!(!text.chars().any(is_control), "{text:?}");
            prop_assert_eq!(read_back(&text), bytes);
        }

        /// JSON has the same text, or the bytes.
        #[test]
        fn json_has_all_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let value: serde_json::Value =
                serde_json::from_str(&json(&Value::Text(bytes.clone()))).unwrap();
            match String::from_utf8(bytes.clone()) {
                Ok(text) => prop_assert_eq!(value, json!(text)),
                Err(_) => prop_assert_eq!(value, json!({ "bytes": STANDARD.encode(&bytes) })),
            }
        }
    }

    #[test]
    fn plain_text_of_any_language_stays() {
        for text in ["/index.html", "Grüße", "日本", "a b", ""] {
            assert_eq!(escaped(text.as_bytes()), text);
        }
        assert_eq!(escaped(b"a\tb\\c\nd\r\x1b[0m\xff"), "a\\tb\\\\c\\nd\\x0d\\x1b[0m\\xff");
        assert_eq!(escaped("\u{9b}".as_bytes()), "\\xc2\\x9b");
    }

    #[test]
    fn windows_are_in_the_zone_of_who_asks() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (milliseconds, zone, shown) in [
            (1_795_224_030_000, &berlin, "2026-11-21T02:20:30+01:00"),
            (1_795_224_030_500, &berlin, "2026-11-21T02:20:30.5+01:00"),
            (1_782_000_000_000, &berlin, "2026-06-21T02:00:00+02:00"),
            (1_795_224_030_000, &TimeZone::UTC, "2026-11-21T01:20:30+00:00"),
            (-1, &TimeZone::UTC, "1969-12-31T23:59:59.999+00:00"),
            (i64::MAX, &TimeZone::UTC, "9223372036854775807 ms"),
        ] {
            assert_eq!(text(&Value::Time(milliseconds), "-", zone), shown);
        }
    }

    #[test]
    fn estimates_and_what_is_missing_are_marked() {
        let zone = TimeZone::UTC;
        assert_eq!(text(&Value::Missing, "-", &zone), "-");
        assert_eq!(text(&Value::Estimate(12_000), "-", &zone), "~12000");
        assert_eq!(json(&Value::Estimate(12_000)), "12000");
        assert_eq!(json(&Value::Missing), "null");
        assert_eq!(json(&Value::Time(1_500)), "1500");
    }
}
