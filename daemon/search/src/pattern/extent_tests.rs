//! Leftmost-longest extents.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::memory::MemoryBudget;
use crate::pattern::Patterns;
use crate::query::Query;
use memberd_control::grep::GrepSyntax;

fn extents(query: &Query) -> Extents {
    Extents::new(&Engine::new(&Patterns::parse(query).unwrap()).unwrap()).unwrap()
}

fn all(pattern: &str, words: bool, line: &[u8]) -> Vec<(usize, usize)> {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.as_bytes().to_vec()];
        query.pattern.syntax = GrepSyntax::Extended;
        query.pattern.words = words;
    });
    let (extents, cancel) = (extents(&query), AtomicBool::new(false));
    let memory = MemoryBudget::default();
    let (mut cache, budget) = (extents.cache(), Budget::new(&cancel, &memory));
    let mut found = Vec::new();
    let mut at = 0;
    while at <= line.len()
        && let Some(next) = extents.next(&mut cache, &budget, line, at).unwrap()
    {
        at = next.end.max(next.start + 1);
        found.push((next.start, next.end));
    }
    found
}

#[test]
fn the_longest_of_the_alternatives_wins_whatever_their_order() {
    assert_eq!(all("a|ab", false, b"ab"), [(0, 2)]);
    assert_eq!(all("(a|ab)(c|bcd)", false, b"abcd"), [(0, 4)]);
    assert_eq!(all("foo|foobar|foobarbaz", false, b"xfoobarx"), [(1, 7)]);
}

#[test]
fn the_leftmost_start_wins_over_a_longer_match() {
    assert_eq!(all("b|abc|abcd|bcdefg", false, b"abcdefg"), [(0, 4)]);
}

#[test]
fn words_end_where_a_word_ends() {
    assert_eq!(all("foo|foo-bar", true, b"foo-barx foo-bar"), [(0, 3), (9, 16)]);
}

#[test]
fn word_boundaries_beside_other_letters_than_ascii_are_found() {
    let line = "caf\u{e9} caf caf\u{e9}s".as_bytes();
    assert_eq!(all("caf.*s|caf\u{e9}?\\b", false, line), [(0, 16)]);
    assert_eq!(all("caf|caf\u{e9}", true, line), [(0, 5), (6, 9)]);
}

#[test]
fn invalid_bytes_are_not_matched_by_any_character() {
    assert_eq!(all("a.*", false, b"ab\xffcd"), [(0, 2)]);
    assert_eq!(all("[^x]+", false, b"ab\xff\xfecd"), [(0, 2), (4, 6)]);
}

#[test]
fn a_pattern_of_one_length_needs_no_second_search() {
    let query = Query::default()
        .with(|query| query.pattern.patterns = vec![b"abc".to_vec(), b"d[ef]g".to_vec()]);
    assert!(extents(&query).automaton.unwrap().longest.is_none());
}

#[test]
fn the_longest_match_wins_with_and_without_back_references() {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![b"ab".to_vec(), b"\\(a\\)b\\1".to_vec(), b"xx".to_vec()];
    });
    let (extents, cancel) = (extents(&query), AtomicBool::new(false));
    let memory = MemoryBudget::default();
    let (mut cache, budget) = (extents.cache(), Budget::new(&cancel, &memory));
    let mut next = |from| extents.next(&mut cache, &budget, b"-abab xx", from).unwrap();
    assert_eq!((next(0), next(4), next(5)), (Some(1..4), Some(6..8), Some(6..8)));
}
