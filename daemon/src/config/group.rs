//! Checks the settings that all members of a group must share: the detector, and those that it has.
//! It owns no state.

use super::problems::{Problems, span};
use super::raw;
use memberd_membership::{Detection, GroupSettings, SwimSettings};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(10);
const MOST_TIMEOUT: Duration = Duration::from_secs(60);
/// The failure timeouts of any interval.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=MOST_TIMEOUT;
const PING_INTERVALS: RangeInclusive<Duration> =
    Duration::from_millis(250)..=Duration::from_secs(30);
/// The time for direct and indirect pings, once a scheduled one has brought nothing.
const ASKING: Duration = Duration::from_secs(1);
/// SWIM promises the first list within 10 s. The rest is for clocks that differ, and late wake-ups.
const MOST_PATIENCE: Duration = Duration::from_millis(9_500);
const SUSPICIONS: RangeInclusive<Duration> = Duration::ZERO..=MOST_PATIENCE;

/// Why a setting of the other detector is refused.
const OF_RING: &str = "only for group.detector = \"ring\"; with \"swim\" set group.ping_interval";
const OF_SWIM: &str = "only for group.detector = \"swim\", which is \"ring\" here";

pub(super) fn group_settings(group: &raw::Group, problems: &mut Problems) -> GroupSettings {
    let detector = group.detector.as_ref();
    let mut settings = match detector.map_or("ring", |set| set.get_ref().as_str()) {
        "ring" => ring(group, problems),
        "swim" => swim(group, problems),
        other => {
            if let Some(set) = detector {
                problems.add(set, "group.detector", format!("{other:?} is not one of ring, swim"));
            }
            GroupSettings::default()
        }
    };
    if let Some(set) = &group.max_simultaneous_failures {
        settings.max_simultaneous_failures = *set.get_ref();
        if !(1..=16).contains(set.get_ref()) {
            problems.add(
                set,
                "group.max_simultaneous_failures",
                format!("{} is not between 1 and 16", set.get_ref()),
            );
        }
    }
    settings
}

/// Adds a problem for a key that only the other detector has.
fn of_other<T>(set: Option<&Spanned<T>>, key: &str, why: &str, problems: &mut Problems) {
    if let Some(set) = set {
        problems.add(set, key, why);
    }
}

fn failure_timeout(group: &raw::Group, problems: &mut Problems) -> Option<Duration> {
    span(group.failure_timeout.as_ref(), "group.failure_timeout", &TIMEOUTS, problems)
}

fn ring(group: &raw::Group, problems: &mut Problems) -> GroupSettings {
    of_other(group.ping_interval.as_ref(), "group.ping_interval", OF_SWIM, problems);
    of_other(group.suspicion_timeout.as_ref(), "group.suspicion_timeout", OF_SWIM, problems);
    of_other(group.indirect_pings.as_ref(), "group.indirect_pings", OF_SWIM, problems);
    let mut settings = GroupSettings::default();
    let key = "group.heartbeat_interval";
    if let Some(interval) = span(group.heartbeat_interval.as_ref(), key, &INTERVALS, problems) {
        settings.detection = Detection::Ring { heartbeat_interval: interval };
    }
    let outside = !INTERVALS.contains(&settings.interval());
    if let Some(set) = group.heartbeat_interval.as_ref().filter(|_| outside) {
        problems.add(set, key, format!("{:?} is not between 50ms and 10s", set.get_ref()));
    }
    settings.failure_timeout = failure_timeout(group, problems).unwrap_or(settings.failure_timeout);
    let least = settings.interval() * 2;
    if let Some(set) = group.failure_timeout.as_ref().or(group.heartbeat_interval.as_ref())
        && !(least..=MOST_TIMEOUT).contains(&settings.failure_timeout)
    {
        let bounds = format!(
            "{:?} is not between twice the heartbeat interval ({least:?}) and 60s",
            settings.failure_timeout
        );
        problems.add(set, "group.failure_timeout", bounds);
    }
    settings
}

