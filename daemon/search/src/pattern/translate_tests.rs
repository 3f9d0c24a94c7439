//! Patterns in the syntax of the `regex` crates.

use super::*;
use crate::pattern::Patterns;
use crate::pattern::automaton::Automaton;
use crate::pattern::patterns::{Alternatives, nodes};
use crate::query::Query;
use memberd_control::grep::GrepSyntax;

fn query(syntax: GrepSyntax, patterns: &[&str]) -> Query {
    let patterns = patterns.iter().map(|pattern| pattern.as_bytes().to_vec()).collect();
    Query::default().with(|query| {
        query.pattern.patterns = patterns;
        query.pattern.syntax = syntax;
    })
}

fn expression(query: &Query) -> Result<String, PatternError> {
    let patterns = Patterns::parse(query)?;
    let nodes = match &patterns.language {
        Alternatives::Posix(nodes) => nodes.clone(),
        Alternatives::Texts(texts) => nodes(texts, patterns.settings.characters),
        Alternatives::Perl(_) => panic!("a Perl pattern"),
    };
    translate(&nodes, patterns.settings)
}

fn translated(syntax: GrepSyntax, patterns: &[&str]) -> String {
    expression(&query(syntax, patterns)).unwrap()
}

#[test]
fn basic_patterns_are_translated() {
    for (pattern, expected) in [
        ("", "(?:)"),
        ("abc", "abc"),
        ("a.c", "a.c"),
        ("a+b?(c)|{1}", r"a\+b\?\(c\)\|\{1\}"),
        ("\\(a\\|bc\\)*", "(?:a|bc)*"),
        ("a\\{2,\\}b\\{3\\}c\\{,4\\}", "a{2,}b{3,3}c{0,4}"),
        ("^a$", "(?m:^)a(?m:$)"),
        ("a^b$c", r"a\^b\$c"),
        ("\\<a\\>\\b\\B", r"\b{start}a\b{end}\b\B"),
        ("\\`a\\'", "(?m:^)a(?m:$)"),
        ("a\\.b\\*", r"a\.b\*"),
        ("\u{e9}~&#-", "\u{e9}\\~\\&\\#\\-"),
    ] {
        assert_eq!(
            translated(GrepSyntax::Basic, &[pattern]),
            format!("(?:{expected})"),
            "{pattern}"
        );
    }
}

#[test]
fn extended_patterns_are_translated() {
    for (pattern, expected) in [
        ("a|b||c", "a|b|(?:)|c"),
        ("(a|b)+c?", "(?:a|b)+c?"),
        ("()", "(?:(?:))"),
        ("*a", "(?:)a"),
        ("^*a", "(?:(?m:^))*a"),
        ("a{1,2}{3}", "(?:a{1,2}){3,3}"),
        ("a)b}", r"a\)b\}"),
    ] {
        assert_eq!(
            translated(GrepSyntax::Extended, &[pattern]),
            format!("(?:{expected})"),
            "{pattern}"
        );
    }
}

#[test]
fn brackets_hold_characters_without_other_meaning() {
    for (pattern, expected) in [
        ("[abc]", "[abc]"),
        ("[^a-c]", "[^a-c]"),
        ("[]a]", r"[\x5Da]"),
        ("[^]a]", r"[^\x5Da]"),
        ("[a\\]", r"[a\x5C]"),
        ("[a&&b]", r"[a\x26\x26b]"),
        ("[a~~b]", r"[a\x7E\x7Eb]"),
        ("[%--]", r"[\x25-\x2D]"),
        ("[a-]", r"[a\x2D]"),
        ("[[a]", r"[\x5Ba]"),
        ("[[=a=][.-.]]", r"[a\x2D]"),
        ("[[.a.]-c]", "[a-c]"),
        ("[[:digit:]x]", "[0-9x]"),
        ("[^[:digit:][:xdigit:]]", "[^0-90-9A-Fa-f]"),
        ("[a-[.z.]]", "[a-z]"),
    ] {
        assert_eq!(
            translated(GrepSyntax::Basic, &[pattern]),
            format!("(?:{expected})"),
            "{pattern}"
        );
    }
}

