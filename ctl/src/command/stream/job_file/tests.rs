//! Jobs as people write them, and what is said of what is wrong. It owns no state.

use super::*;
use jiff::tz::TimeZone;

/// 2026-11-30T12:00:00Z.
fn now() -> Zoned {
    "2026-11-30T12:00:00Z".parse::<jiff::Timestamp>().unwrap().to_zoned(TimeZone::UTC)
}

const LEAST: &str = "name = 'e'\nquery = '| count every 10s'\nfiles = ['/x']\n";

/// What is said of a file, each on a line.
fn said(text: &str) -> String {
    let problems = parse(text, &now()).expect_err(text);
    let lines = problems.iter().flat_map(|it| [it.line("e.toml")].into_iter().chain(it.shown()));
    lines.collect::<Vec<_>>().join("\n")
}

/// What is said if this stands behind what a job needs, on line 4.
fn of(more: &str) -> String {
    said(&format!("{LEAST}{more}\n"))
}

#[test]
fn a_job_has_defaults_for_what_it_need_not_say() {
    let Job { spec, windows } = parse(LEAST, &now()).unwrap();
    assert_eq!((windows.every_ms, windows.over_ms), (10_000, 10_000));
    assert_eq!(
        spec,
        StreamSpec {
            name: "e".to_owned(),
            query: "| count every 10s".to_owned(),
            files: vec!["/x".to_owned()],
            from: StreamFrom::Now,
            tags: Vec::new(),
            lateness_ms: 10_000,
            retain_ms: 3_600_000,
            commit_ms: 1_000,
            waits_for_failed: false,
            sink: "/streams/e.tsv".to_owned(),
            copies: 5,
            partitions: None,
            groups: None,
            memory: None,
        }
    );
}

#[test]
fn each_key_says_what_it_means() {
    let text = r#"
name = "shop.errors-2"
query = '''" 50[023] " | nginx | count by member, status every 1m'''
files = ["/var/log/nginx/*.log", "/srv/*.log"]
from = "beginning"
on = { role = "web", zone = "a" }
lateness = "1m30s"
late = "revise"
retain = "2d"
commit = "100ms"
on_failed = "wait"
partitions = 16
limits = { groups = 5_000, memory = "16M" }
[sink]
file = "/apps/shop/errors.tsv"
replication = 3
"#;
    let Job { spec, windows } = parse(text, &now()).unwrap();
    assert_eq!((windows.every_ms, windows.over_ms), (60_000, 60_000));
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = StreamSpec {
        name: "shop.errors-2".to_owned(),
        query: "\" 50[023] \" | nginx | count by member, status every 1m".to_owned(),
        files: vec!["/var/log/nginx/*.log".to_owned(), "/srv/*.log".to_owned()],
        from: StreamFrom::Beginning,
        tags: vec![pair("role", "web"), pair("zone", "a")],
        lateness_ms: 90_000,
        retain_ms: 2 * 86_400_000,
        commit_ms: 100,
        waits_for_failed: true,
        sink: "/apps/shop/errors.tsv".to_owned(),
        copies: 3,
        partitions: Some(16),
        groups: Some(5_000),
        memory: Some(16 << 20),
    };
    assert_eq!(spec, expected);
    let of = |more: &str| parse(&format!("{LEAST}{more}\n"), &now()).unwrap().spec;
    assert_eq!(of("late = 'drop'").retain_ms, 0);
    assert_eq!(of("from = 'now'").from, StreamFrom::Now);
    assert_eq!(of("from = '1h'").from, StreamFrom::At(1_796_036_400_000));
    assert_eq!(of("from = '2026-11-30T11:00:00Z'").from, StreamFrom::At(1_796_036_400_000));
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        said(""),
        "e.toml: name: a job needs a name, such as \"errors\"\n\
         e.toml: query: a job needs a query, such as '| nginx | count by status every 10s'\n\
         e.toml: files: a job needs globs over the files that members offer, such as \
         [\"/var/log/nginx/*.log\"]"
    );
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    for (more, words) in [
        ("latenes = '1s'", "e.toml:4: latenes: unknown key: did you mean lateness?"),
        ("sink = { fil = '/a/b' }", "e.toml:4: sink.fil: unknown key: did you mean file?"),
        (
            "[sink]\ncolour = 1",
            "e.toml:5: sink.colour: unknown key: known keys are file, replication",
        ),
        (
            "windows = '10s'",
            "e.toml:4: windows: unknown key: known keys are name, query, files, from, on, \
             lateness, late, retain, commit, on_failed, partitions, sink, limits",
        ),
    ] {
        assert_eq!(of(more), words);
    }
}