fn swim(group: &raw::Group, problems: &mut Problems) -> GroupSettings {
    let before = problems.count();
    of_other(group.heartbeat_interval.as_ref(), "group.heartbeat_interval", OF_RING, problems);
    let settings = GroupSettings::swim();
    let defaults = SwimSettings::default();
    let key = "group.ping_interval";
    let interval = span(group.ping_interval.as_ref(), key, &PING_INTERVALS, problems);
    let ping_interval = interval.unwrap_or(defaults.ping_interval);
    if let Some(set) = group.ping_interval.as_ref()
        && !PING_INTERVALS.contains(&ping_interval)
    {
        problems.add(set, key, format!("{:?} is not between 250ms and 30s", set.get_ref()));
    }
    let (set, key) = (group.suspicion_timeout.as_ref(), "group.suspicion_timeout");
    let suspicion = span(set, key, &SUSPICIONS, problems);
    if let Some(set) = group.indirect_pings.as_ref().filter(|set| *set.get_ref() > 16) {
        let what = format!("{} is not between 0 and 16", set.get_ref());
        problems.add(set, "group.indirect_pings", what);
    }
    let failure_timeout = failure_timeout(group, problems).unwrap_or(settings.failure_timeout);
    let indirect_pings = group.indirect_pings.as_ref().map(|set| *set.get_ref());
    let swim = SwimSettings {
        ping_interval,
        suspicion_timeout: suspicion.unwrap_or(defaults.suspicion_timeout),
        indirect_pings: indirect_pings.unwrap_or(defaults.indirect_pings),
    };
    // Where a value is invalid, others would be compared with one that nobody has set.
    if problems.count() == before {
        check_swim(group, failure_timeout, swim, problems);
    }
    GroupSettings { failure_timeout, detection: Detection::Swim(swim), ..settings }
}

