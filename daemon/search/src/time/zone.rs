//! The time zone of lines without a zone: this machine's.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::calendar::Civil;

/// Where the system keeps the rules of its zone, in the format of tzfile(5).
const LOCALTIME: &str = "/etc/localtime";

/// A time zone.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// This machine's zone, or UTC when it cannot be read.
    pub fn local() -> Zone {
        std::fs::read(LOCALTIME)
            .ok()
            .and_then(|rules| Zone::of(&rules))
            .unwrap_or(Zone(TimeZone::UTC))
    }

    /// The zone with these rules in the format of tzfile(5). None when they are invalid.
    pub fn of(rules: &[u8]) -> Option<Zone> {
        TimeZone::tzif("local", rules).ok().map(Zone)
    }

    /// Milliseconds since the Unix epoch when the clocks of this zone show `civil`. When the clock
    /// is set back, there are two such moments, and this is the first. None when there is no such
    /// date.
    pub(crate) fn milliseconds(&self, civil: Civil) -> Option<i64> {
        let utc = civil.seconds()?;
        if self.0 == TimeZone::UTC {
            return Some(utc * 1000);
        }
        let Civil { year, month, day, hour, minute, second } = civil;
        let small = |number: u8| i8::try_from(number).ok();
        let second = small(second.min(59))?;
        let civil = DateTime::new(
            i16::try_from(year).ok()?,
            small(month)?,
            small(day)?,
            small(hour)?,
            small(minute)?,
            second,
            0,
        )
        .ok()?;
        Some(self.0.to_ambiguous_timestamp(civil).compatible().ok()?.as_millisecond())
    }
}

#[cfg(test)]
impl Zone {
    pub(crate) fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// A zone this many seconds east of UTC.
    pub(crate) fn fixed(seconds: i32) -> Zone {
        Zone(TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).unwrap()))
    }
}
