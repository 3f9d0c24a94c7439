//! Partial sums come from other machines: any bytes are read or refused, without a panic.

use super::support::{LIMITS, fold, plan};
use memberd_streams::{Gather, PartialError, Plan, Query};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

const QUERY: &str =
    "| logfmt | count, sum(v), min(v), max(v), p50(v), distinct(v) by k, time every 1s over 2s";

/// Questions for all fields of a format, and lines of it.
const LINES: [(&str, &[u8]); 4] = [
    (
        "nginx | count by client, user, method, path, protocol, referer, agent, rt",
        b"h - u [10/Oct/2026:13:55:36 +0200] \"GET /a HTTP/1.1\" 404 153 \"r\" \"a\" rt=\"0\\\"1\"",
    ),
    (
        "json | count by a, b.c, d",
        b"{\"a\":\"\\u00e9\\ud83d\\ude00\",\"b\":{\"c\":[1,2]},\"d\":-1.5e3}",
    ),
    ("logfmt | count by a, b", b"a=\"x\\\"y\" b=1 c"),
    (
        "syslog | count by host, program, pid, message, structured",
        b"<165>1 2003-10-11T22:14:15.003Z h p 1 ID [a b=\"c\"] text",
    ),
];

/// A question for each format.
static PLANS: LazyLock<Vec<Arc<Plan>>> = LazyLock::new(|| {
    let formats = ["nginx", "json", "logfmt", "syslog", "parse '*a*' as b, c", "regex '(?P<b>.)'"];
    formats.iter().map(|format| plan(&format!("| {format} | count by line"))).collect()
});

static WIDE_PLANS: LazyLock<Vec<Arc<Plan>>> =
    LazyLock::new(|| LINES.iter().map(|(query, _)| plan(&format!("| {query}"))).collect());

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| plan(QUERY));

fn partial(plan: &Arc<Plan>) -> Vec<u8> {
    let lines: [&[u8]; 4] = [b"1 k=a v=1", b"2 k=b v=-0.5", b"3000 v=1e20", b"x k=c"];
    fold(plan, lines).into_partials().next().unwrap()
}

fn refusal(plan: &Arc<Plan>, bytes: &[u8]) -> Option<PartialError> {
    let mut gather = Gather::new(plan.clone(), LIMITS);
    let refusal = gather.partial("m", bytes).err();
    assert_eq!(Gather::new(plan.clone(), LIMITS).check("m", bytes).err(), refusal);
    if refusal.is_some() {
        assert_eq!(gather.counts().lines, 0, "nothing of it is added");
    }
    let _ = gather.finish().unwrap();
    refusal
}

#[test]
fn sums_of_another_query_or_version_are_refused() {
    let (one, other) = (plan(QUERY), plan(&format!("{QUERY} | top 3 by count")));
    let mut bytes = partial(&one);
    assert_eq!(refusal(&one, &bytes), None);
    assert_eq!(refusal(&other, &bytes), Some(PartialError::OtherQuery));
    bytes[0] = 2;
    assert_eq!(refusal(&one, &bytes), Some(PartialError::Version(2)));
    assert!(matches!(refusal(&one, &[]), Some(PartialError::Malformed(_))));
}

/// A member may lie about its own logs, but says nothing of those of another.
#[test]
fn sums_that_name_another_member_are_refused() {
    let queries = [
        "| count by member",
        "| logfmt | count by k, member every 1s",
        "| top 3 by member",
        "| let one = member | let other = one | count by other",
    ];
    for query in queries {
        let plan = plan(query);
        let bytes = partial(&plan);
        let mut gather = Gather::new(plan.clone(), LIMITS);
        assert_eq!(gather.check("other", &bytes), Err(PartialError::OtherMember), "{query}");
        assert_eq!(gather.partial("other", &bytes), Err(PartialError::OtherMember), "{query}");
        assert_eq!(gather.counts().lines, 0, "{query}");
        assert_eq!(gather.check("m", &bytes), Ok(()), "{query}");
        assert_eq!(gather.partial("m", &bytes), Ok(()), "{query}");
        assert_eq!(gather.counts().lines, 4, "{query}");
    }
    // A field of the line that is called so is no name of a member.
    let plan = plan("| logfmt | count by `member`");
    let bytes = partial(&plan);
    assert_eq!(Gather::new(plan, LIMITS).check("other", &bytes), Ok(()));
}

#[test]
fn partials_that_are_cut_or_too_long_are_refused() {
    let plan = plan(QUERY);
    let bytes = partial(&plan);
    // Between two groups is an end, so not every beginning is refused.
    let read =
        (0..bytes.len()).filter(|length| refusal(&plan, &bytes[..*length]).is_none()).count();
    assert!(read <= 4, "{read}");
    let mut long = bytes;
    long.resize(memberd_streams::MAX_PARTIAL + 1, 0);
    assert_eq!(refusal(&plan, &long), Some(PartialError::Malformed("they are too long")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_behind_the_head_are_no_panic(
        tail in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = partial(&PLAN)[..17].to_vec();
        bytes.extend_from_slice(&tail);
        let _ = refusal(&PLAN, &bytes);
    }

    #[test]
    fn changed_bytes_are_no_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = partial(&PLAN);
        for (at, byte) in changes {
            let at = 17 + at.index(bytes.len() - 17);
            bytes[at] = byte;
        }
        let _ = refusal(&PLAN, &bytes);
    }

    /// Nor is any text a panic as a query, or any bytes as a line.
    #[test]
    fn any_query_and_any_line_is_no_panic(
        query in "(\\PC|[a-z|'\"`*()=<>,. 0-9\\\\$-]|p9|every |by |count|sum\\(){0,30}",
        line in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let compiled = Query::parse(&query).and_then(|query| Plan::new(&query));
        if let Err(error) = compiled {
            let _ = error.pointed(&query);
        }
        for plan in PLANS.iter() {
            let _ = fold(plan, [line.as_slice()]);
        }
    }

    /// Lines that are nearly of a format.
    #[test]
    fn damaged_lines_are_no_panic(
        at in any::<prop::sample::Index>(),
        byte: u8,
        cut in any::<prop::sample::Index>(),
    ) {
        for (plan, line) in WIDE_PLANS.iter().zip(LINES) {
            let mut line = line.1.to_vec();
            let place = at.index(line.len());
            line[place] = byte;
            line.truncate(cut.index(line.len()) + 1);
            let _ = fold(plan, [line.as_slice()]);
        }
    }
}
