//! The pattern languages, compared with GNU grep's: selected lines, the matches in them, and the
//! texts of errors.

#![cfg(test)]

mod support;

use memberd_search::{GrepBinary, GrepCharacters, GrepColors, GrepPrint, GrepSyntax, Query};
use support::{Bench, assert_none};

/// Lines that the patterns below distinguish.
const LINES: &[u8] = b"a\nab\nabc\naa\naaa\nb\nba\nabab\n*a\n*\n**\n+a\n?a\n^a\n$a\na^b\na$b\na$\n\
    ^\n$\n^*a\n{1}\n{1}a\n{1\n{\n}\n{,3}a\na{,3}\na{x}\na{1\na{1,2\n(a)\n()\n\
    (\n)\na)\n|\na|b\n.\n\\\na\\b\n[\n]\n[a]\n-\na-z\n:\n[:\n=\n&\n&&\n~\n~~\n\
    --\nd\nn\n \n\t\nfoo bar\nfoo-bar\n foo\nfoo \nfoo_bar\nfoobar\nbarfoo\n\
    foofoo foo\nFOO\nFoo\n_\n-foo\nfoo-foobar\n\n1\n12 34\nx1y\n\xc3\xa9\ncaf\xc3\xa9 noir\n\
    \xc3\x89cole\n\xe6\x97\xa5\xe6\x9c\xac\n\xce\xa3\xcf\x83\xcf\x82\nthe quick brown fox\n";

/// One pattern a line.
const BASIC: &str = include_str!("tables/basic.txt");

const EXTENDED: &str = include_str!("tables/extended.txt");

/// Extended repetitions of nothing, and braces that may be one. GNU grep's two engines disagree on
/// them: one selects the lines, the other finds the extents for `-o`, `-w` and `-x`. Ours is the
/// meaning that selects the lines.
const REPEATED_NOTHING: &str = include_str!("tables/repeated-nothing.txt");

/// Patterns that one or both languages refuse.
const BAD: &str = include_str!("tables/refused.txt");

/// Patterns that PCRE2 refuses.
const BAD_PERL: &str = include_str!("tables/refused-perl.txt");

fn bench() -> Bench {
    Bench::new(&[("lines", LINES)])
}

/// Basic patterns with back-references.
const REFERENCES: &str = include_str!("tables/references.txt");

/// Perl patterns.
const PERL: &str = include_str!("tables/perl.txt");

/// Patterns with bytes that are not valid UTF-8, and with characters beyond ASCII.
const BYTES: &[&[u8]] = &[
    b"\xff",
    b"a\xff",
    b"[\xff]",
    b"[^\xff]",
    b"[a\xff]",
    b"\xff*",
    b"\xff\\?b",
    b".\xff",
    b"\xc3",
    b"\xa9$",
    b"\xc3\xa9",
    b"[\xc3\xa9]",
    b"caf.",
    b"caf..",
    b"caf.*",
    b"[^a-z]",
    b"\\w*\xff",
    b"\\\xff",
    b"\xe9",
    b"\xc9",
    b"[\xe0-\xff]",
];

/// Tries every pattern with every option set, in both locales.
fn compare_all<P: AsRef<[u8]>>(
    bench: &Bench,
    patterns: impl IntoIterator<Item = P>,
    variants: &[Query],
) {
    let mut differences = Vec::new();
    for pattern in patterns {
        for variant in variants {
            for characters in [GrepCharacters::Utf8, GrepCharacters::Bytes] {
                let query = variant.clone().with(|query| {
                    query.pattern.patterns = vec![pattern.as_ref().to_vec()];
                    query.pattern.characters = characters;
                });
                if !differs_knowingly(&query) {
                    differences.extend(bench.difference(&query));
                }
            }
        }
    }
    assert_none(&differences);
}

