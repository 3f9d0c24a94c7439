//! Each line of the table is read, and times survive being written in each format.

use proptest::prelude::*;

use super::FORMATS;
use crate::time::{Times, Zone};

/// 2026-11-29 12:00:00 UTC, when the files were last written.
const WRITTEN: i64 = 1_795_953_600_000;

fn read(zone: &Zone, line: &str) -> Option<i64> {
    Times::new(zone, WRITTEN).of(line.as_bytes())
}

#[test]
fn the_line_of_each_format_has_its_time() {
    for format in &FORMATS {
        for (source, line, expected) in format.lines {
            let found = read(&Zone::utc(), line)
                .map(|time| jiff::Timestamp::from_millisecond(time).unwrap().to_string());
            let expected = expected.parse::<jiff::Timestamp>().unwrap();
            let expected = expected.as_millisecond();
            let expected = jiff::Timestamp::from_millisecond(expected).unwrap().to_string();
            assert_eq!(found, Some(expected), "{}: {source}: {line:?}", format.name);
        }
    }
}

/// What was read before does not change what is read, whatever the two lines are.
#[test]
fn the_time_of_a_line_does_not_depend_on_the_line_before() {
    let zone = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3");
    let all = FORMATS.iter().flat_map(|format| format.lines).map(|(_, line, _)| *line);
    let behind = [
        "",
        "7",
        ".5",
        ",5",
        ":123",
        " 2017 x",
        " PM x",
        " CET x",
        " +09 x",
        " +09 [7] x",
        " +12 items",
        " +01 items",
        "+01:00",
        "Z",
        "Z x",
        ".25Z] x",
        "Z7",
        "+01:00 x",
        ".5+01:00 x",
        "+01:00:7",
        "+01 x",
        " UTC x",
        " UTC+2 x",
        " CEST [17] x",
        " INFO x",
        " INFO\x1b[0m x",
        " +0100 2017",
        "] x",
        "Z\x1b[0m x",
        "\x1b[0m +0900",
        " U\x1b[0mTC",
    ];
    let dates = ["2026-11-21 01:20:33", "Nov 21 01:20:33", "261121  1:20:33", "I1121 01:20:33"];
    let numbers = ["1795224033", "[1795224033"];
    let made = dates.iter().chain(&numbers);
    // Seconds of one minute, also of one that the clocks leave out, and of one that comes twice.
    let seconds = ["03-29 02:30:00", "03-29 02:30:59", "10-25 02:30:01", "11-21 01:20:60"];
    let seconds = seconds.map(|second| format!("2026-{second} x"));
    let none = ["2026-11-21 01:20:61 x".to_owned(), "2026-03-29 02:30:10 CEST x".to_owned()];
    let made = made.flat_map(|begin| behind.map(|end| format!("{begin}{end}")));
    let lines: Vec<String> =
        made.chain(all.map(str::to_owned)).chain(seconds).chain(none).collect();
    for second in &lines {
        let alone = read(&zone, second);
        for first in &lines {
            let mut times = Times::new(&zone, WRITTEN);
            times.of(first.as_bytes());
            assert_eq!(times.of(second.as_bytes()), alone, "{first:?} {second:?}");
        }
    }
}

/// The documents have a row for each format of the table, in its order.
#[test]
fn the_documents_have_each_format() {
    let rows: Vec<&str> = include_str!("../../../README.md")
        .lines()
        .skip_while(|line| *line != "## Times that are understood")
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .map_while(|line| line.strip_prefix("| ")?.split(" | ").next())
        .collect();
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    assert_eq!(rows, names);
}

