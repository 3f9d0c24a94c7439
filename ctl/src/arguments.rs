//! Values of the command line that several commands take.

use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use memberd_control::duration::{self, DurationError};
use memberd_control::message::MemberStatus;

/// A status of members, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Standing {
    /// Up
    Alive,
    /// Declared failed
    Failed,
    /// Left voluntarily
    Left,
}

impl Standing {
    /// Whether a member of this status is so.
    pub(crate) fn is(self, status: MemberStatus) -> bool {
        self.status() == status
    }

    /// The status.
    pub(crate) fn status(self) -> MemberStatus {
        match self {
            Standing::Alive => MemberStatus::Alive,
            Standing::Failed => MemberStatus::Failed,
            Standing::Left => MemberStatus::Left,
        }
    }
}

/// The longest time that a command takes.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A duration: seconds, or numbers with units.
///
/// # Errors
/// When it is neither, or longer than seven days, in one line.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match duration::parse_or_seconds(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) | Err(DurationError::TooLong(_)) => Err("at most seven days".to_owned()),
        Err(DurationError::TooFine(_)) => Err("at most three decimals of a second".to_owned()),
        Err(DurationError::NoUnit(_) | DurationError::Malformed(_)) => {
            Err("write seconds, or a number and a unit: 60s, 500ms, 2m or 1h".to_owned())
        }
    }
}

/// A parser of any text, for which the shells' completions suggest some values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suggested(pub(crate) &'static [&'static str]);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// A parser of whole numbers within a range.
pub(crate) fn number<N>(range: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String> + Clone
where
    N: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let wrong = || format!("a whole number from {} to {}", range.start(), range.end());
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
    }
}

/// A size in bytes: `64K`, `256M`, `1G`, perhaps with `iB` behind the unit.
///
/// # Errors
/// When it is none, zero, or does not fit.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    const UNITS: [(char, u32); 4] = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
    let short = text.strip_suffix("iB").unwrap_or(text);
    let parts = UNITS.iter().find_map(|(name, bits)| Some((short.strip_suffix(*name)?, *bits)));
    let bytes = parts.and_then(|(number, bits)| {
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse::<usize>().ok().filter(|_| is_number)?.checked_mul(1_usize.checked_shl(bits)?)
    });
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "write a number and a unit: 64K, 256M or 1G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_or_is_in_seconds() {
        for (text, milliseconds) in [
            ("60s", 60_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("2min", 120_000),
            ("60", 60_000),
            ("+60s", 60_000),
            ("168h", 604_800_000),
            ("1w", 604_800_000),
            ("1.5s", 1_500),
            ("1h30m", 5_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "-1s", "1.5", "1.0005s", "8d", "169h", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_is_whole_and_in_its_range() {
        assert_eq!(number(2..=50_u8)("50"), Ok(50));
        for text in ["", "1", "51", "999", "-2", "2.5", "x"] {
            assert_eq!(
                number(2..=50_u8)(text),
                Err("a whole number from 2 to 50".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_size_has_a_unit() {
        for (text, bytes) in
            [("64K", 65_536), ("256M", 268_435_456), ("1G", 1 << 30), ("2MiB", 2 << 20)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "64", "M", "0M", "-1M", "+1M", "1.5G", "1m", "1MB", "1MiBiB", "99999999T"]
        {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
