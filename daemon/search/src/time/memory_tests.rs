//! What is remembered of the lines before changes no time.

use super::*;
use proptest::prelude::*;

/// 2026-11-21 01:20:33 UTC.
const THEN: i64 = 1_795_224_033_000;

/// Whether each line has the time that it has alone.
fn each_is_as_alone(zone: &Zone, lines: &[String]) -> Result<(), TestCaseError> {
    let mut times = Times::new(zone, THEN);
    for line in lines {
        let alone = Times::new(zone, THEN).of(line.as_bytes());
        prop_assert_eq!(times.of(line.as_bytes()), alone, "{} of {:?}", line, lines);
    }
    Ok(())
}

#[test]
fn the_memory_of_the_last_second_changes_nothing() {
    let lines = [
        "2026-11-21T01:20:33Z a",
        "2026-11-21T01:20:33.9Z a",
        "2026-11-21T01:20:33+01:00 a",
        "2026-11-21T01:20:33.25+01:00 a",
        "2026-11-21T01:20:33",
        "2026-11-21T01:20:337",
        "2026-11-21 01:20:33",
        "2026-11-21 01:20:33,1 x",
        "2026-11-21 01:20:33 +0100",
        "Nov 21 01:20:33 x",
        "Nov 21 01:20:33.5 x",
        "Nov 21 01:20:334 x",
        "1795224033",
        "1795224033.5",
        "1795224033123",
        "1795224033 x",
        "[21/Nov/2026:01:20:33 +0000]",
        "[21/Nov/2026:01:20:33 +0100]",
        "::1 - - [21/Nov/2026:01:20:33 +0000] x",
        "::1 - - [21/Nov/2026:01:20:33 +00] x",
        "::1 - - [21/Nov/2026:01:20:33 +09 x] LOG:  y",
        "::1 - - [21/Nov/2026:01:20:33] x",
        "::1 - - [21/Nov/2026:01:20:33",
        "\u{1b}[1m::1 - - [21/Nov/2026:01:20:33] x",
    ];
    for first in lines {
        for second in lines {
            each_is_as_alone(&Zone::utc(), &[first.to_owned(), second.to_owned()]).unwrap();
        }
    }
}

/// A line of parts that times are made of, in many ways that are none.
fn line() -> impl Strategy<Value = String> {
    let client = prop::sample::select(vec!["", "::1 - - ", "10.0.0.1 - - ", "web - - ", "INFO "]);
    let before = prop::sample::select(vec!["", "[pid: 7|app: 0] ", "[7] ", "[21/Nov/2026] ", "["]);
    let date = prop::sample::select(vec![
        "21/Nov/2026:01:20:33",
        "21/Nov/2026:01:20:34",
        "21-Nov-2026 01:20:33",
        "21 Nov 01:20:33",
        "Sat Nov 21 01:20:33 2026",
        "Mar 21 01:20:33",
        "21/Nov/2026:01:20:33 PM",
        "2026-11-21 01:20:33",
    ]);
    let fraction = prop::sample::select(vec!["", ".5", ".123456", ",25", ".", ":001"]);
    let zone = prop::sample::select(vec![
        "",
        " +0000",
        " +0100",
        " -03",
        " +09",
        "+01:00",
        "Z",
        " UTC",
        " CEST",
        " XYZT",
        " Europe/Berlin",
        " INFO",
        " 2025",
        " +09 LOG:  x",
    ]);
    let behind = prop::sample::select(vec!["] x", "]", "", " ", " [77] x", ".5] x", " 2025] x"]);
    (client, before, any::<bool>(), date, fraction, zone, behind).prop_map(
        |(client, before, opens, date, fraction, zone, behind)| {
            let open = if opens { "[" } else { "" };
            format!("{client}{before}{open}{date}{fraction}{zone}{behind}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn each_line_has_the_time_that_it_has_alone(
        lines in prop::collection::vec(line(), 1..4),
        order in prop::collection::vec(0..4_usize, 2..12),
        east in prop::sample::select(vec![0, 3600, -10_800]),
    ) {
        // Few lines in many orders: each comes again, behind every other.
        let lines: Vec<String> =
            order.iter().map(|at| lines[at % lines.len()].clone()).collect();
        each_is_as_alone(&Zone::fixed(east), &lines)?;
    }
}
