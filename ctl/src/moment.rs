//! Moments as users write them for `--since` and `--until`. It owns no state.

// The path is written out because a fuzz target includes this file.
#[path = "moment/zone.rs"]
mod zone;

use jiff::Zoned;
use jiff::civil::{DateTime, Time, Weekday};
use jiff::fmt::temporal::Pieces;
use memberd_control::duration;
use zone::{Place, is_zone, zone, zone_within};

/// Reads a moment, in milliseconds since the Unix epoch: what memberctl(1) lists under TIMES. These
/// are the forms of systemd.time(7) and RFC 3339, and those of `docker logs --since`.
///
/// # Errors
/// When the text has none of these forms, or names a zone that is not known, in one line.
pub(crate) fn moment(text: &str, now: &Zoned) -> Result<i64, String> {
    said(text, now).map(|said| said.milliseconds)
}

/// Reads a moment of the past. A time of day in the future means yesterday's.
///
/// # Errors
/// When the text is no moment, or one in the future, in one line.
pub(crate) fn past_moment(text: &str, now: &Zoned) -> Result<i64, String> {
    let present = now.timestamp().as_millisecond();
    let Said { milliseconds, day_before } = said(text, now)?;
    let found = if milliseconds <= present { Some(milliseconds) } else { day_before };
    found.ok_or_else(|| format!("'{text}' is in the future: it is {}", now.strftime("%F %T %:z")))
}

/// What a text says.
struct Said {
    milliseconds: i64,
    /// The same time a day before, if the text has no day.
    day_before: Option<i64>,
}

fn said(text: &str, now: &Zoned) -> Result<Said, String> {
    let exact = relative(text, now).or_else(|| epoch(text));
    if let Some(milliseconds) = exact {
        return Ok(Said { milliseconds, day_before: None });
    }
    written(text, now).map_err(|unread| match unread {
        Unread::Zone(zone) => format!(
            "invalid time '{text}': the zone '{zone}' is not known: write UTC, +02:00 or \
            Europe/Berlin"
        ),
        Unread::Text => format!(
            "invalid time '{text}': write 10m, 2h, 3d, today, yesterday, 14:00, 2026-11-21 \
            14:00 or 2026-11-21T14:00:00Z"
        ),
    })
}

/// Why a text is no date and time.
enum Unread {
    /// It names a zone that is not known.
    Zone(String),
    Text,
}

/// `now`, and a duration: `1h30m`, `-1h`, `2 days ago`, or from now on `+5min`, `2h left`.
fn relative(text: &str, now: &Zoned) -> Option<i64> {
    let present = now.timestamp().as_millisecond();
    let distance_ms =
        |text: &str| i64::try_from(duration::parse_words(text).ok()?.as_millis()).ok();
    let signed = text.strip_prefix('-').or_else(|| text.strip_suffix(" ago"));
    let later = text.strip_prefix('+').or_else(|| text.strip_suffix(" left"));
    match (text, later) {
        ("now", _) => Some(present),
        (_, Some(later)) => present.checked_add(distance_ms(later)?),
        _ => present.checked_sub(distance_ms(signed.unwrap_or(text))?),
    }
}

/// `@1763688033`, `@1763688033.5`, or without the sign if it has ten digits, as docker takes it.
fn epoch(text: &str) -> Option<i64> {
    let signed = text.strip_prefix('@');
    let (seconds, fraction) =
        signed.unwrap_or(text).split_once('.').unwrap_or((signed.unwrap_or(text), "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || (signed.is_none() && seconds.len() != 10) {
        return None;
    }
    let milliseconds: String = fraction.chars().chain("00".chars()).take(3).collect();
    seconds.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(milliseconds.parse().ok()?)
}

/// A date, a time of day, or both, perhaps with a weekday before it and a zone behind it.
fn written(text: &str, now: &Zoned) -> Result<Said, Unread> {
    let mut words: Vec<&str> = text.split(' ').collect();
    if words.len() > 4 || words.contains(&"") {
        return Err(Unread::Text);
    }
    let weekday = words.first().and_then(|word| weekday(word)).filter(|_| words.len() > 1);
    if weekday.is_some() {
        words.remove(0);
    }
    let zone_word = words.last().copied().filter(|word| words.len() > 1 && is_zone(word));
    if zone_word.is_some() {
        words.pop();
    }
    let parts = parts(&words).ok_or(Unread::Text)?;
    let wanted = zone_word.map(|word| zone(word, now)).transpose()?;
    let read = Written::of(parts, wanted, now)?;
    if weekday.is_some_and(|weekday| read.local.date().weekday() != weekday) {
        return Err(Unread::Text);
    }
    let milliseconds = read.zone.milliseconds(read.local, now)?;
    let day_before = read.is_time_of_day.then(|| read.local.date().yesterday().ok()).flatten();
    let day_before = day_before
        .and_then(|day| read.zone.milliseconds(day.to_datetime(read.local.time()), now).ok());
    Ok(Said { milliseconds, day_before })
}

/// A day and a time of day, or one of them, as far as their look tells.
fn parts<'t>(words: &[&'t str]) -> Option<(Option<&'t str>, Option<&'t str>)> {
    let is_day = |word: &str| ["today", "yesterday", "tomorrow"].contains(&word) || is_date(word);
    match words {
        [time] if is_time(time) => Some((None, Some(time))),
        [day] if is_day(day) => Some((Some(day), None)),
        [day, time] if is_day(day) && is_time(time) => Some((Some(day), Some(time))),
        _ => None,
    }
}

