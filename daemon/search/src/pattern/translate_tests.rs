//! Patterns in the syntax of the `regex` crates.

use super::*;

fn translated(syntax: Syntax, patterns: &[&str]) -> String {
    let query = Query { patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(), syntax, ..Query::default() };
    translate(&query).unwrap()
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
        assert_eq!(translated(Syntax::Basic, &[pattern]), format!("(?:{expected})"), "{pattern}");
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
        assert_eq!(translated(Syntax::Extended, &[pattern]), format!("(?:{expected})"), "{pattern}");
    }
}

#[test]
fn brackets_hold_characters_and_nothing_of_theirs_has_another_meaning() {
    for (pattern, expected) in [
        ("[abc]", "[abc]"),
        ("[^a-c]", "[^a-c]"),
        ("[]a]", r"[\x{5D}a]"),
        ("[^]a]", r"[^\x{5D}a]"),
        ("[a\\]", r"[a\x{5C}]"),
        ("[a&&b]", r"[a\x{26}\x{26}b]"),
        ("[a~~b]", r"[a\x{7E}\x{7E}b]"),
        ("[%--]", r"[\x{25}-\x{2D}]"),
        ("[a-]", r"[a\x{2D}]"),
        ("[[a]", r"[\x{5B}a]"),
        ("[[=a=][.-.]]", r"[a\x{2D}]"),
        ("[[.a.]-c]", "[a-c]"),
        ("[[:digit:]x]", "[0-9x]"),
        ("[^[:digit:][:xdigit:]]", "[^0-90-9A-Fa-f]"),
        ("[a-[.z.]]", "[a-z]"),
    ] {
        assert_eq!(translated(Syntax::Basic, &[pattern]), format!("(?:{expected})"), "{pattern}");
    }
}

#[test]
fn fixed_strings_mean_themselves() {
    assert_eq!(translated(Syntax::Fixed, &["a.*[b]\\"]), r"(?:a\.\*\[b\]\\)");
}

#[test]
fn several_patterns_and_lines_of_patterns_are_alternatives() {
    assert_eq!(translated(Syntax::Basic, &["a\nb", "c"]), "(?:a)|(?:b)|(?:c)");
    assert_eq!(translated(Syntax::Extended, &["a|b", ""]), "(?:a|b)|(?:(?:))");
}

#[test]
fn without_a_pattern_nothing_matches() {
    assert_eq!(translated(Syntax::Basic, &[]), r"[^\s\S]");
}

#[test]
fn every_class_is_one_that_the_engine_knows() {
    for name in ["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"] {
        for ignore_case in [false, true] {
            let pattern = translated(Syntax::Basic, &[&format!("[[:{name}:]]")]);
            assert!(Engine::new(pattern, ignore_case).is_ok(), "{name}");
        }
    }
}

#[test]
fn what_is_wrong_with_any_line_of_any_pattern_is_said() {
    let query = Query { patterns: vec!["a".to_owned(), "b\n[c".to_owned()], ..Query::default() };
    assert_eq!(translate(&query), Err(PatternError::UnmatchedBracket));
    let both = Query { patterns: vec!["\\(a\\)\\1\n[c".to_owned()], ..Query::default() };
    assert_eq!(translate(&both), Err(PatternError::UnmatchedBracket));
}
