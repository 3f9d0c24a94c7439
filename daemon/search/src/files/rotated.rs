//! Recognizes rotated files by their names: `x.log.1`, `x.log.2.gz`, `x.log-20261121.zst`,
//! `x-20261121.log`.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The endings of compressed files. Not all of them can be read; the others are told.
const COMPRESSED: [&[u8]; 9] =
    [b".gz", b".zst", b".xz", b".bz2", b".lz4", b".lzma", b".lz", b".Z", b".br"];

/// What a rotated file's name tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The name of the file that it was rotated away from.
    pub(crate) from: Vec<u8>,
    /// The order in which such files were written.
    pub(crate) age: Age,
    /// Whether its name says that it is compressed.
    pub(crate) compressed: bool,
}

/// When a file was rotated away, as its name tells. Names with dates come before names with
/// numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Age {
    /// Its date (logrotate's `dateext`), as it is written.
    Dated(Vec<u8>),
    /// How many rotations ago.
    Numbered(Reverse<u32>),
}

/// Parses a file's name. The tag is at the end (`x.log.1`), or before the extension (`x.1.log`).
pub(crate) fn parse(name: &[u8]) -> Vec<Rotated> {
    let (plain, compressed) = COMPRESSED
        .iter()
        .find_map(|ending| name.strip_suffix(*ending))
        .map_or((name, false), |plain| (plain, true));
    let mut found = Vec::new();
    if let Some((stem, age)) = split_tag(plain) {
        found.push(Rotated { from: stem.to_vec(), age, compressed });
    }
    let dot = plain.iter().rposition(|byte| *byte == b'.');
    if let Some((head, extension)) = dot.and_then(|dot| plain.split_at_checked(dot))
        && extension.iter().any(u8::is_ascii_alphabetic)
        && let Some((stem, age)) = split_tag(head)
    {
        found.push(Rotated { from: [stem, extension].concat(), age, compressed });
    }
    found
}

/// What the name of the file at `path` tells, each with the path that it was rotated away from.
pub(crate) fn parse_path(path: &Path) -> impl Iterator<Item = (PathBuf, Rotated)> {
    let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
    let from = |rotated: &Rotated| path.with_file_name(OsStr::from_bytes(&rotated.from));
    parse(name).into_iter().map(move |rotated| (from(&rotated), rotated))
}

/// The paths among `origins` from which the file at `path` was rotated away, as its name tells.
pub(crate) fn rotated_from(path: &Path, origins: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    parse_path(path).map(|(from, _)| from).filter(|from| origins.contains(from)).collect()
}

/// Splits a name before the `.` or `-` of a number or date that ends the name.
fn split_tag(name: &[u8]) -> Option<(&[u8], Age)> {
    let separators =
        name.iter().enumerate().skip(1).filter(|(_, byte)| matches!(byte, b'.' | b'-'));
    separators.map(|(at, _)| at).find_map(|at| {
        let (stem, tag) = name.split_at_checked(at)?;
        let (separator, tag) = tag.split_first()?;
        Some((stem, age(*separator, tag)?))
    })
}

/// Parses a number of up to five digits after a `.`, or a date. A date has eight digits, or four,
/// two and two, and a time may follow.
fn age(separator: u8, tag: &[u8]) -> Option<Age> {
    let digits = tag.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if separator == b'.' && digits == tag.len() && (1..=5).contains(&digits) {
        let number = std::str::from_utf8(tag).ok()?.parse().ok()?;
        return Some(Age::Numbered(Reverse(number)));
    }
    let dashed =
        digits == 4 && tag.get(4) == Some(&b'-') && tag.get(7) == Some(&b'-') && tag.len() >= 10;
    let is_date = (digits >= 8 || dashed)
        && tag.iter().all(|byte| byte.is_ascii_digit() || b"-_:.T".contains(byte));
    is_date.then(|| Age::Dated(tag.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(name: &str) -> Vec<(String, Age, bool)> {
        parse(name.as_bytes())
            .into_iter()
            .map(|r| (String::from_utf8(r.from).unwrap(), r.age, r.compressed))
            .collect()
    }

    fn numbered(number: u32) -> Age {
        Age::Numbered(Reverse(number))
    }

    fn dated(date: &str) -> Age {
        Age::Dated(date.as_bytes().to_vec())
    }

    #[test]
    fn the_names_that_logrotate_gives_are_understood() {
        assert_eq!(from("syslog.1"), [("syslog".to_owned(), numbered(1), false)]);
        assert_eq!(from("a.log.12.gz"), [("a.log".to_owned(), numbered(12), true)]);
        assert_eq!(from("a.log-20261121"), [("a.log".to_owned(), dated("20261121"), false)]);
        assert_eq!(
            from("a.log-20261121-1763688033.zst"),
            [("a.log".to_owned(), dated("20261121-1763688033"), true)]
        );
        assert_eq!(
            from("a-b.log-2026-11-21.xz"),
            [("a-b.log".to_owned(), dated("2026-11-21"), true)]
        );
        assert_eq!(from("a.1.log.gz"), [("a.log".to_owned(), numbered(1), true)]);
        assert_eq!(from("a-20261121.log"), [("a.log".to_owned(), dated("20261121"), false)]);
        assert_eq!(from("machine.3.log.1"), [("machine.3.log".to_owned(), numbered(1), false)]);
    }

    #[test]
    fn other_names_are_no_rotated_files() {
        for name in [
            "syslog",
            "a.log",
            "a.gz",
            "a.log.old",
            ".1",
            "a.123456",
            "a-1",
            "a-2026",
            "a.log.gz",
            "",
        ] {
            assert_eq!(from(name), [], "{name}");
        }
        // The live log of machine 3 has such a name, too. It is a rotated `machine.log` only where
        // there is a `machine.log`.
        assert_eq!(from("machine.3.log"), [("machine.log".to_owned(), numbered(3), false)]);
    }

    #[test]
    fn the_order_is_that_of_writing() {
        let mut ages =
            [numbered(1), dated("20261122"), numbered(10), dated("20261121"), numbered(2)];
        ages.sort();
        assert_eq!(
            ages,
            [dated("20261121"), dated("20261122"), numbered(10), numbered(2), numbered(1)]
        );
    }
}