#[test]
fn what_jobs_do_not_have_yet_is_refused() {
    for (more, words) in [
        ("journal = ['nginx.service']", "e.toml:4: journal: jobs read no journal yet: use files"),
        (
            "fs = ['/in/*.csv']",
            "e.toml:4: fs: jobs read the machines' own files, and no replicated ones yet: use \
             files",
        ),
        (
            "exec = 'geo'\nlimits = { cpu = '20%' }",
            "e.toml:4: exec: jobs run no programs yet: follow the sink with memberctl stream \
             watch\n\
             e.toml:5: limits.cpu: jobs have no limit of processor time yet: leave it out",
        ),
        ("join = 1", "e.toml:4: join: jobs do not join lines yet"),
        (
            "[alert]\nwhen = 'count > 3'",
            "e.toml:4: alert: jobs raise no alerts yet: follow the sink with memberctl stream \
             watch",
        ),
    ] {
        assert_eq!(of(more), words);
    }
}

#[test]
fn values_of_the_wrong_kind_are_told_in_terms_of_the_file() {
    for (text, words) in [
        ("name = 3", "e.toml:1: name: invalid type: integer `3`, expected a string"),
        (
            "files = '/x'",
            "e.toml:1: files: invalid type: string \"/x\", expected a list, such as \
             [\"/var/log/nginx/*.log\"]",
        ),
        (
            "sink = '/a/b'",
            "e.toml:1: sink: invalid type: string \"/a/b\", expected a table, such as { file = \
             \"/streams/errors.tsv\" }",
        ),
        (
            "limits = 3",
            "e.toml:1: limits: invalid type: integer `3`, expected a table, such as { memory = \
             \"16M\" }",
        ),
        (
            "on = 'web'",
            "e.toml:1: on: invalid type: string \"web\", expected a table, such as { role = \
             \"web\" }",
        ),
        (
            "partitions = -1",
            "e.toml:1: partitions: invalid value: integer `-1`, expected a whole number",
        ),
    ] {
        assert_eq!(said(text), words);
    }
    assert!(said("name = 'a").starts_with("e.toml:1: "), "{}", said("name = 'a"));
}

#[test]
fn wrong_values_are_told_with_their_line() {
    for (more, words) in [
        ("late = 'ignore'", "e.toml:4: late: write \"revise\" or \"drop\""),
        (
            "late = 'drop'\nretain = '1h'",
            "e.toml:5: retain: late = \"drop\" keeps no window that has closed: leave retain out",
        ),
        ("on_failed = 'stop'", "e.toml:4: on_failed: write \"exclude\" or \"wait\""),
        ("lateness = '10'", "e.toml:4: lateness: \"10\" has no unit: write \"10s\""),
        ("lateness = '2d'", "e.toml:4: lateness: lateness is 0 s to 1 day"),
        ("retain = '8d'", "e.toml:4: retain: retain is 0 s to 7 days"),
        ("commit = '1ms'", "e.toml:4: commit: commit is 100 ms to 60 s"),
        (
            "limits = { groups = 0 }",
            "e.toml:4: limits.groups: limits.groups is 1 to 1000000 in a window of a partition",
        ),
        (
            "limits = { memory = '65M' }",
            "e.toml:4: limits.memory: limits.memory is 1M to 64M for a window of a partition",
        ),
        (
            "[limits]\nmemory = '1'",
            "e.toml:5: limits.memory: write a number and a unit: 64K, 256M or 1G",
        ),
        ("partitions = 65", "e.toml:4: partitions: keys have 1 to 64 partitions"),
        ("[sink]\nreplication = 6", "e.toml:5: sink.replication: replication is 1 to 5 copies"),
        (
            "from = 'tomorrow-ish'",
            "e.toml:4: from: invalid time 'tomorrow-ish': write 10m, 2h, 3d, today, yesterday, \
             14:00, 2026-11-21 14:00 or 2026-11-21T14:00:00Z; or write \"beginning\"",
        ),
        (
            "sink = { file = 'errors.tsv' }",
            "e.toml:4: sink.file: a sink is a replicated file, /SHARE/NAME, such as \
             /streams/errors.tsv",
        ),
        (
            "sink = { file = '/streams/.jobs/table' }",
            "e.toml:4: sink.file: /streams/.jobs is where jobs keep their sums",
        ),
    ] {
        assert_eq!(of(more), words);
    }
    let relative = LEAST.replace("['/x']", "[\n'/x',\n'*.log']");
    let words = "e.toml:5: files: a glob is over whole paths, such as \"/var/log/nginx/*.log\"";
    assert_eq!(said(&relative), words);
    let named = LEAST.replace("'e'", "'e/f'");
    assert_eq!(
        said(&named),
        "e.toml:1: name: the name of a job has 1 to 64 letters, digits and . _ -, and does not \
         begin with a dot"
    );
    let without = LEAST.replace("'/x'", "");
    assert_eq!(said(&without), "e.toml:3: files: a job reads 1 to 64 globs of files");
}

