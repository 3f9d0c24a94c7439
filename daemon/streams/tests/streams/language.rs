//! What each stage does, from a query's text to its rows.

use super::support::{answer, ask, counts, shown};
use memberd_streams::{ColumnKind, Query, time_text};

const PAIRS: &str =
    "1000 a=1 b=x rt=0.10\n2000 a=2 b=x rt=0.20\n11000 a=3 b=y rt=-\n12000 a=-4 b=y";

fn pattern(query: &str) -> Option<String> {
    Query::parse(query).unwrap().pattern().map(str::to_owned)
}

#[test]
fn patterns_are_bare_or_in_quotes() {
    let table = [
        ("| count", None),
        ("  | count", None),
        ("'' | count", None),
        ("error | count", Some("error")),
        (" a b  | count", Some("a b")),
        ("' 50[023] ' | count", Some(" 50[023] ")),
        (r#"" \"a\" \d|b" | count"#, Some(r#" "a" \d|b"#)),
        (r"a\|b | count", Some(r"a\|b")),
        (r"'a\\' | count", Some(r"a\\")),
        ("'nginx' | count", Some("nginx")),
        ("it's | count", Some("it's")),
        // Nearly a percentile, and not ASCII.
        ("p9\u{e4} | count", Some("p9\u{e4}")),
    ];
    for (query, expected) in table {
        assert_eq!(pattern(query).as_deref(), expected, "{query}");
    }
}

#[test]
fn figures_are_counted_exactly() {
    let query = "| logfmt | count, sum(a), min(a), max(a), avg(a), distinct(b), sum(rt)";
    assert_eq!(ask(query, PAIRS), ["4 2 -4 3 0.5 2 0.3"]);
    let found = counts(query, &[b"1 rt=- a=", b"2 a=x"]);
    assert_eq!(found.not_numbers, 1, "an empty one and `-` are no number, and not meant as one");
}

#[test]
fn sums_of_no_lines_are_one_row_without_keys() {
    assert_eq!(
        ask("| logfmt | count, sum(a), min(a), avg(a), p50(a), distinct(a)", ""),
        ["0 0 . . . 0"]
    );
    assert!(ask("| logfmt | count by a", "").is_empty());
    assert!(ask("| count every 1s", "").is_empty());
}

#[test]
fn keys_are_bytes_and_rows_are_ordered() {
    let lines: [&[u8]; 6] = [b"k=b\xff", b"k=b\xfe", b"k=10", b"k=9", b"j=1", b"k="];
    let rows = answer("| logfmt | count by k", &lines);
    assert_eq!(shown(&rows), [". 1", "9 1", "10 1", " 1", r"b\xfe 1", r"b\xff 1"]);
}

#[test]
fn windows_begin_at_multiples() {
    let query = "| logfmt | count by b every 10s";
    let expected = ["1970-01-01T00:00:00Z x 2", "1970-01-01T00:00:10Z y 2"];
    assert_eq!(ask(query, PAIRS), expected);
    assert_eq!(ask("| count every 1m", "-1 x"), ["1969-12-31T23:59:00Z 1"]);
    let found = counts(query, &[b"no time a=1"]);
    assert_eq!((found.lines, found.without_time, found.unparsed), (1, 1, 0));
}

/// The first window of all begins earlier than numbers reach.
#[test]
fn times_at_the_end_of_numbers_are_no_panic() {
    let (least, most) = (i64::MIN.to_string(), i64::MAX.to_string());
    let rows = answer("| count every 7s over 21s", &[least.as_bytes(), most.as_bytes()]);
    assert_eq!((rows.counts.without_time, rows.rows.len()), (1, 3));
}

#[test]
fn windows_may_overlap() {
    let query = "| count, sum(length(line)) every 1s over 3s";
    let expected = [
        "1970-01-01T00:00:08Z 1 7",
        "1970-01-01T00:00:09Z 1 7",
        "1970-01-01T00:00:10Z 2 14",
        "1970-01-01T00:00:11Z 1 7",
        "1970-01-01T00:00:12Z 1 7",
    ];
    assert_eq!(ask(query, "10500 x\n12500 x"), expected);
}

#[test]
fn virtual_fields_are_of_every_line() {
    assert_eq!(ask("| count by member, file, time", "7 a"), ["m f 1970-01-01T00:00:00.007Z 1"]);
    assert_eq!(ask("| logfmt | count by `time`", "7 time=noon"), ["noon 1"]);
    assert_eq!(
        ask("| min(time), max(time)", "7 a\n1000 b"),
        ["1970-01-01T00:00:00.007Z 1970-01-01T00:00:01Z"]
    );
}

#[test]
fn conditions_choose_lines() {
    let table = [
        ("a > 1", "2"),
        ("a >= 1 and b == 'x'", "2"),
        ("not a > 1", "2"),
        ("a in (1, 3)", "2"),
        ("b != 'x'", "2"),
        ("rt == 0.1", "1"),
        ("rt < 1", "2"),
        ("has(rt) and !(rt < 1)", "1"),
        ("line contains 'a=-'", "1"),
        ("b startswith 'x' or b endswith 'y'", "4"),
        ("line ~ 'a=[23]'", "2"),
        ("a * 2 + 1 == 5 || -a == 4", "2"),
        ("a % 2 == 1", "2"),
        ("length(b) == 1", "4"),
        ("upper(b) == 'X'", "2"),
        ("true", "4"),
        ("missing == missing", "0"),
        ("missing != missing and missing != 1 and missing != 'x'", "4"),
        ("missing < 1 or missing >= 1 or missing contains '' or missing in (1)", "0"),
        ("1 / 0 == 0", "0"),
        ("file == 'f' and member == \"m\"", "4"),
        ("time >= 11000", "2"),
    ];
    for (condition, expected) in table {
        assert_eq!(
            ask(&format!("| logfmt | where {condition} | count"), PAIRS),
            [expected],
            "{condition}"
        );
    }
}

#[test]
fn values_are_computed_from_fields() {
    let query = "| logfmt | let c = floor(a / 2) | let d = if(a < 0, 'neg', concat(b, '-', c)) \
                 | count by d";
    assert_eq!(ask(query, PAIRS), ["neg 1", "x-0 1", "x-1 1", "y-1 1"]);
    assert_eq!(ask("| logfmt | let t = round(a / 3, 2) | sum(t)", PAIRS), ["0.67"]);
    assert_eq!(ask("| logfmt | sum(a * rt) as s", PAIRS), ["0.5"]);
}

/// Each stage could make a text 16 times as long: memory would end before the stages do.
#[test]
fn texts_that_are_made_have_a_bound() {
    let line = "x".repeat(4_096);
    let sixteen = |name: &str| vec![name; 16].join(", ");
    let fits = format!("| let a = concat({}) | let n = length(a) | count by n", sixteen("line"));
    assert_eq!(ask(&fits, &line), ["65536 1"]);
    let larger = format!("| let a = concat({}) ", sixteen("line"))
        + &format!("| let b = concat({}) | let n = length(b) | count by n", sixteen("a"));
    assert_eq!(ask(&larger, &line), [". 1"]);
    assert_eq!(ask(&larger, "xx"), ["512 1"]);
    // Rows have the same bound.
    let rows = format!("| count by line | let a = concat({}) ", sixteen("line"))
        + &format!("| let b = concat({}) | keep b", sixteen("a"));
    assert_eq!(ask(&rows, &line), ["."]);
}

/// All texts that are made of one line together have a bound too, and the next line has it anew.
#[test]
fn a_line_makes_few_texts() {
    let line = "x".repeat(16_000);
    let made = |number| format!("| let a{number} = concat(line, line, line, line) ");
    let lets: String = (0..29).map(made).collect();
    let query = format!("{lets}| where has(a0) and not has(a28) | count");
    assert_eq!(ask(&query, &format!("{line}\n{line}")), ["2"]);
}

/// Formats end a line before its carriage return, and other readers keep it.
#[test]
fn carriage_returns_stay_but_in_formats() {
    assert_eq!(shown(&answer("| logfmt | count by a", &[b"a=x\r"])), ["x 1"]);
    for stage in ["parse 'a=*' as a", "regex 'a=(?P<a>.*)'", "let a = line"] {
        let lines: [&[u8]; 1] = [b"a=x\r"];
        let rows = shown(&answer(&format!("| {stage} | let n = length(a) | count by n"), &lines));
        assert_eq!(rows, [if stage.contains("line") { "4 1" } else { "2 1" }], "{stage}");
    }
}

/// A line without the field cannot be read.
#[test]
fn stages_read_fields_too() {
    let text = "msg=\"order placed\"\nmsg=\"card refused\"\nother=1";
    let query = "| logfmt | parse '* *' from msg as thing, what | count by thing, what";
    assert_eq!(ask(query, text), ["card refused 1", "order placed 1"]);
    let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    assert_eq!(counts(query, &lines).unparsed, 1);
}

/// A number of digits is a whole one, and not less than none.
#[test]
fn rounding_takes_whole_digits() {
    let table =
        [("1", "1.2"), ("1.0", "1.2"), ("0", "1"), ("300", "1.23"), ("1.5", "."), ("-1", ".")];
    for (digits, expected) in table {
        let query = format!("| logfmt | let t = round(a, {digits}) | count by t");
        assert_eq!(ask(&query, "a=1.23"), [format!("{expected} 1")], "{digits}");
    }
}

#[test]
fn stages_behind_the_aggregate_are_about_rows() {
    let query =
        "| logfmt | count, sum(a) by b | where sum(a) > 0 | let half = sum(a) / 2 | keep half, b";
    assert_eq!(ask(query, PAIRS), ["1.5 x"]);
    assert_eq!(ask("| logfmt | max(a) as top_a by b | sort by top_a desc", PAIRS), ["y 3", "x 2"]);
    assert_eq!(
        ask("| logfmt | count by b, a | sort b desc, a", PAIRS),
        ["y -4 1", "y 3 1", "x 1 1", "x 2 1"]
    );
    assert_eq!(ask("| logfmt | count by a | top 2 by a", PAIRS), ["3 1", "2 1"]);
}

#[test]
fn top_behind_lines_counts_them() {
    assert_eq!(ask("| logfmt | top 1 by b", "a=1 b=x\nb=y\nb=y"), ["y 2"]);
    assert_eq!(ask("| logfmt | top 5 by b, a", "a=1 b=x"), ["x 1 1"]);
}

/// The busiest of each window, not of all.
#[test]
fn top_takes_rows_of_each_window() {
    let query = "| logfmt | count by b every 10s | top 1 by count";
    let text = "1 b=x\n2 b=x\n3 b=y\n10001 b=y\n10002 b=z\n10003 b=z\n10004 b=z";
    assert_eq!(ask(query, text), ["1970-01-01T00:00:00Z x 2", "1970-01-01T00:00:10Z z 3"]);
    let without = "| logfmt | count by b every 10s | keep b | top 1 by b";
    assert_eq!(ask(without, text), ["y", "z"]);
}

#[test]
fn columns_have_names_and_kinds() {
    let plan = super::support::plan(
        "| nginx | count, p99( rt ) by member, status every 10s | let x = p99(rt)*2",
    );
    let names: Vec<_> =
        plan.columns().iter().map(|column| (column.name.as_str(), column.kind)).collect();
    let expected = [
        ("window", ColumnKind::Window),
        ("member", ColumnKind::Key),
        ("status", ColumnKind::Key),
        ("count", ColumnKind::Figure),
        ("p99(rt)", ColumnKind::Figure),
        ("x", ColumnKind::Figure),
    ];
    assert_eq!(names, expected);
    assert!(plan.needs_time());
    assert_eq!(plan.reader(), Some("nginx"));
    assert_eq!(super::support::plan("| count").reader(), None);
    assert_eq!(super::support::plan("| json | nginx from log | count").reader(), None);
    assert!(!super::support::plan("| nginx | count by stamp").needs_time());
}

#[test]
fn percentiles_are_within_one_percent() {
    let lines: Vec<String> =
        (1..=1_000).map(|rt| format!("rt={}.{:02}", rt / 100, rt % 100)).collect();
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let rows = answer("| logfmt | p50(rt), p99(rt), p999(rt), p99.9(rt) as same", &lines);
    let text = shown(&rows).concat();
    let near: Vec<f64> = text.split(' ').map(|value| value.parse().unwrap()).collect();
    for (found, exact) in near.iter().zip([5.0, 9.9, 9.99, 9.99]) {
        assert!((found - exact).abs() / exact < 0.01, "{found} for {exact}");
    }
}

#[test]
fn many_different_values_are_estimated_and_marked() {
    let lines: Vec<String> = (0..20_000).map(|number| format!("a={number}")).collect();
    let few: Vec<&[u8]> = lines[..10_000].iter().map(String::as_bytes).collect();
    assert_eq!(shown(&answer("| logfmt | distinct(a)", &few)), ["10000"]);
    let all: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let rows = shown(&answer("| logfmt | distinct(a)", &all)).concat();
    let near: i64 = rows.strip_prefix('~').unwrap().parse().unwrap();
    assert!((near - 20_000).abs() < 600, "{near}");
}

/// Longer keys are told apart, and show that they are cut.
#[test]
fn long_keys_stay_different() {
    let long = |end: &str| format!("k={}{end}", "x".repeat(10_000));
    let lines = [long("a"), long("b"), long("a")];
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let rows = answer("| logfmt | count by k", &lines);
    assert_eq!(rows.rows.len(), 2);
    assert!(shown(&rows).iter().all(|row| row.len() < 4_200 && row.contains("xx~")));
}

#[test]
fn huge_and_negative_numbers_are_summed_exactly() {
    let text = "a=9999999999\na=-0.000000000000000001\na=-1e-3";
    assert_eq!(ask("| logfmt | sum(a)", text), ["9999999998.998999999999999999"]);
    let text = "a=9999999999999999999999999999\na=-0.000000000000000001\na=1e28\na=-1e27\n";
    let rows = ask("| logfmt | sum(a), min(a), max(a), count", text);
    assert_eq!(
        rows,
        ["8999999999999999999999999999 -1000000000000000000000000000 \
             9999999999999999999999999999 4"]
    );
}

#[test]
fn times_are_written_as_rfc_3339() {
    let table = [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"),
        (1_796_044_860_123, "2026-11-30T13:21:00.123Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ];
    for (milliseconds, expected) in table {
        assert_eq!(time_text(milliseconds), expected);
    }
    // The bounds do not panic.
    let _ = (time_text(i64::MIN), time_text(i64::MAX));
}
