//! From what an owner has taken to one record: which windows close, which rows that makes, and
//! whether the record follows the log or an image replaces it.

use super::{Owner, Pending};
use crate::cursor::Cursor;
use crate::ids::{FileId, Now};
use crate::list::list_bytes;
use crate::output::Output;
use crate::record::{Entry, Record, Row, encode};
use crate::settings::Mutant;
use crate::store::Condition;
use crate::sums::{SumRow, Sums, SumsError};
use crate::watermark::{self, window_of};
use memberd_membership::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

impl<S: Sums> Owner<S> {
    /// Makes durable what has changed, if the log is free.
    pub(super) fn commit(&mut self, now: Now, out: &mut VecDeque<Output>) {
        self.commit_at_ms = now.boot_ms + self.job.spec.commit_ms;
        if !self.log.is_ready() || self.writing.is_some() {
            return;
        }
        if self.state.is_last {
            return;
        }
        self.close_forgotten();
        // The last record closes all windows.
        let is_last = self.job.is_cancelled;
        let watermark = if is_last { i64::MAX } else { self.watermark().0 };
        let closes = self.closes(watermark) || self.owes_mark(watermark);
        let dropped = if is_last { Vec::new() } else { self.dropped(watermark) };
        if !self.pending.has_news && !closes && !is_last && dropped.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let mut record = Record { is_last, dropped, ..self.record(&pending, watermark) };
        if let Err(error) = self.close(&pending, &mut record) {
            return self.stop(&error, out);
        }
        self.state.take(&*self.sums, self.times(), &record);
        if self.settings.is(Mutant::TwoWrites) {
            self.divide(&mut record);
        }
        self.write(now, record, out);
    }

    /// The watermark now: it never goes back. And which member holds it there.
    pub(super) fn watermark(&self) -> (i64, Option<&Name>) {
        let presence = |name: &Name| {
            let new = self.pending.presences.get(name);
            new.max(self.state.presences.get(name)).copied()
        };
        let known = self.state.cursors.iter();
        let known = known.filter(|(file, _)| !self.pending.cursors.contains_key(file));
        let all = known.chain(&self.pending.cursors);
        let (of_sources, holds) = watermark::of_partition(&self.job, presence, all);
        (of_sources.unwrap_or(i64::MIN).max(self.state.watermark), holds)
    }

    /// The cursors of files that are gone, once nothing that can change has lines of them.
    fn dropped(&self, watermark: i64) -> Vec<FileId> {
        let (times, settings) = (self.times(), &self.settings);
        let is_over = |(file, cursor): &(&FileId, &Cursor)| {
            let is_gone = cursor.is_gone || self.is_forgotten(file);
            let is_over = cursor.is_over(times, watermark) || settings.is(Mutant::HastyDrop);
            cursor.is_finished && is_gone && is_over && !self.pending.cursors.contains_key(*file)
        };
        if settings.is(Mutant::NeverDrop) {
            return Vec::new();
        }
        self.state.cursors.iter().filter(is_over).map(|(file, _)| file.clone()).collect()
    }

    /// Whether a window would close.
    pub(super) fn closes(&self, watermark: i64) -> bool {
        let times = self.times();
        let mut windows = self.pending.windows.keys().flat_map(|pane| times.windows_of(*pane));
        windows.any(|at| times.is_closed(at, watermark)) || !self.closing(watermark).is_empty()
    }

    /// The windows with lines in the state that are closed at this watermark, and were not at that
    /// of the state.
    fn closing(&self, watermark: i64) -> BTreeSet<i64> {
        let (times, old) = (self.times(), self.state.watermark);
        let first = old.saturating_sub(times.over_ms);
        let panes = self.state.windows.range(first..watermark.max(first));
        let windows = panes.flat_map(|(pane, _)| times.windows_of(*pane));
        windows.filter(|at| times.is_closed(*at, watermark) && !times.is_closed(*at, old)).collect()
    }

    /// The closed windows that what is pending changes.
    fn revised(&self, pending: &Pending<S::Table>) -> BTreeSet<i64> {
        let (times, old) = (self.times(), self.state.watermark);
        let windows = pending.windows.keys().flat_map(|pane| times.windows_of(*pane));
        windows.filter(|at| times.is_closed(*at, old) && !times.is_given_up(*at, old)).collect()
    }

    /// Whether the sink has to know that windows are closed, and asked.
    fn owes_mark(&self, watermark: i64) -> bool {
        let is_behind = self.state.watermark < self.asked_until;
        is_behind && self.passes_windows(watermark) && !self.sums.steps().is_empty()
    }

    /// Whether a window ends between the watermark of the state and this one.
    fn passes_windows(&self, watermark: i64) -> bool {
        let every_ms = self.times().every_ms;
        window_of(watermark, every_ms) > window_of(self.state.watermark, every_ms)
    }

