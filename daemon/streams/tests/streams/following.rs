//! An answer that grows: the rows after any rounds are those of one pass, old windows are forgotten
//! and late lines counted, and each change is told.

use super::oracle::Drawn;
use super::support::{FirstWord, LIMITS, plan, shown};
use memberd_streams::{Fold, Full, Gather, Limits, PartialError, Plan, Rows, Value};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const FIGURES: &str = "sum(v), max(v), distinct(v), p99(v) by member, k";

/// How often a window begins, in milliseconds.
const EVERY: i64 = 10_000;

fn drawn() -> impl Strategy<Value = Drawn> {
    let member = prop_oneof![Just("m1".to_owned()), Just("m2".to_owned())];
    let key = prop_oneof![Just(None), Just(Some(b"a".to_vec())), Just(Some(b"b".to_vec()))];
    let value = proptest::option::weighted(0.8, -40..40_i32);
    (member, -30_000..60_000_i64, key, value).prop_map(|(member, time, key, value)| Drawn {
        member,
        time,
        key,
        value,
    })
}

/// Rounds of lines, and up to which time windows are forgotten behind each.
fn rounds() -> impl Strategy<Value = Vec<(Vec<Drawn>, Option<i64>)>> {
    let lines = proptest::collection::vec(drawn(), 0..20);
    proptest::collection::vec((lines, proptest::option::of(-40_000..50_000_i64)), 0..8)
}

/// The lines of a round, as each member sends them.
fn add(gather: &mut Gather, plan: &Arc<Plan>, lines: &[Drawn]) -> Result<(), PartialError> {
    let mut folds: BTreeMap<&str, Fold> = BTreeMap::new();
    for line in lines {
        let member = line.member.as_str();
        let fold = folds.entry(member).or_insert_with(|| Fold::new(plan.clone(), member, LIMITS));
        fold.line(&line.line(), &mut FirstWord).unwrap();
    }
    let partials = |fold: Fold| fold.into_partials().collect::<Vec<_>>();
    folds.into_iter().try_for_each(|(member, fold)| {
        partials(fold).iter().try_for_each(|partial| gather.partial(member, partial))
    })
}

fn one_pass(plan: &Arc<Plan>, lines: &[Drawn]) -> Rows {
    let mut gather = Gather::new(plan.clone(), LIMITS);
    add(&mut gather, plan, lines).unwrap();
    gather.finish().unwrap()
}

