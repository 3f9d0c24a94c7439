//! The options against GNU grep: formats, counts, context, colours, binary files and exit statuses, over several files at once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use memberd_search::{Print, Query, Syntax};
use support::Bench;

fn bench() -> Bench {
    let long_line = [b"long foo ".as_slice(), &[b'x'; 200_000], b" foo end\nafter\n"].concat();
    let many: String = (0..3000).map(|n| format!("line {n} {}\n", if n % 7 == 0 { "foo" } else { "bar" })).collect();
    Bench::new(&[
        ("empty", b""),
        ("none", b"nothing here\nat all\n"),
        ("simple", b"foo\nbar\nfoo bar foo\nbaz\nqux\nfoo\n"),
        ("unended", b"bar\nfoo without newline"),
        ("adjacent", b"foo\nfoo\n1\n2\n3\n4\n5\nfoo\n6\nfoo\n7\n8\n9\nfoo\n"),
        ("blank", b"\n\nfoo\n\n"),
        ("nul", b"foo\nbar\0foo\nfoo\n"),
        ("nul-without-match", b"x\0y\nz\n"),
        ("long", &long_line),
        ("many", many.as_bytes()),
        ("crlf", b"foo\r\nbar\r\n"),
        ("zz", b"foo\n"),
    ])
}

/// Every print mode, with and without the other options.
fn variants() -> Vec<Query> {
    let prints = [Print::Lines, Print::Matches, Print::Count, Print::FilesWithMatch, Print::FilesWithoutMatch, Print::Nothing];
    let mut variants = Vec::new();
    for print in prints {
        for (before_context, after_context) in [(0, 0), (1, 0), (0, 1), (2, 2), (0, 3), (5, 0)] {
            for max_count in [None, Some(0), Some(1), Some(2)] {
                for flags in 0..16_u8 {
                    variants.push(Query {
                        print,
                        before_context,
                        after_context,
                        max_count,
                        invert: flags & 1 != 0,
                        line_numbers: flags & 2 != 0,
                        color: flags & 4 != 0,
                        no_names: flags & 8 != 0,
                        ..Query::default()
                    });
                }
            }
        }
    }
    variants
}

fn compare(patterns: &[&str], variants: &[Query]) {
    let bench = bench();
    let mut differences = Vec::new();
    for variant in variants {
        let query = Query { patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(), ..variant.clone() };
        differences.extend(bench.difference(&query, "C.UTF-8"));
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn options_print_what_they_print_in_gnu_grep() {
    compare(&["foo"], &variants());
}

#[test]
fn several_and_empty_and_no_patterns_are_as_in_gnu_grep() {
    let few: Vec<Query> = variants().into_iter().step_by(29).collect();
    for patterns in [&["foo", "baz"][..], &[""], &["", "foo"], &[], &["foo\nqux"], &["^$"], &["o*"]] {
        compare(patterns, &few);
    }
}

#[test]
fn plain_text_is_the_same_in_the_c_locale() {
    let bench = bench();
    for pattern in ["foo", "^[a-z]*$", "[[:alpha:]]\\+", "o.", "\\<b", "q\\|z"] {
        for print in [Print::Lines, Print::Matches, Print::Count] {
            let query = Query { patterns: vec![pattern.to_owned()], print, ..Query::default() };
            assert_eq!(bench.difference(&query, "C"), None);
        }
    }
}

#[test]
fn a_file_that_cannot_be_parsed_as_text_prints_its_bytes() {
    let bench = Bench::new(&[("latin1", b"caf\xe9 noir\n\xff\xfe\nplain\n")]);
    for (pattern, syntax) in [("noir", Syntax::Basic), ("caf", Syntax::Fixed), ("^p", Syntax::Extended)] {
        for print in [Print::Lines, Print::Matches, Print::Count] {
            let query = Query { patterns: vec![pattern.to_owned()], syntax, print, ..Query::default() };
            // In the C locale GNU grep takes every byte for a character, and prints them as we do.
            assert_eq!(bench.difference(&query, "C"), None);
        }
    }
}
