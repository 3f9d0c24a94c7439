//! Which fields each format finds in a line, and which lines it cannot read.

use super::support::{answer, counts, shown};

/// The fields of one line, and how many lines could not be read.
fn fields(stage: &str, names: &str, line: &[u8]) -> (String, u64) {
    let rows = answer(&format!("| {stage} | count by {names} | keep {names}"), &[line]);
    (shown(&rows).join("\n"), rows.counts.unparsed)
}

#[track_caller]
fn check(stage: &str, names: &str, line: &[u8], expected: &str) {
    let (found, unparsed) = fields(stage, names, line);
    assert_eq!((found.as_str(), unparsed), (expected, 0), "{}", line.escape_ascii());
}

#[track_caller]
fn unreadable(stage: &str, line: &[u8]) {
    assert_eq!(
        counts(&format!("| {stage} | count"), &[line]).unparsed,
        1,
        "{}",
        line.escape_ascii()
    );
}

const COMBINED: &[u8] =
    b"192.0.2.1 - bob smith [10/Oct/2026:13:55:36 +0200] \"GET /a b?x=1 HTTP/1.1\" \
    404 153 \"https://a.example/\" \"Mozilla/5.0 (X11)\" rt=0.012 rid=\"a b\" up=- rt=0.013";

#[test]
fn nginx_combined_has_its_fields_and_a_tail() {
    check("nginx", "client, ident, user", COMBINED, "192.0.2.1 - bob smith");
    check("nginx", "stamp", COMBINED, "10/Oct/2026:13:55:36 +0200");
    check("nginx", "method, path, protocol", COMBINED, "GET /a b?x=1 HTTP/1.1");
    check("nginx", "status, bytes, referer", COMBINED, "404 153 https://a.example/");
    check("nginx", "agent", COMBINED, "Mozilla/5.0 (X11)");
    check("nginx", "rt, rid, up, nothing", COMBINED, "0.013 a b - .");
    check("apache", "request", COMBINED, "GET /a b?x=1 HTTP/1.1");
}

#[test]
fn common_lines_lack_what_only_combined_ones_have() {
    let line = b"h - - [10/Oct/2000:13:55:36 -0700] \"GET /apache_pb.gif HTTP/1.0\" 200 2326";
    check("apache", "client, user, path, bytes", line, "h - /apache_pb.gif 2326");
    check("apache", "referer, agent, rt", line, ". . .");
    check("apache", "bytes", b"h - - [s] \"GET / HTTP/1.0\" 304 -", "-");
    check("nginx", "bytes, rt", b"h - - [s] \"GET / HTTP/1.0\" 200 5 rt=1", "5 1");
}