/// A format of strftime(3) for a time in a zone, and to how many milliseconds it is exact. `%^`
/// stands for the seconds since 1970.
const WRITTEN_AS: [(&str, i64); 30] = [
    ("%Y-%m-%dT%H:%M:%S.%3f%:z x", 1),
    ("%Y-%m-%d %H:%M:%S.%3f%z x", 1),
    ("%Y-%m-%d %H:%M:%S,%3f %:z x", 1),
    ("%Y-%m-%d %k:%M:%S %z 331 [Warning] x", 1000),
    ("<13>1 %Y-%m-%dT%H:%M:%S.%6f%:z host app - - - x", 1),
    ("(%Y-%m-%d %k:%M:%S): [kcm] x", 1000),
    ("(%Y-%m-%d %k:%M:%S:%6f): [kcm] x", 1),
    ("\x1b[2m%Y-%m-%dT%H:%M:%S.%3f\x1b[0m%:z x", 1),
    ("[%d-%b-%Y %H:%M:%S] NOTICE: x", 1000),
    ("%d-%b-%Y %H:%M:%S.%3f x", 1),
    ("{\"log\":\"{\\\"time\\\":1}\",\"time\":\"%Y-%m-%dT%H:%M:%S.%9f%:z\"}", 1),
    ("{\"a\":{\"time\":1795224033},\"ts\":%^.%3f}", 1),
    ("{\"a\":[1,{}], \"timestamp\" : %^%3f}", 1),
    ("level=info msg=\"ts=1\" ts=%Y-%m-%dT%H:%M:%S.%3f%:z", 1),
    ("time=\"%Y-%m-%d %H:%M:%S %z\" x=y", 1000),
    ("type=SYSCALL msg=audit(%^.%3f:456): x", 1),
    ("I%m%d %H:%M:%S.%6f   12 x.go:7] x", 1),
    ("E%Y%m%d %H:%M:%S.%6f   12 x.cc:7] x", 1),
    ("123:M %d %b %Y %H:%M:%S.%3f * x", 1),
    ("Start-Date: %Y-%m-%d  %H:%M:%S", 1000),
    ("update-alternatives %Y-%m-%d %H:%M:%S: x", 1000),
    ("INFO  [main] %Y-%m-%d %H:%M:%S,%3f x", 1),
    ("192.0.2.1 - - [%d/%b/%Y:%H:%M:%S %z] \"GET /\"", 1000),
    ("192.0.2.1 - - [%d/%b/%Y %H:%M:%S] \"GET /\"", 1000),
    ("%b %e %H:%M:%S.%6f vm1 x: y", 1),
    ("%b %e %H:%M:%S %Y app: x", 1000),
    ("[%a %b %d %H:%M:%S.%6f %Y] [core] x", 1),
    ("# Time: %y%m%d %k:%M:%S", 1000),
    ("%^.%3f   12 x", 1),
    ("   714:%Y%m%d:%H%M%S.%3f x", 1),
];

/// Zones far east and west, with summer time, and with half an hour.
fn zones() -> [Zone; 4] {
    [
        Zone::utc(),
        Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3"),
        Zone::posix("<-03>3"),
        Zone::posix("<+0545>-5:45"),
    ]
}

