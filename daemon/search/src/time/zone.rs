//! Time zones: this machine's, those of the time zone database, and abbreviations.

use std::fs::File;
use std::io::Read as _;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::calendar::Civil;

/// Where the system keeps the rules of its zone, in the format of tzfile(5).
const LOCALTIME: &str = "/etc/localtime";

/// Where the system keeps the time zone database.
const DATABASE: &str = "/usr/share/zoneinfo";

/// The largest file of rules that is read, in bytes. The largest of the database has 3.5 KiB.
const MAX_RULES_BYTES: u64 = 64 * 1024;

/// The offset of an abbreviation that is known everywhere, in seconds east of UTC. It means one
/// thing in the time zone database of today, or in RFC 5322 (4.3). A machine's own come first.
pub(super) fn abbreviation(word: &[u8]) -> Option<i32> {
    let hours = match word {
        b"HST" => -10,
        b"AKST" => -9,
        b"AKDT" | b"PST" => -8,
        b"MST" | b"PDT" => -7,
        b"CST" | b"MDT" => -6,
        b"EST" | b"CDT" => -5,
        b"EDT" => -4,
        b"WET" => 0,
        b"WEST" | b"CET" | b"MET" => 1,
        b"CEST" | b"MEST" | b"EET" => 2,
        b"EEST" | b"MSK" => 3,
        b"JST" | b"KST" => 9,
        b"AEST" => 10,
        b"AEDT" => 11,
        b"NZST" => 12,
        b"NZDT" => 13,
        _ => return None,
    };
    Some(hours * 3600)
}

/// The years in which a zone is asked for its abbreviations.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2036;

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    zone: TimeZone,
    /// Its abbreviations of letters, and their last offset in seconds east of UTC.
    abbreviations: Vec<(Box<[u8]>, i32)>,
}

impl Zone {
    /// This machine's zone, or UTC when it cannot be read.
    pub fn local() -> Zone {
        std::fs::read(LOCALTIME)
            .ok()
            .and_then(|rules| Zone::of(&rules))
            .unwrap_or(Zone { zone: TimeZone::UTC, abbreviations: Vec::new() })
    }

    /// The zone with these rules in the format of tzfile(5). None when they are invalid.
    pub fn of(rules: &[u8]) -> Option<Zone> {
        let zone = TimeZone::tzif("local", rules).ok()?;
        let abbreviations = abbreviations(&zone);
        Some(Zone { zone, abbreviations })
    }

    /// The zone of another machine by its name in the time zone database, and UTC without a name.
    /// None when this machine's database does not have it.
    pub(crate) fn of_machine(name: &str) -> Option<Zone> {
        if name.is_empty() {
            return Some(Zone { zone: TimeZone::UTC, abbreviations: Vec::new() });
        }
        let Zone { zone, .. } = Zone::named(name.as_bytes())?;
        let abbreviations = abbreviations(&zone);
        Some(Zone { zone, abbreviations })
    }

    /// The zone of this name in the system's time zone database. Its abbreviations are not known.
    pub(crate) fn named(name: &[u8]) -> Option<Zone> {
        let name = str::from_utf8(name).ok()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
        if name.starts_with('/') || !name.bytes().all(plain) {
            return None;
        }
        let zone = TimeZone::tzif(name, &rules_in_database(name)?).ok()?;
        Some(Zone { zone, abbreviations: Vec::new() })
    }

    /// The rules of the zone of another machine, as [`Zone::of_machine`] reads them. None when this
    /// machine's database does not have it.
    pub(crate) fn rules_of_machine(name: &str) -> Option<Vec<u8>> {
        if name.is_empty() {
            return Some(Vec::new());
        }
        Zone::of_machine(name).and_then(|_| rules_in_database(name))
    }

    /// Milliseconds since the Unix epoch when the clocks of this zone show `civil`. When the clock
    /// is set back, there are two such moments, and this is the first. None when there is no such
    /// date.
    pub(crate) fn milliseconds(&self, civil: Civil) -> Option<i64> {
        let utc = civil.seconds()?;
        if self.zone == TimeZone::UTC {
            return Some(utc * 1000);
        }
        let ambiguous = self.zone.to_ambiguous_timestamp(date_time(civil)?);
        Some(ambiguous.compatible().ok()?.as_millisecond())
    }

    /// Whether this zone had the abbreviation in the last years.
    pub(crate) fn has_abbreviation(&self, word: &[u8]) -> bool {
        self.abbreviations.iter().any(|(name, _)| **name == *word)
    }

    /// The offset of the abbreviation at the time `civil`, in seconds east of UTC: in this zone if
    /// it has it, else everywhere.
    pub(crate) fn offset_of(&self, word: &[u8], civil: Civil) -> Option<i32> {
        let Some((_, last)) = self.abbreviations.iter().find(|(name, _)| **name == *word) else {
            return abbreviation(word);
        };
        let time = date_time(civil)?;
        let offsets = match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset, offset],
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                [before, after]
            }
        };
        let has_it = |offset: &Offset| {
            offset
                .to_timestamp(time)
                .is_ok_and(|time| self.zone.to_offset_info(time).abbreviation().as_bytes() == word)
        };
        Some(offsets.into_iter().find(has_it).map_or(*last, Offset::seconds))
    }
}

fn rules_in_database(name: &str) -> Option<Vec<u8>> {
    let mut rules = Vec::new();
    let file = File::open(format!("{DATABASE}/{name}")).ok()?;
    file.take(MAX_RULES_BYTES).read_to_end(&mut rules).ok()?;
    Some(rules)
}

fn date_time(civil: Civil) -> Option<DateTime> {
    let Civil { year, month, day, hour, minute, second } = civil;
    let small = |number: u8| i8::try_from(number).ok();
    let (hour, minute, second) = (small(hour)?, small(minute)?, small(second.min(59))?);
    let date = Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    Some(date.to_datetime(Time::new(hour, minute, second, 0).ok()?))
}

/// The abbreviations of a zone in [`YEARS`], of winter and summer. Those of digits are offsets.
fn abbreviations(zone: &TimeZone) -> Vec<(Box<[u8]>, i32)> {
    let mut found: Vec<(Box<[u8]>, i32)> = Vec::new();
    for (year, month) in YEARS.flat_map(|year| [(year, 1), (year, 7)]) {
        let Ok(time) = jiff::civil::date(year, month, 1).to_zoned(TimeZone::UTC) else { continue };
        let info = zone.to_offset_info(time.timestamp());
        let name = info.abbreviation().as_bytes();
        let seconds = info.offset().seconds();
        match found.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, last)) => *last = seconds,
            None if name.iter().all(u8::is_ascii_uppercase) => {
                found.push((name.into(), seconds));
            }
            None => {}
        }
    }
    found
}

#[cfg(test)]
impl Zone {
    pub(crate) fn utc() -> Zone {
        Zone { zone: TimeZone::UTC, abbreviations: Vec::new() }
    }

    /// A zone this many seconds east of UTC.
    pub(crate) fn fixed(seconds: i32) -> Zone {
        let zone = TimeZone::fixed(Offset::from_seconds(seconds).unwrap());
        Zone { zone, abbreviations: Vec::new() }
    }

    /// A zone with rules of POSIX (TZ), such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    pub(crate) fn posix(rules: &str) -> Zone {
        let zone = TimeZone::posix(rules).unwrap();
        let abbreviations = abbreviations(&zone);
        Zone { zone, abbreviations }
    }

    /// The zone itself, to print times in it.
    pub(crate) fn rules(&self) -> &TimeZone {
        &self.zone
    }
}
