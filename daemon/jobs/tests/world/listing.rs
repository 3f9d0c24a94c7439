//! The rows of a job that lists the first of each window: what the sink must have, from the groups
//! of all partitions. It knows how a list is made by plain means alone (`sums.rs`).

use super::oracle::Judged;
use super::shadow::Shadow;
use super::sums::{Counting, Groups};
use memberd_jobs::{JobSpec, Partition, Row, SinkRecord};
use memberd_streams::time_text;
use std::collections::{BTreeMap, BTreeSet};

/// What the sink has taken and written.
#[derive(Debug, Default)]
pub struct Listing {
    /// Of each window, all groups of each partition at its last list.
    tables: BTreeMap<i64, BTreeMap<Partition, Groups>>,
    closed: BTreeMap<Partition, i64>,
    /// Of each window, the newest revision and its rows.
    shown: BTreeMap<i64, (u32, Vec<String>)>,
    pub revisions: u64,
}

impl Listing {
    /// A record of the sink. The number of the next row behind it.
    pub fn take(
        &mut self,
        record: &SinkRecord,
        (spec, counting): (&JobSpec, Counting),
        shadows: &BTreeMap<Partition, Shadow>,
        (cursors, mut number): (&BTreeMap<Partition, u64>, u64),
    ) -> Result<u64, String> {
        let mut gaps = self.take_rows(record, shadows, cursors)?;
        let text = String::from_utf8(record.text.clone()).unwrap();
        let mut lists: Vec<(String, u32, Vec<String>)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (seq, rest) = line.split_once('\t').unwrap();
            if seq != number.to_string() {
                return Err(format!("I4: row {number} is {line:?}"));
            }
            number += 1;
            if rest.starts_with("gap\t") {
                if !gaps.remove(rest) {
                    return Err(format!("I4: {line:?} is no gap of a partition"));
                }
                continue;
            }
            let (window, rest) = rest.split_once('\t').unwrap();
            let (row, revision) = rest.rsplit_once('\t').unwrap();
            let revision = revision.parse().unwrap();
            match lists.last_mut().filter(|list| list.0 == window && list.1 == revision) {
                Some(list) => list.2.push(row.to_owned()),
                None => lists.push((window.to_owned(), revision, vec![row.to_owned()])),
            }
        }
        if let Some(gap) = gaps.first() {
            return Err(format!("I4: the sink lacks {gap:?}"));
        }
        for list in lists {
            self.is_due(list, spec, counting)?;
        }
        for window in record.windows.iter().filter(|window| !window.is_due) {
            let (at, shown) = (window.window, self.shown.get(&window.window));
            if shown.is_none_or(|shown| shown.1 != self.expected(at, counting)) {
                return Err(format!(
                    "I4: window {at} is said to be in the sink, and has {shown:?}"
                ));
            }
        }
        Ok(number)
    }

    /// Takes the rows of all partitions up to the cursors. Those that are lines: the gaps.
    fn take_rows(
        &mut self,
        record: &SinkRecord,
        shadows: &BTreeMap<Partition, Shadow>,
        cursors: &BTreeMap<Partition, u64>,
    ) -> Result<BTreeSet<String>, String> {
        let mut gaps = BTreeSet::new();
        for (partition, next) in &record.cursors {
            let at = cursors.get(partition).copied().unwrap_or(0);
            let shadow = shadows.get(partition);
            for number in at..*next {
                let row = shadow.and_then(|shadow| shadow.rows.get(number as usize));
                match row.ok_or_else(|| format!("I4: {partition:?} has no row {number}"))? {
                    Row::List { window, .. } => {
                        let table = shadow.unwrap().tables[&number].clone();
                        self.tables.entry(*window).or_default().insert(*partition, table);
                    }
                    Row::Closed(until) => {
                        self.closed.insert(*partition, *until);
                    }
                    gap => {
                        let line = String::from_utf8(gap.line(0)).unwrap();
                        gaps.insert(line[2..].trim_end().to_owned());
                    }
                }
            }
        }
        Ok(gaps)
    }

    /// A list in the sink is whole, is the newest, and differs from the one before.
    fn is_due(
        &mut self,
        (window, revision, rows): (String, u32, Vec<String>),
        spec: &JobSpec,
        counting: Counting,
    ) -> Judged {
        let at = self.tables.keys().find(|at| time_text(**at) == window);
        let Some(at) = at.copied() else { return Err(format!("I4: no window {window}")) };
        let is_closed =
            |part| self.closed.get(&part).is_some_and(|it| at + spec.times().over_ms <= *it);
        if !(0..spec.partitions).map(Partition).all(is_closed) {
            return Err(format!("I4: {window} is in the sink, and is not closed by all"));
        }
        let before = self.shown.get(&at);
        let next = before.map_or(0, |(revision, _)| revision + 1);
        let expected = self.expected(at, counting);
        if revision != next || rows != expected || before.is_some_and(|(_, old)| *old == rows) {
            return Err(format!(
                "I4: {window} has {rows:?} as revision {revision}, not {expected:?} behind \
                 {before:?}"
            ));
        }
        self.revisions += u64::from(revision > 0);
        self.shown.insert(at, (revision, rows));
        Ok(())
    }

    /// The rows of a window, without numbers, window and revision.
    fn expected(&self, at: i64, counting: Counting) -> Vec<String> {
        let tables = self.tables.get(&at).into_iter().flat_map(BTreeMap::values);
        let all: Groups = tables.flatten().map(|(key, group)| (*key, *group)).collect();
        rows(&all, counting)
    }

    /// A window that ends by this time, and is not in the sink as it is.
    pub fn unrest(&self, until: i64, over_ms: i64, counting: Counting) -> Option<i64> {
        let mut windows = self.tables.keys().filter(|at| **at + over_ms <= until);
        let is_missing = |at: &&i64| {
            self.shown.get(*at).is_none_or(|(_, rows)| *rows != self.expected(**at, counting))
        };
        windows.find(is_missing).copied()
    }

    /// How many windows have a list in the sink.
    pub fn windows(&self) -> usize {
        self.shown.len()
    }

    /// Up to when all partitions have closed their windows in the sink.
    pub fn closed(&self, partitions: u16) -> i64 {
        let of = |part| self.closed.get(&Partition(part)).copied().unwrap_or(i64::MIN);
        (0..partitions).map(of).min().unwrap_or(i64::MIN)
    }
}

/// The list of these groups, without numbers, window and revision.
pub fn rows(groups: &Groups, counting: Counting) -> Vec<String> {
    let row = |(key, group)| {
        let row = counting.row(key, group);
        String::from_utf8([row.key, row.values].join(&b'\t')).unwrap()
    };
    counting.listed(groups).into_iter().map(row).collect()
}
