//! Warns of units bound to the leader's mark that may outlive the lease. It owns no state.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where an administrator's units are, and those that are enabled: systemd.unit(5).
pub(super) const UNITS: &str = "/etc/systemd/system";
/// What is enabled to start with the leader's mark: the example in OPERATIONS.md.
const WANTED: &str = "memberd-leader.service.wants";
/// What is left of the lease when the mark ends: `memberctl leader --hold`.
const LEFT: Duration = Duration::from_secs(1);
/// `DefaultTimeoutStopSec=`, systemd-system.conf(5).
const DEFAULT: Duration = Duration::from_secs(90);
/// The units of time in systemd.time(7) that make sense here, in seconds.
const SPANS: [(&[&str], f64); 5] = [
    (&["us", "usec"], 1e-6),
    (&["ms", "msec"], 1e-3),
    (&["", "s", "sec", "second", "seconds"], 1.0),
    (&["m", "min", "minute", "minutes"], 60.0),
    (&["h", "hr", "hour", "hours"], 3600.0),
];

/// A warning for each service that has longer to stop than the lease lasts after the mark.
pub(super) fn warnings(units: &Path) -> Vec<String> {
    let Ok(wanted) = fs::read_dir(units.join(WANTED)) else { return Vec::new() };
    let mut names: Vec<String> =
        wanted.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|kind| kind == "service"));
    names.sort();
    names.iter().filter_map(|name| warning(units, name)).collect()
}

fn warning(units: &Path, name: &str) -> Option<String> {
    let texts = files(units, name).into_iter().filter_map(|file| fs::read_to_string(file).ok());
    let set = Set::of(&texts.collect::<Vec<_>>())?;
    let stop = set.stop.unwrap_or(DEFAULT);
    if set.kills || stop < LEFT {
        return None;
    }
    let says = match set.stop {
        None => "sets no TimeoutStopSec=, so that it has 90 s to stop".to_owned(),
        Some(Duration::MAX) => "has all the time to stop".to_owned(),
        Some(stop) => format!("has {stop:?} to stop"),
    };
    Some(format!(
        "{name} {says}, and 1 s of the lease is left when memberd-leader.service ends: the next \
        leader may begin before it has ended. Set TimeoutStopSec=500ms there"
    ))
}