proptest! {
    /// In an hour that comes twice, a time without a zone is that of the first.
    #[test]
    fn a_time_that_is_written_is_read_again(back_ms in 0..300 * 86_400_000_i64) {
        let time = jiff::Timestamp::from_millisecond(WRITTEN - back_ms).unwrap();
        for zone in zones() {
            let zoned = time.to_zoned(zone.rules().clone());
            for (format, exact_ms) in WRITTEN_AS {
                let format = format.replace("%^", &time.as_second().to_string());
                let line = zoned.strftime(&format).to_string();
                let expected = time.as_millisecond().div_euclid(exact_ms) * exact_ms;
                let found = read(&zone, &line).unwrap_or_else(|| panic!("no time in {line:?}"));
                let twice = found == expected - 3_600_000 && !format.contains("z");
                prop_assert!(found == expected || twice, "{line:?}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn no_text_panics(line in "\\PC{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let zone = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3");
        Times::new(&zone, WRITTEN).of(line.as_bytes());
        Times::new(&zone, WRITTEN).of(&bytes);
    }

    /// Without a colon, a run of ten digits or `@4`, nothing is a time.
    #[test]
    fn words_and_short_numbers_are_no_time(
        line in "([a-zA-Z\\[\\]{}\"=., -]|[0-9]{1,3}[a-z ]){0,60}",
    ) {
        let zone = Zone::utc();
        prop_assert_eq!(Times::new(&zone, WRITTEN).of(line.as_bytes()), None);
    }
}

#[test]
fn the_zone_behind_a_time_counts() {
    let berlin = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3");
    let kolkata = Zone::posix("IST-5:30");
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    for (zone, line, expected) in [
        (&berlin, "2026-10-25 02:30:00 CEST [1] LOG:  x", Some("2026-10-25T00:30:00Z")),
        (&berlin, "2026-10-25 02:30:00 CET [1] LOG:  x", Some("2026-10-25T01:30:00Z")),
        (&berlin, "2026-11-21 01:20:33 x", Some("2026-11-21T00:20:33Z")),
        (&berlin, "2026-11-21 13:36:42 GMT x", Some("2026-11-21T13:36:42Z")),
        (&berlin, "2026-11-21 13:36:42 GMT+3 x", Some("2026-11-21T10:36:42Z")),
        (&berlin, "2026-11-21 13:36:42 UTC+02:00 x", Some("2026-11-21T11:36:42Z")),
        (&berlin, "2026-11-21 13:36:42 +09 [1] x", Some("2026-11-21T04:36:42Z")),
        (&berlin, "2026-11-21 13:36:42 +0530 x", Some("2026-11-21T08:06:42Z")),
        (&berlin, "2026-11-21 13:36:42 +05:30 x", Some("2026-11-21T08:06:42Z")),
        (&berlin, "2026-11-21 13:36:42 EST x", Some("2026-11-21T18:36:42Z")),
        (&berlin, "2026-11-21_01:20:33.86622 x", Some("2026-11-21T01:20:33.866Z")),
        (&berlin, "2026-11-21_01:20:33 x", Some("2026-11-21T00:20:33Z")),
        (&berlin, "2026-11-21 01:93:33 CET [1] LOG:  x", None),
        (&berlin, "2026-11-21 25:20:33 CET [1] LOG:  x", None),
        (&kolkata, "2026-11-21 13:36:42.123 IST [17] LOG:  x", Some("2026-11-21T08:06:42.123Z")),
        (&berlin, "2026-11-21 13:36:42.123 IST [17] LOG:  x", None),
        (&berlin, "2026-11-21 13:36:42.123 INFO [17] x", Some("2026-11-21T12:36:42.123Z")),
        (&berlin, "2026-11-21 13:36:42.123 GET [x] x", Some("2026-11-21T12:36:42.123Z")),
        (&berlin, "[2026-11-21 13:36:42 Main] x", Some("2026-11-21T12:36:42Z")),
        (&berlin, "[21-Nov-2026 13:36:42 Nowhere/Land] x", None),
        (&berlin, "[21-Nov-2026 13:36:42 ../../etc/passwd] x", Some("2026-11-21T12:36:42Z")),
    ] {
        assert_eq!(read(zone, line), expected.map(at), "{line}");
    }
}

/// Two digits behind a blank may also be a number of the text. What is unclear is no time, unless
/// both readings give the same.
#[test]
fn hours_alone_are_a_zone_or_unclear_or_text() {
    let berlin = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3");
    let time = "2026-11-21T01:20:33Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let (local, hour) = (time - 3_600_000, 3_600_000);
    for (behind, expected) in [
        // PostgreSQL 15.18, log_line_prefix '%m [%p] ', '%t', '%t:%r:%u@%d:[%p]:', csvlog.
        (" -03 [7484-2] LOG:  x", Some(time + 3 * hour)),
        (" -03", Some(time + 3 * hour)),
        (" -03\r", Some(time + 3 * hour)),
        (" -03:192.0.2.1(5000):u@d:[7]:LOG:  x", Some(time + 3 * hour)),
        (" -03:10.0.0.1(5000):u@d:[7]:LOG:  x", Some(time + 3 * hour)),
        (" -03,\"u\",\"d\",7", Some(time + 3 * hour)),
        (" -03,,,7,,", Some(time + 3 * hour)),
        // '%t %u@%d ', '%t ', '%t: ', '%t [%r] ' and '%t [%u] '.
        (" -03 user@db LOG:  x", Some(time + 3 * hour)),
        (" -03 LOG:  x", Some(time + 3 * hour)),
        (" -03: STATEMENT:  SELECT", Some(time + 3 * hour)),
        (" -03 [192.0.2.1(5000)] x", Some(time + 3 * hour)),
        (" -03 [user] ERROR:  x", Some(time + 3 * hour)),
        ("] x", Some(local)),
        (" +09] x", Some(time - 9 * hour)),
        (" +12 items", None),
        (" -10 errors", None),
        (" -10, +12 items", None),
        (" -10: errors", None),
        (" +12\titems", None),
        (" +12 [items]", None),
        // The machine's own.
        (" +01 items", Some(local)),
        // No zone has these.
        (" +15 items", Some(local)),
        (" -13 items", Some(local)),
        (" -50 [7] x", Some(local)),
        (" -1050 errors", Some(local)),
        (" +12:34 x", Some(local)),
        (" +12% of it", Some(local)),
        (" +12.5 items", Some(local)),
        (" +12/7 items", Some(local)),
        (" +12ms", Some(local)),
        (" +0545 x", Some(time - 5 * hour - 45 * 60_000)),
    ] {
        for begin in ["2026-11-21 01:20:33", "Nov 21 01:20:33", "261121  1:20:33"] {
            let line = format!("{begin}{behind}");
            assert_eq!(read(&berlin, &line), expected, "{line}");
        }
    }
}

/// The time must be of the object itself, and the first that is one.
#[test]
fn fields_of_other_objects_do_not_count() {
    let at = 1_795_224_033_123;
    for (line, expected) in [
        (r#"{"a":{"time":"2020-01-01T00:00:00Z"},"time":1795224033.123}"#, Some(at)),
        (r#"{"msg":"\"time\":\"2020-01-01T00:00:00Z\"","ts":1795224033123}"#, Some(at)),
        (r#"{"time":0.25,"@timestamp":"2026-11-21T01:20:33.123Z"}"#, Some(at)),
        (r#"{"t":12,"date":"2026-11-21","datetime":"2026-11-21 01:20:33,123"}"#, Some(at)),
        (r#"{"instant":{"epochSecond":1795224033,"nanoOfSecond":123000000}}"#, Some(at)),
        (r#"{"time":1234}"#, None),
        (r#"{"a":{"time":1795224033.123}}"#, None),
        (r#"{"a":["#, None),
        (r#"{"a" "time":1795224033.123}"#, None),
        ("{}", None),
    ] {
        assert_eq!(read(&Zone::utc(), line), expected, "{line}");
    }
    let long = format!(r#"{{"log":"{}","time":"2026-11-21T01:20:33.123Z"}}"#, r#"\""#.repeat(8000));
    assert_eq!(read(&Zone::utc(), &long), Some(at));
}