/// What a reader of changes knows: the last values of each key, which is three columns.
fn take(known: &mut BTreeMap<String, Vec<Value>>, changed: Rows) {
    for row in changed.rows {
        let key = format!("{:?}", &row.values[..3]);
        let before = known.insert(key, row.values.clone());
        assert_ne!(before.as_ref(), Some(&row.values), "it is no change");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rows_after_any_rounds_are_those_of_one_pass(rounds in rounds(), overlap in 1..4_i64) {
        let over = overlap * EVERY;
        let plan = plan(&format!("| logfmt | {FIGURES} every 10s over {}s", overlap * 10));
        let mut gather = Gather::following(plan.clone(), LIMITS);
        let mut known = BTreeMap::new();
        let (mut lines, mut late, mut old) = (Vec::new(), 0, i64::MIN);
        let has_ended = |start: i64, old: i64| start + over <= old;
        for (round, forget) in rounds {
            add(&mut gather, &plan, &round).unwrap();
            let pane = |line: &Drawn| line.time.div_euclid(EVERY) * EVERY;
            late += round.iter().filter(|line| has_ended(pane(line), old)).count() as u64;
            lines.extend(round);
            if let Some(forget) = forget {
                gather.forget_before(forget);
                old = old.max(forget);
            }
            let mut expected = one_pass(&plan, &lines);
            expected.rows.retain(|row| match row.values[0] {
                Value::Time(start) => !has_ended(start, old),
                _ => false,
            });
            expected.counts.late = late;
            let rows = gather.rows().unwrap();
            prop_assert_eq!(&rows, &expected);
            take(&mut known, gather.changed().unwrap());
            for row in &rows.rows {
                prop_assert_eq!(known.get(&format!("{:?}", &row.values[..3])), Some(&row.values));
            }
            prop_assert!(gather.changed().unwrap().rows.is_empty(), "nothing has changed since");
        }
        prop_assert_eq!(gather.rows().unwrap(), gather.finish().unwrap());
    }

    /// Rows that others push out of the answer come back with their values of that moment.
    #[test]
    fn changes_of_chosen_rows_are_told(rounds in rounds()) {
        for query in [
            "| logfmt | max(v), count, sum(v) by member, k | top 2 by count",
            "| logfmt | count, sum(v) by member, k | let x = sum(v) * 2 | where count > 2 | keep \
             member, k, x, count | sort x",
        ] {
            let plan = plan(query);
            let mut gather = Gather::following(plan.clone(), LIMITS);
            let (mut known, mut lines) = (BTreeMap::new(), Vec::new());
            for (round, _) in &rounds {
                add(&mut gather, &plan, round).unwrap();
                lines.extend(round.iter().cloned());
                let rows = gather.rows().unwrap();
                prop_assert_eq!(&rows, &one_pass(&plan, &lines));
                for row in gather.changed().unwrap().rows {
                    known.insert(format!("{:?}", &row.values[..2]), row.values);
                }
                let shown: BTreeSet<_> = known.values().map(|row| format!("{row:?}")).collect();
                for row in &rows.rows {
                    prop_assert!(shown.contains(&format!("{:?}", row.values)), "{:?}", row);
                }
            }
        }
    }
}

fn line(time: i64, key: &str) -> Drawn {
    Drawn { member: "m1".to_owned(), time, key: Some(key.as_bytes().to_vec()), value: Some(1_000) }
}

/// An answer that goes on for days needs no more room than the windows that it keeps.
#[test]
fn forgotten_windows_make_room() {
    let plan = plan("| logfmt | sum(v), distinct(v) by k every 10s");
    let limits = Limits { groups: 45, bytes: 64 << 10 };
    let mut gather = Gather::following(plan.clone(), limits);
    for window in 0..2_000 {
        let lines: Vec<Drawn> =
            (0..10).map(|key| line(window * EVERY + 7, &format!("{window}-{key}"))).collect();
        add(&mut gather, &plan, &lines).unwrap();
        let newest = gather.newest(i64::MAX).unwrap();
        assert_eq!(newest, window * EVERY);
        gather.forget_before(newest - EVERY);
        assert_eq!(gather.changed().unwrap().rows.len(), 10);
        let kept = if window == 0 { 10 } else { 20 };
        assert_eq!(gather.rows().unwrap().rows.len(), kept);
    }
    // What is kept has a limit.
    let lines: Vec<Drawn> = (0..46).map(|key| line(20_000 * EVERY, &key.to_string())).collect();
    let full = add(&mut gather, &plan, &lines);
    assert_eq!(full, Err(PartialError::Full(Full::Groups(45))));
}

/// A line from the future closes nothing, and is in a row.
#[test]
fn the_newest_window_has_begun() {
    let plan = plan("| count every 10s");
    let mut gather = Gather::following(plan.clone(), LIMITS);
    assert_eq!(gather.newest(i64::MAX), None);
    add(&mut gather, &plan, &[line(25_000, "a"), line(1_900_000_000_000, "a")]).unwrap();
    assert_eq!((gather.newest(25_000), gather.newest(19_999)), (Some(20_000), None));
    assert_eq!(gather.newest(i64::MAX), Some(1_900_000_000_000));
    assert_eq!(gather.rows().unwrap().rows.len(), 2);
    // Ends of time are no trouble.
    for time in [i64::MIN, i64::MIN + 10_000, i64::MIN + 10_001, 30_000, 20_000, i64::MAX] {
        gather.forget_before(time);
    }
    assert_eq!(gather.rows().unwrap().rows.len(), 0);
}

/// Of late lines nothing is known but how many they are, whatever is asked for.
#[test]
fn late_lines_are_counted() {
    for query in ["| logfmt | sum(v) by k every 10s", "| logfmt | count, p50(v) every 10s over 20s"]
    {
        let plan = plan(query);
        let mut gather = Gather::following(plan.clone(), LIMITS);
        add(&mut gather, &plan, &[line(65_000, "a")]).unwrap();
        gather.forget_before(60_000);
        add(&mut gather, &plan, &[line(5, "a"), line(7, "a"), line(65_000, "a")]).unwrap();
        let counts = gather.counts();
        assert_eq!((counts.lines, counts.late), (4, 2), "{query}");
        assert!(
            shown(&gather.rows().unwrap()).iter().all(|row| !row.contains("1970-01-01T00:00:00"))
        );
    }
    // Without windows nothing is late.
    let plan = plan("| logfmt | sum(v) by k");
    let mut gather = Gather::following(plan.clone(), LIMITS);
    gather.forget_before(i64::MAX);
    add(&mut gather, &plan, &[line(5, "a")]).unwrap();
    assert_eq!((shown(&gather.rows().unwrap()), gather.counts().late), (vec!["a 1".to_owned()], 0));
}

/// A sum of no lines is shown once, and then each change of it.
#[test]
fn a_single_row_is_told_from_the_beginning() {
    let plan = plan("| count");
    let mut gather = Gather::following(plan.clone(), LIMITS);
    let mut changes = Vec::new();
    for lines in [0, 0, 2, 0, 1] {
        let lines: Vec<Drawn> = (0..lines).map(|at| line(at, "a")).collect();
        add(&mut gather, &plan, &lines).unwrap();
        changes.push(shown(&gather.changed().unwrap()).join(","));
    }
    assert_eq!(changes, ["0", "", "2", "", "3"]);
}

/// Rows of windows stand in their order unless the query says otherwise.
#[test]
fn plans_know_whether_the_newest_window_is_last() {
    for (query, is_by_window) in [
        ("| count every 10s", true),
        ("| logfmt | count by k every 10s | where count > 1 | top 3 by count", true),
        ("| logfmt | count by k every 10s | sort count", false),
        ("| logfmt | count by k", false),
    ] {
        assert_eq!(plan(query).is_by_window(), is_by_window, "{query}");
    }
}
