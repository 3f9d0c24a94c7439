//! The rows are the same however lines are divided over members' threads, and in whatever order
//! partial sums come; and they are those of a naive reading.

use super::oracle::{Drawn, Expected, expected};
use super::support::{FirstWord, LIMITS, gathered, gathered_of, plan};
use memberd_streams::{Division, Fold, Limits, Plan, Query, Rows, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const FIGURES: &str = "count, sum(v), min(v), max(v), distinct(v), p50(v), p99(v) by member, k";

fn key() -> impl Strategy<Value = Option<Vec<u8>>> {
    let byte = any::<u8>().prop_filter("ends a value", |byte| !b" \t\"\r".contains(byte));
    let any_bytes = proptest::collection::vec(byte, 0..4);
    let few = prop_oneof![Just(b"a".to_vec()), Just(b"b".to_vec()), Just(b"9".to_vec()), any_bytes];
    proptest::option::weighted(0.9, few)
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let member = prop_oneof![Just("m1".to_owned()), Just("m2".to_owned())];
    let value = prop_oneof![-50_000..50_000, 0..20, Just(i32::MAX)];
    (member, -30_000..30_000_i64, key(), proptest::option::weighted(0.8, value))
        .prop_map(|(member, time, key, value)| Drawn { member, time, key, value })
}

/// Sums lines in as many folds as there are numbers, each line in the fold of its number. Some
/// folds of a member are merged before they become partial sums.
fn divided(plan: &Arc<Plan>, lines: &[Drawn], places: &[usize], merges: bool, order: u64) -> Rows {
    let mut folds: Vec<(String, usize, Fold)> = Vec::new();
    for (line, place) in lines.iter().zip(places) {
        let found = folds.iter().position(|(member, at, _)| *member == line.member && at == place);
        let at = found.unwrap_or_else(|| {
            let fold = Fold::new(plan.clone(), &line.member, LIMITS);
            folds.push((line.member.clone(), *place, fold));
            folds.len() - 1
        });
        folds[at].2.line(&line.line(), &mut FirstWord).unwrap();
    }
    if merges {
        let mut merged: Vec<(String, usize, Fold)> = Vec::new();
        for (member, place, fold) in folds {
            match merged.iter_mut().find(|(other, ..)| *other == member) {
                Some((_, _, into)) => into.merge(fold).unwrap(),
                None => merged.push((member, place, fold)),
            }
        }
        folds = merged;
    }
    let mut partials: Vec<(String, Vec<u8>)> = Vec::new();
    for (member, _, fold) in folds {
        partials.extend(fold.into_partials().map(|partial| (member.clone(), partial)));
    }
    // An order that is drawn.
    partials.sort_by_key(|(_, partial)| {
        partial.iter().fold(order, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
    });
    gathered_of(plan, partials.iter().map(|(member, partial)| (member.as_str(), partial.clone())))
}

fn number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Thousandths as a decimal.
fn thousandths(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:03}", value.unsigned_abs() / 1000, value.unsigned_abs() % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn near(found: Option<String>, values: &[i32], hundredths: usize) {
    let Some(rank) = (values.len() * hundredths).div_ceil(10_000).checked_sub(1) else {
        assert_eq!(found, None);
        return;
    };
    let exact = f64::from(values[rank]) / 1000.0;
    let found: f64 = found.unwrap().parse().unwrap();
    assert!((found - exact).abs() <= exact.abs() * 0.01, "{found} for {exact}");
}

fn check(rows: &Rows, mut expected: Vec<Expected>) {
    let key = |values: &[Value]| {
        let Value::Time(window) = values[0] else { panic!("{values:?}") };
        let Value::Text(member) = &values[1] else { panic!("{values:?}") };
        let key = match &values[2] {
            Value::Missing => None,
            Value::Text(key) => Some(key.clone()),
            other => panic!("{other:?}"),
        };
        (window, String::from_utf8(member.clone()).unwrap(), key)
    };
    let mut found: Vec<_> =
        rows.rows.iter().map(|row| (key(&row.values), &row.values[3..])).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(found.len(), expected.len());
    for ((key, values), (expected_key, (count, sum, least, most, different, all))) in
        found.into_iter().zip(expected)
    {
        assert_eq!(key, expected_key);
        assert_eq!(number(&values[0]), Some(count.to_string()));
        assert_eq!(number(&values[1]), Some(thousandths(sum)));
        assert_eq!(number(&values[2]), least.map(|least| thousandths(least.into())));
        assert_eq!(number(&values[3]), most.map(|most| thousandths(most.into())));
        assert_eq!(number(&values[4]), Some(different.to_string()));
        near(number(&values[5]), &all, 5_000);
        near(number(&values[6]), &all, 9_900);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn division_and_order_change_nothing(
        lines in proptest::collection::vec((drawn(), 0..5_usize), 0..120),
        merges: bool,
        order: u64,
        overlap in 1..4_i64,
    ) {
        let (lines, places): (Vec<Drawn>, Vec<usize>) = lines.into_iter().unzip();
        let plan = plan(&format!("| logfmt | {FIGURES} every 10s over {}s", overlap * 10));
        let whole = divided(&plan, &lines, &vec![0; lines.len()], false, 0);
        let parts = divided(&plan, &lines, &places, merges, order);
        prop_assert_eq!(&whole, &parts);
        check(&parts, expected(&lines, 10_000, overlap * 10_000));
    }

    /// What stages behind the aggregate choose does not depend on the order either.
    #[test]
    fn chosen_rows_are_the_same_in_any_order(
        lines in proptest::collection::vec((drawn(), 0..5_usize), 0..60),
        order: u64,
    ) {
        let (lines, places): (Vec<Drawn>, Vec<usize>) = lines.into_iter().unzip();
        let query = "| logfmt | count, avg(v) by k | let x = avg(v) * 2 | top 3 by count | sort x";
        let plan = plan(query);
        let whole = divided(&plan, &lines, &vec![0; lines.len()], false, 0);
        prop_assert_eq!(whole, divided(&plan, &lines, &places, false, order));
    }
}

/// Of equally many, the first by their keys are chosen, whatever came first.
#[test]
fn ties_are_chosen_by_their_keys() {
    let plan = plan("| logfmt | top 3 by k");
    let lines: Vec<String> = (0..200).map(|number| format!("k={}", number * 77 % 200)).collect();
    let bytes: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    for order in [bytes.clone(), bytes.into_iter().rev().collect()] {
        let rows = gathered(&plan, super::support::fold(&plan, order).into_partials());
        assert_eq!(super::support::shown(&rows), ["0 1", "1 1", "2 1"]);
    }
}

/// Sets and sketches that do not fit into one partial sum are divided, and whole again.
#[test]
fn large_states_are_divided() {
    let plan = plan("| logfmt | distinct(v), p50(v), distinct(w), sum(v), count by k");
    let line = |number: i64| {
        format!("k={} v={}e{} w={}", "x".repeat(4_000), number, number % 40 - 15, number / 2)
    };
    for lines in [9_000, 25_000] {
        let all: Vec<String> = (1..lines).map(line).collect();
        let mut fold = Fold::new(plan.clone(), "m", LIMITS);
        for line in &all {
            fold.line(line.as_bytes(), &mut FirstWord).unwrap();
        }
        let mut partials: Vec<Vec<u8>> = fold.into_partials().collect();
        assert!(partials.len() > 1);
        partials.reverse();
        let rows = gathered(&plan, partials);
        let mut other = Fold::new(plan.clone(), "m", LIMITS);
        for line in all.iter().rev() {
            other.line(line.as_bytes(), &mut FirstWord).unwrap();
        }
        assert_eq!(rows, gathered(&plan, other.into_partials()));
        assert_eq!(number(&rows.rows[0].values[5]), Some((lines - 1).to_string()));
    }
}

/// Each division says how many lines are in it, whatever the figures are and however large.
#[test]
fn divided_sums_say_how_many_lines_they_have() {
    let plan = plan("| logfmt | distinct(v), p50(v), sum(v) by k every 10s");
    let line = |n: i64| format!("{} k={} v={n}", n % 3 * 10_000, n % 2);
    let all: Vec<String> = (0..20_000).map(line).collect();
    let lines = all.iter().map(String::as_bytes);
    let mut found: BTreeMap<(u16, Option<i64>), u64> = BTreeMap::new();
    let mut pieces = 0;
    for partial in super::support::fold(&plan, lines).into_partials() {
        let mut part = |key: &[u8]| u16::from(key.contains(&b'1'));
        let (_, divisions) = plan.divide(&partial, &mut part).unwrap();
        for Division { part, window, lines, partials } in divisions {
            *found.entry((part, window)).or_default() += lines;
            pieces += partials.len();
        }
    }
    let windows = [0, 10_000, 20_000].map(Some);
    let expected = [0, 1].into_iter().flat_map(|part| windows.map(|window| (part, window)));
    let expected: Vec<((u16, Option<i64>), u64)> = expected
        .map(|(part, window)| {
            let number = |n: &i64| n % 2 == i64::from(part) && Some(n % 3 * 10_000) == window;
            ((part, window), (0..20_000).filter(number).count() as u64)
        })
        .collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    assert!(pieces > expected.len(), "some state is in several pieces");
}

/// Lines that cannot be read or have no time are in no group, and counted once as such.
#[test]
fn lines_in_no_group_are_counted_once() {
    let query = "| where time > 5 or time <= 5 | parse \"* a=*\" as t, a | where a > 1 | \
                 count every 1s";
    let plan = plan(query);
    let lines = ["1 a=2", "no time", "x a=2", "7 a=1", "7 b"];
    let mut fold = super::support::fold(&plan, lines.map(str::as_bytes));
    assert_eq!(fold.uncounted(), 3);
    fold.merge(super::support::fold(&plan, ["x".as_bytes()])).unwrap();
    assert_eq!(fold.uncounted(), 4);
    assert_eq!(fold.take().uncounted(), 4);
    assert_eq!(fold.uncounted(), 0);
}

/// A plan is shared by threads, and what they sum comes together.
#[test]
fn plans_and_folds_go_to_other_threads() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Plan>();
    moved::<Fold>();
    moved::<memberd_streams::Gather>();
}

/// Tables of one plan may hash with different seeds: each machine draws its own.
#[test]
fn answers_do_not_depend_on_the_seed() {
    let seeded = |seed| {
        let query = Query::parse("| logfmt | count, sum(v) by k | top 7 by count").unwrap();
        Arc::new(Plan::new(&query).unwrap().with_seed(seed))
    };
    let lines: Vec<String> = (0..500).map(|number| format!("k={} v=1", number % 90)).collect();
    let bytes = || lines.iter().map(String::as_bytes);
    let expected = gathered(&seeded(1), super::support::fold(&seeded(1), bytes()).into_partials());
    for seed in [0, 2, u64::MAX] {
        let partials = super::support::fold(&seeded(seed), bytes()).into_partials();
        assert_eq!(gathered(&seeded(!seed), partials), expected);
        let mut fold = super::support::fold(&seeded(seed), []);
        fold.merge(super::support::fold(&seeded(!seed), bytes())).unwrap();
        assert_eq!(gathered(&seeded(1), fold.into_partials()), expected);
    }
    let first = |seed| super::support::fold(&seeded(seed), bytes()).into_partials().next();
    assert_eq!(first(3), first(4), "groups are sent in the order in which lines came");
}

/// A table of many groups becomes many partial sums, none longer than allowed.
#[test]
fn many_groups_become_many_partials() {
    let plan = plan("| logfmt | count, sum(v) by k");
    let mut fold = Fold::new(plan.clone(), "m", LIMITS);
    for number in 0..20_000 {
        fold.line(format!("k={number} v=1").as_bytes(), &mut FirstWord).unwrap();
    }
    let partials: Vec<Vec<u8>> = fold.into_partials().collect();
    assert!(partials.len() > 3);
    let rows = gathered(&plan, partials);
    assert_eq!((rows.rows.len(), rows.counts.lines), (20_000, 20_000));
}

/// Sums that are taken whenever the table is half full are those of a table with more room. One
/// more line always fits, whatever a group takes.
#[test]
fn a_table_emptied_when_half_full_takes_any_number_of_groups() {
    let plan = plan("| logfmt | count, sum(v), p50(v), distinct(v) by k, member, file");
    let lines: Vec<String> =
        (0..20_000).map(|number| format!("k={} v={number}", number % 7_000)).collect();
    let limits = Limits { groups: usize::MAX, bytes: 1 << 18 };
    let mut fold = Fold::new(plan.clone(), "m", limits);
    fold.set_file(b"f");
    let mut partials: Vec<Vec<u8>> = Vec::new();
    for line in &lines {
        fold.line(line.as_bytes(), &mut FirstWord).unwrap();
        if fold.is_half_full() {
            partials.extend(fold.take().into_partials());
            assert!(!fold.is_half_full() && fold.counts().lines == 0);
        }
    }
    assert!(partials.len() > 10);
    partials.extend(fold.into_partials());
    let whole = super::support::fold(&plan, lines.iter().map(String::as_bytes));
    assert_eq!(gathered(&plan, partials), gathered(&plan, whole.into_partials()));
}
