//! The sums of `memberd_streams` behind the protocol's trait: divided by partitions and windows,
//! written, read and added in another order, they are what one fold of all lines says.

#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a broken test should stop")]

use memberd_jobs::{
    Name, Partition, StreamSums, StreamTable, SumRow, Sums, SumsError, list_bytes, list_rows,
    ordered,
};
use memberd_streams::{ColumnKind, Fold, Gather, Limits, LineTime, Plan, Query, Value};
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
        let rows = sums.rows(*window, &[&again]).unwrap();
        assert_eq!(rows, sums.rows(*window, &[table]).unwrap(), "what was written is read");
        found.extend(rows.into_iter().map(|row| (*window, row)));
    }
    let text = |values: &[Value]| {
        let texts: Vec<Vec<u8>> = values.iter().map(Value::to_bytes).collect();
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

/// The first rows of a window, of those that partitions send, are those of all lines.
#[test]
fn lists_of_partitions_are_the_rows_of_all_lines() {
    let count = "| logfmt | count, avg(rt), distinct(client) by member, status every 10s";
    let mut rows = 0;
    for stages in [
        "| top 2 by count",
        "| sort avg(rt)",
        "| sort status desc | top 3 by distinct(client)",
        "| let kept = count % 3 | top 5 by kept, status | sort member desc | top 2 by avg(rt)",
        "| let name = concat(status, member) | top 3 by name | keep window, member, status, name",
    ] {
        let query = Query::parse(&format!("{count} {stages}")).unwrap();
        let plan = Arc::new(Plan::new(&query).unwrap());
        assert!(plan.durable_windows(&query).is_ok());
        let sums = StreamSums::new(Arc::clone(&plan), LIMITS);
        let (whole, tables) = summed(&plan, &sums);
        let mut lists: BTreeMap<i64, Vec<SumRow>> = BTreeMap::new();
        for ((_, window), table) in &tables {
            let list = list_bytes(sums.rows(*window, &[table]).unwrap());
            let list = list_rows(&sums.steps(), &list).unwrap();
            lists.entry(*window).or_default().extend(list);
        }
        for (window, list) in lists {
            let found: Vec<_> = ordered(&sums.steps(), list).into_iter().map(row_text).collect();
            assert_eq!(found, expected(&whole, window), "{stages}");
            rows += found.len();
        }
    }
    assert!(rows > 300, "{rows}");
}

/// The lines of two members, as the sums of all and as those of each partition and window.
fn summed(plan: &Arc<Plan>, sums: &StreamSums) -> (Gather, Tables) {
    let lines = lines(3_000);
    let (mut whole, mut tables) = (Gather::new(Arc::clone(plan), LIMITS), Tables::new());
    for (member, lines) in ["vm1", "vm2"].into_iter().zip(lines.chunks(1_700)) {
        let partials = fold(plan, member, lines);
        partials.iter().for_each(|partial| whole.partial(member, partial).unwrap());
        add(sums, &mut tables, member, &partials);
    }
    (whole, tables)
}

/// The keys and values of a window's rows, in their order.
fn expected(whole: &Gather, window: i64) -> Vec<Vec<u8>> {
    let all = whole.rows().unwrap();
    let columns: Vec<usize> = [ColumnKind::Key, ColumnKind::Figure]
        .into_iter()
        .flat_map(|kind| {
            let columns = all.columns.iter().enumerate();
            columns.filter(move |(_, column)| column.kind == kind).map(|(at, _)| at)
        })
        .collect();
    let of_window = |row: &&memberd_streams::Row| match all.columns[0].kind {
        ColumnKind::Window => row.values[0] == Value::Time(window),
        _ => true,
    };
    let text = |row: &memberd_streams::Row| {
        let values = columns.iter().map(|at| row.values[*at].to_bytes());
        values.collect::<Vec<_>>().join(&b'\t')
    };
    all.rows.iter().filter(of_window).map(text).collect()
}

/// A window that overlaps others is made of parts, each of which is in several.
#[test]
fn overlapping_windows_are_those_of_all_lines() {
    let count = "| logfmt | count, sum(rt), p99(rt), distinct(client) by member, status";
    for stages in ["every 10s over 1m", "every 10s over 30s | top 3 by count | sort status"] {
        let query = Query::parse(&format!("{count} {stages}")).unwrap();
        let plan = Arc::new(Plan::new(&query).unwrap());
        let over = plan.durable_windows(&query).unwrap().over_ms;
        let sums = StreamSums::new(Arc::clone(&plan), LIMITS);
        let (whole, tables) = summed(&plan, &sums);
        let last = tables.keys().map(|(_, pane)| *pane).max().unwrap();
        let mut windows = 0;
        for window in (10_000 - over..=last).step_by(10_000) {
            let of_partition = |partition: u16| {
                let panes = (Partition(partition), window)..(Partition(partition), window + over);
                let panes: Vec<&StreamTable> = tables.range(panes).map(|(_, it)| it).collect();
                sums.rows(window, &panes).unwrap()
            };
            let list = (0..PARTITIONS).flat_map(of_partition).collect();
            let mut found: Vec<_> =
                ordered(&sums.steps(), list).into_iter().map(row_text).collect();
            let mut all = expected(&whole, window);
            if sums.steps().is_empty() {
                found.sort();
                all.sort();
            }
            assert_eq!(found, all, "{stages} at {window}");
            windows += usize::from(!found.is_empty());
        }
        assert!(windows > 30, "{windows}");
    }
}

fn row_text(row: SumRow) -> Vec<u8> {
    [row.key, row.values].join(&b'\t')
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
    let error = sums.rows(0, &[&table]).unwrap_err().to_string();
    let words = "a window has more than 2 groups in a partition; group by less, or raise \
                 limits.groups";
    assert_eq!(error, words);
}
