//! A moment of the past as the user writes it: a time, or how long ago.

use std::str::FromStr;

use jiff::Timestamp;

use crate::words;

/// The units and their milliseconds.
const UNITS: [(char, u64); 4] = [('s', 1_000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];

/// In milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Since(pub(super) u64);

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Since, String> {
        let wrong = || format!("'{text}' is no time: write how long ago (90s, 10m, 2h, 1d), or 2026-11-21T01:20:00Z");
        if let Some(ago) = ago(text) {
            return Ok(Since(words::now().saturating_sub(ago)));
        }
        let moment: Timestamp = text.parse().map_err(|_| wrong())?;
        u64::try_from(moment.as_millisecond()).map(Since).map_err(|_| wrong())
    }
}

/// A number and a unit, in milliseconds.
fn ago(text: &str) -> Option<u64> {
    let (_, milliseconds) = UNITS.iter().find(|(unit, _)| text.ends_with(*unit))?;
    let number = text.get(..text.len() - 1)?;
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| plain)?.checked_mul(*milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        assert_eq!("2025-11-21T01:20:33.123Z".parse(), Ok(Since(1_763_688_033_123)));
        assert_eq!("2025-11-21T02:20:33.123+01:00".parse(), Ok(Since(1_763_688_033_123)));
        for (text, milliseconds) in [("0s", 0), ("90s", 90_000), ("10m", 600_000), ("2h", 7_200_000), ("1d", 86_400_000)] {
            assert_eq!(ago(text), Some(milliseconds));
        }
        for text in ["", "s", "10", "-1s", "+1s", "1.5h", "yesterday", "1969-01-01T00:00:00Z"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