#[test]
fn a_query_is_shown_with_the_place() {
    let with = |query: &str| said(&LEAST.replace("'| count every 10s'", query));
    for (query, words) in [
        (
            "'| nginx | cuont by status every 10s'",
            "e.toml:2: query: `cuont` is no stage; did you mean `count`?\n  \
             | nginx | cuont by status every 10s\n            ^^^^^",
        ),
        (
            "'| nginx | count by status'",
            "e.toml:2: query: a durable job has windows; add `every 10s` to the aggregate\n  \
             | nginx | count by status\n                           ^",
        ),
        (
            "'''\n| nginx | count every 10s | where count > 3'''",
            "e.toml:2: query: a durable job has no `where` behind the aggregate; use it before the \
             aggregate, or awk(1) on its file\n  \
             | nginx | count every 10s | where count > 3\n                              \
             ^^^^^^^^^^^^^^^",
        ),
        (
            "'| count every 10s over 11m'",
            "e.toml:2: query: in a durable job, `over` is at most 60 times `every`\n  \
             | count every 10s over 11m\n                         ^^^",
        ),
    ] {
        assert_eq!(with(query), words);
    }
    for stage in ["join (x | nginx) on ip", "alert when count > 3", "exec geo"] {
        let words = with(&format!("'| nginx | count every 10s | {stage}'"));
        assert!(words.starts_with("e.toml:2: query: "), "{words}");
    }
}

/// One after the other, in the order of their lines.
#[test]
fn all_that_is_wrong_is_told_at_once() {
    assert_eq!(
        said("late = 'x'\nquery = '| count'\nfiles = ['/x']\nlateness = 'y'\n"),
        "e.toml:1: late: write \"revise\" or \"drop\"\n\
         e.toml:2: query: a durable job has windows; add `every 10s` to the aggregate\n  \
         | count\n         ^\n\
         e.toml:4: lateness: \"y\" is not a duration: write a number and ms, s, m, h, d or w, such \
         as \"500ms\"\n\
         e.toml: name: a job needs a name, such as \"errors\""
    );
}

/// The file that the package ships is one that works.
#[test]
fn the_example_is_a_good_job() {
    let example = include_str!("../../../../../packaging/examples/stream.toml");
    let Job { spec, .. } = parse(example, &now()).unwrap();
    assert_eq!(spec.name, "shop-errors");
    // What it only mentions is good as well.
    let all: String = example
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|line| line.starts_with(char::is_alphabetic))
                .unwrap_or(line)
                .to_owned()
                + "\n"
        })
        .collect();
    assert_ne!(all, example);
    assert!(parse(&all, &now()).is_ok(), "{:?}", parse(&all, &now()));
}
