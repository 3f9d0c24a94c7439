//! Formats times, durations, numbers and foreign texts for people.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use memberd_control::message::{Change, EventRecord, EvidenceRecord, MemberStatus};
use memberd_control::tags::Tags;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A duration in one unit, rounded down: `850 ms`, `1.76 s`, `12 s`, `3 min`, `2 h`, `5 days`.
pub(crate) fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..SECOND => format!("{milliseconds} ms"),
        SECOND..10_000 => format!("{}.{:02} s", milliseconds / SECOND, milliseconds % SECOND / 10),
        10_000..MINUTE => format!("{} s", milliseconds / SECOND),
        MINUTE..HOUR => format!("{} min", milliseconds / MINUTE),
        HOUR..DAY => format!("{} h", milliseconds / HOUR),
        DAY.. => match milliseconds / DAY {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        },
    }
}

/// A difference between clocks: `850 ms`, `1.76 s`, `24.0 h`, `2.0 days`. It is rounded, and no
/// unit begins at a whole number of hours or days. So the words stay while the difference does.
pub(crate) fn difference(milliseconds: u64) -> String {
    let (unit, size) = match milliseconds {
        0..10_000 => return duration(milliseconds),
        10_000..100_000 => ("s", SECOND),
        100_000..5_000_000 => ("min", MINUTE),
        5_000_000..130_000_000 => ("h", HOUR),
        130_000_000.. => ("days", DAY),
    };
    let tenths = (milliseconds + size / 20) / (size / 10);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// How long ago a moment was: `3 min ago`. Both are in milliseconds since the Unix epoch. Less than
/// a second, or a moment ahead of this clock, is `just now`.
pub(crate) fn ago(then: u64, now: u64) -> String {
    match now.saturating_sub(then) {
        0..SECOND => "just now".to_owned(),
        passed @ SECOND..MINUTE => format!("{} s ago", passed / SECOND),
        passed => format!("{} ago", duration(passed)),
    }
}

/// The time of this machine's wall clock, in milliseconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
}

/// A moment as RFC 3339 in UTC, as in the logs: `2026-11-21T01:20:33.123Z`. The moment is in
/// milliseconds since the Unix epoch.
pub(crate) fn timestamp(milliseconds: u64) -> String {
    i64::try_from(milliseconds)
        .ok()
        .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
        .map_or_else(|| format!("{milliseconds} ms"), |moment| format!("{moment:.3}"))
}

/// The evidence of a failure: `noticed by vm2, last heard 1.76 s before`.
pub(crate) fn evidence(evidence: &EvidenceRecord) -> String {
    format!(
        "noticed by {}, last heard {} before",
        printable(&evidence.accuser),
        duration(evidence.silent_for)
    )
}

/// Who suspects an alive member: `suspected by vm2`.
pub(crate) fn suspicion(suspected_by: &str) -> String {
    format!("suspected by {}", printable(suspected_by))
}

/// A number with its noun: `1 member`, `3 members`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// A number of searches: `1 search`, `2 searches`.
pub(crate) fn searches(number: u64) -> String {
    match number {
        1 => "1 search".to_owned(),
        number => format!("{number} searches"),
    }
}

/// A size in one unit of a power of ten, rounded down: `850 B`, `1.2 kB`, `60 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut unit = "B";
    let (mut whole, mut rest) = (bytes, 0);
    for larger in UNITS {
        if whole < 1_000 {
            break;
        }
        (whole, rest, unit) = (whole / 1_000, whole % 1_000, larger);
    }
    match (unit, whole) {
        ("B", _) | (_, 10..) => format!("{whole} {unit}"),
        _ => format!("{whole}.{} {unit}", rest / 100),
    }
}

/// Tags: `note="hired until May" role=web`. As in logfmt, a value with a blank or a quote is in
/// quotes, so that nobody takes it for two tags.
pub(crate) fn tags(tags: &Tags) -> String {
    let each: Vec<String> = tags.iter().map(|(key, value)| tag(key, value)).collect();
    each.join(" ")
}

fn tag(key: &str, value: &str) -> String {
    let (key, value) = (printable(key), printable(value));
    if value.contains(|c: char| c.is_whitespace() || c == '"') {
        format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("{key}={value}")
    }
}

