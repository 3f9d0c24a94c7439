//! PCRE2's limits, and its patterns as GNU grep takes them.

use super::*;
use crate::pattern::Patterns;
use crate::query::Query;
use memberd_control::grep::GrepSyntax;

fn perl_in(characters: GrepCharacters, pattern: &[u8]) -> Result<Backtracker, PatternError> {
    let query = Query::default().with(|query| {
        query.pattern.syntax = GrepSyntax::Perl;
        query.pattern.characters = characters;
    });
    Backtracker::perl(pattern, Patterns::none(&query).settings)
}

fn perl(pattern: &str) -> Backtracker {
    perl_in(GrepCharacters::Utf8, pattern.as_bytes()).unwrap()
}

fn find(pattern: &Backtracker, line: &[u8]) -> Result<Option<Range<usize>>, MatchFailure> {
    let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
    pattern.find_at(line, 0, &Budget::new(&cancel, &memory))
}

/// A pattern that takes endless steps, with little memory.
const EXPLOSIVE: &str = r"^(?:a|a)*?[bc]";

#[test]
fn a_pattern_that_explodes_is_stopped() {
    let line = [b'a'; 60];
    let started = Instant::now();
    assert_eq!(find(&perl(EXPLOSIVE), &line), Err(MatchFailure::Steps));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_pattern_can_lower_the_limits_and_cannot_raise_them() {
    let line = [b'a'; 60];
    for start in
        ["(*LIMIT_MATCH=4000000000)", "(*LIMIT_MATCH=100)", "(*UTF)(*LIMIT_MATCH=4000000000)"]
    {
        assert_eq!(
            find(&perl(&format!("{start}{EXPLOSIVE}")), &line),
            Err(MatchFailure::Steps),
            "{start}"
        );
    }
    // A busy machine may interrupt one for long, but not each.
    let is_quick = || {
        let started = Instant::now();
        assert_eq!(
            find(&perl(&format!("(*LIMIT_MATCH=100){EXPLOSIVE}")), &line),
            Err(MatchFailure::Steps)
        );
        started.elapsed() < Duration::from_millis(50)
    };
    assert!((0..100).any(|_| is_quick()));
}

#[test]
fn the_memory_for_a_match_is_limited_whatever_the_pattern_says() {
    let line = vec![b'a'; 8 * 1024 * 1024];
    for start in ["", "(*LIMIT_HEAP=4000000)"] {
        assert_eq!(find(&perl(&format!("{start}^(a|b)*+$")), &line[..1000]), Ok(Some(0..1000)));
        assert_eq!(
            find(&perl(&format!("{start}^(a|b)*$")), &line),
            Err(MatchFailure::Memory),
            "{start}"
        );
    }
}

/// The thread keeps little memory, and gives back what a line needed beyond that.
#[test]
fn a_line_that_needs_much_memory_takes_it_of_the_budget() {
    let line = vec![b'a'; 20_000];
    let pattern = perl("^(a|b)*$");
    let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
    let budget = Budget::new(&cancel, &memory);
    let lease = memory.try_take(Share::Match, MATCH_BYTES).unwrap();
    assert_eq!(pattern.find_at(&line[..500], 0, &budget), Ok(Some(0..500)), "none is needed");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| pattern.find_at(&line, 0, &budget));
        while memory.try_take(Share::Match, 0).is_some() {
            std::thread::yield_now();
        }
        drop(lease);
        assert_eq!(waiting.join().unwrap(), Ok(Some(0..20_000)));
    });
    assert_eq!(memory.used_bytes(), 0);
}

/// The frames of so many groups do not fit into the first attempt.
#[test]
fn a_pattern_of_many_groups_matches_as_one_of_few() {
    let pattern = perl(&format!("^{}x*$", "()".repeat(600)));
    assert_eq!(find(&pattern, &[b'x'; 100]), Ok(Some(0..100)));
    assert_eq!(find(&pattern, b"xy"), Ok(None));
}

#[test]
fn a_cancelled_search_tries_no_further_line() {
    let (cancel, memory) = (AtomicBool::new(true), MemoryBudget::default());
    let budget = Budget::new(&cancel, &memory);
    assert_eq!(perl("a").find_at(b"a", 0, &budget), Err(MatchFailure::Cancelled));
}

#[test]
fn the_time_of_all_lines_together_is_limited() {
    let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
    let budget = Budget::new(&cancel, &memory);
    budget.spend(SLOW_LINE / 2);
    assert!(!budget.is_spent() && perl("a").find_at(b"a", 0, &budget).is_ok());
    budget.spend(TIME_LIMIT);
    assert!(budget.is_spent());
    let words = perl("a").find_at(b"a", 0, &budget).unwrap_err().to_string();
    assert_eq!(words, "the pattern kept the search busy for 60 s with backtracking: it ends here");
}

#[test]
fn the_time_of_all_threads_together_is_limited() {
    let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
    let budget = Budget::new(&cancel, &memory);
    let spend = |threads: u32| {
        std::thread::scope(|scope| {
            (0..threads).for_each(|_| drop(scope.spawn(|| budget.spend(TIME_LIMIT / 4))));
        });
    };
    spend(3);
    assert!(!budget.is_spent() && perl("a").find_at(b"a", 0, &budget).is_ok());
    spend(1);
    assert!(budget.is_spent());
    std::thread::scope(|scope| {
        let others = [(); 2].map(|()| scope.spawn(|| perl("a").find_at(b"a", 0, &budget)));
        others
            .into_iter()
            .for_each(|other| assert_eq!(other.join().unwrap(), Err(MatchFailure::Time)));
    });
}

#[test]
fn only_ascii_has_classes_unless_the_pattern_asks_for_more() {
    let line = "\u{e9}".as_bytes();
    assert_eq!(find(&perl(r"\w"), line), Ok(None));
    assert_eq!(find(&perl(r"(*UCP)\w"), line), Ok(Some(0..2)));
    assert_eq!(find(&perl("."), line), Ok(Some(0..2)));
    assert_eq!(find(&perl_in(GrepCharacters::Bytes, b".").unwrap(), line), Ok(Some(0..1)));
}

#[test]
fn invalid_bytes_match_only_in_the_c_locale() {
    assert_eq!(find(&perl("b.*"), b"ab\xffcb\n"), Ok(Some(1..2)));
    assert_eq!(perl_in(GrepCharacters::Utf8, b"\xff").unwrap_err(), PatternError::PerlNotUtf8);
    assert_eq!(
        find(&perl_in(GrepCharacters::Bytes, b"a[\xfe\xff]").unwrap(), b"xa\xff"),
        Ok(Some(1..3))
    );
}

#[test]
fn errors_have_the_texts_of_pcre2() {
    let error = perl_in(GrepCharacters::Utf8, b"a(").unwrap_err();
    assert_eq!(error.to_string(), "missing closing parenthesis");
}
