//! Queries that are refused: each error says what to do, and points at the place.

use super::support::LIMITS;
use memberd_streams::{Fold, Full, LineTime, Plan, Query, QueryError};
use std::sync::Arc;

fn error(query: &str) -> QueryError {
    match Query::parse(query) {
        Ok(parsed) => Plan::new(&parsed).err().unwrap_or_else(|| panic!("{query} is accepted")),
        Err(error) => error,
    }
}

/// Queries, what the error points at, and a part of what it says.
const TABLE: &[(&str, &str, &str)] = &[
    ("", "", "an aggregate is missing"),
    ("error", "", "an aggregate is missing"),
    ("error | nginx", "", "use memberctl grep"),
    ("nginx | count", "nginx", "begin with `| nginx` for the stage, or write 'nginx'"),
    ("count by member", "count by member", "begin with `| count by member`"),
    ("p99 | count", "p99", "for the pattern"),
    ("'a' b | count", "b | count", "after a pattern in quotes"),
    ("'a | count", "'a | count", "closing quote"),
    ("|", "", "a stage, such as"),
    ("| | count", "|", "a stage, such as"),
    ("| conut by member", "conut", "did you mean `count`?"),
    ("| filter a | count", "filter", "did you mean `where`?"),
    ("a|b) | count", "b", "put the pattern in quotes"),
    ("| frobnicate", "frobnicate", "there are nginx, apache"),
    ("| alert when 1", "alert", "only in a stream"),
    ("| count by", "", "a name is expected, but the query ends"),
    ("| count by every 10s", "every", "`every` is a word of the language"),
    ("| count every 10", "10", "a time such as"),
    ("| count every 10x", "10x", "a time such as"),
    ("| count every 0s", "0s", "at least 1ms"),
    ("| count every 10s over 15s", "15s", "a multiple of `every`"),
    ("| count every 1ms over 10s", "10s", "at most 1000 times"),
    ("| count by member extra", "extra", "`|` or the end"),
    ("| nginx | where client = 10.0.0.1 | count", ".0", "put this in quotes"),
    ("| json | count by user-agent", "-", "in backquotes: `user-..`"),
    ("| nginx | count by status where bytes > 1", "where", "put `|` before it"),
    ("| nginx | count by status | sort count decs", "decs", "did you mean `desc`?"),
    ("| nginx | where path =~ 'x' | count", "~", "write `~` alone"),
    ("| nginx | where user == null | count", "null", "not has(x)"),
    ("| count(status)", "status", "`count` counts lines"),
    ("| nginx | sum by status", "by", "`sum` needs a field"),
    ("| nginx | sum(bytes, status)", ",", "takes one field"),
    ("| nginx | sum(\"x\" + 1)", "\"x\"", "a number is expected"),
    ("| nginx | count by statsu", "statsu", "did you mean `status`?"),
    ("| nginx | count by remote_addr", "remote_addr", "did you mean `client`?"),
    ("| syslog | count by hots", "hots", "did you mean `host`?"),
    ("| syslog | count by zzz", "zzz", "there are stamp, host"),
    ("| count by status", "status", "put a stage before it that reads fields"),
    ("| nginx | where status > '500' | count", "'500'", "without quotes"),
    ("| nginx | where status = 'x' or 'a' == 5 | count", "'a'", "never equal"),
    ("| nginx | where status + 1 | count", "status + 1", "a condition is expected"),
    ("| nginx | where 1 < status < 5 | count", "<", "`a < b and b < c`"),
    ("| nginx | where path ~ '(' | count", "'('", "unclosed group"),
    ("| nginx | where lenght(path) > 1 | count", "lenght", "did you mean `length`?"),
    ("| nginx | where length() > 1 | count", "length()", "takes one value"),
    ("| nginx | where path in () | count", "path in ()", "this list is empty"),
    ("| nginx | where (status > 1 | count", "|", "`)` is missing"),
    ("| nginx | where status > 1e99 | count", "1e99", "too large"),
    ("| nginx | where path == \"\\xzz\" | count", "\"\\xzz\"", "hexadecimal"),
    ("| where # | count", "#", "put text in quotes"),
    ("| where `a | count", "`a | count", "the closing ` is missing"),
    ("| parse 'abc' as a | count", "'abc'", "a `*` for each name"),
    ("| parse '**' as a, b | count", "'**'", "between two `*`"),
    ("| parse '* *' as a | count", "'* *'", "2 `*`, but 1 names"),
    ("| parse '* *' as a, a | count", "a", "is there twice"),
    ("| parse '*' as time | count", "time", "choose another name"),
    ("| parse '*' | count", "|", "`as` and a name"),
    ("| parse \"* *\" as user, rest | count by usr", "usr", "did you mean `user`?"),
    ("| nginx from log | count", "log", "put a stage before it"),
    ("| json | parse '*' from as a | count", "as", "is a word of the language"),
    ("| regex 'a' | count", "'a'", "it names no field"),
    ("| regex '(?P<a>[' | count", "'(?P<a>['", "unclosed"),
    ("| regex '(?P<a>\\w{1000}){100}' | count", "'(?P<a>\\w{1000}){100}'", "too large"),
    ("| let member = 1 | count", "member", "choose another name"),
    ("| let x 1 | count", "1", "`=` is expected"),
    ("| keep member | count", "keep member", "behind an aggregate"),
    ("| sort member | count", "sort member", "behind an aggregate"),
    ("| top 5 by 1 + 1", "1 + 1", "a field is expected here"),
    ("| top by member", "by", "a number of rows"),
    ("| top 0 by member", "0", "a number of rows"),
    ("| top 5 member", "member", "`by`, as in"),
    ("| count | nginx", "nginx", "before the aggregate"),
    ("| count | sum(x)", "sum(x)", "one aggregate"),
    ("| count by member | sort by cuont", "cuont", "did you mean `count`?"),
    ("| count by member | where p99(rt) > 1", "p99(rt)", "none of them"),
    ("| count by member | keep zzz", "zzz", "there are member, count"),
    ("| count by member | keep member, member", "member", "twice"),
    ("| count, count", "count", "two columns are called `count`"),
    ("| count by member, member", "member", "two columns"),
    ("| count by member | let count = 1", "count", "two columns"),
];