/// Tags in at most this many columns. The longest values are cut first, so that all keys stay
/// visible. If that is not enough, the end is cut.
pub(crate) fn tags_within(columns: usize, tags: &Tags) -> String {
    let limited = |limit: usize| -> String {
        let each: Vec<String> =
            tags.iter().map(|(key, value)| tag(key, &cut(value, limit))).collect();
        each.join(" ")
    };
    let longest = tags.values().map(|value| value.chars().count()).max().unwrap_or(0);
    let fits = |text: &String| text.chars().count() <= columns;
    (1..=longest).rev().map(limited).find(fits).unwrap_or_else(|| cut(&limited(1), columns))
}

/// A text of at most this many characters. If it is cut, the last one is an ellipsis.
fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A foreign text, made safe for a terminal: control characters (escape sequences, newlines) become
/// `?`.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\t' => ' ',
            character if is_control(character) => '?',
            character => character,
        })
        .collect()
}

/// Whether a character controls a terminal. It may also change the direction of the text after it
/// (Unicode, UAX 9), so that a line could look like another.
pub(crate) fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The verb that the log uses for a change.
pub(crate) fn verb(event: &EventRecord) -> &'static str {
    match (event.change, event.status) {
        (Change::Tags, _) => "tagged",
        (Change::Forgotten, _) => "forgotten",
        (Change::Liveness, MemberStatus::Alive) => "joined",
        (Change::Liveness, MemberStatus::Failed) => "failed",
        (Change::Liveness, MemberStatus::Left) => "left",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit_and_are_rounded_down() {
        for (milliseconds, words) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.00 s"),
            (1769, "1.76 s"),
            (9_999, "9.99 s"),
            (10_000, "10 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_599_999, "59 min"),
            (3_600_000, "1 h"),
            (86_399_999, "23 h"),
            (86_400_000, "1 day"),
            (5 * DAY, "5 days"),
        ] {
            assert_eq!(duration(milliseconds), words);
        }
        assert_eq!(duration(u64::MAX), "213503982334 days");
    }

    #[test]
    fn sizes_have_one_unit_and_are_rounded_down() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_299, "1.2 kB"),
            (60_999_999, "60 MB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn formats_elapsed_time_and_clamps_the_future() {
        assert_eq!(ago(1_000, 1_999), "just now");
        assert_eq!(ago(1_000, 2_500), "1 s ago");
        assert_eq!(ago(0, 185_000), "3 min ago");
        assert_eq!(ago(5_000, 1_000), "just now");
    }

    #[test]
    fn a_timestamp_is_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(timestamp(1_763_688_033_120), "2025-11-21T01:20:33.120Z");
        assert_eq!(timestamp(u64::MAX), "18446744073709551615 ms");
    }

    #[test]
    fn too_long_tags_lose_the_ends_of_the_longest_values() {
        let all = Tags::from(
            [("note", "hired until May"), ("role", "web"), ("zone", "rack-a")]
                .map(|(key, value)| (key.into(), value.into())),
        );
        for (columns, words) in [
            (80, "note=\"hired until May\" role=web zone=rack-a"),
            (43, "note=\"hired until May\" role=web zone=rack-a"),
            (42, "note=\"hired until M…\" role=web zone=rack-a"),
            (32, "note=hired… role=web zone=rack-a"),
            (29, "note=hir… role=web zone=rac…"),
            (20, "note=… role=… zone=…"),
            (12, "note=… role…"),
        ] {
            assert_eq!(tags_within(columns, &all), words, "{columns}");
        }
        assert_eq!(tags_within(10, &Tags::new()), "");
    }

    /// `role=x zone=admin zone=a` would be one tag or two.
    #[test]
    fn a_value_with_blanks_or_quotes_is_in_quotes() {
        for (value, words) in [
            ("x zone=admin", "role=\"x zone=admin\""),
            ("say \"x\"", "role=\"say \\\"x\\\"\""),
            ("a\"", "role=\"a\\\"\""),
            ("a\u{a0}b", "role=\"a\u{a0}b\""),
            ("a=b", "role=a=b"),
            ("\\d", "role=\\d"),
        ] {
            assert_eq!(tags(&Tags::from([("role".into(), value.into())])), words);
        }
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\nc\td"), "a?[31mb?c d");
        assert_eq!(printable("\u{9b}\u{202e}ä\u{2069}"), "??ä?");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(count(1, "member"), "1 member");
        assert_eq!(count(0, "member"), "0 members");
    }
}
