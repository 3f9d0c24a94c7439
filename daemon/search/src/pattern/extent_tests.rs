//! Leftmost-longest extents.

use super::*;
use crate::query::{Query, Syntax};

fn all(pattern: &str, words: bool, line: &[u8]) -> Vec<(usize, usize)> {
    let query = Query { patterns: vec![pattern.to_owned()], syntax: Syntax::Extended, words, ..Query::default() };
    let engine = Engine::new(crate::pattern::translate(&query).unwrap(), false).unwrap();
    let extents = Extents::new(&engine).unwrap();
    let mut cache = extents.cache();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = extents.next(&mut cache, line, at) {
        at = next.end.max(next.start + 1);
        found.push((next.start, next.end));
        if at > line.len() {
            break;
        }
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
fn bytes_that_are_no_characters_are_never_part_of_a_match_of_any_character() {
    assert_eq!(all("a.*", false, b"ab\xffcd"), [(0, 2)]);
    assert_eq!(all("[^x]+", false, b"ab\xff\xfecd"), [(0, 2), (4, 6)]);
}

#[test]
fn a_pattern_of_one_length_needs_no_second_search() {
    let query = Query { patterns: vec!["abc".to_owned(), "d[ef]g".to_owned()], ..Query::default() };
    let engine = Engine::new(crate::pattern::translate(&query).unwrap(), false).unwrap();
    assert!(Extents::new(&engine).unwrap().longest.is_none());
}
