//! Checks the settings of copies in the section `[logs]`. It owns no state.

use super::limits::size;
use super::parse::{check_file_globs, texts};
use super::problems::{Problems, span};
use super::raw;
use memberd_copies::store::Limits;
use memberd_search::FileFilter;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

/// How many members may keep copies. More are no use: who looks for a line asks all members.
const COPIES: RangeInclusive<u8> = 0..=2;
const AGES: RangeInclusive<Duration> =
    Duration::from_secs(3600)..=Duration::from_secs(3650 * 24 * 3600);

/// A segment takes about this much, and the oldest one must be able to go.
const LEAST_SPACE: u64 = 16 << 20;
/// A block must be able to go every few seconds.
const LEAST_RATE: u64 = 256 << 10;

/// The settings of copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// How many members keep copies of this machine's logs. With 0, nothing is sent nor kept.
    pub count: u8,
    /// Whether the settings say so. If not, members that keep no copies are no problem.
    pub is_set: bool,
    /// The files that are not copied: globs as for `memberctl grep --exclude`.
    pub but_not: Vec<String>,
    /// The most bytes that the copies of one member take here.
    pub source_bytes: u64,
    /// The most bytes that all copies take here.
    pub total_bytes: u64,
    /// How long copies are kept here.
    pub age: Duration,
    /// How many bytes are sent a second at most.
    pub rate: u64,
}

impl Default for Copies {
    fn default() -> Self {
        let Limits { source_bytes, total_bytes, age, .. } = Limits::default();
        let (count, is_set, but_not, rate) = (2, false, Vec::new(), 32 << 20);
        Copies { count, is_set, but_not, source_bytes, total_bytes, age, rate }
    }
}

impl Copies {
    /// The bounds of the store.
    pub fn limits(&self) -> Limits {
        Limits {
            source_bytes: self.source_bytes,
            total_bytes: self.total_bytes,
            age: self.age,
            ..Limits::default()
        }
    }
}

/// Reads the settings of copies.
pub(super) fn copies(logs: &raw::Logs, problems: &mut Problems) -> Copies {
    let default = Copies::default();
    if let Some(set) = logs.copies.as_ref().filter(|set| !COPIES.contains(set.get_ref())) {
        let (least, most) = (COPIES.start(), COPIES.end());
        let why = format!(
            "{} is not between {least} and {most}: how many other members keep copies of this \
            machine's logs",
            set.get_ref()
        );
        problems.add(set, "logs.copies", why);
    }
    let age = span(logs.copies_age.as_ref(), "logs.copies_age", &AGES, problems);
    if let (Some(set), Some(age)) = (&logs.copies_age, age)
        && !AGES.contains(&age)
    {
        let why = format!("{:?} is not between 1h and 3650d", set.get_ref());
        problems.add(set, "logs.copies_age", why);
    }
    let space = bytes(logs.copies_space.as_ref(), "logs.copies_space", LEAST_SPACE, problems);
    let total = bytes(logs.copies_total.as_ref(), "logs.copies_total", LEAST_SPACE, problems);
    let source_bytes = space.unwrap_or(default.source_bytes);
    let total_bytes = total.unwrap_or(default.total_bytes.max(source_bytes));
    if let Some(set) = logs.copies_total.as_ref().filter(|_| total_bytes < source_bytes) {
        let why = format!(
            "{:?} is less than logs.copies_space, which one member may have",
            set.get_ref()
        );
        problems.add(set, "logs.copies_total", why);
    }
    let rate = bytes(logs.copies_rate.as_ref(), "logs.copies_rate", LEAST_RATE, problems);
    Copies {
        count: logs.copies.as_ref().map_or(default.count, |set| *set.get_ref()),
        is_set: logs.copies.is_some(),
        but_not: but_not(logs, problems),
        source_bytes,
        total_bytes,
        age: age.unwrap_or(default.age),
        rate: rate.unwrap_or(default.rate),
    }
}

fn bytes(
    set: Option<&Spanned<String>>,
    key: &str,
    least: u64,
    problems: &mut Problems,
) -> Option<u64> {
    let set = set?;
    match size(set.get_ref()) {
        Ok(bytes) if bytes >= least => Some(bytes),
        Ok(_) => {
            let least = match least >> 20 {
                0 => format!("{}KiB", least >> 10),
                mebibytes => format!("{mebibytes}MiB"),
            };
            let why = format!("{:?} is too little: give at least \"{least}\"", set.get_ref());
            problems.add(set, key, why);
            None
        }
        Err(error) => {
            problems.add(set, key, error);
            None
        }
    }
}

fn but_not(logs: &raw::Logs, problems: &mut Problems) -> Vec<String> {
    let (key, before) = ("logs.no_copies", problems.count());
    let Some(set) = &logs.no_copies else { return Vec::new() };
    check_file_globs(set, key, problems);
    let globs = texts(set);
    if problems.count() == before
        && let Err(error) = FileFilter::new(&globs)
    {
        problems.add(set, key, error);
    }
    globs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(lines: &str) -> Result<Copies, String> {
        let text = format!("[node]\nname = 'vm1'\naddress = '127.0.0.1'\n[logs]\n{lines}");
        let config = Config::parse("m.toml", &text).map_err(|error| error.to_string())?;
        Ok(config.copies)
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        assert_eq!(read("").unwrap(), Copies::default());
        let set = "copies = 1\nno_copies = ['auth.log*', '/srv/**']\ncopies_space = '1GiB'\n\
                   copies_total = '8GiB'\ncopies_age = '2d'\ncopies_rate = '1MiB'";
        let copies = read(set).unwrap();
        assert_eq!((copies.count, copies.but_not.len(), copies.rate), (1, 2, 1 << 20));
        assert_eq!(copies.limits().source_bytes, 1 << 30);
        assert_eq!(copies.limits().total_bytes, 8 << 30);
        assert_eq!(copies.limits().age, Duration::from_secs(2 * 24 * 3600));
        // One member may then have all.
        assert_eq!(read("copies_space = '4GiB'").unwrap().total_bytes, 4 << 30);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        for (lines, key, words) in [
            ("copies = 3", "logs.copies", "3 is not between 0 and 2"),
            ("no_copies = ['a/b']", "logs.no_copies", "matches no path"),
            ("no_copies = ['[']", "logs.no_copies", "["),
            ("copies_space = '1MiB'", "logs.copies_space", "give at least \"16MiB\""),
            ("copies_space = '64'", "logs.copies_space", "is not a size"),
            ("copies_total = '128MiB'", "logs.copies_total", "less than logs.copies_space"),
            ("copies_age = '1m'", "logs.copies_age", "not between 1h and 3650d"),
            ("copies_age = '14'", "logs.copies_age", "has no unit: write \"14h\""),
            ("copies_rate = '1KiB'", "logs.copies_rate", "give at least \"256KiB\""),
        ] {
            let error = read(lines).unwrap_err();
            assert!(error.contains(key) && error.contains(words), "{lines}: {error}");
        }
    }
}
