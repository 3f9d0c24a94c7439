//! Moments as users write them for `--since` and `--until`.

use jiff::civil::{DateTime, Time};
use jiff::{Timestamp, Zoned};
use memberd_control::duration;

/// Reads a moment, in milliseconds since the Unix epoch: how long ago (`10m`, `1h30m`), `now`,
/// `today`, `yesterday`, RFC 3339, a date or time in the zone of `now` (`2026-11-21`, `2026-11-21
/// 14:00`, `14:00`), or seconds since the epoch (`@1763688033`).
///
/// # Errors
/// When the text has none of these forms, in one line.
pub(crate) fn moment(text: &str, now: &Zoned) -> Result<i64, String> {
    let midnight = |days: i64| {
        let day = now.date().saturating_add(jiff::Span::new().days(days));
        in_zone(day.to_datetime(Time::midnight()), now)
    };
    let found = match text {
        "now" => Some(now.timestamp().as_millisecond()),
        "today" => midnight(0),
        "yesterday" => midnight(-1),
        _ => ago(text, now).or_else(|| epoch(text)).or_else(|| written(text, now)),
    };
    found.ok_or_else(|| {
        format!(
            "invalid time '{text}': write 10m, 2h, 3d, today, yesterday, 14:00, 2026-11-21 \
        14:00 or 2026-11-21T14:00:00Z"
        )
    })
}

/// Reads a moment of the past. A time of day in the future means yesterday's.
///
/// # Errors
/// When the text is no moment, or one in the future, in one line.
pub(crate) fn past_moment(text: &str, now: &Zoned) -> Result<i64, String> {
    let (found, present) = (moment(text, now)?, now.timestamp().as_millisecond());
    if found <= present {
        return Ok(found);
    }
    let yesterday = || in_zone(now.date().yesterday().ok()?.to_datetime(text.parse().ok()?), now);
    let of_day = text.parse::<Timestamp>().is_err() && text.parse::<DateTime>().is_err();
    of_day
        .then(yesterday)
        .flatten()
        .ok_or_else(|| format!("'{text}' is in the future: it is {}", now.strftime("%F %T %:z")))
}

/// `1h30m`
fn ago(text: &str, now: &Zoned) -> Option<i64> {
    let ago_ms = i64::try_from(duration::parse(text).ok()?.as_millis()).ok()?;
    now.timestamp().as_millisecond().checked_sub(ago_ms)
}

/// `@1763688033` or `@1763688033.5`
fn epoch(text: &str) -> Option<i64> {
    let (seconds, fraction) =
        text.strip_prefix('@').map(|text| text.split_once('.').unwrap_or((text, "0")))?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) {
        return None;
    }
    let milliseconds: String = fraction.chars().chain("00".chars()).take(3).collect();
    seconds.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(milliseconds.parse().ok()?)
}

fn written(text: &str, now: &Zoned) -> Option<i64> {
    // jiff reads much more, such as 2026 or 14, which could mean anything here.
    if !text.contains(':') && text.matches('-').count() != 2 {
        return None;
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.as_millisecond());
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return in_zone(local, now);
    }
    in_zone(now.date().to_datetime(text.parse().ok()?), now)
}

fn in_zone(local: DateTime, now: &Zoned) -> Option<i64> {
    Some(local.to_zoned(now.time_zone().clone()).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        let now: Timestamp = "2026-11-21T08:30:15.250Z".parse().unwrap();
        now.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)))
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
        ] {
            let expected: Timestamp = moment_in_utc.parse().unwrap();
            assert_eq!(moment(text, &now()), Ok(expected.as_millisecond()), "{text}");
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
            "-5m",
            "@",
            "@x",
            "tomorrow",
            "2026",
            "25:00",
            "2026-13-01",
            "99999999999999w",
        ] {
            let error = moment(text, &now()).unwrap_err();
            assert!(error.starts_with(&format!("invalid time '{text}': write 10m")), "{error}");
        }
    }
}