#[test]
fn errors_point_at_the_place() {
    for (query, place, part) in TABLE {
        let error = error(query);
        assert_eq!(&query[error.span.clone()], *place, "{query}: {error}");
        assert!(error.message.contains(part), "{query}: {error}");
        assert!(!error.message.contains('\n'), "{query}: {error}");
        if place.is_empty() {
            assert_eq!(error.span.start, query.len(), "{query}");
        }
    }
}

#[test]
fn errors_are_shown_below_the_query() {
    let query = "é | nginx\n| count by statsu";
    let shown = error(query).pointed(query);
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("| count by statsu"));
    assert_eq!(lines.next(), Some("           ^^^^^^"));
    assert!(lines.next().unwrap().contains("did you mean `status`?"));
    let shown = error("| count by").pointed("| count by");
    assert!(shown.contains("\n          ^\n"), "{shown}");
    // Another text than the one that was parsed is no panic.
    let _ = error(query).pointed("");
}

#[test]
fn queries_have_bounds() {
    let error_of = |query: &str| error(query).message;
    assert!(error_of(&format!("| count by {}", "x".repeat(20_000))).contains("bytes"));
    assert!(error_of(&format!("| where {} | count", "(".repeat(100))).contains("deeply"));
    assert!(
        error_of(&format!("| where 1{} == 1 | count", "+1".repeat(3_000))).contains("too many")
    );
    assert!(
        error_of(&format!("| where {} true | count", "not ".repeat(3_000))).contains("too many")
    );
    assert!(error_of(&format!("{} | count", "| where true".repeat(40))).contains("at most 32"));
    assert!(error_of(&format!("| where {} | count", ["line ~ 'a'"; 9].join(" or "))).contains("8"));
    let fields: Vec<String> = (0..70).map(|number| format!("has(f{number})")).collect();
    assert!(error_of(&format!("| json | where {} | count", fields.join(" or "))).contains("64"));
    let keys: Vec<String> = (0..9).map(|number| format!("f{number}")).collect();
    assert!(error_of(&format!("| json | count by {}", keys.join(","))).contains("at most 8"));
    let sums: Vec<String> = (0..17).map(|number| format!("sum(f{number})")).collect();
    assert!(error_of(&format!("| json | {}", sums.join(","))).contains("at most 16"));
}