#[test]
fn fixed_strings_mean_themselves() {
    assert_eq!(translated(GrepSyntax::Fixed, &["a.*[b]\\"]), r"(?:a\.\*\[b\]\\)");
}

#[test]
fn several_patterns_and_lines_of_patterns_are_alternatives() {
    assert_eq!(translated(GrepSyntax::Basic, &["a\nb", "c"]), "(?:a)|(?:b)|(?:c)");
    assert_eq!(translated(GrepSyntax::Extended, &["a|b", ""]), "(?:a|b)|(?:(?:))");
}

#[test]
fn without_a_pattern_nothing_matches() {
    assert_eq!(translated(GrepSyntax::Basic, &[]), r"[^\s\S]");
}

#[test]
fn in_the_c_locale_a_byte_is_a_character() {
    let bytes = |pattern: &str| {
        expression(
            &query(GrepSyntax::Extended, &[pattern])
                .with(|query| query.pattern.characters = GrepCharacters::Bytes),
        )
        .unwrap()
    };
    assert_eq!(bytes("\u{e9}?"), r"(?:\xC3\xA9?)");
    assert_eq!(bytes("[\u{e9}]"), r"(?:[\xC3\xA9])");
    assert_eq!(bytes("\\w"), r"(?:[0-9A-Za-z\x5F])");
}

#[test]
fn a_line_that_ends_with_a_nul_byte_has_its_edges_only_there() {
    let query =
        |pattern| query(GrepSyntax::Basic, &[pattern]).with(|query| query.pattern.null_data = true);
    assert_eq!(expression(&query("^a$")).unwrap(), r"(?:\Aa\z)");
    assert_eq!(
        expression(&query("a").with(|query| query.pattern.whole_lines = true)).unwrap(),
        r"\A(?:(?:a))\z"
    );
}

#[test]
fn a_back_reference_is_a_copy_of_its_group_without_anchors() {
    for (pattern, expected) in [
        ("(a|b)\\1", "(?:a|b)(?:a|b)"),
        ("(^a)b\\1", "(?:(?m:^)a)b(?:(?:)a)"),
        ("(a)(\\1b)\\2", "a(?:(?:a)b)(?:(?:a)b)"),
        ("(a)\\1*", "a(?:(?:a))*"),
    ] {
        assert_eq!(
            translated(GrepSyntax::Extended, &[pattern]),
            format!("(?:{expected})"),
            "{pattern}"
        );
    }
}

#[test]
fn copies_of_copies_end_where_they_would_grow_without_bound() {
    let mut pattern = "(a)".to_owned();
    for group in 1..9 {
        pattern += &format!("({})", format!("\\{group}").repeat(50));
    }
    let text = translated(GrepSyntax::Extended, &[&pattern]);
    assert!(text.len() < 2 * MAX_COPIED && text.contains("(?s-u:.)*"), "{}", text.len());
}

#[test]
fn every_class_is_one_that_the_engine_knows() {
    for name in [
        "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
        "upper", "xdigit",
    ] {
        for ignore_case in [false, true] {
            for characters in [GrepCharacters::Utf8, GrepCharacters::Bytes] {
                let query = query(GrepSyntax::Basic, &[&format!("[[:{name}:]]")]).with(|query| {
                    query.pattern.ignore_case = ignore_case;
                    query.pattern.characters = characters;
                });
                let settings = Patterns::parse(&query).unwrap().settings;
                assert!(Automaton::new(expression(&query).unwrap(), settings).is_ok(), "{name}");
            }
        }
    }
}

#[test]
fn an_error_in_any_line_of_any_pattern_is_reported() {
    for patterns in [&["a", "b\n[c"][..], &["\\(a\\)\\1\n[c"]] {
        assert_eq!(
            expression(&query(GrepSyntax::Basic, patterns)),
            Err(PatternError::UnmatchedBracket)
        );
    }
}
