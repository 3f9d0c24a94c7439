//! Patterns in the syntax of PCRE2.

use super::*;
use crate::pattern::Patterns;
use crate::pattern::backtrack::Backtracker;
use crate::pattern::patterns::Alternatives;
use crate::query::Query;
use memberd_control::grep::GrepSyntax;

fn written(query: &Query) -> String {
    let patterns = Patterns::parse(query).unwrap();
    let Alternatives::Posix(nodes) = &patterns.language else { panic!("a Perl pattern") };
    write(&nodes[0], patterns.settings).unwrap()
}

fn query(pattern: &str) -> Query {
    Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.as_bytes().to_vec()];
        query.pattern.syntax = GrepSyntax::Extended;
    })
}

#[test]
fn groups_are_kept_and_named_by_number() {
    for (pattern, expected) in [
        ("(a|b)\\1", r"(a|b)\g{1}"),
        ("(a)*\\1{2,3}", r"(?:(a))*(?:\g{1}){2,3}"),
        ("^.[xy-]$", r"\A(?s:.)(?:[\x{78}\x{79}\x{2D}])\z"),
        ("\\<a#\\>", r"(?:\b(?=\w))a\x{23}(?:\b(?<=\w))"),
        ("[^[:digit:]_]", r"(?:(?![0-9]|[\x{5F}])(?s:.))"),
    ] {
        assert_eq!(written(&query(pattern)), expected, "{pattern}");
    }
}

#[test]
fn words_and_whole_lines_are_part_of_the_pattern() {
    assert_eq!(
        written(&query("a").with(|query| query.pattern.words = true)),
        r"(?<!\w)(?:a)(?!\w)"
    );
    assert_eq!(
        written(&query("a").with(|query| {
            query.pattern.words = true;
            query.pattern.whole_lines = true;
        })),
        r"\A(?:a)\z"
    );
}

#[test]
fn every_class_is_one_that_pcre2_knows() {
    for name in [
        "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
        "upper", "xdigit",
    ] {
        for characters in [GrepCharacters::Utf8, GrepCharacters::Bytes] {
            for pattern in [format!("[[:{name}:]]"), format!("[^[:{name}:]a]")] {
                let query = query(&pattern).with(|query| query.pattern.characters = characters);
                let settings = Patterns::parse(&query).unwrap().settings;
                Backtracker::posix(written(&query), 512, settings).unwrap();
            }
        }
    }
}
