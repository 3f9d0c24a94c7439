//! The trees of patterns.

use super::*;
use crate::pattern::symbol::symbols;
use memberd_control::grep::GrepCharacters;

fn read(language: Language, pattern: &str) -> Result<Node, PatternError> {
    parse(language, &symbols(GrepCharacters::Utf8, pattern.as_bytes()))
}

fn basic(pattern: &str) -> Node {
    read(Language::Basic, pattern).unwrap()
}

fn extended(pattern: &str) -> Node {
    read(Language::Extended, pattern).unwrap()
}

fn literals(text: &str) -> Node {
    let mut nodes: Vec<Node> = text.chars().map(Node::Literal).collect();
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            Node::Sequence(nodes)
        }
    }
}

fn group(inner: Node) -> Node {
    Node::Group(Box::new(inner))
}

fn times(node: Node, least: u32, most: Option<u32>) -> Node {
    Node::Repeat { node: Box::new(node), least, most }
}

#[test]
fn the_two_languages_spell_the_same_operators() {
    for (left, right) in [
        ("\\(a\\|b\\)*", "(a|b)*"),
        ("a\\{2,3\\}", "a{2,3}"),
        ("a\\+b\\?", "a+b?"),
        ("(a)", "\\(a\\)"),
        ("a|b", "a\\|b"),
        ("{+?", "\\{\\+\\?"),
        ("\\<a\\>", "\\<a\\>"),
    ] {
        assert_eq!(basic(left), extended(right), "{left} {right}");
    }
}

#[test]
fn a_star_is_a_character_where_a_basic_pattern_begins() {
    assert_eq!(basic("*a"), literals("*a"));
    assert_eq!(basic("\\(*a\\)"), group(literals("*a")));
    assert_eq!(basic("a\\|*b"), Node::Alternation(vec![literals("a"), literals("*b")]));
    assert_eq!(basic("**"), times(literals("*"), 0, None));
    assert_eq!(basic("^*"), Node::Sequence(vec![Node::Anchor(Anchor::LineStart), literals("*")]));
}

#[test]
fn anchors_of_basic_patterns_stand_only_at_the_ends() {
    assert_eq!(basic("a^b$c"), literals("a^b$c"));
    let anchored = Node::Sequence(vec![
        Node::Anchor(Anchor::LineStart),
        literals("a"),
        Node::Anchor(Anchor::LineEnd),
    ]);
    assert_eq!(basic("\\(^a$\\)"), group(anchored.clone()));
    assert_eq!(extended("^a$"), anchored);
    assert!(matches!(
        extended("a^b"),
        Node::Sequence(nodes) if nodes[1] == Node::Anchor(Anchor::LineStart)
    ));
}

#[test]
fn other_braces_are_characters_in_extended_patterns() {
    assert_eq!(extended("a{x}"), literals("a{x}"));
    assert_eq!(extended("a{1"), literals("a{1"));
    assert_eq!(extended("{"), literals("{"));
    assert_eq!(extended("a{,3}"), times(literals("a"), 0, Some(3)));
    assert_eq!(extended("a{2,}"), times(literals("a"), 2, None));
}

#[test]
fn stacked_repetitions_collapse_where_they_mean_one() {
    assert_eq!(extended("a**"), times(literals("a"), 0, None));
    assert_eq!(extended("a+*"), times(literals("a"), 0, None));
    assert_eq!(extended("a*+?"), times(literals("a"), 0, None));
    assert_eq!(extended("a?*"), times(times(literals("a"), 0, Some(1)), 0, None));
}

#[test]
fn back_references_name_groups_that_are_closed() {
    assert!(
        matches!(basic("\\(a\\)\\1"), Node::Sequence(nodes) if nodes[1] == Node::BackReference(1))
    );
    for pattern in ["\\1", "\\(a\\1\\)", "\\(a\\)\\2", "\\(a\\)\\|\\1"] {
        assert_eq!(read(Language::Basic, pattern), Err(PatternError::InvalidBackReference));
    }
}

#[test]
fn a_group_of_any_branch_may_be_named_after_the_branches() {
    assert!(read(Language::Extended, "((a)|(b))\\2\\3").is_ok());
    assert_eq!(read(Language::Extended, "((a)|(b)\\2)"), Err(PatternError::InvalidBackReference));
}

#[test]
fn an_invalid_byte_stands_for_itself_and_is_in_no_set() {
    let read =
        |pattern: &[u8]| parse(Language::Basic, &symbols(GrepCharacters::Utf8, pattern)).unwrap();
    assert_eq!(read(b"\xff"), Node::Byte(0xff));
    assert_eq!(read(b"\\\xff"), Node::Byte(0xff));
    let Node::Set(set) = read(b"[\xffa]") else { panic!("no set") };
    assert_eq!(set.items, [crate::pattern::tree::SetItem::Range('a', 'a')]);
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| "(".repeat(depth) + "a" + &")".repeat(depth);
    assert!(read(Language::Extended, &nested(MAX_NESTING)).is_ok());
    assert_eq!(read(Language::Extended, &nested(MAX_NESTING + 1)), Err(PatternError::TooBig));
}
