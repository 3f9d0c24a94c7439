//! Lists of strings against GNU grep: more than an automaton takes, with random options.

#![cfg(test)]

#[path = "support/cases.rs"]
mod cases;
mod support;

use memberd_search::{GrepCharacters, GrepColors, GrepPrint, GrepSyntax, Query};
use proptest::prelude::*;
use support::Bench;

/// Strings that begin alike, contain each other, and border on words.
fn strings() -> impl Strategy<Value = Vec<String>> {
    let short = "[abcKs_. -]{2,5}";
    let address = "1[0-2]\\.0\\.[0-2]\\.[0-9]{1,2}";
    let letters =
        prop::sample::select(vec!["\u{e9}t\u{e9}", "\u{c9}T", "stra\u{df}e", "\u{3c3}\u{3b1}"]);
    let one = prop_oneof![
        4 => short.prop_map(String::from),
        4 => address.prop_map(String::from),
        1 => letters.prop_map(str::to_owned),
    ];
    prop::collection::vec(one, 41..70)
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[abcABCksKS_. -]{1,4}".prop_map(String::from),
        3 => "1[0-2]\\.0\\.[0-3]\\.[0-9]{1,3}".prop_map(String::from),
        1 => prop::sample::select(vec!["\u{e9}T\u{c9}", "\u{e9}t", "\u{3a3}\u{391}", "STRA"])
            .prop_map(str::to_owned),
        3 => Just("\n".to_owned()),
        2 => Just(" ".to_owned()),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn query() -> impl Strategy<Value = Query> {
    let print = prop::sample::select(vec![
        GrepPrint::Lines,
        GrepPrint::Lines,
        GrepPrint::Matches,
        GrepPrint::Count,
        GrepPrint::FilesWithMatch,
    ]);
    let often = prop::array::uniform5(any::<bool>());
    let rare = prop::array::uniform4(prop::bool::weighted(0.2));
    (strings(), print, often, rare, prop::option::weighted(0.2, 0..3_u32)).prop_map(
        |(strings, what, often, rare, context)| {
            let [ignore_case, words, color, byte_offsets, bytes] = often;
            let [whole_lines, invert, null_data, empty] = rare;
            Query::default().with(|query| {
                query.pattern.patterns = strings.into_iter().map(String::into_bytes).collect();
                if empty {
                    query.pattern.patterns.push(Vec::new());
                }
                query.pattern.syntax = GrepSyntax::Fixed;
                query.pattern.characters =
                    if bytes { GrepCharacters::Bytes } else { GrepCharacters::Utf8 };
                query.pattern.ignore_case = ignore_case;
                query.pattern.words = words;
                query.pattern.whole_lines = whole_lines;
                query.pattern.invert = invert;
                query.pattern.null_data = null_data;
                query.printing.what = what;
                query.printing.byte_offsets = byte_offsets;
                query.printing.line_numbers = byte_offsets;
                query.printing.after_context = context;
                query.printing.colors = color.then(GrepColors::default);
            })
        },
    )
}

/// The differences that README.md lists, as far as these searches meet them.
fn differs_knowingly(query: &Query) -> bool {
    let shows_extents =
        query.printing.colors.is_some() || query.printing.what == GrepPrint::Matches;
    let has_empty = query.pattern.patterns.iter().any(Vec::is_empty);
    // With -x GNU grep sometimes takes the newline into the match. With -w it does not try every
    // other match at a place.
    (query.pattern.whole_lines && shows_extents)
        || (query.pattern.words && (shows_extents || has_empty))
}

proptest! {
    #![proptest_config(cases::the_same(400))]

    #[test]
    fn lists_of_strings_find_what_gnu_grep_finds(
        query in query(),
        texts in prop::collection::vec(text(), 1..3),
    ) {
        if differs_knowingly(&query) {
            return Ok(());
        }
        let names = ["a", "b"];
        let files: Vec<(&str, &[u8])> =
            names.iter().copied().zip(texts.iter().map(String::as_bytes)).collect();
        if let Some(difference) = Bench::new(&files).difference(&query) {
            return Err(TestCaseError::fail(difference));
        }
    }
}
