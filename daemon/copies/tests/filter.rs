//! What a filter promises: a block with a line that has the literal is never left out.

#![cfg(test)]

#[path = "../../search/tests/support/cases.rs"]
mod cases;

use memberd_copies::filter::{self, BlockSet, Builder, Filter, FilterError};
use memberd_copies::needs::{Literal, Needs};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A budget that leaves nothing out.
const AMPLE: usize = 1 << 20;

fn build(blocks: &[Vec<u8>], budget: usize) -> Vec<u8> {
    let mut builder = Builder::new(false);
    blocks.iter().for_each(|block| builder.add(block));
    builder.finish(budget)
}

fn literal(text: &str) -> Literal {
    Literal {
        bytes: text.as_bytes().to_vec(),
        ignores_case: false,
        begins_word: false,
        ends_word: false,
    }
}

fn found(filter: &Filter<'_>, literal: Literal) -> Vec<usize> {
    filter.blocks(&Needs::Literal(literal)).iter().collect()
}

fn text(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

/// One piece of a line, of each kind that has rules of its own.
fn piece() -> impl Strategy<Value = String> {
    let digits = "[0-9]{1,14}";
    let hex = prop_oneof!["[0-9a-f]{3,5}", "[0-9a-f]{8}", "[0-9a-f]{16}", "[0-9A-F]{32}"];
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    let time = "[0-2][0-9]:[0-5][0-9]:[0-5][0-9][.,][0-9]{3,10}Z?";
    let address = "[0-9]{1,3}(\\.[0-9]{1,3}){1,4}";
    let token = prop_oneof!["[0-9A-Za-z]{1,30}", "[0-9A-Za-z]{40,90}", "[A-Za-z]{45,60}"];
    let word = select(vec![
        "error",
        "FATAL",
        "timeout",
        "user",
        "vm17",
        "http2",
        "sha256sum",
        "deadbeef",
        "cafe",
        "facade99",
        "x_y",
        "task",
        "K\u{212a}",
        "\u{17f}ort",
        "gr\u{fc}n",
        "\u{43e}\u{448}\u{438}",
        "E4031",
        "-1234-abcd-99ff-",
        "a..b",
        "1.2.",
        "\u{201c}",
    ])
    .prop_map(str::to_owned);
    prop_oneof![digits, hex, uuid, time, address, token, word]
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let separator = select(vec![" ", "=", ":", "-", "_", "\"", "", ".", ",", "\t", "/", "["]);
    prop::collection::vec((piece(), separator), 1..6).prop_map(|pieces| {
        pieces
            .iter()
            .flat_map(|(piece, after)| [piece.as_bytes(), after.as_bytes()].concat())
            .collect()
    })
}

/// Blocks of lines.
fn blocks() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    prop::collection::vec(prop::collection::vec(line(), 1..5), 1..10)
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A literal as a search would need it that selects this line by some of its bytes.
fn planted(line: &[u8], start: &Index, end: &Index, ignores_case: bool) -> Literal {
    let start = start.index(line.len());
    let end = start + 1 + end.index(line.len() - start);
    let mut bytes = line[start..end].to_vec();
    if ignores_case {
        let text = String::from_utf8_lossy(&bytes);
        let folded = text.replace('\u{212a}', "k").replace('\u{17f}', "s").to_ascii_lowercase();
        // Bytes of a cut character are not valid.
        bytes = if text.contains('\u{fffd}') { bytes.to_ascii_lowercase() } else { folded.into() };
    }
    Literal {
        bytes,
        ignores_case,
        begins_word: is_word(line.get(start)) && !is_word(line[..start].last()),
        ends_word: is_word(line.get(end - 1)) && !is_word(line.get(end)),
    }
}

proptest! {
    #![proptest_config(cases::the_same(400))]

    /// Each literal that is a part of a line is looked for, with whatever else a search may know of
    /// it.
    #[test]
    fn no_block_is_left_out_that_has_the_literal(
        blocks in blocks(),
        places in prop::collection::vec(any::<(Index, Index, Index, Index, bool, bool, bool)>(), 8),
        budget in select(vec![0, 200, 500, 1500, 5000, AMPLE]),
    ) {
        let texts: Vec<Vec<u8>> = blocks
            .iter()
            .map(|lines| lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect())
            .collect();
        let bytes = build(&texts, budget);
        prop_assert!(bytes.len() <= budget);
        let Ok(filter) = Filter::parse(&bytes) else {
            prop_assert!(bytes.is_empty());
            return Ok(());
        };
        for (block, line, start, end, ignores_case, keeps_begin, keeps_end) in places {
            let block = block.index(blocks.len());
            let line = &blocks[block][line.index(blocks[block].len())];
            let mut literal = planted(line, &start, &end, ignores_case);
            literal.begins_word &= keeps_begin;
            literal.ends_word &= keeps_end;
            let set = filter.blocks(&Needs::Literal(literal.clone()));
            prop_assert!(set.contains(block), "{literal:?} of {:?}", String::from_utf8_lossy(line));
        }
    }

    /// Whatever the bytes, reading them ends with an error or with a filter that can be asked.
    #[test]
    fn bytes_that_are_no_filter_are_refused(
        blocks in prop::collection::vec(line(), 1..10),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        let good = build(&blocks, AMPLE);
        let mut bytes = good.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(Filter::parse(&bytes).is_ok(), bytes == good);
        prop_assert!(Filter::parse(&good[..cut.index(good.len())]).is_err());
    }
}

#[test]
fn what_was_not_written_by_a_builder_is_told() {
    assert_eq!(Filter::parse(b"").unwrap_err(), FilterError::Unknown);
    assert_eq!(Filter::parse(b"mdfilt\x00\x01").unwrap_err(), FilterError::Short);
    assert_eq!(
        Filter::parse(&[b"mdfilt\x00\x01", &[0; 40][..]].concat()).unwrap_err(),
        FilterError::Damaged
    );
    assert!(Builder::new(false).finish(AMPLE).len() < 100);
}

const UUID: &str = "123e4567-e89b-12d3-a456-426614174000";

/// A log of some blocks, in which the first words of each line are common.
fn service() -> Vec<Vec<u8>> {
    (0..20)
        .map(|block: u64| {
            let lines = (0..200).map(|line| {
                let id = (block * 200 + line + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                format!(
                    "2026-11-30T01:38:17.{:06}Z vm4 INFO shop req={id:016x} user={} \
                     from=10.88.{}.{} ok\n",
                    id % 1_000_000,
                    id % 90_000 + 10_000,
                    block + 20,
                    id % 200 + 10,
                )
            });
            let mut lines: Vec<String> = lines.collect();
            if block == 7 {
                lines.push(format!("2026-11-30 deadlock in sha256sum Grüße {UUID}\n"));
            }
            lines.concat().into_bytes()
        })
        .collect()
}

#[test]
fn words_are_found_exactly() {
    let bytes = build(&service(), AMPLE);
    let filter = Filter::parse(&bytes).unwrap();
    for text in ["deadlock", "eadlo", "sha256sum", "a256sum", "Grü", "in sha"] {
        assert_eq!(found(&filter, literal(text)), [7], "{text}");
    }
    for text in ["dead", "INFO", "shop req=", "user", "="] {
        assert!(found(&filter, literal(text)).contains(&7), "{text}");
    }
    for text in ["DEADLOCK", "missing", "shops", "INFOR", "user_x y_ inf"] {
        assert!(found(&filter, literal(text)).is_empty(), "{text}");
    }
    let word = Literal { begins_word: true, ends_word: true, ..literal("deadloc") };
    assert!(found(&filter, word).is_empty());
    let any_case = Literal { ignores_case: true, ..literal("deadlock") };
    assert_eq!(found(&filter, any_case), [7]);
}

#[test]
fn numbers_and_ids_are_found_with_few_others() {
    let service = service();
    let bytes = build(&service, AMPLE);
    let filter = Filter::parse(&bytes).unwrap();
    let line = String::from_utf8(service[3].clone()).unwrap().lines().nth(50).unwrap().to_owned();
    let field = |name: &str| line.split(name).nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let (id, user, from) = (field("req="), field("user="), field("from="));
    for text in [
        id.clone(),
        id[2..15].to_owned(),
        format!("user={user}"),
        format!("req={}", &id[..12]),
        from.clone(),
    ] {
        let found = found(&filter, literal(&text));
        assert!(found.contains(&3) && found.len() <= 5, "{text}: {found:?}");
    }
    let uuid = found(&filter, literal(UUID));
    assert_eq!(uuid, [7]);
    let whole = Literal { begins_word: true, ends_word: true, ..literal(&user) };
    assert!(found(&filter, whole).len() <= 20);
}

#[test]
fn needs_are_combined() {
    let bytes = build(&[text(&["alpha beta"]), text(&["beta gamma"]), text(&["delta"])], AMPLE);
    let filter = Filter::parse(&bytes).unwrap();
    let need = |text| Needs::Literal(literal(text));
    let blocks = |needs: Needs| filter.blocks(&needs).iter().collect::<Vec<_>>();
    assert_eq!(blocks(Needs::All(vec![need("beta"), need("gamma")])), [1]);
    assert_eq!(blocks(Needs::Any(vec![need("alpha"), need("delta")])), [0, 2]);
    assert_eq!(blocks(Needs::All(vec![])), [0, 1, 2]);
    assert!(blocks(Needs::Any(vec![])).is_empty());
    assert_eq!(blocks(Needs::Anything), [0, 1, 2]);
    assert!(filter::is_useful(&Needs::All(vec![Needs::Anything, need("beta")])));
    assert!(!filter::is_useful(&Needs::Any(vec![Needs::Anything, need("beta")])));
    assert!(!filter::is_useful(&need("= 12 ab")));
}

/// A line in two blocks may have one literal in the first, and the other in the second.
#[test]
fn blocks_that_share_a_line_and_binary_ones_are_always_read() {
    let blocks = [
        text(&["alpha"]),
        b"beta\ngam".to_vec(),
        b"ma\n".to_vec(),
        b"x\0y\n".to_vec(),
        text(&["omega"]),
    ];
    let bytes = build(&blocks, AMPLE);
    let filter = Filter::parse(&bytes).unwrap();
    assert_eq!(found(&filter, literal("omega")), [1, 2, 3, 4]);
    let mut builder = Builder::new(true);
    blocks.iter().for_each(|block| builder.add(block));
    let bytes = builder.finish(AMPLE);
    assert_eq!(found(&Filter::parse(&bytes).unwrap(), literal("omega")), [0, 1, 2, 3, 4]);
}

/// More words than the dictionary holds cost what it excludes, and nothing else.
#[test]
fn too_many_words_make_the_filter_weaker_and_not_wrong() {
    let word = |number: u32| {
        let letters =
            (0..6).map(|at| char::from(b'a' + u8::try_from(number / 17u32.pow(at) % 17).unwrap()));
        letters.collect::<String>() + "qz"
    };
    let blocks: Vec<Vec<u8>> = (0..10u32)
        .map(|block| {
            (0..4000)
                .flat_map(|line| format!("{}\n", word(block * 4000 + line)).into_bytes())
                .collect()
        })
        .collect();
    let bytes = build(&blocks, AMPLE);
    let filter = Filter::parse(&bytes).unwrap();
    for number in (0..40_000).step_by(777) {
        let block = (number / 4000) as usize;
        assert!(found(&filter, literal(&word(number))).contains(&block));
    }
    // Letters of one case have keys instead, and short ones and those of any case have none.
    assert_eq!(found(&filter, literal(&word(5))), [0]);
    assert_eq!(found(&filter, literal("qzx")), [4, 5, 6, 7, 8, 9]);
    let any_case = Literal { ignores_case: true, ..literal(&word(5)) };
    assert!(found(&filter, any_case).contains(&9));
}

#[test]
fn more_blocks_than_a_filter_has_give_none() {
    let mut builder = Builder::new(false);
    (0..=filter::MAX_BLOCKS).for_each(|_| builder.add(b"x\n"));
    assert!(builder.finish(AMPLE << 4).is_empty());
    assert_eq!(BlockSet::all(3).count(), 3);
}
