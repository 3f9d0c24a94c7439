//! A search that leaves out blocks by their filter prints what the full search prints.

#![cfg(test)]

#[path = "support/cases.rs"]
mod cases;

use std::sync::atomic::AtomicBool;

use memberd_copies::filter::{Builder, Filter};
use memberd_search::{GrepCharacters, GrepPrint, GrepSyntax, Output, Query, Stopped};
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Debug, Default, PartialEq, Eq)]
struct Printed {
    lines: Vec<u8>,
    messages: Vec<String>,
}

impl Output for Printed {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.lines.extend(bytes);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(text);
        Ok(())
    }
}

fn search(query: &Query, text: &[u8]) -> (Printed, u64) {
    let mut printed = Printed::default();
    let never = AtomicBool::new(false);
    let search = query.compile().unwrap();
    let totals = search.run_stream("m1", "f", &mut &*text, &mut printed, &never);
    (printed, totals.lines)
}

/// The text with an empty line in the place of each line of a block that is left out: so the others
/// keep their numbers.
fn without_others(query: &Query, blocks: &[Vec<u8>]) -> (Vec<u8>, usize) {
    let mut builder = Builder::new(false);
    blocks.iter().for_each(|block| builder.add(block));
    let bytes = builder.finish(1 << 16);
    let filter = Filter::parse(&bytes).unwrap();
    let search = query.compile().unwrap();
    let count = |block: &Vec<u8>| block.iter().filter(|byte| **byte == b'\n').count();
    let lines: Vec<u32> = blocks.iter().map(|block| u32::try_from(count(block)).unwrap()).collect();
    let context = |lines: Option<u32>| lines.unwrap_or(0);
    let kept = filter.blocks(search.needs()).with_context(
        &lines,
        context(query.printing.before_context),
        context(query.printing.after_context),
    );
    let text = |(at, block): (usize, &Vec<u8>)| {
        if kept.contains(at) { block.clone() } else { vec![b'\n'; count(block)] }
    };
    (blocks.iter().enumerate().flat_map(text).collect(), blocks.len() - kept.count())
}

fn part() -> impl Strategy<Value = String> {
    let atom = select(vec![
        "error",
        "user=",
        "12345",
        "4711",
        "k8s",
        "Task",
        "TIMEOUT",
        "a1b2c3d4e5f60718",
        "x",
        " ",
        ".",
        "[0-9]",
        "[Kk]8",
        "gr\u{fc}n",
        "10\\.88\\.0\\.17",
        "\\w",
        "-",
    ]);
    let suffix = select(vec!["", "", "", "", "*", "+", "?", "{2}"]);
    let leaf = (atom, suffix.clone()).prop_map(|(atom, suffix)| match suffix {
        "" => atom.to_owned(),
        _ => format!("({atom}){suffix}"),
    });
    leaf.prop_recursive(2, 8, 3, move |inner| {
        let several = prop::collection::vec(inner, 1..3).prop_map(|parts| parts.concat());
        prop_oneof![
            (several.clone(), suffix.clone())
                .prop_map(|(inner, suffix)| format!("({inner}){suffix}")),
            (several.clone(), several.clone()).prop_map(|(a, b)| format!("({a}|{b})")),
            several,
        ]
    })
}

/// Blocks of lines. Now and then one ends within a line, or has a NUL byte.
fn blocks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = select(vec![
        "error",
        "Error",
        "user=12345",
        "user=4711",
        "k8s",
        "\u{212a}8\u{17f}",
        "Task",
        "timeout",
        "TIMEOUT",
        "a1b2c3d4e5f60718",
        "xa1b2c3d4e5f60718",
        "10.88.0.17",
        "gr\u{fc}n",
        " ",
        "-",
        "x",
        "11:22:33.12345Z",
        "12345678-1234-1234-1234-123456789012",
    ]);
    let line = prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat() + "\n");
    let end = select(vec!["", "", "", "", "", "", "", "", "Task", "\0\n"]);
    let block = (prop::collection::vec(line, 0..5), end)
        .prop_map(|(lines, end)| (lines.concat() + end).into_bytes());
    prop::collection::vec(block, 1..12)
}

fn query() -> impl Strategy<Value = Query> {
    let what = select(vec![
        GrepPrint::Lines,
        GrepPrint::Matches,
        GrepPrint::Count,
        GrepPrint::FilesWithMatch,
        GrepPrint::FilesWithoutMatch,
        GrepPrint::Nothing,
    ]);
    let syntax =
        select(vec![GrepSyntax::Basic, GrepSyntax::Extended, GrepSyntax::Fixed, GrepSyntax::Perl]);
    let context = || prop_oneof![3 => Just(None), 1 => (0u32..7).prop_map(Some)];
    let count = prop_oneof![4 => Just(None), 1 => (1u64..4).prop_map(Some)];
    let patterns = prop_oneof![
        3 => part().prop_map(|pattern| vec![pattern]),
        1 => prop::collection::vec(part(), 2..4),
    ];
    let options: [BoxedStrategy<bool>; 7] = [4, 3, 6, 6, 9, 9, 2]
        .map(|of: u32| prop_oneof![of => Just(false), 1 => Just(true)].boxed());
    (what, syntax, context(), context(), count, patterns, options).prop_map(
        |(what, syntax, before, after, count, patterns, options)| {
            let [numbers, ignore_case, words, whole_lines, invert, null_data, bytes] = options;
            Query::default().with(|query| {
                query.pattern.patterns = patterns.into_iter().map(String::into_bytes).collect();
                query.pattern.syntax = syntax;
                query.pattern.ignore_case = ignore_case;
                query.pattern.words = words;
                query.pattern.whole_lines = whole_lines;
                query.pattern.invert = invert;
                query.pattern.null_data = null_data;
                if bytes {
                    query.pattern.characters = GrepCharacters::Bytes;
                }
                query.printing.what = what;
                query.printing.line_numbers = numbers;
                query.printing.before_context = before;
                query.printing.after_context = after;
                query.printing.max_count = count;
            })
        },
    )
}

proptest! {
    #![proptest_config(cases::the_same(1_000))]

    /// For all options of grep, what is left out holds nothing that would be printed or counted.
    #[test]
    fn nothing_is_missed_by_a_search_that_skips(query in query(), blocks in blocks()) {
        if query.compile().is_err() {
            return Ok(());
        }
        let (fewer, _) = without_others(&query, &blocks);
        prop_assert_eq!(search(&query, &fewer), search(&query, &blocks.concat()));
    }
}

/// The test above would hold if nothing were ever left out.
#[test]
fn blocks_without_what_a_search_needs_are_left_out() {
    let block = |text: &str| format!("{text}\n").into_bytes();
    let blocks =
        [block("user=12 timeout"), block("user=13 ok"), block("timeout"), block("Timeout user=1")];
    for (pattern, ignore_case, left_out) in [
        ("user=[0-9]+ .*timeout", false, 3),
        ("(nothing|timeout)$", false, 2),
        ("o", false, 0),
        ("timeout", true, 1),
    ] {
        let query = Query::default().with(|query| {
            query.pattern.patterns = vec![pattern.as_bytes().to_vec()];
            query.pattern.syntax = GrepSyntax::Extended;
            query.pattern.ignore_case = ignore_case;
        });
        assert_eq!(without_others(&query, &blocks).1, left_out, "{pattern}");
    }
}