/// The file of a unit, and its drop-ins in their order.
fn files(units: &Path, name: &str) -> Vec<PathBuf> {
    let template = name.split_once('@').map(|(before, _)| format!("{before}@.service"));
    let mut files = Vec::new();
    for named in template.iter().map(String::as_str).chain([name]) {
        let Ok(found) = fs::read_dir(units.join(format!("{named}.d"))) else { continue };
        files.extend(found.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.retain(|file| file.extension().is_some_and(|kind| kind == "conf"));
    files.sort_by(|one, next| one.file_name().cmp(&next.file_name()));
    // It may be a link.
    files.insert(0, units.join(WANTED).join(name));
    files
}

/// What the files of a service say of its end.
#[derive(Debug, Default, PartialEq)]
struct Set {
    stop: Option<Duration>,
    /// Whether its end is SIGKILL at once.
    kills: bool,
}

impl Set {
    /// Nothing if none of them could be read.
    fn of(texts: &[String]) -> Option<Set> {
        let mut set = texts.first().map(|_| Set::default())?;
        for text in texts {
            let mut section = "";
            for line in text.lines().map(str::trim) {
                match line.split_once('=') {
                    None if line.starts_with('[') => section = line,
                    Some((key, value)) if section == "[Service]" => {
                        set.take(key.trim(), value.trim());
                    }
                    _ => {}
                }
            }
        }
        Some(set)
    }

    /// systemd leaves a value as it was if it cannot read the new one.
    fn take(&mut self, key: &str, value: &str) {
        match key {
            "TimeoutStopSec" | "TimeoutSec" if value.is_empty() => self.stop = None,
            "TimeoutStopSec" | "TimeoutSec" => self.stop = span(value).or(self.stop),
            "KillSignal" => self.kills = ["SIGKILL", "KILL", "9"].contains(&value),
            _ => {}
        }
    }
}

/// A time span of systemd, such as `1min 30s`. One of 0 has no end.
fn span(text: &str) -> Option<Duration> {
    if text == "infinity" {
        return Some(Duration::MAX);
    }
    let (mut rest, mut seconds) = (text.trim_start(), 0.0);
    while !rest.is_empty() {
        let digit = |character: char| character.is_ascii_digit() || character == '.';
        let (number, after) = rest.split_at(rest.find(|one| !digit(one)).unwrap_or(rest.len()));
        let after = after.trim_start();
        let letter = |character: char| character.is_ascii_alphabetic();
        let (unit, after) = after.split_at(after.find(|one| !letter(one)).unwrap_or(after.len()));
        let (_, scale) = SPANS.iter().find(|(names, _)| names.contains(&unit))?;
        seconds += number.parse::<f64>().ok()? * scale;
        rest = after.trim_start();
    }
    let span = Duration::try_from_secs_f64(seconds).ok()?;
    Some(if span.is_zero() { Duration::MAX } else { span })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn spans_are_read_as_by_systemd() {
        let known = [
            ("90", 90_000),
            ("500ms", 500),
            ("1min 30s", 90_000),
            ("1m30", 90_000),
            ("0.5", 500),
            ("2 sec", 2_000),
            ("1h", 3_600_000),
        ];
        for (text, milliseconds) in known {
            assert_eq!(span(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!((span("infinity"), span("0")), (Some(Duration::MAX), Some(Duration::MAX)));
        assert_eq!((span("soon"), span("1 parsec"), span("-1")), (None, None, None));
    }

    /// A directory of units, of which those with these texts are enabled.
    fn units(texts: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(WANTED)).unwrap();
        for (name, text) in texts {
            let file = directory.path().join(name);
            fs::write(&file, format!("[Unit]\nTimeoutStopSec=1ms\n[Service]\n{text}\n")).unwrap();
            symlink(&file, directory.path().join(WANTED).join(name)).unwrap();
        }
        directory
    }

    /// It would run on two machines at once.
    #[test]
    fn a_unit_that_may_outlive_the_lease_is_named() {
        let directory = units(&[
            ("quick.service", "TimeoutStopSec=500ms"),
            ("killed.service", "KillSignal=SIGKILL"),
            ("plain.service", "ExecStart=/bin/job"),
            ("slow.service", "TimeoutStopSec=500ms\nTimeoutSec=1min 30s"),
            ("forever.service", "TimeoutStopSec=infinity"),
            ("some.timer", ""),
        ]);
        let warnings = warnings(directory.path());
        let begins = [
            "forever.service has all the time to stop, and ",
            "plain.service sets no TimeoutStopSec=, so that it has 90 s to stop, and ",
            "slow.service has 90s to stop, and 1 s of the lease is left when ",
        ];
        assert_eq!(warnings.len(), begins.len(), "{warnings:?}");
        for (warning, begin) in warnings.iter().zip(begins) {
            assert!(warning.starts_with(begin), "{warning}");
        }
    }

    #[test]
    fn drop_ins_count_the_last_one_most() {
        let directory = units(&[("job@.service", "TimeoutStopSec=500ms")]);
        let wanted = directory.path().join(WANTED);
        fs::rename(wanted.join("job@.service"), wanted.join("job@a.service")).unwrap();
        assert_eq!(warnings(directory.path()), Vec::<String>::new());
        for (place, name, span) in
            [("job@.service.d", "20.conf", "3s"), ("job@a.service.d", "10.conf", "2s")]
        {
            fs::create_dir(directory.path().join(place)).unwrap();
            let text = format!("[Service]\nTimeoutStopSec={span}\n");
            fs::write(directory.path().join(place).join(name), text).unwrap();
        }
        let warnings = warnings(directory.path());
        assert!(warnings.concat().starts_with("job@a.service has 3s to stop"), "{warnings:?}");
    }

    #[test]
    fn without_any_unit_nothing_is_said() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(warnings(directory.path()), Vec::<String>::new());
        // A link that leads nowhere.
        fs::create_dir(directory.path().join(WANTED)).unwrap();
        symlink("/nowhere", directory.path().join(WANTED).join("gone.service")).unwrap();
        assert_eq!(warnings(directory.path()), Vec::<String>::new());
    }
}
