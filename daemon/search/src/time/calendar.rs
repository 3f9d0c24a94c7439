//! Converts dates and times of day to seconds and back.

/// A date and a time of day in the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    /// A leap second counts as the second before it.
    pub(crate) second: u8,
}

impl Civil {
    /// Seconds from the Unix epoch, as if the time were in UTC. None when there is no such date or
    /// time.
    pub(crate) fn seconds(self) -> Option<i64> {
        let Civil { year, month, day, hour, minute, second } = self;
        let real = (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && (1..=9999).contains(&year);
        if !real || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second.min(59));
        Some(days_from_epoch(year, month, day) * 86_400 + of_day)
    }

    /// The date and time in UTC this many seconds after the Unix epoch.
    pub(crate) fn of(seconds: i64) -> Civil {
        let days = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400);
        let small = |number: i64| u8::try_from(number).unwrap_or_default();
        // Years begin in March here, so that the leap day is the last. All 400 years have the same
        // number of days.
        let days = days + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        Civil {
            year: year + era * 400 + i64::from(month >= 10),
            month: small(if month < 10 { month + 3 } else { month - 9 }),
            day: small(of_year - (153 * month + 2) / 5 + 1),
            hour: small(of_day / 3600),
            minute: small(of_day / 60 % 60),
            second: small(of_day % 60),
        }
    }
}

fn days_in(year: i64, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, counted in years that begin in March.
fn days_from_epoch(year: i64, month: u8, day: u8) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seconds_and_dates_are_each_others_inverse(
            seconds in -60_000_000_000i64..250_000_000_000,
        ) {
            prop_assert_eq!(Civil::of(seconds).seconds(), Some(seconds));
        }

        #[test]
        fn the_calendar_is_the_usual_one(seconds in -60_000_000_000i64..250_000_000_000) {
            let theirs = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            let Civil { year, month, day, hour, minute, second } = Civil::of(seconds);
            let ours =
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            prop_assert_eq!(ours, theirs);
        }
    }
}
