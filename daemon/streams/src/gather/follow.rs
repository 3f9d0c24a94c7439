//! An answer that grows: which windows are forgotten, and which rows were shown with which values.

use crate::error::Full;
use crate::key::Parts;
use crate::plan::Plan;
use crate::report::Shown;
use crate::table::Table;
use std::collections::{BTreeMap, HashMap};

/// A table is made anew once one of so many groups is of a forgotten window.
const FORGOTTEN_SHARE: usize = 4;

/// What is known of an answer that grows beside its sums.
#[derive(Debug, Default)]
pub(super) struct Follow {
    /// When the first window begins that is not forgotten.
    floor: Option<i64>,
    /// How many groups of the table each window has that is not forgotten, by when it begins.
    windows: BTreeMap<i64, usize>,
    /// How many groups of the table are of forgotten windows.
    forgotten: usize,
    /// Which groups of the table have grown since changes were asked for.
    touched: Vec<bool>,
    /// The values that each row was shown with last.
    shown: HashMap<Digest, Last>,
}

/// A hash that nobody can choose a second text for.
type Digest = [u8; 16];

/// How a row was shown last.
#[derive(Debug)]
struct Last {
    /// When its window begins, if there are windows.
    window: Option<i64>,
    values: Digest,
}

impl Follow {
    pub(super) fn floor(&self) -> Option<i64> {
        self.floor
    }

    /// When the newest window begins that has begun by `now`.
    pub(super) fn newest(&self, now: i64) -> Option<i64> {
        self.windows.range(..=now).next_back().map(|(start, _)| *start)
    }

    /// Whether the window that begins here is forgotten.
    pub(super) fn is_forgotten(&self, window: Option<i64>) -> bool {
        // Without windows, and before one was forgotten, there is none.
        matches!((window, self.floor), (Some(window), Some(floor)) if window < floor)
    }

    /// Forgets the windows of `over` that had ended by this time. One begins every `every`.
    pub(super) fn forget_before(&mut self, time: i64, every: i64, over: i64) {
        let last = |ended: i64| ended.checked_sub(ended.rem_euclid(every))?.checked_add(every);
        // There are no windows at the end of time.
        let Some(floor) = time.checked_sub(over).and_then(last) else { return };
        if self.floor.is_some_and(|before| floor <= before) {
            return;
        }
        self.floor = Some(floor);
        let kept = self.windows.split_off(&floor);
        self.forgotten += self.windows.values().sum::<usize>();
        self.windows = kept;
    }

    /// Notes that a group of the table grows, which may be a new one.
    pub(super) fn touch(&mut self, group: usize, window: Option<i64>) {
        if group >= self.touched.len() {
            self.touched.resize(group + 1, false);
            if let Some(window) = window {
                *self.windows.entry(window).or_default() += 1;
            }
        }
        self.touched[group] = true;
    }

    /// The groups that have grown. None if any row may have changed, since rows depend on others.
    pub(super) fn touched(&self, plan: &Plan) -> Option<Vec<usize>> {
        let groups = self.touched.iter().enumerate();
        let grown = groups.filter(|(_, touched)| **touched).map(|(group, _)| group);
        plan.has_lone_rows().then(|| grown.collect())
    }

    /// All changes have been asked for.
    pub(super) fn untouch(&mut self) {
        self.touched.fill(false);
    }

    /// Notes that a row is shown. False if it was shown with these values before.
    pub(super) fn show(&mut self, row: &Shown) -> bool {
        let last = Last { window: row.window, values: digest(&row.values) };
        let values = last.values;
        let before = self.shown.insert(digest(&row.key), last);
        before.is_none_or(|before| before.values != values)
    }

    /// Takes the groups of forgotten windows out of the table, if there are many, or if they take
    /// room that others may need.
    pub(super) fn make_room(&mut self, plan: &Plan, table: &mut Table) -> Result<(), Full> {
        let is_worth_it =
            self.forgotten * FORGOTTEN_SHARE >= table.groups() || table.is_half_full();
        if self.forgotten == 0 || !is_worth_it {
            return Ok(());
        }
        let mut kept = Table::new(plan.seed(), plan.state_kinds(), table.limits());
        let mut touched = Vec::with_capacity(table.groups() - self.forgotten);
        for group in 0..table.groups() {
            let key = table.key(group);
            if self.is_forgotten(Parts(key).window()) {
                continue;
            }
            kept.take(key, table, group)?;
            touched.push(self.touched.get(group).copied().unwrap_or_default());
        }
        *table = kept;
        self.touched = touched;
        self.forgotten = 0;
        let floor = self.floor;
        self.shown.retain(|_, last| last.window >= floor);
        Ok(())
    }
}

fn digest(values: &[u8]) -> Digest {
    let mut digest = Digest::default();
    blake3::Hasher::new().update(values).finalize_xof().fill(&mut digest);
    digest
}
