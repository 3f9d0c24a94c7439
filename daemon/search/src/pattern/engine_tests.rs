//! Which engine a query gets, and what patterns with back-references match.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::memory::MemoryBudget;
use crate::query::Query;
use memberd_control::grep::GrepSyntax;

fn query(pattern: &str) -> Query {
    Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.as_bytes().to_vec()];
        query.pattern.syntax = GrepSyntax::Extended;
    })
}

fn engine(query: &Query) -> Engine {
    Engine::new(&Patterns::parse(query).unwrap()).unwrap()
}

fn matches(query: &Query, line: &[u8]) -> bool {
    let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
    engine(query).matcher(&Budget::new(&cancel, &memory)).is_match(line).unwrap()
}

#[test]
fn only_patterns_that_need_it_are_matched_by_backtracking() {
    assert!(matches!(engine(&query("(a)b")), Engine::Automaton(_)));
    assert!(matches!(engine(&query("(a)\\1")), Engine::References(_)));
    assert!(matches!(
        engine(&query("a").with(|query| query.pattern.syntax = GrepSyntax::Perl)),
        Engine::Perl(_)
    ));
    assert!(matches!(
        engine(&query("(a)\\1").with(|query| query.pattern.syntax = GrepSyntax::Fixed)),
        Engine::Automaton(_)
    ));
}

#[test]
fn a_candidate_is_not_yet_a_match() {
    let references = query("(a|b)\\1");
    let engine = engine(&references);
    let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
    let budget = Budget::new(&cancel, &memory);
    let found = engine.matcher(&budget).find_candidate_line(b"ab\n").unwrap();
    assert!(matches!(found, Some(LineMatchKind::Candidate(_))));
    assert!(!matches(&references, b"ab") && matches(&references, b"abb"));
}

/// The empty pattern alone needs no look at a line; what its options change does.
#[test]
fn the_empty_pattern_is_known_to_find_every_line() {
    let finds_all = |query: &Query| match engine(query) {
        Engine::Automaton(automaton) => automaton.finds_all(),
        _ => false,
    };
    assert!(finds_all(&query("")));
    assert!(finds_all(&query("").with(|query| query.pattern.syntax = GrepSyntax::Basic)));
    assert!(finds_all(&query("").with(|query| query.pattern.ignore_case = true)));
    assert!(!finds_all(&query("").with(|query| query.pattern.words = true)));
    assert!(!finds_all(&query("").with(|query| query.pattern.whole_lines = true)));
    assert!(!finds_all(&query("").with(|query| query.pattern.patterns.clear())));
    for pattern in ["x", "^", "$", "()", "x*", "\\<"] {
        assert!(!finds_all(&query(pattern)), "{pattern}");
    }
}

#[test]
fn patterns_with_and_without_back_references_combine() {
    let both =
        query("").with(|query| query.pattern.patterns = vec![b"(a|b)\\1".to_vec(), b"xy".to_vec()]);
    assert!(matches(&both, b"xy") && matches(&both, b"aa") && !matches(&both, b"abx"));
}

#[test]
fn what_a_group_matched_at_a_place_may_come_again_at_another() {
    assert!(matches(&query("(^a)b\\1"), b"aba"));
    assert!(matches(&query("(\\<a)\\1"), b"aa"));
}

#[test]
fn the_number_of_patterns_with_back_references_is_limited() {
    let many = query("")
        .with(|query| query.pattern.patterns = vec![b"(a)\\1".to_vec(); MAX_REFERENCES + 1]);
    assert_eq!(Engine::new(&Patterns::parse(&many).unwrap()).unwrap_err(), PatternError::TooBig);
}
