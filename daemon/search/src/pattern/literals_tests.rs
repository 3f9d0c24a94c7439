//! Sets of strings against a search that tries each of them at each place, and against the
//! automaton.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::memory::MemoryBudget;
use crate::pattern::automaton::Automaton;
use crate::pattern::{Engine, Extents, Patterns};
use crate::pattern::{patterns, translate};
use crate::query::Query;
use memberd_control::grep::GrepSyntax;

fn settings(characters: GrepCharacters, [ignore_case, words, whole_lines]: [bool; 3]) -> Settings {
    let query = Query::default().with(|query| {
        query.pattern.characters = characters;
        query.pattern.ignore_case = ignore_case;
        query.pattern.words = words;
        query.pattern.whole_lines = whole_lines;
    });
    Patterns::none(&query).settings
}

/// All matches of a set in a text, each begun behind the one before.
fn all(set: &Literals, text: &[u8]) -> Vec<(usize, usize)> {
    let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
    let budget = Budget::new(&cancel, &memory);
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(next) = set.find(text, at, &budget).unwrap() {
        found.push((next.start, next.end));
        at = next.end.max(next.start + 1);
    }
    found
}

fn set(texts: &str, options: [bool; 3]) -> Literals {
    Literals::new(texts.as_bytes(), settings(GrepCharacters::Utf8, options)).unwrap()
}

/// The same by the automaton of the strings.
fn by_automaton(texts: &[u8], settings: Settings, text: &[u8]) -> Vec<(usize, usize)> {
    let nodes = patterns::nodes(texts, settings.characters);
    let expression = translate::translate(&nodes, settings).unwrap();
    let engine = Engine::Automaton(Automaton::new(expression, settings).unwrap());
    let extents = Extents::new(&engine).unwrap();
    let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
    let (mut cache, budget) = (extents.cache(), Budget::new(&cancel, &memory));
    let (mut found, mut at) = (Vec::new(), 0);
    while at <= text.len()
        && let Some(next) = extents.next(&mut cache, &budget, text, at).unwrap()
    {
        found.push((next.start, next.end));
        at = next.end.max(next.start + 1);
    }
    found
}

const PLAIN: [bool; 3] = [false; 3];
const IGNORE_CASE: [bool; 3] = [true, false, false];
const WORDS: [bool; 3] = [false, true, false];

#[test]
fn the_longest_of_the_leftmost_wins() {
    assert_eq!(all(&set("foo\nfoobar\nbarbaz", PLAIN), b"xfoobarbaz foo"), [(1, 7), (11, 14)]);
    assert_eq!(all(&set("bcd\nabcde\nab", PLAIN), b"abcd"), [(0, 2)]);
    assert_eq!(all(&set("aa", PLAIN), b"aaaaa"), [(0, 2), (2, 4)]);
}

#[test]
fn a_shorter_string_counts_where_the_longer_is_no_word() {
    assert_eq!(all(&set("foo\nfoo-bar", WORDS), b"foo-barx foo-bar"), [(0, 3), (9, 16)]);
    assert_eq!(all(&set("10.0.0.1\n10.0.0.10", WORDS), b"10.0.0.100 10.0.0.1"), [(11, 19)]);
    assert_eq!(all(&set("a\nb a", WORDS), b"b ab a"), [(5, 6)]);
}

#[test]
fn every_case_of_a_letter_is_found_also_of_another_length() {
    let text = "\u{212a}ELVIN kelvin KELVIN stra\u{df}e STRA\u{1e9e}E \u{17f}top";
    let found = all(&set("kelvin\nSTRA\u{df}E\nstop", IGNORE_CASE), text.as_bytes());
    let matched: Vec<&str> = found.iter().map(|(start, end)| &text[*start..*end]).collect();
    assert_eq!(
        matched,
        ["\u{212a}ELVIN", "kelvin", "KELVIN", "stra\u{df}e", "STRA\u{1e9e}E", "\u{17f}top"]
    );
    assert_eq!(all(&set("i\u{307}x", IGNORE_CASE), "\u{130}X".as_bytes()), []);
}

#[test]
fn an_empty_string_is_found_between_all_characters() {
    assert_eq!(all(&set("\nb", PLAIN), b"ab"), [(0, 0), (1, 2), (2, 2)]);
    assert_eq!(all(&set("\nb", [false, false, true]), b"ab\n\nb"), [(3, 3), (4, 5)]);
}

#[test]
fn text_that_repeats_itself_ends_at_the_limit_of_time_or_before() {
    let (text, long) = (vec![b'a'; 40_000], vec![b'a'; 10_000]);
    let texts = [&long[..], b"b\n", &long, b"c"].concat();
    let set = Literals::new(&texts, settings(GrepCharacters::Utf8, IGNORE_CASE)).unwrap();
    let (cancel, memory) = (AtomicBool::new(true), MemoryBudget::default());
    let stopped = set.find(&text, 0, &Budget::new(&cancel, &memory));
    assert_eq!(stopped, Err(MatchFailure::Cancelled));
}