/// `Sat` or `Saturday,`
fn weekday(word: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let word = word.strip_suffix(',').unwrap_or(word).to_ascii_lowercase();
    let fits = |name: &str| name == word || name.get(..3) == Some(&word);
    NAMES.into_iter().find(|(name, _)| fits(name)).map(|(_, weekday)| weekday)
}

/// A date and a time in a zone.
struct Written {
    local: DateTime,
    zone: Place,
    /// It has no date, so it is today's.
    is_time_of_day: bool,
}

impl Written {
    /// Reads a day and a time of day, or one of them. `zone` stands behind them.
    fn of(
        (day, time): (Option<&str>, Option<&str>),
        zone: Option<Place>,
        now: &Zoned,
    ) -> Result<Written, Unread> {
        let days_on = match day {
            None | Some("today") => Some(0),
            Some("yesterday") => Some(-1),
            Some("tomorrow") => Some(1),
            Some(_) => None,
        };
        // What has no date is read with any.
        let date = day.filter(|_| days_on.is_none()).unwrap_or("2000-01-01");
        let time = time.map(|time| time.strip_prefix(['T', 't']).unwrap_or(time));
        let whole = match time {
            None => date.to_owned(),
            // A date with a time has its own.
            Some(_) if date.contains(['T', 't', ':']) => return Err(Unread::Text),
            Some(time) if time.find(':') == Some(1) => format!("{date}T0{time}"),
            Some(time) => format!("{date}T{time}"),
        };
        let pieces = Pieces::parse(&whole).map_err(|_| Unread::Text)?;
        let local = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
        let within = zone_within(&pieces, &whole)?;
        let zone = match (within, zone) {
            (Some(_), Some(_)) => return Err(Unread::Text),
            (Some(zone), None) | (None, Some(zone)) => zone,
            (None, None) => Place::Zone(now.time_zone().clone()),
        };
        let local = match days_on {
            None => local,
            Some(days) => {
                let day = zone.today(now).saturating_add(jiff::Span::new().days(days));
                day.to_datetime(local.time())
            }
        };
        Ok(Written { local, zone, is_time_of_day: day.is_none() })
    }
}