/// The differences that README.md lists, as far as the tables above meet them.
fn differs_knowingly(query: &Query) -> bool {
    let utf8 = query.pattern.characters == GrepCharacters::Utf8;
    match query.pattern.patterns[0].as_slice() {
        // A range whose ends are not characters; half a character with `-i`.
        b"[\xe0-\xff]" => return utf8,
        b"\xa9$" => return utf8 && query.pattern.ignore_case,
        _ => {}
    }
    match std::str::from_utf8(&query.pattern.patterns[0]).unwrap_or_default() {
        // -w and a pattern that also matches the empty string.
        "**" | "$*" | "[^a]*" => query.pattern.words && query.printing.what == GrepPrint::Lines,
        // -i -o and a backslash before an ordinary letter: GNU selects the line and then finds no
        // match in it.
        "\\d" | "\\n" if query.pattern.syntax != GrepSyntax::Perl => {
            query.pattern.ignore_case && query.printing.what == GrepPrint::Matches
        }
        // -i and a range that is not between letters: in the C locale GNU grep's two engines
        // disagree.
        "[--a]" | "[[.-.]-a]" | "[\\-z]" => !utf8 && query.pattern.ignore_case,
        // glibc's C.UTF-8 has no ranges beyond ASCII.
        "[\u{e0}-\u{ff}]" => utf8,
        // A setting at the beginning of a Perl pattern is in GNU grep's way with -w, a comment in
        // ours with -x.
        pattern if query.pattern.syntax == GrepSyntax::Perl && pattern.starts_with("(*") => {
            query.pattern.words && !query.pattern.whole_lines
        }
        pattern if pattern.starts_with("(?x)") => query.pattern.whole_lines,
        _ => false,
    }
}

fn query(syntax: GrepSyntax, print: GrepPrint) -> Query {
    Query::default().with(|query| {
        query.pattern.syntax = syntax;
        query.printing.what = print;
        query.printing.line_numbers = true;
    })
}

/// What each pattern is tried with.
fn variants(syntax: GrepSyntax) -> Vec<Query> {
    let lines = query(syntax, GrepPrint::Lines);
    let matches = query(syntax, GrepPrint::Matches);
    vec![
        lines.clone().with(|query| query.pattern.invert = true),
        matches.clone().with(|query| query.pattern.ignore_case = true),
        matches.clone().with(|query| query.pattern.words = true),
        lines.clone().with(|query| query.pattern.words = true),
        matches.clone().with(|query| query.pattern.whole_lines = true),
        lines.clone().with(|query| {
            query.pattern.whole_lines = true;
            query.pattern.ignore_case = true;
        }),
        lines.clone().with(|query| query.printing.colors = Some(GrepColors::default())),
        lines,
        matches,
    ]
}

#[test]
fn basic_patterns_match_what_they_match_in_gnu_grep() {
    compare_all(&bench(), BASIC.lines(), &variants(GrepSyntax::Basic));
}

#[test]
fn extended_patterns_match_what_they_match_in_gnu_grep() {
    compare_all(&bench(), EXTENDED.lines(), &variants(GrepSyntax::Extended));
}

#[test]
fn repetitions_of_nothing_select_the_lines_of_gnu_grep() {
    compare_all(
        &bench(),
        REPEATED_NOTHING.lines(),
        &[query(GrepSyntax::Extended, GrepPrint::Lines)],
    );
}

#[test]
fn fixed_strings_match_what_they_match_in_gnu_grep() {
    compare_all(&bench(), BASIC.lines(), &variants(GrepSyntax::Fixed));
}

#[test]
fn back_references_match_what_they_match_in_gnu_grep() {
    compare_all(&bench(), REFERENCES.lines(), &variants(GrepSyntax::Basic));
}

#[test]
fn perl_patterns_match_what_they_match_in_gnu_grep() {
    compare_all(&bench(), PERL.lines(), &variants(GrepSyntax::Perl));
}

#[test]
fn bytes_match_what_they_match_in_gnu_grep() {
    let odd = b"ab\n\xff\na\xff\xff\nb\xffb\n\xc3\n\xa9\n\xc3\xa9\ncaf\xc3\xa9\ncaf\xc3\n\
        caf\xe9\n\xe9\xc9\n\xf0\x9f\x98\n\xed\xa0\x80\nlast\xff";
    let bench = Bench::new(&[("odd", odd), ("lines", LINES)]);
    for syntax in [GrepSyntax::Basic, GrepSyntax::Fixed] {
        // Words beside bytes that are not characters are among the known differences.
        let variants: Vec<Query> =
            variants(syntax).into_iter().filter(|query| !query.pattern.words).collect();
        compare_all(&bench, BYTES, &variants);
        let text: Vec<Query> = variants
            .into_iter()
            .map(|query| query.with(|query| query.printing.binary = GrepBinary::Text))
            .collect();
        compare_all(&bench, BYTES, &text);
    }
}

#[test]
fn patterns_are_refused_in_the_words_of_gnu_grep() {
    for syntax in [GrepSyntax::Basic, GrepSyntax::Extended] {
        compare_all(&bench(), BAD.lines(), &[query(syntax, GrepPrint::Lines)]);
    }
    compare_all(&bench(), BAD_PERL.lines(), &[query(GrepSyntax::Perl, GrepPrint::Lines)]);
    let several = query(GrepSyntax::Perl, GrepPrint::Lines)
        .with(|query| query.pattern.patterns = vec![b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(bench().difference(&several), None);
}
