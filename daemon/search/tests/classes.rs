//! Character classes against GNU grep in C.UTF-8, over every character of the first two planes.

#![cfg(test)]

mod support;

use std::collections::BTreeSet;

use memberd_search::{GrepPrint, Query};
use support::Bench;

/// The characters on which the two differ.
fn differences(pattern: &str, ignore_case: bool) -> BTreeSet<char> {
    let all = '\u{1}'..'\u{20000}';
    let mut text = String::new();
    for c in all.filter(|c| *c != '\n') {
        text.push(c);
        text.push('\n');
    }
    let bench = Bench::new(&[("every", text.as_bytes())]);
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.as_bytes().to_vec()];
        query.printing.what = GrepPrint::Lines;
        query.printing.no_names = true;
        query.pattern.ignore_case = ignore_case;
    });
    let characters = |output: Vec<u8>| -> BTreeSet<char> {
        String::from_utf8(output).unwrap().chars().collect()
    };
    let ours = characters(bench.ours(&query).output);
    let theirs = characters(bench.theirs(&query).unwrap().output);
    ours.symmetric_difference(&theirs).copied().collect()
}

/// Characters whose properties are the same in the Unicode versions of both: Latin, and a large
/// block of Chinese.
fn is_settled(c: char) -> bool {
    matches!(c, '\0'..'\u{300}' | '\u{4E00}'..='\u{9FFF}')
}

#[test]
fn classes_hold_what_they_hold_in_gnu_grep() {
    for class in [
        "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
        "upper", "xdigit",
    ] {
        let odd = differences(&format!("^[[:{class}:]]$"), false);
        assert!(!odd.iter().copied().any(is_settled), "[:{class}:] {odd:?}");
        // Newer versions of Unicode have added the rest.
        assert!(odd.len() < 12_000, "[:{class}:] {}", odd.len());
    }
    for escape in [".", "\\s", "\\S"] {
        let odd = differences(&format!("^{escape}$"), false);
        assert!(odd.is_empty(), "{escape} {odd:?}");
    }
    for escape in ["\\w", "\\W", "\\<", "\\b"] {
        let odd = differences(escape, false);
        assert!(!odd.iter().copied().any(is_settled), "{escape} {odd:?}");
    }
}

#[test]
fn case_pairs_are_those_of_gnu_grep_but_for_three() {
    // The dotless i, the Kelvin sign and the capital sharp s.
    let known = ['\u{131}', '\u{212A}', '\u{1E9E}'];
    for letter in ["a", "z", "k", "s", "i", "\u{e9}", "\u{df}", "\u{3c3}", "\u{436}"] {
        let odd = differences(letter, true);
        assert!(odd.iter().all(|c| known.contains(c)), "{letter} {odd:?}");
    }
}
