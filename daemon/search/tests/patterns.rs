//! The pattern languages against GNU grep: which lines are selected, which parts of them match, and the words of errors.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use memberd_search::{Print, Query, Syntax};
use support::Bench;

/// Lines that the patterns below tell apart.
const LINES: &[u8] = b"a\nab\nabc\naa\naaa\nb\nba\nabab\n*a\n*\n**\n+a\n?a\n^a\n$a\na^b\na$b\na$\n^\n$\n^*a\n{1}\n{1}a\n{1\n{\n}\n{,3}a\na{,3}\na{x}\na{1\na{1,2\n(a)\n()\n(\n)\na)\n|\na|b\n.\n\\\na\\b\n[\n]\n[a]\n-\na-z\n:\n[:\n=\n&\n&&\n~\n~~\n--\nd\nn\n \n\t\nfoo bar\nfoo-bar\n foo\nfoo \nfoo_bar\nfoobar\nbarfoo\nfoofoo foo\nFOO\nFoo\n_\n-foo\nfoo-foobar\n\n1\n12 34\nx1y\n\xc3\xa9\ncaf\xc3\xa9 noir\n\xc3\x89cole\n\xe6\x97\xa5\xe6\x9c\xac\n\xce\xa3\xcf\x83\xcf\x82\nthe quick brown fox\n";

/// One pattern a line.
const BASIC: &str = include_str!("tables/basic.txt");

const EXTENDED: &str = include_str!("tables/extended.txt");

/// Extended repetitions of nothing, and braces that may be one. GNU grep's two engines disagree on them: one selects the lines,
/// the other finds the extents for `-o`, `-w` and `-x`. Ours is the meaning that selects the lines.
const REPEATED_NOTHING: &str = include_str!("tables/repeated-nothing.txt");

/// Patterns that one or both languages refuse.
const BAD: &str = include_str!("tables/refused.txt");

fn bench() -> Bench {
    Bench::new(&[("lines", LINES)])
}

/// Tries every pattern of a table with every option set.
fn compare_all(table: &str, variants: &[Query]) {
    let bench = bench();
    let mut differences = Vec::new();
    for pattern in table.lines() {
        for variant in variants {
            let query = Query { patterns: vec![pattern.to_owned()], ..variant.clone() };
            if !differs_knowingly(&query) {
                differences.extend(bench.difference(&query, "C.UTF-8"));
            }
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// The differences that README.md lists, where the tables above run into them.
fn differs_knowingly(query: &Query) -> bool {
    match query.patterns[0].as_str() {
        // -w and a pattern that also matches the empty string.
        "**" | "$*" | "[^a]*" => query.words && query.print == Print::Lines,
        // -i -o and a backslash before an ordinary letter: GNU selects the line and then finds no match in it.
        "\\d" | "\\n" => query.ignore_case && query.print == Print::Matches,
        // glibc's C.UTF-8 has no ranges beyond ASCII.
        "[\u{e0}-\u{ff}]" => true,
        _ => false,
    }
}

fn query(syntax: Syntax, print: Print) -> Query {
    Query { syntax, print, line_numbers: true, ..Query::default() }
}

/// What each pattern is tried with.
fn variants(syntax: Syntax) -> Vec<Query> {
    let lines = query(syntax, Print::Lines);
    let matches = query(syntax, Print::Matches);
    vec![
        Query { invert: true, ..lines.clone() },
        Query { ignore_case: true, ..matches.clone() },
        Query { words: true, ..matches.clone() },
        Query { words: true, ..lines.clone() },
        Query { whole_lines: true, ..matches.clone() },
        Query { whole_lines: true, ignore_case: true, ..lines.clone() },
        Query { color: true, ..lines.clone() },
        lines,
        matches,
    ]
}

#[test]
fn basic_patterns_match_what_they_match_in_gnu_grep() {
    compare_all(BASIC, &variants(Syntax::Basic));
}

#[test]
fn extended_patterns_match_what_they_match_in_gnu_grep() {
    compare_all(EXTENDED, &variants(Syntax::Extended));
}

#[test]
fn repetitions_of_nothing_select_the_lines_that_they_select_in_gnu_grep() {
    compare_all(REPEATED_NOTHING, &[query(Syntax::Extended, Print::Lines)]);
}

#[test]
fn fixed_strings_match_what_they_match_in_gnu_grep() {
    compare_all(BASIC, &variants(Syntax::Fixed));
}

#[test]
fn patterns_are_refused_in_the_words_of_gnu_grep() {
    for syntax in [Syntax::Basic, Syntax::Extended] {
        compare_all(BAD, &[query(syntax, Print::Lines)]);
    }
}
