//! Parses durations in settings and on command lines: `500ms`, `1.75s`, `1h30m`. It owns no state.
//!
//! jiff's friendly format cannot replace this parser. As an exact duration, it refuses days and
//! weeks, and units that do not go from large to small. This parser accepts both.

use std::time::Duration;

/// The units and their milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 7 * 86_400_000),
];

/// More names of units, as systemd.time(7) has them, and their milliseconds. A year has 365.25
/// days, and a month is a twelfth of it.
const WORDS: [(&str, u64); 19] = [
    ("msec", 1),
    ("sec", 1_000),
    ("second", 1_000),
    ("seconds", 1_000),
    ("minute", 60_000),
    ("minutes", 60_000),
    ("hr", 3_600_000),
    ("hour", 3_600_000),
    ("hours", 3_600_000),
    ("day", 86_400_000),
    ("days", 86_400_000),
    ("week", 7 * 86_400_000),
    ("weeks", 7 * 86_400_000),
    ("M", 2_629_800_000),
    ("month", 2_629_800_000),
    ("months", 2_629_800_000),
    ("y", 31_557_600_000),
    ("year", 31_557_600_000),
    ("years", 31_557_600_000),
];

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is a number without a unit.
    #[error("{0:?} has no unit: write \"{0}s\"")]
    NoUnit(String),
    /// It has another form than numbers with units.
    #[error("{0:?} is not a duration: write a number and ms, s, m, h, d or w, such as \"500ms\"")]
    Malformed(String),
    /// It has a fraction of a millisecond.
    #[error("{0:?} is finer than a millisecond")]
    TooFine(String),
    /// Its milliseconds do not fit into 64 bits.
    #[error("{0:?} is too long")]
    TooLong(String),
}

impl DurationError {
    /// The same about another text.
    fn about(self, text: &str) -> DurationError {
        match self {
            DurationError::NoUnit(_) => DurationError::NoUnit(text.to_owned()),
            DurationError::Malformed(_) => DurationError::Malformed(text.to_owned()),
            DurationError::TooFine(_) => DurationError::TooFine(text.to_owned()),
            DurationError::TooLong(_) => DurationError::TooLong(text.to_owned()),
        }
    }
}

/// Reads one or more numbers, each with a unit, and adds them up: `500ms`, `1.75s`, `1h30m`, `2w`.
/// The result is exact to the millisecond.
///
/// # Errors
/// When the text is not of this form, is finer than a millisecond, or does not fit.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    sum(text, |name| UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, unit_ms)| *unit_ms))
}

/// Like [`parse`], but in the words of systemd.time(7) as well: `2 days`, `1 hour 30 min`,
/// `1month`. Blanks may stand anywhere between numbers and units.
///
/// # Errors
/// As [`parse`].
pub fn parse_words(text: &str) -> Result<Duration, DurationError> {
    let units = || UNITS.iter().chain(&WORDS);
    let unit_ms = |name: &str| units().find(|(unit, _)| *unit == name).map(|(_, unit_ms)| *unit_ms);
    let parts: Vec<&str> = text.split(' ').filter(|part| !part.is_empty()).collect();
    let number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let cut = |one: &str, next: &str| {
        let ends = one.bytes().last().zip(next.bytes().next());
        ends.is_some_and(|(last, first)| number(last) == number(first))
    };
    if parts.windows(2).any(|pair| matches!(pair, [one, next] if cut(one, next))) {
        return Err(DurationError::Malformed(text.to_owned()));
    }
    sum(&parts.concat(), unit_ms).map_err(|error| error.about(text))
}

/// Adds up the parts of `text`. `unit_ms` has the milliseconds of each unit.
fn sum(text: &str, unit_ms: impl Fn(&str) -> Option<u64>) -> Result<Duration, DurationError> {
    let (mut rest, mut sum) = (text, 0_u64);
    while !rest.is_empty() || text.is_empty() {
        let (number, after) = split(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let (unit, after) = split(after, |byte| byte.is_ascii_alphabetic());
        if unit.is_empty() && number == text && !number.is_empty() {
            return Err(DurationError::NoUnit(text.to_owned()));
        }
        let malformed = || DurationError::Malformed(text.to_owned());
        let unit_ms = unit_ms(unit).ok_or_else(malformed)?;
        let (whole, fraction) = decimal(number).ok_or_else(malformed)?;
        let too_long = || DurationError::TooLong(text.to_owned());
        let part = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(unit_ms));
        sum = part.and_then(|part| sum.checked_add(part)).ok_or_else(too_long)?;
        let scaled = fraction.parse::<u64>().ok().and_then(|part| part.checked_mul(unit_ms));
        let digits = u32::try_from(fraction.len()).ok();
        let scale = digits.and_then(|digits| 10_u64.checked_pow(digits));
        let (scaled, scale) = scaled.zip(scale).ok_or_else(too_long)?;
        if scaled % scale != 0 {
            return Err(DurationError::TooFine(text.to_owned()));
        }
        sum = sum.checked_add(scaled / scale).ok_or_else(too_long)?;
        rest = after;
    }
    Ok(Duration::from_millis(sum))
}