/// Adds a problem for each pair of values that do not fit, at a key of the pair that is set.
fn check_swim(
    group: &raw::Group,
    failure_timeout: Duration,
    swim: SwimSettings,
    problems: &mut Problems,
) {
    let SwimSettings { ping_interval, suspicion_timeout, .. } = swim;
    if let Some(set) = group.failure_timeout.as_ref().or(group.ping_interval.as_ref())
        && failure_timeout < ping_interval + ASKING
    {
        let what = format!(
            "{failure_timeout:?} is not at least group.ping_interval and 1s ({:?})",
            ping_interval + ASKING
        );
        problems.add(set, "group.failure_timeout", what);
    }
    let patience = failure_timeout.saturating_add(suspicion_timeout);
    if let Some(set) = group.suspicion_timeout.as_ref().or(group.failure_timeout.as_ref())
        && patience > MOST_PATIENCE
    {
        let what = format!(
            "{} and group.failure_timeout ({failure_timeout:?}) are together longer than 9.5s: no \
             list would show a failure within 10s",
            if suspicion_timeout.is_zero() {
                "0s".to_owned()
            } else {
                format!("{suspicion_timeout:?}")
            }
        );
        problems.add(set, "group.suspicion_timeout", what);
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::super::tests::SYSTEM;
    use super::*;

    fn read(lines: &str) -> Result<GroupSettings, String> {
        let config = parse("m.toml", &format!("[group]\n{lines}"), &SYSTEM);
        config.map(|config| config.group).map_err(|error| error.to_string())
    }

    #[test]
    fn each_detector_has_settings_and_defaults_of_its_own() {
        assert_eq!(read("detector = 'ring'"), Ok(GroupSettings::default()));
        assert_eq!(read("detector = 'swim'"), Ok(GroupSettings::swim()));
        let swim = SwimSettings {
            ping_interval: Duration::from_secs(2),
            suspicion_timeout: Duration::ZERO,
            indirect_pings: 16,
        };
        let set = "ping_interval = '2s'\nsuspicion_timeout = '0s'\nindirect_pings = 16\n\
                   failure_timeout = '3s'\nmax_simultaneous_failures = 3\ndetector = 'swim'";
        let settings = GroupSettings {
            max_simultaneous_failures: 3,
            failure_timeout: Duration::from_secs(3),
            detection: Detection::Swim(swim),
            agreement: None,
        };
        assert_eq!(read(set), Ok(settings));
        let swaps = read("detector = 'swim'\nfailure_timeout = '6s'\nsuspicion_timeout = '3.5s'");
        assert_eq!(swaps.map(|settings| settings.patience()), Ok(MOST_PATIENCE));
    }

    /// The lines below the first line of `[group]`, and the error about them.
    const WRONG: [(&str, &str); 15] = [
        ("detector = 'gossip'", "m.toml:2: group.detector: \"gossip\" is not one of ring, swim"),
        (
            "detector = 'swim'\nheartbeat_interval = '1s'",
            "m.toml:3: group.heartbeat_interval: only for group.detector = \"ring\"; with \
             \"swim\" set group.ping_interval",
        ),
        (
            "ping_interval = '2s'",
            "m.toml:2: group.ping_interval: only for group.detector = \"swim\", which is \
             \"ring\" here",
        ),
        (
            "detector = 'ring'\nsuspicion_timeout = '2s'",
            "m.toml:3: group.suspicion_timeout: only for group.detector = \"swim\", which is \
             \"ring\" here",
        ),
        (
            "indirect_pings = 2",
            "m.toml:2: group.indirect_pings: only for group.detector = \"swim\", which is \
             \"ring\" here",
        ),
        (
            "detector = 'swim'\nping_interval = '249ms'",
            "m.toml:3: group.ping_interval: \"249ms\" is not between 250ms and 30s",
        ),
        (
            "detector = 'swim'\nping_interval = '31s'",
            "m.toml:3: group.ping_interval: \"31s\" is not between 250ms and 30s",
        ),
        (
            "detector = 'swim'\nindirect_pings = 17",
            "m.toml:3: group.indirect_pings: 17 is not between 0 and 16",
        ),
        (
            "detector = 'swim'\nfailure_timeout = '3.4s'",
            "m.toml:3: group.failure_timeout: 3.4s is not at least group.ping_interval and 1s \
             (3.5s)",
        ),
        (
            "detector = 'swim'\nping_interval = '4s'",
            "m.toml:3: group.failure_timeout: 4s is not at least group.ping_interval and 1s (5s)",
        ),
        (
            "detector = 'swim'\nsuspicion_timeout = '6s'",
            "m.toml:3: group.suspicion_timeout: 6s and group.failure_timeout (4s) are together \
             longer than 9.5s: no list would show a failure within 10s",
        ),
        (
            "detector = 'swim'\nfailure_timeout = '8s'",
            "m.toml:3: group.suspicion_timeout: 2.5s and group.failure_timeout (8s) are together \
             longer than 9.5s: no list would show a failure within 10s",
        ),
        (
            "detector = 'swim'\nsuspicion_timeout = '0s'\nfailure_timeout = '9501ms'",
            "m.toml:3: group.suspicion_timeout: 0s and group.failure_timeout (9.501s) are together \
             longer than 9.5s: no list would show a failure within 10s",
        ),
        (
            "detector = 'swim'\nsuspicion_timeout = '2500'",
            "m.toml:3: group.suspicion_timeout: \"2500\" has no unit: write \"2500ms\"",
        ),
        (
            "detector = 'swim'\nmax_simultaneous_failures = 17",
            "m.toml:3: group.max_simultaneous_failures: 17 is not between 1 and 16",
        ),
    ];

    #[test]
    fn what_does_not_fit_is_refused_and_both_keys_are_named() {
        for (lines, error) in WRONG {
            assert_eq!(read(lines), Err(error.to_owned()), "{lines}");
        }
        let three = "ping_interval = '2s'\nsuspicion_timeout = '0s'\nindirect_pings = 1";
        assert_eq!(read(three).unwrap_err().lines().count(), 3, "all are reported at once");
    }

    #[test]
    fn a_reload_names_the_detector_or_what_differs_in_it() {
        let config = |lines: &str| parse("m.toml", &format!("[group]\n{lines}"), &SYSTEM).unwrap();
        let differing = |old: &str, new: &str| config(old).reload(config(new)).1;
        let swim = "detector = 'swim'\n";
        assert_eq!(differing("", swim), ["group.detector", "group.failure_timeout"]);
        assert_eq!(differing(swim, "failure_timeout = '4s'"), ["group.detector"]);
        assert_eq!(differing("", "heartbeat_interval = '500ms'"), ["group.heartbeat_interval"]);
        for (line, key) in [
            ("ping_interval = '2s'", "group.ping_interval"),
            ("suspicion_timeout = '0s'", "group.suspicion_timeout"),
            ("indirect_pings = 0", "group.indirect_pings"),
        ] {
            assert_eq!(differing(swim, &format!("{swim}{line}")), [key]);
        }
    }
}
