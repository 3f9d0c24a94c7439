//! The zone of a moment, as users write it. It owns no state.

use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::Unread;

/// Whether a word behind a time can only be a zone.
pub(super) fn is_zone(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic() || "+-".contains(first))
}

/// In which zone a time is.
pub(super) enum Place {
    Zone(TimeZone),
    /// The zone of the caller, where its clocks show this abbreviation.
    Abbreviation(String),
}

/// The zone of this name: an offset, a name of the time zone database, or an abbreviation.
pub(super) fn zone(word: &str, now: &Zoned) -> Result<Place, Unread> {
    let unknown = || Unread::Zone(word.to_owned());
    if word.starts_with(['+', '-']) {
        // The parser of whole times knows all forms of an offset.
        let example = format!("2000-01-01T00:00{word}");
        let offset = Pieces::parse(&example).ok().and_then(|pieces| pieces.to_numeric_offset());
        return offset.map(|offset| Place::Zone(offset.to_time_zone())).ok_or_else(unknown);
    }
    if ["UTC", "GMT", "Z"].contains(&word) {
        return Ok(Place::Zone(TimeZone::UTC));
    }
    let short = word.len() <= 5 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    if short && has_abbreviation(now, word) {
        return Ok(Place::Abbreviation(word.to_owned()));
    }
    TimeZone::get(word).map(Place::Zone).map_err(|_| unknown())
}

/// Whether the caller's zone has this abbreviation half a year around now.
fn has_abbreviation(now: &Zoned, word: &str) -> bool {
    [0, 6].into_iter().any(|months| {
        let then = now.saturating_add(jiff::Span::new().months(months));
        now.time_zone().to_offset_info(then.timestamp()).abbreviation() == word
    })
}

impl Place {
    /// When the clocks of the zone show `local`.
    pub(super) fn milliseconds(&self, local: DateTime, now: &Zoned) -> Result<i64, Unread> {
        let found = match self {
            Place::Zone(zone) => local.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp()),
            Place::Abbreviation(name) => {
                let zone = now.time_zone();
                let shows = |offset: Offset| {
                    let time = offset.to_timestamp(local).ok()?;
                    (zone.to_offset_info(time).abbreviation() == name).then_some(time)
                };
                let [one, other] = match zone.to_ambiguous_timestamp(local).offset() {
                    AmbiguousOffset::Unambiguous { offset } => [offset; 2],
                    AmbiguousOffset::Gap { before, after }
                    | AmbiguousOffset::Fold { before, after } => [before, after],
                };
                let found = shows(one).or_else(|| shows(other));
                return found
                    .map(Timestamp::as_millisecond)
                    .ok_or_else(|| Unread::Zone(name.clone()));
            }
        };
        found.map(Timestamp::as_millisecond).ok_or(Unread::Text)
    }

    /// Today's date there.
    pub(super) fn today(&self, now: &Zoned) -> Date {
        match self {
            Place::Zone(zone) => now.with_time_zone(zone.clone()).date(),
            Place::Abbreviation(_) => now.date(),
        }
    }
}

/// The zone that is part of a date and time: `+09:00`, `[Asia/Tokyo]`, or both.
pub(super) fn zone_within(pieces: &Pieces<'_>, whole: &str) -> Result<Option<Place>, Unread> {
    let Some(annotation) = pieces.time_zone_annotation() else {
        return Ok(pieces.to_numeric_offset().map(|offset| Place::Zone(offset.to_time_zone())));
    };
    let name = whole.split_once('[').map_or("", |(_, name)| name.trim_end_matches(']'));
    let zone = annotation.to_time_zone().map_err(|_| Unread::Zone(name.to_owned()))?;
    match pieces.to_numeric_offset() {
        None => Ok(Some(Place::Zone(zone))),
        // Both must say the same.
        Some(_) => match whole.parse::<Zoned>() {
            Ok(zoned) => Ok(Some(Place::Zone(zoned.offset().to_time_zone()))),
            Err(_) => Err(Unread::Text),
        },
    }
}