/// Like [`parse`], but a whole number without a unit is a number of seconds, as in timeout(1).
///
/// # Errors
/// As [`parse`].
pub fn parse_or_seconds(text: &str) -> Result<Duration, DurationError> {
    // strtoul(3) allows the sign, and so did every version of memberctl.
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse(text);
    }
    parse(&format!("{text}s")).map_err(|_| DurationError::TooLong(text.to_owned()))
}

/// Splits off the longest beginning whose bytes all match, and the rest.
fn split(text: &str, fits: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().position(|byte| !fits(byte)).unwrap_or(text.len()))
}

/// The digits before and after the point of `1.75`. The second is `0` without a point.
fn decimal(number: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (plain(whole) && plain(fraction)).then_some((whole, fraction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_exactly() {
        for (text, millis) in [
            ("500ms", 500),
            ("1.75s", 1_750),
            ("2s", 2_000),
            ("2m", 120_000),
            ("2min", 120_000),
            ("0.5m", 30_000),
            ("24h", 86_400_000),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("1.001s", 1_001),
            ("0s", 0),
            ("1h30m", 5_400_000),
            ("30m1h", 5_400_000),
            ("1s1s", 2_000),
            ("1.5h30s", 5_430_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(parse_or_seconds(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn words_are_units_too_where_they_are_wanted() {
        for (text, seconds) in [
            ("2 days", 172_800),
            ("1 hour 30 min", 5_400),
            ("1hr30minutes", 5_400),
            ("1month", 2_629_800),
            ("1 M", 2_629_800),
            ("1y", 31_557_600),
            ("1 week 2 days", 777_600),
            ("90 sec", 90),
            ("1h30m", 5_400),
        ] {
            assert_eq!(parse_words(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_words("10 "), Err(DurationError::NoUnit("10 ".to_owned())));
        for text in ["", " ", "days", "1 0m", "1 d ays", "2 days ago", "1 fortnight", "5\tmin"] {
            assert_eq!(parse_words(text), Err(DurationError::Malformed(text.to_owned())));
        }
    }

    #[test]
    fn the_error_says_what_to_write() {
        let example =
            "is not a duration: write a number and ms, s, m, h, d or w, such as \"500ms\"";
        for (text, message) in [
            ("1.75", "\"1.75\" has no unit: write \"1.75s\"".to_owned()),
            ("", format!("\"\" {example}")),
            ("s", format!("\"s\" {example}")),
            ("-1s", format!("\"-1s\" {example}")),
            ("+1s", format!("\"+1s\" {example}")),
            ("1.s", format!("\"1.s\" {example}")),
            ("1.2.3s", format!("\"1.2.3s\" {example}")),
            ("1 s", format!("\"1 s\" {example}")),
            ("1h30", format!("\"1h30\" {example}")),
            ("10x", format!("\"10x\" {example}")),
            ("5 minutes", format!("\"5 minutes\" {example}")),
            ("0.5ms", "\"0.5ms\" is finer than a millisecond".to_owned()),
            ("99999999999999999999s", "\"99999999999999999999s\" is too long".to_owned()),
            ("0.99999999999999999999s", "\"0.99999999999999999999s\" is too long".to_owned()),
            ("18446744073709551615ms1ms", "\"18446744073709551615ms1ms\" is too long".to_owned()),
        ] {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(message), "{text}");
        }
    }

    #[test]
    fn a_number_alone_is_seconds_on_a_command_line() {
        for (text, seconds) in [("60", 60), ("0", 0), ("+60", 60), ("+60s", 60), ("007", 7)] {
            assert_eq!(parse_or_seconds(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "+", "++1", "-1", "1.5", "s", "soon"] {
            assert!(parse_or_seconds(text).is_err(), "{text}");
        }
        let long = "99999999999999999999";
        assert_eq!(parse_or_seconds(long), Err(DurationError::TooLong(long.to_owned())));
    }

    proptest! {
        /// Three decimals are read exactly to the millisecond.
        #[test]
        fn three_decimals_are_milliseconds(millis in 0_u64..10_000_000_000) {
            let text = format!("{}.{:03}s", millis / 1_000, millis % 1_000);
            prop_assert_eq!(parse(&text), Ok(Duration::from_millis(millis)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            drop(parse(&text));
            drop(parse_or_seconds(&text));
            drop(parse_words(&text));
        }

        /// Digits and units in any order reach further into the parser.
        #[test]
        fn no_sequence_of_digits_and_units_panics(text in "([0-9.]{0,20}(ms|s|m|h|d|w|x)?){0,4}") {
            drop(parse(&text));
        }
    }
}