#[test]
fn many_strings_or_long_ones_are_a_set() {
    let utf8 = |ignore_case| settings(GrepCharacters::Utf8, [ignore_case, false, false]);
    assert!(!Literals::are_wanted(b"one\ntwo", utf8(true)));
    assert!(Literals::are_wanted(&"one\n".repeat(100).into_bytes(), utf8(true)));
    assert!(Literals::are_wanted(&[b'x'; 10_000], utf8(false)));
    assert!(!Literals::are_wanted(&[0xff; 10_000], utf8(true)), "no characters to fold");
}

#[test]
fn plain_patterns_of_any_syntax_are_a_set() {
    for (syntax, line) in [
        (GrepSyntax::Fixed, "a.b"),
        (GrepSyntax::Basic, "a\\.b"),
        (GrepSyntax::Extended, "a\\.b|c"),
    ] {
        let query = Query::default().with(|query| {
            query.pattern.patterns = (0..100).map(|at| format!("{line}{at}").into()).collect();
            query.pattern.syntax = syntax;
        });
        let engine = |query: &Query| Engine::new(&Patterns::parse(query).unwrap()).unwrap();
        assert!(matches!(engine(&query), Engine::Literals { .. }), "{line}");
        let other = query.with(|query| query.pattern.patterns.push(b"x*".to_vec()));
        let is_set = matches!(engine(&other), Engine::Literals { .. });
        assert_eq!(is_set, syntax == GrepSyntax::Fixed);
    }
}

#[test]
fn a_set_beyond_the_bound_is_too_big() {
    let texts = (0..200_000).map(|at| format!("{at}-")).collect::<Vec<_>>().join("\n");
    let large = settings(GrepCharacters::Utf8, PLAIN);
    Literals::new(texts.as_bytes(), large).unwrap();
    let small = Settings { compiled_bytes: 1 << 19, ..large };
    assert_eq!(Literals::new(texts.as_bytes(), small).unwrap_err(), PatternError::TooBig);
}

/// Strings and texts of pieces that overlap, fold and border on words in every way.
fn pieces(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "a", "A", "b", "ab", "k", "K", "\u{212a}", "s", "S", "\u{17f}", "\u{df}", "\u{1e9e}",
        "\u{e9}", "\u{c9}", "i", "I", "\u{130}", "\u{131}", "\u{3c3}", "\u{3c2}", "\u{3a3}", " ",
        "-", "_", "0", "\u{65e5}", "aaaaaaaa", "10.0.0.", "\u{2c65}", "\u{23a}",
    ]);
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat().into_bytes())
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let other = prop::collection::vec(prop::sample::select(b"ab\xc3\xa9\xff \0k".to_vec()), 0..8);
    (pieces(most), other, pieces(most)).prop_map(|(one, two, three)| [one, two, three].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The set finds what the automaton finds: with all options, in both locales.
    #[test]
    fn a_set_finds_what_the_automaton_finds(
        texts in prop::collection::vec(prop_oneof![4 => pieces(6), 1 => bytes(3)], 1..12),
        text in prop::collection::vec(prop_oneof![3 => pieces(8), 1 => bytes(4)], 1..5),
        picked in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        utf8 in any::<bool>(),
        options in any::<[bool; 3]>(),
        empty in prop::bool::weighted(0.1),
        long in any::<bool>(),
    ) {
        let characters = if utf8 { GrepCharacters::Utf8 } else { GrepCharacters::Bytes };
        let settings = settings(characters, options);
        let mut texts = texts;
        texts.retain(|text| empty || !text.is_empty());
        if long {
            // Sets without short strings look them up in another way.
            texts.iter_mut().for_each(|text| text.extend_from_slice(b"aAkb0.aK"));
        }
        prop_assume!(!texts.is_empty());
        let joined = texts.join(&b'\n');
        prop_assume!(!(utf8 && options[0]) || std::str::from_utf8(&joined).is_ok());
        let mut lines = text;
        for index in picked {
            lines.push(index.get(&texts).to_ascii_uppercase());
            lines.push(index.get(&texts).clone());
        }
        let set = Literals::new(&joined, settings).unwrap();
        for text in [lines.concat(), lines.join(&b'\n'), lines.join(&b' ')] {
            prop_assert_eq!(all(&set, &text), by_automaton(&joined, settings, &text));
        }
    }

    /// The same against a search that tries every string at every place, without an option.
    #[test]
    fn a_set_finds_what_trying_all_finds(
        texts in prop::collection::vec("[ab.0-2]{1,9}", 1..60),
        text in "[ab.0-2x\n]{0,200}",
    ) {
        let set = set(&texts.join("\n"), PLAIN);
        let (mut expected, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let here = texts.iter().filter(|one| text[at..].starts_with(one.as_str()));
            match here.map(String::len).max() {
                Some(length) => {
                    expected.push((at, at + length));
                    at += length;
                }
                None => at += 1,
            }
        }
        prop_assert_eq!(all(&set, text.as_bytes()), expected);
    }
}
