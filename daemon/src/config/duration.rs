//! Spans of time as settings write them: a number and a unit, `500ms`, `1.75s`, `24h`.

use std::time::Duration;

/// The units and their milliseconds, the smallest first.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads `500ms`, `1.75s`, `2m`, `24h` or `1d`, exact to the millisecond.
///
/// # Errors
/// One line that says what is wrong and, when it can be guessed, what to write.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let number_end = text
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    if !number.is_empty() && unit.is_empty() {
        return Err(format!("{text:?} has no unit: write \"{number}s\""));
    }
    let unit_millis = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis);
    let (Some(unit_millis), Some((whole, fraction))) = (unit_millis, digits(number)) else {
        return Err(format!(
            "{text:?} is not a span of time: write a number and ms, s, m, h or d, such as \"500ms\""
        ));
    };
    let too_long = || format!("{text:?} is too long");
    let mut millis = whole
        .parse::<u64>()
        .ok()
        .and_then(|whole| whole.checked_mul(unit_millis))
        .ok_or_else(too_long)?;
    if !fraction.is_empty() {
        let scale = u32::try_from(fraction.len())
            .ok()
            .and_then(|length| 10_u64.checked_pow(length))
            .ok_or_else(too_long)?;
        let part = fraction
            .parse::<u64>()
            .ok()
            .and_then(|part| part.checked_mul(unit_millis))
            .ok_or_else(too_long)?;
        if part % scale != 0 {
            return Err(format!("{text:?} is finer than a millisecond"));
        }
        millis = millis.checked_add(part / scale).ok_or_else(too_long)?;
    }
    Ok(Duration::from_millis(millis))
}

/// `1.75` in its two parts. None if it is no decimal number.
fn digits(number: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (plain(whole) && plain(fraction)).then_some((whole, fraction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_exactly() {
        for (text, millis) in [
            ("500ms", 500),
            ("1.75s", 1_750),
            ("2s", 2_000),
            ("0.5m", 30_000),
            ("24h", 86_400_000),
            ("1d", 86_400_000),
            ("1.001s", 1_001),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_said() {
        let example =
            "is not a span of time: write a number and ms, s, m, h or d, such as \"500ms\"";
        for (text, message) in [
            ("1.75", "\"1.75\" has no unit: write \"1.75s\"".to_owned()),
            ("", format!("\"\" {example}")),
            ("s", format!("\"s\" {example}")),
            ("-1s", format!("\"-1s\" {example}")),
            ("1.s", format!("\"1.s\" {example}")),
            ("1.2.3s", format!("\"1.2.3s\" {example}")),
            ("1 s", format!("\"1 s\" {example}")),
            ("5 minutes", format!("\"5 minutes\" {example}")),
            ("0.5ms", "\"0.5ms\" is finer than a millisecond".to_owned()),
            ("99999999999999999999s", "\"99999999999999999999s\" is too long".to_owned()),
            ("0.99999999999999999999s", "\"0.99999999999999999999s\" is too long".to_owned()),
        ] {
            assert_eq!(parse(text), Err(message), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_with_three_decimals_is_read_to_the_millisecond(millis in 0_u64..10_000_000_000) {
            let text = format!("{}.{:03}s", millis / 1_000, millis % 1_000);
            prop_assert_eq!(parse(&text), Ok(Duration::from_millis(millis)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            drop(parse(&text));
        }
    }
}