    /// The record, without windows that close.
    fn record(&self, pending: &Pending<S::Table>, watermark: i64) -> Record {
        let cursors = pending.cursors.iter();
        let cursors: Vec<(FileId, Cursor)> =
            cursors.map(|(file, cursor)| (file.clone(), *cursor)).collect();
        let is_new = |(name, at): &(&Name, &i64)| {
            self.state.presences.get(*name).is_none_or(|known| known < at)
        };
        let presences = pending.presences.iter().filter(is_new);
        let sums = pending.windows.iter();
        Record {
            sequence: self.state.sequence + 1,
            epoch: self.epoch,
            cursors,
            presences: presences.map(|(name, at)| (name.clone(), *at)).collect(),
            sums: sums.map(|(at, table)| (*at, self.sums.bytes(table))).collect(),
            late: pending.late,
            uncounted: pending.uncounted,
            watermark,
            closed: Vec::new(),
            rows: pending.gaps.iter().cloned().map(Row::Gap).collect(),
            is_last: false,
            dropped: Vec::new(),
        }
    }

    /// Adds the sums to the state, and rows to the record: of windows that close now, and of
    /// closed ones that late lines have changed.
    fn close(&mut self, pending: &Pending<S::Table>, record: &mut Record) -> Result<(), SumsError> {
        let mut before: BTreeMap<i64, Vec<SumRow>> = BTreeMap::new();
        for at in self.revised(pending) {
            before.insert(at, self.rows(at)?);
        }
        self.state.add(&*self.sums, &record.sums)?;
        let silent = self.settings.is(Mutant::SilentLate);
        for (at, rows) in before.into_iter().filter(|_| !silent) {
            let known = self.state.windows.get(&at).and_then(|window| window.revision);
            let revision = known.unwrap_or(0) + 1;
            let now = self.rows(at)?;
            record.closed.push((at, revision));
            self.add_rows((at, revision), now, &rows, &mut record.rows)?;
        }
        for at in self.closing(record.watermark) {
            record.closed.push((at, 0));
            let rows = self.rows(at)?;
            self.add_rows((at, 0), rows, &[], &mut record.rows)?;
        }
        if !self.sums.steps().is_empty() && self.passes_windows(record.watermark) {
            record.rows.push(Row::Closed(record.watermark));
        }
        Ok(())
    }

    /// Adds the rows of a window that are not among those before; or all as a list, if that has
    /// changed.
    fn add_rows(
        &self,
        (at, revision): (i64, u32),
        mut rows: Vec<SumRow>,
        before: &[SumRow],
        added: &mut Vec<Row>,
    ) -> Result<(), SumsError> {
        if self.sums.steps().is_empty() {
            rows.retain(|row| !before.contains(row));
            added.extend(rows.into_iter().map(|row| sum_row(at, row, revision)));
            return Ok(());
        }
        if rows != before {
            let list = list_bytes(rows);
            let most = self.settings.list_bytes;
            if list.len() > most {
                let what = "behind top or sort a window has";
                let error = format!("{what} rows of more than {most} bytes in a partition");
                return Err(SumsError::Full(format!("{error}; use a smaller top")));
            }
            added.push(Row::List { window: at, rows: list });
        }
        Ok(())
    }

    fn rows(&self, at: i64) -> Result<Vec<SumRow>, SumsError> {
        match self.sums.rows(at, &self.state.panes(self.times(), at)) {
            Err(_) if self.settings.is(Mutant::SilentLimit) => Ok(Vec::new()),
            rows => rows,
        }
    }

    /// Hands a record to the log: behind the others, or as an image in their place.
    pub(super) fn write(&mut self, now: Now, record: Record, out: &mut VecDeque<Output>) {
        let entry = Entry::Record(record);
        let bytes = encode(&entry);
        let Entry::Record(record) = entry else { return };
        self.writing = Some(record);
        let length = self.log_bytes + bytes.len() as u64;
        let bound = self.settings.log_bytes.max(self.settings.log_factor * self.image_bytes);
        let whole = self.second.is_empty() && !self.settings.is(Mutant::TwoWrites);
        let is_long = length > bound || bytes.len() > self.settings.append_bytes;
        if is_long && whole {
            let image = encode(&Entry::Image(self.state.image(&*self.sums)));
            self.image_bytes = image.len() as u64;
            self.log_bytes = self.image_bytes;
            out.push_back(Output::Store(self.log.replace(now.boot_ms, image)));
            return;
        }
        self.log_bytes = length;
        let blind = self.settings.is(Mutant::BlindAppend);
        let version = Condition::Version(self.log.at().version);
        let only = if blind { Condition::Always } else { version };
        out.push_back(Output::Store(self.log.append(now.boot_ms, only, bytes)));
    }

    /// A mutant: the cursors are durable first, and the sums after that.
    fn divide(&mut self, record: &mut Record) {
        let first = Record {
            sequence: record.sequence,
            epoch: record.epoch,
            cursors: std::mem::take(&mut record.cursors),
            watermark: record.watermark,
            ..Record::default()
        };
        let mut second = std::mem::replace(record, first);
        second.sequence += 1;
        self.state.sequence = second.sequence;
        self.second.push_back(second);
    }
}

fn sum_row(window: i64, row: SumRow, revision: u32) -> Row {
    Row::Sum { window, key: row.key, values: row.values, revision }
}