/// `9:05`, `14:00`, `14:00:30.5`, perhaps with a zone.
fn is_time(word: &str) -> bool {
    let word = word.strip_prefix(['T', 't']).unwrap_or(word);
    let hour = word.split(':').next().unwrap_or_default();
    hour.len() < word.len() && hour.len() <= 2 && hour.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it can be a date. jiff reads much more, such as 2026 or 14, which could mean anything
/// here.
fn is_date(word: &str) -> bool {
    let date = word.split('[').next().unwrap_or_default();
    date.contains(':') || date.matches('-').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    fn now() -> Zoned {
        let now: Timestamp = "2026-11-21T08:30:15.250Z".parse().unwrap();
        now.to_zoned(TimeZone::fixed(jiff::tz::offset(2)))
    }

    #[test]
    fn a_time_of_day_is_the_last_one_and_the_future_is_refused() {
        let read = |text| {
            past_moment(text, &now())
                .map(|found| Timestamp::from_millisecond(found).unwrap().to_string())
        };
        assert_eq!(read("10:30"), Ok("2026-11-21T08:30:00Z".to_owned()));
        assert_eq!(read("23:00"), Ok("2026-11-20T21:00:00Z".to_owned()), "last night's");
        assert_eq!(
            read("2099-01-01"),
            Err("'2099-01-01' is in the future: it is 2026-11-21 10:30:15 +02:00".to_owned())
        );
        assert!(read("2026-11-21T23:00:00Z").is_err() && read("2026-11-21 23:00").is_err());
        assert_eq!(read("now"), Ok("2026-11-21T08:30:15.25Z".to_owned()));
    }

    #[test]
    fn moments_are_read_in_every_form() {
        for (text, moment_in_utc) in [
            ("now", "2026-11-21T08:30:15.250Z"),
            ("10m", "2026-11-21T08:20:15.250Z"),
            ("1h30m", "2026-11-21T07:00:15.250Z"),
            ("1.5h", "2026-11-21T07:00:15.250Z"),
            ("30m1h", "2026-11-21T07:00:15.250Z"),
            ("90s", "2026-11-21T08:28:45.250Z"),
            ("250ms", "2026-11-21T08:30:15.000Z"),
            ("2d", "2026-11-19T08:30:15.250Z"),
            ("1w", "2026-11-14T08:30:15.250Z"),
            ("today", "2026-11-20T22:00:00Z"),
            ("yesterday", "2026-11-19T22:00:00Z"),
            ("@1763688033", "2025-11-21T01:20:33Z"),
            ("@1763688033.5", "2025-11-21T01:20:33.500Z"),
            ("2026-11-21T01:20:33.123Z", "2026-11-21T01:20:33.123Z"),
            ("2026-11-21T01:20:33+01:00", "2026-11-21T00:20:33Z"),
            ("2026-11-21 01:20:33Z", "2026-11-21T01:20:33Z"),
            ("2026-11-21T01:20:33", "2026-11-20T23:20:33Z"),
            ("2026-11-21 01:20", "2026-11-20T23:20:00Z"),
            ("2026-11-21", "2026-11-20T22:00:00Z"),
            ("07:15", "2026-11-21T05:15:00Z"),
            ("07:15:30", "2026-11-21T05:15:30Z"),
            // As systemd.time(7) has it.
            ("1 hour ago", "2026-11-21T07:30:15.250Z"),
            ("-1h", "2026-11-21T07:30:15.250Z"),
            ("- 1 h", "2026-11-21T07:30:15.250Z"),
            ("+5min", "2026-11-21T08:35:15.250Z"),
            ("2h left", "2026-11-21T10:30:15.250Z"),
            ("10min", "2026-11-21T08:20:15.250Z"),
            ("2 days", "2026-11-19T08:30:15.250Z"),
            ("1 week 2 days ago", "2026-11-12T08:30:15.250Z"),
            ("1month", "2026-10-21T22:00:15.250Z"),
            ("1y", "2025-11-21T02:30:15.250Z"),
            ("tomorrow", "2026-11-21T22:00:00Z"),
            ("yesterday 14:00", "2026-11-20T12:00:00Z"),
            ("today 0:05", "2026-11-20T22:05:00Z"),
            ("0:05", "2026-11-20T22:05:00Z"),
            ("T10:00", "2026-11-21T08:00:00Z"),
            ("9:05:30.5", "2026-11-21T07:05:30.500Z"),
            ("2026-11-20 14:00:00 UTC", "2026-11-20T14:00:00Z"),
            ("2026-11-20 14:00:00 Europe/Berlin", "2026-11-20T13:00:00Z"),
            ("Fri 2026-11-20 14:00:00 UTC", "2026-11-20T14:00:00Z"),
            ("Friday, 2026-11-20", "2026-11-19T22:00:00Z"),
            ("2026-11-20 UTC", "2026-11-20T00:00:00Z"),
            ("yesterday UTC", "2026-11-20T00:00:00Z"),
            ("today America/Los_Angeles", "2026-11-21T08:00:00Z"),
            ("14:00 UTC", "2026-11-21T14:00:00Z"),
            ("14:00 +0900", "2026-11-21T05:00:00Z"),
            // As docker has it.
            ("1763688033", "2025-11-21T01:20:33Z"),
            ("1763688033.123456789", "2025-11-21T01:20:33.123Z"),
            // A zone that is part of the time.
            ("14:00+09:00", "2026-11-21T05:00:00Z"),
            ("00:30-10:00", "2026-11-20T10:30:00Z"),
            ("14:00Z", "2026-11-21T14:00:00Z"),
            ("2026-11-20T10:00[Asia/Tokyo]", "2026-11-20T01:00:00Z"),
            ("2026-11-20[America/New_York]", "2026-11-20T05:00:00Z"),
            ("2026-11-20 10:00+09:00[Asia/Tokyo]", "2026-11-20T01:00:00Z"),
            ("2026-11-20 10:00+09:00", "2026-11-20T01:00:00Z"),
        ] {
            let expected: Timestamp = moment_in_utc.parse().unwrap();
            assert_eq!(moment(text, &now()), Ok(expected.as_millisecond()), "{text}");
        }
    }

    /// In the hour that comes twice, the abbreviation says which of the two is meant.
    #[test]
    fn the_callers_own_abbreviations_are_known() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now = "2026-11-21T08:30:15Z".parse::<Timestamp>().unwrap().to_zoned(zone);
        let read = |text| {
            moment(text, &now).map(|found| Timestamp::from_millisecond(found).unwrap().to_string())
        };
        assert_eq!(read("2026-10-25 02:30 CEST"), Ok("2026-10-25T00:30:00Z".to_owned()));
        assert_eq!(read("2026-10-25 02:30 CET"), Ok("2026-10-25T01:30:00Z".to_owned()));
        assert_eq!(read("Sat 2026-11-21 08:00:00 CET"), Ok("2026-11-21T07:00:00Z".to_owned()));
        for (text, zone) in [
            ("2026-10-25 02:30 XYZT", "XYZT"),
            ("2026-11-21 02:30 CEST", "CEST"),
            ("14:00 Nowhere/Land", "Nowhere/Land"),
            ("2026-10-25T02:30[Nowhere/Land]", "Nowhere/Land"),
            ("14:00 +2600", "+2600"),
            ("tomorrow yesterday", "yesterday"),
        ] {
            let error = format!(
                "invalid time '{text}': the zone '{zone}' is not known: write UTC, +02:00 or \
                Europe/Berlin"
            );
            assert_eq!(read(text), Err(error));
        }
    }

    /// A time of day with a zone that is in the future means yesterday's, there.
    #[test]
    fn a_time_of_day_elsewhere_is_the_last_one_there() {
        let read = |text| {
            past_moment(text, &now())
                .map(|found| Timestamp::from_millisecond(found).unwrap().to_string())
        };
        assert_eq!(read("14:00 UTC"), Ok("2026-11-20T14:00:00Z".to_owned()));
        assert_eq!(read("23:00-08:00"), Ok("2026-11-21T07:00:00Z".to_owned()));
        assert!(read("tomorrow").unwrap_err().starts_with("'tomorrow' is in the future"));
        assert!(read("+5min").is_err() && read("today 23:00").is_err());
    }

    /// What the manual lists is understood.
    #[test]
    fn every_time_of_the_manual_is_read() {
        let manual = include_str!("../../packaging/documents/memberctl.txt");
        let section = manual.split("\nTIMES\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("    ")?.split_once("  "));
        let texts: Vec<&str> = rows
            .map(|(texts, _)| texts)
            .filter(|texts| !texts.is_empty())
            .flat_map(|texts| texts.split(", "))
            .collect();
        assert!(texts.len() > 20, "{texts:?}");
        for text in texts {
            assert!(moment(text, &now()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_examples() {
        for text in [
            "",
            "10",
            "m",
            "10x",
            "1h30",
            "@",
            "@x",
            "soon",
            "ago",
            " ago",
            "+",
            "--1h",
            "2026",
            "1763688033x",
            "176368803",
            "2 fortnights ago",
            "last week",
            "now UTC",
            "14:00 14:00",
            "2026-11-21T10:00 14:00",
            "Mon 2026-11-21",
            "14:00+09:00 UTC",
            "2026-11-20 10:00+08:00[Asia/Tokyo]",
            "2026-11-20 10:00 + 09:00",
            "2026-11-20  10:00",
            "25:00",
            "2026-13-01",
            "99999999999999w",
        ] {
            let error = moment(text, &now()).unwrap_err();
            assert!(error.starts_with(&format!("invalid time '{text}': write 10m")), "{error}");
        }
    }
}