#[test]
fn requests_that_are_none_are_kept_whole() {
    let line =
        |request: &[u8]| [b"h - - [s] \"", request, b"\" 400 0 \"-\" \"-\"" as &[u8]].concat();
    let names = "request, method, path, protocol";
    check("nginx", names, &line(b"-"), "- . . .");
    check("nginx", names, &line(b""), " . . .");
    check("nginx", names, &line(br"\x16\x03\x01"), r"\\x16\\x03\\x01 . . .");
    check("nginx", names, &line(b"GET /"), "GET / GET / .");
    check(
        "apache",
        names,
        &line(br#"GET /\"a\" HTTP/1.1"#),
        r#"GET /\\\"a\\\" HTTP/1.1 GET /\\\"a\\\" HTTP/1.1"#,
    );
    check("nginx", "path", &line(b"GET /\xff\x00 HTTP/1.1"), r"/\xff\x00");
    check("nginx", "path, protocol", &line(b"GET HTTP/1.1"), "HTTP/1.1 .");
}

#[test]
fn access_lines_that_are_cut_are_counted() {
    let whole = b"h - - [s] \"GET / HTTP/1.1\" 200 5";
    for length in 0..whole.len() {
        unreadable("nginx", &whole[..length]);
    }
    unreadable("nginx", b"h - - [s] \"GET / HTTP/1.1\" 20 5");
    unreadable("nginx", b"h - - [s] \"GET / HTTP/1.1\" 200 5x");
    unreadable("nginx", b" - - [s] \"GET / HTTP/1.1\" 200 5");
    unreadable("nginx", b"h -[s] \"GET / HTTP/1.1\" 200 5");
    // A quote that is not closed behind the bytes loses only what is behind it.
    check("nginx", "status, referer", b"h - - [s] \"GET / HTTP/1.1\" 200 5 \"abc", "200 .");
}

#[test]
fn carriage_returns_are_ends_of_lines_to_formats_alone() {
    check("nginx", "rt", b"h - - [s] \"-\" 200 5 \"-\" \"-\" rt=1\r", "1");
    check("nginx", "bytes", b"h - - [s] \"-\" 200 5\r", "5");
    check("logfmt", "a", b"a=1\r", "1");
    check("json", "a", b"{\"a\":\"x\"}\r", "x");
    check("syslog", "message", b"Oct 11 22:14:15 h p: text\r", "text");
    check("parse \"a *\" as b", "b", b"a 1\r", r"1\r");
    check("regex '(?P<b>.*)'", "b", b"a\r", r"a\r");
}

#[test]
fn json_names_reach_into_objects() {
    let line = br#" { "a" : {"b": {"c":-1.5e3}, "x": [1,{"b":2}]}, "a.b.d": "dot", "n": null,
        "t":true, "e":"\u00e9\ud83d\ude00\n\"\ud800", "\u0061x": 7, "a2": {},
        "same":1, "same":2 }"#;
    check("json", "a.b.c, a.b.d, n, t", line, "-1.5e3 dot . true");
    check("json", "e", line, r#"\xc3\xa9\xf0\x9f\x98\x80\n\"\xef\xbf\xbd"#);
    check("json", "ax, same, b, a.b.x", line, "7 2 . .");
    check("json", "a.x", line, r#"[1,{\"b\":2}]"#);
    check("json", "a.b, a2", line, r#"{\"c\":-1.5e3} {}"#);
}

#[test]
fn json_lines_that_are_no_object_are_counted() {
    let lines: [&[u8]; 20] = [
        b"",
        b"[]",
        b"1",
        b"{",
        b"{}x",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{\"a\":1 \"b\":2}",
        b"{\"a\":tru}",
        b"{\"a\":01x}",
        b"{\"a\":-}",
        b"{\"a\":1.}",
        b"{\"a\":1e}",
        b"{\"a\":\"b}",
        b"{\"a\":\"b\\\"}",
        b"{a:1}",
        b"{\"a\":[1,]}",
        b"{\"a\":{]}",
        b"{\"a\":\"b\"",
    ];
    for line in lines {
        unreadable("json", line);
        assert_eq!(counts("| json | count by a, b.c", &[line]).unparsed, 1);
    }
    let deep = [vec![b'['; 5_000], vec![b']'; 5_000]].concat();
    unreadable("json", &[b"{\"a\":" as &[u8], &deep, b"}"].concat());
    assert_eq!(counts("| json | count", &[b"{}"]).unparsed, 0);
}

#[test]
fn logfmt_has_pairs_and_quotes() {
    let line =
        br#"at=info msg="a \"b\"\n" empty= q="" debug k=a=b x.y=1 "quoted words" =5 at=warn"#;
    check("logfmt", "at, msg, empty, q", line, r#"warn a \"b\"\n  "#);
    check("logfmt", "k, x.y, debug", line, "a=b 1 .");
    unreadable("logfmt", b"");
    unreadable("logfmt", b"just words");
    unreadable("logfmt", b"a=\"open");
    unreadable("logfmt", b"=1");
}

#[test]
fn syslog_is_read_in_its_three_forms() {
    let names = "host, program, pid, message";
    let old = b"<34>Oct 11 22:14:15 mymachine su[230]: 'su root' failed: x";
    check("syslog", names, old, r"mymachine su 230 \'su root\' failed: x");
    check("syslog", "stamp, priority, facility, severity", old, "Oct 11 22:14:15 34 4 2");
    let day = b"Oct  1 22:14:15 h postfix/smtpd: a";
    check(
        "syslog",
        "stamp, program, pid, message, priority",
        day,
        "Oct  1 22:14:15 postfix/smtpd . a .",
    );
    let new = b"2026-11-30T13:21:00.123456+00:00 h kernel: [ 1.0] up";
    check(
        "syslog",
        "stamp, program, message",
        new,
        "2026-11-30T13:21:00.123456+00:00 kernel [ 1.0] up",
    );
    check("syslog", names, b"Oct 11 22:14:15 h -- MARK --", "h . . -- MARK --");
    check("syslog", names, b"Oct 11 22:14:15 h ", "h . . ");
    let standard =
        b"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [a@1 b=\"c\\\"]\"][d] \xef\xbb\xbfText";
    check("syslog", names, standard, "h evntslog . Text");
    check("syslog", "msgid, structured, priority", standard, r#"ID47 [a@1 b=\"c\\\"]\"][d] 165"#);
    check("syslog", names, b"<0>1 - - - - - -", ". . . .");
}

#[test]
fn lines_that_are_no_syslog_are_counted() {
    let lines: [&[u8]; 12] = [
        b"",
        b"<34>",
        b"<192>Oct 11 22:14:15 h p: m",
        b"<>Oct 11 22:14:15 h p: m",
        b"<1234>x",
        b"Oxt 11 22:14:15 h p: m",
        b"Oct 11 22:14:15",
        b"Oct 11 22:14:15 h",
        b"2026-11-30 13:21:00 h p: m",
        b"<1>1 - - - -",
        b"<1>1 - - - - - [a",
        b"<1>1 - - - - - -x",
    ];
    for line in lines {
        unreadable("syslog", line);
    }
}

#[test]
fn templates_take_as_little_as_they_can() {
    let line = b"12:00 user=bob from 192.0.2.1 port 22";
    check(
        "parse 'user=* from * port *' as user, ip, port",
        "user, ip, port",
        line,
        "bob 192.0.2.1 22",
    );
    check("parse '*:*' as hour, _", "hour", line, "12");
    check("parse 'port *' as port", "port", line, "22");
    check("parse '* ' as first", "first", line, "12:00");
    check(r#"parse "\"*\" *" as a, b"#, "a, b", br#"x "q" w"#, "q w");
    unreadable("parse 'user=* to *' as a, b", line);
    check("parse '*' as all", "all", b"\x00\xff", r"\x00\xff");
    check("parse '* *' as a, b", "a, b", b" ", " ");
    check(r"parse '\*\\* \d*' as a, b", "a, b", br"x*\1 \d2", "1 2");
}

#[test]
fn groups_of_regular_expressions_are_fields() {
    check("regex '(?P<a>\\d+)(?:-(?P<b>\\d+))?'", "a, b", b"x 12 y", "12 .");
    check("regex '(?P<a>\\d+)-(?<b>\\d+)'", "a, b", b"x 12-34 y", "12 34");
    check(r"regex '(?-u:(?P<a>\xff+))'", "a", b"\xff\xff\x00", r"\xff\xff");
    unreadable("regex '(?P<a>\\d)'", b"none");
}

/// Containers wrap lines in JSON: the line is a field there, with or without escapes.
#[test]
fn fields_are_read_like_lines() {
    let wrapped = br#"{"a":"b c",
        "log":"h - - [s] \"GET /a HTTP/1.1\" 200 5 \"-\" \"-\" rt=0.5 q=\"x \\\"y\\\"\""}"#;
    check("json | nginx from log", "path, status, rt, q, a", wrapped, r#"/a 200 0.5 x \"y\" b c"#);
    check(
        "json | nginx from log",
        "status",
        br#"{"log":"h - - [s] \"-\" 200 5","status":"x"}"#,
        "200",
    );
    check("json | let x = 1 | logfmt from log", "x", br#"{"log":"a=1"}"#, "1");
    check("json | let x = 1 | logfmt from log", "x", br#"{"log":"x=2"}"#, "2");
    check("json | parse '* *' from a as one, two", "one, two, a", wrapped, "b c b c");
    check("json | regex '(?P<one>.)' from a", "one", wrapped, "b");
    check("json | logfmt from log", "rt, q", wrapped, r#"0.5 x \"y\""#);
    check("json | json from inner", "x, y", br#"{"inner":"{\"x\":\"\\u0041\",\"y\":1}"}"#, "A 1");
    check("json | json from inner", "x.y", br#"{"inner":{"x":{"y":1}}}"#, "1");
    check("let a = concat('k=', 'v') | logfmt from a", "k", b"", "v");
    check("parse '*' from member as name", "name", b"", "m");
    unreadable("json | nginx from missing", wrapped);
    unreadable("json | nginx from a", wrapped);
}

#[test]
fn two_readers_of_a_line_have_the_fields_of_both() {
    let line = b"Oct 11 22:14:15 h sshd[1]: Failed password for bob from 192.0.2.1 port 1";
    let stages = "syslog | parse 'for * from * ' as who, from_ip";
    check(stages, "program, who, from_ip", line, "sshd bob 192.0.2.1");
}