/// Automata of allowed size have tables for each thread, which grow with the groups as well.
#[test]
fn regular_expressions_have_bounds_together() {
    let of = |stages: &str| {
        let query = format!("{stages} | count");
        Query::parse(&query).and_then(|query| Plan::new(&query))
    };
    let bytes = |stages: &str| of(stages).map(|plan| (plan.thread_bytes(), plan.shared_bytes()));
    assert_eq!(bytes("| nginx | where status == 200"), Ok((0, 0)));
    let (one, shared) = bytes(r"| regex '(?P<code>\d+) (?P<path>\S+)'").unwrap();
    assert!((1 << 20..3 << 20).contains(&one) && shared > 0, "{one} {shared}");
    let groups: String = (0..30).map(|number| format!("(?P<g{number}>x)?")).collect();
    let heavy = |states: u32| format!("| regex '{groups}a{{{states}}}'");
    assert!(bytes(&heavy(4_000)).unwrap().0 < 26 << 20);
    let message = of(&heavy(12_000)).unwrap_err().message;
    assert!(message.contains("too many groups for its size"), "{message}");
    // Each of these may be, but not all of them.
    let message = of(&heavy(4_000).repeat(3)).unwrap_err().message;
    assert!(message.contains("too many groups"), "{message}");
    let rows = format!("{0}{0} | count by g1 | where g1 ~ '{groups}a{{4000}}'", heavy(3_500));
    let refused = Query::parse(&rows).and_then(|query| Plan::new(&query));
    assert!(refused.unwrap_err().message.contains("too many groups"));
    let eight = ["line ~ '[a-z]+'"; 8].join(" or ");
    assert!(bytes(&format!("| where {eight}")).unwrap().0 < 26 << 20);
}

struct NoTime;

impl LineTime for NoTime {
    fn milliseconds(&mut self, _: &[u8]) -> Option<i64> {
        None
    }
}

/// A set that has become an estimate gives back the bytes of its values: 128 KiB of each group.
#[test]
fn estimates_give_bytes_back() {
    let plan = Arc::new(Plan::new(&Query::parse("| logfmt | distinct(a) by k").unwrap()).unwrap());
    let limits = memberd_streams::Limits { bytes: 400_000, ..LIMITS };
    let mut fold = Fold::new(plan.clone(), "m", limits);
    for number in 0..10 * 10_100 {
        let line = format!("k={} a={number}", number / 10_100);
        fold.line(line.as_bytes(), &mut NoTime).unwrap();
    }
    let mut gather = memberd_streams::Gather::new(plan, limits);
    for partial in fold.into_partials() {
        gather.partial("m", &partial).unwrap();
    }
    assert_eq!(gather.finish().unwrap().rows.len(), 10);
}

/// More groups than allowed are an error, and never left out.
#[test]
fn a_full_table_says_so() {
    let plan = Arc::new(Plan::new(&Query::parse("| count by line").unwrap()).unwrap());
    let limits = memberd_streams::Limits { groups: 3, ..LIMITS };
    let mut fold = Fold::new(plan.clone(), "m", limits);
    for line in [b"a", b"b", b"c", b"a"] {
        fold.line(line, &mut NoTime).unwrap();
    }
    assert_eq!(fold.line(b"d", &mut NoTime), Err(Full::Groups(3)));
    let limits = memberd_streams::Limits { bytes: 10_000, ..LIMITS };
    let mut fold = Fold::new(plan, "m", limits);
    let lines = (0..1_000).map(|number: u32| number.to_string());
    let full = lines.map(|line| fold.line(line.as_bytes(), &mut NoTime)).find(Result::is_err);
    assert_eq!(full, Some(Err(Full::Bytes(10_000))));
}
