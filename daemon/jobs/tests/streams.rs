//! The sums of `memberd_streams` behind the protocol's trait: divided by partitions and windows,
//! written, read and added in another order, they are what one fold of all lines says.

#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a broken test should stop")]

use memberd_jobs::{Name, Partition, StreamSums, StreamTable, SumRow, Sums, SumsError};
use memberd_streams::{Fold, Gather, Limits, LineTime, Plan, Query};
use std::collections::BTreeMap;
use std::sync::Arc;

const LIMITS: Limits = Limits { groups: 100_000, bytes: 1 << 26 };
const PARTITIONS: u16 = 5;
const QUERY: &str =
    "| logfmt | count, sum(rt), p99(rt), distinct(client) by member, status every 10s";

/// The time of a line is its first number.
struct FirstWord;

impl LineTime for FirstWord {
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64> {
        let word = line.split(|byte| *byte == b' ').next()?;
        std::str::from_utf8(word).ok()?.parse().ok()
    }
}

fn lines(count: u64) -> Vec<String> {
    let line = |number: u64| {
        let (status, client) = (200 + number * number % 7, number * 31 % 97);
        format!("{} status={status} client={client} rt=0.{:03}", number * 97, number % 1_000)
    };
    (0..count).map(line).collect()
}

fn fold(plan: &Arc<Plan>, member: &str, lines: &[String]) -> Vec<Vec<u8>> {
    let mut fold = Fold::new(Arc::clone(plan), member, LIMITS);
    for line in lines {
        fold.line(line.as_bytes(), &mut FirstWord).unwrap();
    }
    fold.into_partials().collect()
}

type Tables = BTreeMap<(Partition, i64), StreamTable>;

fn add(sums: &StreamSums, tables: &mut Tables, member: &str, partials: &[Vec<u8>]) {
    for partial in partials {
        let (_, divided) = sums.divide(partial, PARTITIONS).unwrap();
        for (partition, division) in divided {
            let window = division.window.unwrap();
            let table = tables.entry((partition, window)).or_insert_with(|| sums.empty());
            for piece in division.partials {
                sums.check(&Name::new(member).unwrap(), window, &piece).unwrap();
                sums.add(table, &piece).unwrap();
            }
        }
    }
}

#[test]
fn divided_sums_are_those_of_all_lines() {
    let plan = Arc::new(Plan::new(&Query::parse(QUERY).unwrap()).unwrap());
    let sums = StreamSums::new(Arc::clone(&plan), LIMITS);
    let lines = lines(3_000);
    let mut whole = Gather::new(Arc::clone(&plan), LIMITS);
    let mut tables = Tables::new();
    for (member, lines) in ["vm1", "vm2"].into_iter().zip(lines.chunks(1_700)) {
        for partial in fold(&plan, member, lines) {
            whole.partial(member, &partial).unwrap();
        }
        // Ranges come in another order, and of other lengths.
        for range in lines.chunks(113).rev() {
            add(&sums, &mut tables, member, &fold(&plan, member, range));
        }
    }
    let mut found: Vec<(i64, SumRow)> = Vec::new();
    for ((_, window), table) in &tables {
        let mut again = sums.empty();
        for piece in sums.bytes(table).iter().rev() {
            sums.add(&mut again, piece).unwrap();
        }
        let rows = sums.rows(*window, &again).unwrap();
        assert_eq!(rows, sums.rows(*window, table).unwrap(), "what was written is read");
        found.extend(rows.into_iter().map(|row| (*window, row)));
    }
    let text = |values: &[memberd_streams::Value]| {
        let texts: Vec<Vec<u8>> = values.iter().map(memberd_streams::Value::to_bytes).collect();
        texts.join(&b'\t')
    };
    let expected = whole.finish().unwrap();
    let mut expected: Vec<Vec<u8>> = expected.rows.iter().map(|row| text(&row.values)).collect();
    let row = |(window, row): &(i64, SumRow)| {
        let window = memberd_streams::time_text(*window).into_bytes();
        [window, row.key.clone(), row.values.clone()].join(&b'\t')
    };
    let mut found: Vec<Vec<u8>> = found.iter().map(row).collect();
    expected.sort();
    found.sort();
    assert!(tables.len() > 40 && expected.len() > 80);
    assert_eq!(found, expected);
}

#[test]
fn sums_of_others_and_of_other_windows_are_refused() {
    let plan = Arc::new(Plan::new(&Query::parse(QUERY).unwrap()).unwrap());
    let sums = StreamSums::new(Arc::clone(&plan), LIMITS);
    let partial = fold(&plan, "vm1", &lines(3)).remove(0);
    let check =
        |member, window, bytes: &[u8]| sums.check(&Name::new(member).unwrap(), window, bytes);
    assert_eq!(check("vm1", 0, &partial), Ok(()));
    assert!(matches!(check("vm2", 0, &partial), Err(SumsError::Malformed(_))));
    assert!(matches!(check("vm1", 10_000, &partial), Err(SumsError::Malformed(_))));
    assert!(matches!(check("vm1", 0, &partial[1..]), Err(SumsError::Malformed(_))));
}

/// More groups than a window may have are an error, whenever they are looked at.
#[test]
fn a_window_beyond_its_limits_has_no_rows() {
    let plan = Arc::new(Plan::new(&Query::parse(QUERY).unwrap()).unwrap());
    let limits = Limits { groups: 2, ..LIMITS };
    let sums = StreamSums::new(Arc::clone(&plan), limits);
    let mut table = sums.empty();
    for partial in fold(&plan, "vm1", &lines(100)) {
        for division in plan.divide(&partial, &mut |_| 0).unwrap().1 {
            let pieces = division.partials.iter().filter(|_| division.window == Some(0));
            pieces.for_each(|piece| sums.add(&mut table, piece).unwrap());
        }
    }
    let error = sums.rows(0, &table).unwrap_err().to_string();
    assert_eq!(error, "a window has more than 2 groups in a partition; group by less");
}
